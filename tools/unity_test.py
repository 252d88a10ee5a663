#!/usr/bin/env python3
"""Shows which sources cmake/unity.py lets share a file, and which it keeps apart."""
import importlib.util
import pathlib
import tempfile
import unittest

_path = pathlib.Path(__file__).resolve().parent.parent / "cmake/unity.py"
_spec = importlib.util.spec_from_file_location("unity", _path)
unity = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(unity)


class Unity(unittest.TestCase):
    def setUp(self):
        self._folder = tempfile.TemporaryDirectory()
        self.source = pathlib.Path(self._folder.name) / "src"
        self.out = pathlib.Path(self._folder.name) / "out"
        (self.source / "part").mkdir(parents=True)

    def tearDown(self):
        self._folder.cleanup()

    def together(self, **files):
        """How many files the sources, given by name, end up in."""
        for name, text in files.items():
            (self.source / "part" / f"{name}.cc").write_text(text)
        unity.write(self.source, self.out)
        return [path.read_text() for path in sorted((self.out / "part").glob("unity_*.cc"))]

    def test_sources_share_a_file(self):
        self.assertEqual(self.together(a="int f() { return 1; }", b="int g() { return 2; }"),
                         ['#include "part/a.cc"\n#include "part/b.cc"\n'])

    def test_two_that_have_the_same_name_for_themselves_are_kept_apart(self):
        for own in ("int f() { return 1; }", "constexpr int f = 1;", "struct f {};", "using f = int;", "int f[] = {1};"):
            self.assertEqual(len(self.together(a=f"namespace {{ {own} }}", b=f"namespace {{ {own} }}")), 2, own)

    def test_one_whose_own_name_the_other_uses_is_kept_apart(self):
        self.assertEqual(len(self.together(a="namespace { int seconds(); }", b="using std::chrono::seconds;\nseconds s;")), 2)

    def test_members_and_comments_are_no_use_of_a_name(self):
        self.assertEqual(len(self.together(a="namespace { int f() { return 1; } }", b="// f\nint g(S s) { return s.f(\"f\"); }")), 1)

    def test_what_stands_in_a_function_is_not_the_files_own(self):
        self.assertEqual(unity.own_names("namespace { int f(int a) { int b = a; return b; } }"), {"f"})

    def test_tests_and_main_stay_alone(self):
        self.assertEqual(self.together(a="", a_test="", main=""), ['#include "part/a.cc"\n'])

    def test_a_file_that_no_longer_belongs_is_removed(self):
        self.together(a="namespace { int f; }", b="namespace { int f; }")
        self.assertEqual(len(self.together(b="namespace { int g; }")), 1)

    def test_no_file_has_all(self):
        many = {f"s{number:02}": "" for number in range(2 * unity.SOURCES_MAX)}
        self.assertEqual(len(self.together(**many)), 2)


if __name__ == "__main__":
    unittest.main()
