#!/usr/bin/env python3
"""Shows what tools/quick finds to run, and that its map names what there is."""
import importlib.machinery
import importlib.util
import pathlib
import re
import unittest

_path = str(pathlib.Path(__file__).resolve().parent / "quick")
_loader = importlib.machinery.SourceFileLoader("quick", _path)
quick = importlib.util.module_from_spec(importlib.util.spec_from_loader("quick", _loader))
_loader.exec_module(quick)


class Units(unittest.TestCase):
    def test_are_every_folder_of_src_that_has_tests(self):
        programs = quick.unit_programs(quick.ROOT)
        folders = {path.parent for path in (quick.ROOT / "src").rglob("*_test.cc")}
        self.assertEqual(len(programs), len(folders))
        self.assertIn("tidemark_core_test", programs)


class Wider(unittest.TestCase):
    def test_a_command_is_seen_from_outside(self):
        self.assertEqual(quick.wider_tests(["src/cli/run.cc"]), ["tidemark_e2e_test"])

    def test_every_file_asks_for_its_own(self):
        self.assertEqual(quick.wider_tests(["src/guard/audit.cc", "src/sinks/mongodb/sink.cc"]),
                         ["tidemark_guard_e2e_test", "tidemark_mongodb_stores_integration_test"])

    def test_a_changed_script_runs_itself(self):
        self.assertEqual(quick.wider_tests(["test/page/feed_test.mjs"]), ["feed_test.mjs"])

    def test_a_document_asks_for_nothing(self):
        self.assertEqual(quick.wider_tests(["README.md", "docs/testing.md"]), [])

    def test_the_map_names_folders_and_programs_that_exist(self):
        lists = "\n".join(path.read_text() for path in (quick.ROOT / "test").rglob("CMakeLists.txt"))
        lists += "tidemark_sim_test"  # of a folder
        for begin, names in quick.WIDER.items():
            self.assertTrue(list(quick.ROOT.glob(begin + "*")), f"nothing begins with {begin}")
            for name in names:
                known = re.search(rf"\b{re.escape(name)}\b", lists) or list((quick.ROOT / "test").rglob(name))
                self.assertTrue(known, f"{begin}: there is no {name}")


if __name__ == "__main__":
    unittest.main()
