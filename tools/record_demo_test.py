#!/usr/bin/env python3
"""tools/record-demo: what it takes for the terminal's content, and the picture it makes of it."""
import importlib.machinery
import importlib.util
import pathlib
import sys
import unittest
import xml.etree.ElementTree as ElementTree

SCRIPT = pathlib.Path(__file__).resolve().parent / "record-demo"
sys.dont_write_bytecode = True
loader = importlib.machinery.SourceFileLoader("record_demo", str(SCRIPT))
spec = importlib.util.spec_from_loader("record_demo", loader)
record_demo = importlib.util.module_from_spec(spec)
loader.exec_module(record_demo)


def fed(*parts, columns=20, rows=4):
    terminal = record_demo.Terminal(columns, rows)
    for part in parts:
        terminal.feed(part)
    return terminal


class TerminalTest(unittest.TestCase):
    def shown(self, terminal):
        return record_demo.plain(terminal.screen)

    def test_text_lines_and_colours(self):
        terminal = fed(b"one\r\n\x1b[1;36mtwo\x1b[0m three")
        self.assertEqual(self.shown(terminal)[:2], ["one", "two three"])
        self.assertEqual(terminal.screen[1][0], ("t", ("1", "36")))
        self.assertEqual(terminal.screen[1][5], ("h", ()))

    def test_what_is_cut_between_two_reads_is_put_together(self):
        whole = "a → ▇\x1b[32mb".encode()
        for cut in range(len(whole)):
            self.assertEqual(self.shown(fed(whole[:cut], whole[cut:]))[0], "a → ▇b", cut)

    def test_the_end_scrolls(self):
        self.assertEqual(self.shown(fed(b"1\r\n2\r\n3\r\n4\r\n5"))[0], "2")

    def test_the_live_view_is_kept_apart_and_each_of_its_frames_too(self):
        terminal = fed(b"before\r\n\x1b[?1049h\x1b[2J", b"\x1b[Hfirst longer\x1b[K\x1b[J", b"\x1b[Hsecond\x1b[K\x1b[J", b"\x1b[?1049lafter")
        self.assertEqual(self.shown(terminal)[:2], ["before", "after"])
        self.assertEqual([record_demo.plain(frame)[0] for frame in terminal.frames], ["", "first longer"])
        self.assertEqual(record_demo.plain(terminal.screens[True])[0], "second")


class PictureTest(unittest.TestCase):
    def test_is_xml_whose_words_stand_in_their_columns(self):
        screen = fed(b"  a < b & c      \x1b[1;32mgood\x1b[0m", columns=24).screen
        picture = record_demo.svg([screen, screen], screen, 24, 4, "tidemark demo")
        root = ElementTree.fromstring(picture)
        spans = list(root.iter("{http://www.w3.org/2000/svg}tspan"))
        self.assertEqual([span.text for span in spans], ["a < b & c", "good"] * 3)
        self.assertAlmostEqual(float(spans[1].get("x")) - float(spans[0].get("x")), 15 * record_demo.CELL_W, delta=0.11)
        self.assertIn("prefers-reduced-motion", picture)

    def test_the_moments_have_figures_and_none_is_there_twice(self):
        empty, one, two = fed(b"starting").screen, fed(b"accepted 1").screen, fed(b"accepted 2").screen
        self.assertEqual([record_demo.plain(m)[0] for m in record_demo.moments([empty, one, one, two, two])], ["accepted 1", "accepted 2"])


if __name__ == "__main__":
    unittest.main()
