#!/usr/bin/env python3
"""Shows that tools/run-tests tells a crash, a hang, a leak at exit and an empty run from success."""
import importlib.machinery
import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

from suites import LIVES, SHARDS, Job

RUN_TESTS = pathlib.Path(__file__).resolve().parent / "run-tests"


def report(*cases):
    """What GoogleTest writes for --gtest_output=json."""
    return json.dumps({"testsuites": [{"name": "Suite", "testsuite": list(cases)}]})


def case(name, **more):
    return {"name": name, "status": "RUN", "result": "COMPLETED", **more}


_loader = importlib.machinery.SourceFileLoader("run_tests", str(RUN_TESTS))
run_tests = importlib.util.module_from_spec(importlib.util.spec_from_loader("run_tests", _loader))
sys.path.insert(0, str(RUN_TESTS.parent))
_loader.exec_module(run_tests)


class Python(unittest.TestCase):
    """Scripts get the modules that `make test` installed, whatever stands before them."""

    def setUp(self):
        self._folder = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self._folder.name)
        self._environment = dict(os.environ)

    def tearDown(self):
        os.environ.clear()
        os.environ.update(self._environment)
        run_tests.debian_python.cache_clear()
        self._folder.cleanup()

    def outcome_of_a_script_that_prints(self, expression):
        script = self.folder / "x_test.py"
        script.write_text(f"import sys\nprint({expression})\n")
        run_tests.debian_python.cache_clear()
        return run_tests.run_python(Job("x_test.py", "python", script, self.folder, 60)).output

    def modules_of_pip(self):
        """A folder with a pymongo of its own, as pip makes one."""
        modules = self.folder / "pip"
        (modules / "pymongo").mkdir(parents=True)
        (modules / "pymongo/__init__.py").write_text("version = 'of pip'\n")
        return str(modules)

    def test_another_python_that_comes_first_on_path_is_not_taken(self):
        python = self.folder / "python3"
        python.write_text("#!/bin/sh\necho another python\n")
        python.chmod(0o755)
        os.environ["PATH"] = f"{self.folder}:{os.environ['PATH']}"
        self.assertNotIn("another python", self.outcome_of_a_script_that_prints("sys.version"))

    def test_another_pymongo_in_pythonpath_is_not_taken(self):
        os.environ["PYTHONPATH"] = self.modules_of_pip()
        self.assertNotIn("of pip", self.outcome_of_a_script_that_prints("__import__('pymongo').version"))

    def test_debians_modules_come_before_what_was_installed_for_everybody(self):
        python, modules = run_tests.debian_python()
        if modules is None:
            self.skipTest("this python3 isn't Debian's")
        self.assertEqual(self.outcome_of_a_script_that_prints("sys.path[1]").split("\n")[0], modules)


class RunTests(unittest.TestCase):
    def setUp(self):
        self._folder = tempfile.TemporaryDirectory()
        self.build = pathlib.Path(self._folder.name) / "fake-build"
        (self.build / "bin/tests").mkdir(parents=True)

    def tearDown(self):
        self._folder.cleanup()

    def program(self, name, script, json_report=None):
        """A shell script that stands for a test program."""
        path = self.build / "bin/tests" / name
        write = f"cat > \"${{1#--gtest_output=json:}}\" <<'END'\n{json_report}\nEND\n" if json_report else ""
        path.write_text(f"#!/bin/sh\n{write}{script}\n")
        path.chmod(0o755)

    def run_tests(self, *arguments):
        done = subprocess.run([sys.executable, str(RUN_TESTS), str(self.build), "--filter", "fake-build/", *arguments],
                              capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout, done.stdout.splitlines()[-1]

    def test_adds_up_what_passed(self):
        self.program("a_test", "exit 0", report(case("One"), case("Two")))
        self.program("b_test", "exit 0", report(case("Three")))
        code, _, last = self.run_tests()
        self.assertEqual((code, last), (0, "3 passed, 0 failed, 0 skipped"))

    def test_shows_the_output_of_what_failed(self):
        output = "echo '[ RUN      ] Suite.One'; echo 'it broke here'; echo '[  FAILED  ] Suite.One'; exit 1"
        self.program("a_test", output, report(case("One", failures=[{"failure": "x"}]), case("Two")))
        code, text, last = self.run_tests()
        self.assertEqual((code, last), (1, "1 passed, 1 failed, 0 skipped"))
        self.assertIn("it broke here", text)

    def test_says_why_a_case_was_skipped(self):
        output = "echo '[ RUN      ] Suite.One'; echo 'x.cc:1: Skipped'; echo 'no server here'; echo '[  SKIPPED ] Suite.One'"
        self.program("a_test", output, report({"name": "One", "status": "RUN", "result": "SKIPPED"}, case("Two")))
        code, text, last = self.run_tests()
        self.assertEqual((code, last), (0, "1 passed, 0 failed, 1 skipped"))
        self.assertIn("Suite.One: no server here", text)

    def test_a_crash_is_a_failure_and_names_the_case_that_ran(self):
        self.program("a_test", "echo '[ RUN      ] Suite.One'; echo '[       OK ] Suite.One (0 ms)'; "
                               "echo '[ RUN      ] Suite.Two'; kill -SEGV $$")
        code, text, last = self.run_tests()
        self.assertEqual((code, last), (1, "1 passed, 1 failed, 0 skipped"))
        self.assertIn("SIGSEGV in Suite.Two", text)

    def test_a_bad_exit_after_passing_cases_is_a_failure(self):
        self.program("a_test", "echo leaked; exit 23", report(case("One")))
        code, text, last = self.run_tests()
        self.assertEqual((code, last), (1, "1 passed, 1 failed, 0 skipped"))
        self.assertIn("exit code 23", text)

    def test_a_hang_is_a_failure(self):
        self.program("a_test", "sleep 30", report(case("One")))
        code, text, _ = self.run_tests("--timeout", "1")
        self.assertEqual(code, 1)
        self.assertIn("no end after 1 s", text)

    def test_only_what_is_named_runs(self):
        self.program("a_test", "exit 0", report(case("One")))
        self.program("b_test", "exit 1", report(case("Two")))
        code, _, last = self.run_tests("--only", "a_test,c_test")
        self.assertEqual((code, last), (0, "1 passed, 0 failed, 0 skipped"))

    def test_says_where_the_time_went_and_remembers(self):
        self.program("a_test", "exit 0", report(case("One")))
        _, text, _ = self.run_tests()
        self.assertIn("| fake-build | 1 |", text)
        self.assertIn("fake-build/a_test", json.loads((self.build.parent / "times.json").read_text()))

    def test_a_sanitizers_programs_live_in_the_tests_of_the_plain_build(self):
        for name in LIVES["tsan"]:
            self.program(name, "echo \"$TIDEMARK_BIN_DIR $TIDEMARK_SANITIZED $*\" >> $0.said", report(case("One")))
        tsan = self.build.parent / "fake-tsan"
        (tsan / "bin/tests").mkdir(parents=True)
        done = subprocess.run([sys.executable, str(RUN_TESTS), str(self.build), str(tsan), "--filter", "fake-tsan/lives"],
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(done.stdout.splitlines()[-1], f"{len(LIVES['tsan'])} passed, 0 failed, 0 skipped")
        said = (self.build / "bin/tests/tidemark_planes_e2e_test.said").read_text()
        self.assertTrue(said.startswith(f"{tsan}/bin tsan "), said)
        self.assertIn(f"--gtest_filter={LIVES['tsan']['tidemark_planes_e2e_test']}", said)

    def test_a_long_program_runs_in_parts(self):
        for name in SHARDS:
            self.program(name, "echo $GTEST_SHARD_INDEX of $GTEST_TOTAL_SHARDS >> $0.said", report(case("One")))
        _, _, last = self.run_tests()
        self.assertEqual(last, f"{sum(SHARDS.values())} passed, 0 failed, 0 skipped")
        said = (self.build / "bin/tests/tidemark_e2e_test.said").read_text().splitlines()
        self.assertEqual(sorted(said), ["0 of 3", "1 of 3", "2 of 3"])

    def test_a_life_that_no_case_is_called_is_a_failure(self):
        for name in LIVES["tsan"]:
            self.program(name, "exit 0", report())
        tsan = self.build.parent / "fake-tsan"
        (tsan / "bin/tests").mkdir(parents=True)
        done = subprocess.run([sys.executable, str(RUN_TESTS), str(self.build), str(tsan), "--filter", "fake-tsan/lives"],
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 1)
        self.assertIn("no case is called", done.stdout)

    def test_running_nothing_is_a_failure(self):
        code, _, last = self.run_tests()
        self.assertEqual((code, last), (1, "0 passed, 0 failed, 0 skipped"))


if __name__ == "__main__":
    unittest.main()
