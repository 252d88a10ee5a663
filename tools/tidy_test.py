#!/usr/bin/env python3
"""Shows every rule of tools/tidy red, and green beside it."""
import importlib.machinery
import importlib.util
import pathlib
import unittest

_path = str(pathlib.Path(__file__).resolve().parent / "tidy")
_loader = importlib.machinery.SourceFileLoader("tidy", _path)
tidy = importlib.util.module_from_spec(importlib.util.spec_from_loader("tidy", _loader))
_loader.exec_module(tidy)


def rules(path, text):
    return sorted({finding.rule for finding in tidy.check(path, text)})


class Includes(unittest.TestCase):
    def red(self, path, include):
        self.assertIn("include", rules(path, f'#include "{include}"\n'), f"{path} took {include}")

    def green(self, path, include):
        self.assertEqual(rules(path, f'#include "{include}"\n'), [], f"{path} refused {include}")

    def test_base_includes_nothing_of_ours(self):
        self.red("src/base/log.cc", "env/clock.h")
        self.green("src/base/log.cc", "base/log.h")

    def test_core_sees_the_interfaces_of_env_and_not_the_system(self):
        self.green("src/core/backoff.cc", "env/random.h")
        self.red("src/core/backoff.cc", "env/posix/clock.h")

    def test_core_does_not_see_config(self):
        self.red("src/core/event.cc", "config/settings.h")

    def test_a_component_does_not_see_another(self):
        self.red("src/sinks/file/file_sink.cc", "sinks/sqlite/sqlite_sink.h")
        self.red("src/sinks/file/file_sink.cc", "positions/file/file_position.h")
        self.green("src/sinks/file/file_sink.cc", "sinks/file/json_lines.h")

    def test_a_component_does_not_see_the_runtime(self):
        self.red("src/deadletters/sqlite/store.cc", "runtime/pipeline.h")

    def test_the_runtime_does_not_see_components(self):
        self.red("src/runtime/lane.cc", "sinks/null/null_sink.h")

    def test_http_sees_the_status_header_alone(self):
        self.green("src/http/api.cc", "runtime/status.h")
        self.red("src/http/api.cc", "runtime/lane.h")

    def test_the_sandbox_does_not_see_the_program_it_tests(self):
        self.red("src/sandbox/store/update.cc", "core/event.h")
        self.green("src/sandbox/store/update.cc", "bson/matcher.h")
        self.green("src/sandbox/change_stream/change_stream.cc", "sandbox/replication/oplog.h")

    def test_the_list_of_components_sees_what_they_declare_and_no_more(self):
        self.green("src/app/components.cc", "sinks/sqlite/component.h")
        self.red("src/app/components.cc", "sinks/sqlite/sqlite_sink.h")
        self.green("src/app/service.cc", "runtime/runner.h")

    def test_sql_sinks_share_a_folder_that_no_other_component_sees(self):
        self.green("src/sinks/sqlite/sink.cc", "sinks/sql/settings.h")
        self.green("src/sinks/postgres/sink.cc", "sinks/sql/settings.h")
        self.red("src/sinks/mongodb/sink.cc", "sinks/sql/settings.h")
        self.red("src/sinks/sql/settings.cc", "sinks/sqlite/sink.h")

    def test_components_describe_themselves_in_the_words_of_the_registry(self):
        self.green("src/sinks/sqlite/component.cc", "registry/declarations.h")
        self.red("src/core/sink.cc", "registry/declarations.h")

    def test_a_test_may_use_the_system_and_the_support_folder(self):
        self.green("src/positions/file/file_position_test.cc", "env/posix/file_system.h")
        self.green("src/positions/file/file_position_test.cc", "support/temp_folder.h")

    def test_what_is_for_tests_is_for_tests_alone(self):
        self.green("src/core/pipeline_core_test.cc", "core/testing/pipeline_core_harness.h")
        self.green("test/sim/world.cc", "core/testing/pipeline_core_harness.h")
        self.red("src/core/pipeline_core.cc", "core/testing/pipeline_core_harness.h")
        self.red("src/app/service.cc", "http/testing/client_harness.h")

    def test_a_header_for_tests_stands_in_testing(self):
        for name in ("test_support", "fake_server", "faulty_vfs", "client_harness", "audit_fixture"):
            self.assertIn("testing", rules(f"src/sinks/sqlite/{name}.h", "// what\n#pragma once\n"))
            self.assertEqual(rules(f"src/sinks/sqlite/testing/{name}.h", "// what\n#pragma once\n"), [])

    def test_only_composition_roots_take_the_system(self):
        self.green("src/sandbox/main.cc", "env/posix/clock.h")
        self.red("src/sandbox/server/server.cc", "env/posix/clock.h")

    def test_an_unknown_folder_is_refused(self):
        self.red("src/extras/a.cc", "base/log.h")
        self.red("src/core/a.cc", "event.h")


class ForeignHeaders(unittest.TestCase):
    def red(self, rule, path, include):
        self.assertIn(rule, rules(path, f"// what\n#pragma once\n#include <{include}>\n"))

    def green(self, path, include):
        self.assertEqual(rules(path, f"// what\n#pragma once\n#include <{include}>\n"), [])

    def test_a_client_library_stays_in_its_component(self):
        self.red("third-party", "src/sinks/file/file_sink.cc", "sqlite3.h")
        self.red("third-party", "src/core/event.cc", "mongoc/mongoc.h")
        self.green("src/sinks/sqlite/database.cc", "sqlite3.h")

    def test_a_client_library_stays_out_of_headers(self):
        self.red("third-party", "src/sinks/postgres/postgres_sink.h", "libpq-fe.h")

    def test_test_libraries_stay_in_tests(self):
        self.red("third-party", "src/core/event.cc", "gtest/gtest.h")
        self.green("src/core/event_test.cc", "gtest/gtest.h")

    def test_an_unknown_library_is_refused(self):
        self.red("third-party", "src/core/event.cc", "folly/FBString.h")

    def test_only_env_posix_calls_the_system(self):
        self.red("os", "src/sinks/file/file_sink.cc", "unistd.h")
        self.green("src/env/posix/file_system.cc", "unistd.h")
        self.green("src/core/event.cc", "string")


class Words(unittest.TestCase):
    def red(self, rule, path, text):
        self.assertIn(rule, rules(path, text))

    def test_a_mutex_that_clang_cannot_follow(self):
        self.red("mutex", "src/runtime/lane.cc", "std::mutex m;\n")
        self.red("mutex", "src/runtime/lane.cc", "std::lock_guard<Mutex> l(m);\n")
        self.red("mutex", "test/support/process.cc", "#include <condition_variable>\n")
        self.assertEqual(rules("src/runtime/lane.cc", "Mutex m;  // not std::mutex\n"), [])

    def test_a_clock_that_nobody_gave(self):
        self.red("clock", "src/runtime/lane.cc", "auto t = std::chrono::steady_clock::now();\n")
        self.red("clock", "src/runtime/lane_test.cc", "std::this_thread::sleep_for(1ms);\n")
        self.assertEqual(rules("src/env/posix/clock.cc", "auto t = std::chrono::steady_clock::now();\n"), [])
        self.assertEqual(rules("src/runtime/lane.cc", "clock.sleep_until(deadline, stop);\n"), [])

    def test_randomness_that_nobody_gave(self):
        self.red("random", "src/core/backoff.cc", "std::random_device device;\n")

    def test_a_position_that_no_operator_asked_for(self):
        self.red("operator-position", "src/cli/run.cc", "save(operator_position(p));\n")
        self.assertEqual(rules("src/cli/position_init.cc", "save(operator_position(p));\n"), [])

    def test_a_walk_that_ends_silently(self):
        self.red("bson-walk", "src/core/event.cc", "while (bson_iter_next(&iter)) {\n")
        self.red("bson-walk", "src/sinks/mongodb/writer.cc", "bson_append_iter(&doc, key, -1, &iter);\n")
        self.red("bson-walk", "src/core/event.cc", "bson_iter_init_from_data(&iter, data, size);\n")
        self.assertEqual(rules("src/core/event.cc", "bson_iter_date_time(&field.iter());\n"), [])

    def test_bytes_that_nobody_checked(self):
        self.red("unchecked-view", "src/mongo/client.cc", "return bson::View::unchecked(data, size);\n")
        self.assertEqual(rules("src/core/position.h", "// what\n#pragma once\nbson::View::unchecked(a, b);\n"), [])

    def test_a_backlog_in_a_comment(self):
        self.red("backlog", "src/core/event.cc", "// TO" "DO later\n")
        self.red("backlog", "docs/delivery.md", "FIX" "ME\n")

    def test_a_package_host(self):
        self.red("host", "tools/deps", "npm --registry https://registry.npm" "js.org\n")

    def test_a_path_of_somebodys_machine(self):
        self.red("absolute-path", "docs/testing.md", "see /ho" "me/me/x\n")
        self.red("absolute-path", "tools/deps", "cd /ro" "ot\n")
        self.assertEqual(rules("docs/testing.md", "see test/work/x and $HOME/work\n"), [])


class Shape(unittest.TestCase):
    def test_tabs_and_trailing_space(self):
        self.assertEqual(rules("src/core/a.cc", "\tint a;\n"), ["tab"])
        self.assertEqual(rules("src/core/a.cc", "int a; \n"), ["trailing-space"])
        self.assertEqual(rules("Makefile", "all:\n\techo\n"), [])

    def test_a_header_guards_itself_and_says_what_it_is(self):
        self.assertEqual(rules("src/core/a.h", "// What.\nint a;\n"), ["pragma-once"])
        self.assertEqual(rules("src/core/a.h", "#pragma once\n"), ["header-comment"])

    def test_long_files_warn_then_fail(self):
        line = "int a;\n"
        self.assertEqual(tidy.check("src/core/a.cc", line * 400), [])
        self.assertEqual([f.fatal for f in tidy.check("src/core/a.cc", line * 401)], [False])
        self.assertEqual([f.fatal for f in tidy.check("src/core/a.cc", line * 501)], [True])

    def test_long_functions(self):
        def function(lines):
            return "int f() {\n" + "  a();\n" * (lines - 2) + "}\n"
        self.assertEqual(rules("src/core/a.cc", function(100)), [])
        self.assertEqual(rules("src/core/a.cc", function(101)), ["function-length"])

    def test_a_long_table_or_class_is_no_function(self):
        self.assertEqual(rules("src/core/a.cc", "class A {\n" + "  int a;\n" * 150 + "};\n"), [])

    def test_binary_and_generated_files_are_left_alone(self):
        self.assertEqual(rules("docs/picture.png", "\t \n"), [])
        self.assertEqual(rules("package-lock.json", "\t \n"), [])


if __name__ == "__main__":
    unittest.main()
