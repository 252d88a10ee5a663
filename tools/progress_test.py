#!/usr/bin/env python3
"""Shows what tools/progress says of a build, and when."""
import importlib.machinery
import importlib.util
import pathlib
import subprocess
import sys
import tempfile
import unittest

_path = str(pathlib.Path(__file__).resolve().parent / "progress")
_loader = importlib.machinery.SourceFileLoader("progress", _path)
progress = importlib.util.module_from_spec(importlib.util.spec_from_loader("progress", _loader))
_loader.exec_module(progress)


class Left(unittest.TestCase):
    def test_is_what_the_steps_so_far_took_each(self):
        self.assertEqual(progress.left(100, 400, 60), ", about 3 min left")
        self.assertEqual(progress.left(300, 400, 90), ", about 30 s left")

    def test_isnt_guessed_from_too_little(self):
        self.assertEqual(progress.left(2, 400, 10), "")
        self.assertEqual(progress.left(7, 400, 10), "")


class Says(unittest.TestCase):
    def test_a_line_every_ten_seconds_into_a_file(self):
        said = progress.Progress("build: x", False, now=0)
        said.take("[100/400] Building CXX object a.o")
        self.assertEqual(said.say(now=9), "")
        self.assertEqual(said.say(now=60), "build: x 100 of 400, about 3 min left\n")
        self.assertEqual(said.say(now=65), "")

    def test_one_line_in_place_on_a_terminal_and_takes_it_away(self):
        said = progress.Progress("build: x", True, now=0)
        said.take("[100/400] Building CXX object a.o")
        self.assertEqual(said.say(now=60), "\rbuild: x 100 of 400, about 3 min left")
        said.take("[400/400] Linking")
        self.assertTrue(said.say(now=61).startswith("\rbuild: x 400 of 400  "))
        self.assertRegex(said.end(), "^\r +\r$")

    def test_nothing_before_ninja_has_counted(self):
        self.assertEqual(progress.Progress("build: x", False, now=0).say(now=100), "")

    def test_keeps_all_that_ninja_printed(self):
        with tempfile.TemporaryDirectory() as folder:
            log = pathlib.Path(folder) / "log"
            done = subprocess.run([sys.executable, _path, "build: x", str(log)], input="[1/2] a\nerror: no\n[2/2] b",
                                  text=True, capture_output=True, timeout=60)
            self.assertEqual((done.returncode, done.stdout), (0, ""))
            self.assertEqual(log.read_text(), "[1/2] a\nerror: no\n[2/2] b")


if __name__ == "__main__":
    unittest.main()
