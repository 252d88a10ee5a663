#!/usr/bin/env python3
"""Shows which program tools/run-tests starts next, and what it remembers of those that ran."""
import pathlib
import tempfile
import unittest

import schedule
from schedule import Cost

COSTS = {"long": Cost(100, 10), "busy": Cost(50, 50), "busier": Cost(40, 60), "short": Cost(10, 1)}


class Choose(unittest.TestCase):
    def choose(self, waiting, running=(), cores=2, slots=6):
        return schedule.choose(waiting, set(running), COSTS, cores, slots)

    def test_the_longest_first(self):
        self.assertEqual(self.choose(["short", "busy", "long"]), "long")

    def test_what_waits_runs_beside_what_computes(self):
        self.assertEqual(self.choose(["busy", "short"], ["busier"]), "short")

    def test_no_more_than_the_cores_can_compute(self):
        self.assertIsNone(self.choose(["busy"], ["busier"]))

    def test_no_more_than_there_are_slots(self):
        self.assertIsNone(self.choose(["short"], ["long"], slots=1))

    def test_something_always_runs(self):
        self.assertEqual(self.choose(["busier"], cores=1), "busier")

    def test_one_that_never_ran_counts_as_middling(self):
        self.assertEqual(self.choose(["short", "new"]), "new")
        self.assertEqual(self.choose(["new"], ["busy"]), "new")
        self.assertIsNone(self.choose(["new"], ["busier"]))


class Costs(unittest.TestCase):
    def test_are_kept_and_the_later_file_counts(self):
        with tempfile.TemporaryDirectory() as folder:
            first, second = pathlib.Path(folder) / "a.json", pathlib.Path(folder) / "b.json"
            schedule.write_costs(first, {"a": Cost(1, 2), "b": Cost(3, 4)})
            schedule.write_costs(second, {"b": Cost(5, 6)})
            costs = schedule.read_costs(first, second, pathlib.Path(folder) / "absent.json")
        self.assertEqual(costs, {"a": Cost(1, 2), "b": Cost(5, 6)})

    def test_the_table_sums_each_build_and_names_the_longest(self):
        table = schedule.table({"release/a": Cost(10, 5), "release/b": Cost(20, 5), "x_test.py": Cost(3, 1)}, longest=1)
        self.assertIn("| release | 2 | 30 | 10 |", table)
        self.assertIn("| scripts | 1 | 3 | 1 |", table)
        self.assertTrue(table.endswith("| release/b | 20 | 5 |"), table)


class Page(unittest.TestCase):
    def test_shows_the_figures_that_a_clean_clone_begins_with(self):
        root = pathlib.Path(__file__).resolve().parent.parent
        text = (root / "docs/testing.md").read_text()
        shown = text.split("<!-- times -->\n")[1].split("<!-- end of times -->")[0]
        known = schedule.read_costs(root / "tools/times.json")
        self.assertEqual(shown.strip(), schedule.table(known, schedule.LONGEST_SHOWN))


if __name__ == "__main__":
    unittest.main()
