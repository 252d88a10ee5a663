#!/usr/bin/env python3
"""Shows that tools/run-tests tells a crash, a hang, a leak at exit and an empty run from success."""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

RUN_TESTS = pathlib.Path(__file__).resolve().parent / "run-tests"


def report(*cases):
    """What GoogleTest writes for --gtest_output=json."""
    return json.dumps({"testsuites": [{"name": "Suite", "testsuite": list(cases)}]})


def case(name, **more):
    return {"name": name, "status": "RUN", "result": "COMPLETED", **more}


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

    def test_running_nothing_is_a_failure(self):
        code, _, last = self.run_tests()
        self.assertEqual((code, last), (1, "0 passed, 0 failed, 0 skipped"))


if __name__ == "__main__":
    unittest.main()
