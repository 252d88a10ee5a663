#!/usr/bin/env python3
"""Shows that tools/mutate puts the tree back whatever happens, and tells caught, missed, broken and outdated apart. Builds
nothing."""
import importlib.machinery
import importlib.util
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import unittest

import mutations

ROOT = pathlib.Path(__file__).resolve().parent.parent
_loader = importlib.machinery.SourceFileLoader("mutate", str(ROOT / "tools/mutate"))
mutate = importlib.util.module_from_spec(importlib.util.spec_from_loader("mutate", _loader))
sys.modules["mutate"] = mutate
_loader.exec_module(mutate)

SOUND = "first\r\nsecond\nthird\n"


def mutation(name="m", old="second", new="bug", tests=("Suite.Notices",)):
    return mutations.Mutation(name, "does", "breaks", (mutations.Edit("a.cc", old, new),), {"a_test": list(tests)})


class FakeBuilder:
    """Notes what the tree holds at each build. `during` is called in a build of a tree with a bug."""

    def __init__(self, root, said="", outcomes=None, during=None):
        self._root, self._said, self._during = root, said, during
        self._outcomes = outcomes or {}
        self.trees = []

    @property
    def _bug(self):
        return "bug" in self.trees[-1]

    def build(self, _):
        self.trees.append((self._root / "a.cc").read_text())
        if self._bug and self._during:
            self._during()
        return self._said if self._bug else ""

    def run_test(self, _, test):
        return self._outcomes.get(test, "failed") if self._bug else self._outcomes.get("sound " + test, "passed")


class Mutate(unittest.TestCase):
    def setUp(self):
        self._folder = tempfile.TemporaryDirectory()
        self.addCleanup(self._folder.cleanup)
        self.root = pathlib.Path(self._folder.name)
        self.git("init", "-q")
        (self.root / "a.cc").write_bytes(SOUND.encode())
        self.git("add", "a.cc")
        self.git("-c", "user.name=n", "-c", "user.email=e@example.invalid", "commit", "-q", "-m", "all")
        self.lines = []

    def git(self, *arguments):
        subprocess.run(["git", "-C", str(self.root), *arguments], check=True, capture_output=True)

    def run_with(self, *several, **builder):
        self.builder = FakeBuilder(self.root, **builder)
        return mutate.run(self.root, self.builder, several or [mutation()], self.lines.append)

    def assert_sound(self):
        self.assertEqual((self.root / "a.cc").read_bytes(), SOUND.encode())

    def test_a_bug_that_turns_its_test_red_is_caught(self):
        self.assertEqual(self.run_with(), 0)
        self.assertEqual(self.lines[-1], "1 caught, 0 missed")
        self.assertIn("Suite.Notices", self.lines[0])
        self.assertEqual([tree.count("bug") for tree in self.builder.trees], [0, 1])
        self.assert_sound()

    def test_a_bug_that_no_test_notices_is_missed(self):
        self.assertEqual(self.run_with(outcomes={"Suite.Notices": "passed"}), 1)
        self.assertEqual(self.lines[-1], "0 caught, 1 missed")
        self.assert_sound()

    def test_one_red_test_of_two_is_enough_and_the_other_is_named(self):
        self.assertEqual(self.run_with(mutation(tests=("Suite.Notices", "Suite.Sleeps")),
                                       outcomes={"Suite.Sleeps": "passed"}), 0)
        self.assertIn("passed all the same: Suite.Sleeps", self.lines[1])

    def test_a_test_that_hangs_has_noticed_and_one_that_is_absent_has_not(self):
        self.assertEqual(self.run_with(outcomes={"Suite.Notices": "hung"}), 0)
        self.assertEqual(self.run_with(outcomes={"Suite.Notices": "absent"}), 1)

    def test_a_bug_that_does_not_build_is_not_caught(self):
        self.assertEqual(self.run_with(said="a.cc:1: error"), 1)
        self.assertIn("a.cc:1: error", self.lines[0])
        self.assert_sound()

    def test_each_bug_is_gone_before_the_next_one(self):
        self.run_with(mutation("one"), mutation("two", "third", "bug too"))
        self.assertEqual([("second" in tree, "third" in tree) for tree in self.builder.trees[1:]],
                         [(False, True), (True, False)])
        self.assert_sound()

    def test_tests_that_fail_or_are_absent_without_a_bug_tell_nothing(self):
        for outcome in ("failed", "absent"):
            with self.assertRaisesRegex(mutate.Refused, f"Suite.Notices.*{outcome}"):
                self.run_with(outcomes={"sound Suite.Notices": outcome})
        self.assert_sound()

    def test_a_text_that_is_not_there_exactly_once_is_refused_before_anything_is_built(self):
        for old in ("fourth", "ir"):
            with self.assertRaisesRegex(mutate.Refused, "a.cc: the text to replace is there [02] times"):
                self.run_with(mutation(), mutation("late", old))
            self.assertEqual(self.builder.trees, [])

    def test_a_changed_file_is_refused(self):
        (self.root / "a.cc").write_text("second, and mine\n")
        with self.assertRaisesRegex(mutate.Refused, "not committed"):
            self.run_with()
        self.assertEqual((self.root / "a.cc").read_text(), "second, and mine\n")

    def test_without_git_it_refuses(self):
        with tempfile.TemporaryDirectory() as folder, self.assertRaisesRegex(mutate.Refused, "git can't tell"):
            mutate.refuse_dirty(pathlib.Path(folder), ["a.cc"])

    def test_the_tree_is_put_back_when_a_build_raises(self):
        def explode():
            raise OSError("no compiler")
        with self.assertRaises(OSError):
            self.run_with(during=explode)
        self.assert_sound()

    def test_the_tree_is_put_back_when_a_signal_ends_it(self):
        before = {number: signal.getsignal(number) for number in mutate.ENDINGS}
        self.addCleanup(lambda: [signal.signal(number, handler) for number, handler in before.items()])
        mutate.end_by_exception()
        for number in mutate.ENDINGS:
            with self.assertRaises(KeyboardInterrupt):
                self.run_with(during=lambda: os.kill(os.getpid(), number))  # noqa: B023
            self.assert_sound()

    def test_edits_of_one_file_are_made_at_once(self):
        swap = [mutations.Edit("f", "first()", "second()"), mutations.Edit("f", "second()", "first()")]
        self.assertEqual(mutate.apply_edits("first(); second();", swap), "second(); first();")
        with self.assertRaisesRegex(mutate.Refused, "overlap"):
            mutate.apply_edits("abc", [mutations.Edit("f", "ab", ""), mutations.Edit("f", "bc", "")])

    def test_an_unknown_name_is_refused(self):
        with self.assertRaisesRegex(mutate.Refused, "nonsense"):
            mutate.choose(["nonsense"])


class Program(unittest.TestCase):
    """Builder.run_test against a shell script in the place of a test program."""

    def outcome(self, script):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / mutate.BUILD / "bin/tests/a_test"
            path.parent.mkdir(parents=True)
            path.write_text(f"#!/bin/sh\n{script}\n")
            path.chmod(0o755)
            return mutate.Builder(pathlib.Path(folder), "1").run_test("a_test", "Suite.Notices")

    def test_tells_what_became_of_a_test(self):
        self.assertEqual(self.outcome('[ "$1" = --gtest_filter=Suite.Notices ] && echo "1 test from 1 test suite ran"'), "passed")
        self.assertEqual(self.outcome("exit 1"), "failed")
        self.assertEqual(self.outcome("kill -SEGV $$"), "failed")
        self.assertEqual(self.outcome('echo "[==========] 0 tests from 0 test suites ran. (0 ms total)"'), "absent")

    def test_ends_a_test_that_hangs(self):
        patience, mutate.TEST_PATIENCE_S = mutate.TEST_PATIENCE_S, 0.2
        try:
            self.assertEqual(self.outcome("sleep 60"), "hung")
        finally:
            mutate.TEST_PATIENCE_S = patience


class TheMutations(unittest.TestCase):
    def test_are_twenty_eight_with_names_of_their_own(self):
        self.assertEqual(len({mutation.name for mutation in mutations.MUTATIONS}), 28)
        self.assertEqual(len(mutations.MUTATIONS), 28)

    def test_apply_to_the_code_as_it_is(self):
        for each in mutations.MUTATIONS:
            with self.subTest(each.name):
                self.assertTrue(all(sound != bug for sound, bug in mutate.mutated(ROOT, each).values()))

    def test_name_tests_that_there_are(self):
        sources = [path.read_text() for path in [*ROOT.glob("src/**/*_test.cc"), *ROOT.glob("test/**/*_test.cc")]]
        there = {f"{suite}.{name}" for text in sources for suite, name in re.findall(r"\bTEST(?:_F)?\((\w+), (\w+)\)", text)}
        contracts = "".join(path.read_text() for path in ROOT.glob("test/conformance/*.h"))
        for suite, name in re.findall(r"\bTYPED_TEST_P\((\w+), (\w+)\)", contracts):
            there |= {f"{prefix}/{suite}/0.{name}" for text in sources
                      for prefix in re.findall(rf"\bINSTANTIATE_TYPED_TEST_SUITE_P\((\w+), {suite}, ", text)}
        for each in mutations.MUTATIONS:
            for test in (test for tests in each.tests.values() for test in tests):
                self.assertIn(test, there, each.name)

    def test_stand_in_the_documentation_as_the_table_that_the_script_prints(self):
        self.assertIn(mutate.table(mutations.MUTATIONS) + "\n\n", (ROOT / "docs/testing.md").read_text(),
                      "put the output of tools/mutate --table into docs/testing.md")


if __name__ == "__main__":
    unittest.main()
