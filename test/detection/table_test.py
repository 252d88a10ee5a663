"""The table of docs/operating.md, "What the guard sees", and the tests beside this file are the same list."""
import pathlib
import re
import unittest

FOLDER = pathlib.Path(__file__).resolve().parent
OPERATING = FOLDER.parent.parent / "docs/operating.md"


def tests_of_the_table():
    """(suite, test) of every row; `.Name` continues the suite before it."""
    section = OPERATING.read_text().split("## What the guard sees", 1)[1].split("\n## ", 1)[0]
    found = []
    for row in re.findall(r"\| `([^|]*)` \|$", section, re.M):
        suite = None
        for word in row.split(", "):
            own_suite, name = word.split(".")
            suite = own_suite or suite
            found.append((suite, name))
    return found


def tests_in_the_code():
    return [test for path in FOLDER.glob("*_test.cc")
            for test in re.findall(r"TEST_F\((\w+), (\w+)\)", path.read_text())]


def rows():
    section = OPERATING.read_text().split("## What the guard sees", 1)[1].split("\n## ", 1)[0]
    return [line for line in section.splitlines() if line.startswith("| ") and not line.startswith("| failure")]


class TheTable(unittest.TestCase):
    def test_names_only_tests_that_exist(self):
        self.assertEqual(sorted(set(tests_of_the_table()) - set(tests_in_the_code())), [])

    def test_leaves_no_test_out(self):
        self.assertEqual(sorted(set(tests_in_the_code()) - set(tests_of_the_table())), [])

    def test_links_each_alert_to_its_own_section(self):
        text = OPERATING.read_text()
        for line in rows():
            for name in re.findall(r"\]\(#(\w+)\)", line):
                self.assertIn(f"\n### {name}\n", text, line)

    def test_holds_at_least_twenty_failures_and_the_healthy_cases(self):
        healthy = [line for line in rows() if "**Healthy**" in line]
        self.assertGreaterEqual(len(healthy), 3)
        self.assertGreaterEqual(len(rows()) - len(healthy), 20)


if __name__ == "__main__":
    unittest.main()
