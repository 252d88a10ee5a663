#!/usr/bin/env python3
"""cmake/unity.py SOURCE_DIR OUT_DIR: for each folder below SOURCE_DIR, writes files that include several of its sources each.

Compiling one such file costs little more than compiling one source: most of the work is in headers and templates. Sources keep
their names for themselves (in unnamed namespaces), and two that have the same name for different things, or where one has a
name for itself that the other uses, never share a file. Writes OUT_DIR/FOLDER/unity_N.cc, and only what changed.
"""
import pathlib
import re
import sys

SOURCES_MAX = 8  # of one file: with all in one, one core would work and the others wait
COMMENTS_AND_TEXTS = re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])\'', re.S)
NOT_NAMES = {"if", "for", "while", "switch", "return", "sizeof", "alignas", "decltype", "static_assert", "operator", "noexcept",
             "const", "constexpr", "override", "final", "defined", "default", "namespace"}


def without_comments(text):
    return COMMENTS_AND_TEXTS.sub(" ", text)


def own_names(code):
    """What the file declares for itself: in unnamed namespaces, as macros, and the names it takes from other namespaces."""
    names = set(re.findall(r"^\s*#\s*define\s+(\w+)", code, re.M))
    names |= set(re.findall(r"^using\s+(?:[\w:]+::)?(\w+)\s*[;=]", code, re.M))
    names |= set(re.findall(r"^using\s+namespace\s+(?:[\w:]+::)?(\w+)\s*;", code, re.M))
    names |= set(re.findall(r"^namespace\s+(\w+)\s*=", code, re.M))
    for begin in re.finditer(r"\bnamespace\s*\{", code):
        names |= names_declared(body_from(code, begin.end()))
    names |= set(re.findall(r"^static\s[^;{=()]*?(\w+)\s*[({=;\[]", code, re.M))
    return names - NOT_NAMES


def body_from(code, start):
    depth = 1
    for at in range(start, len(code)):
        depth += {"{": 1, "}": -1}.get(code[at], 0)
        if depth == 0:
            return code[start:at]
    return code[start:]


def names_declared(body):
    """Of the outermost level of a namespace's body."""
    top = []
    depth = 0
    for char in body:
        if char in ")}":
            depth -= 1
        if depth == 0:
            top.append(char)
        if char in "({":
            depth += 1
    text = "".join(top)  # "std::string name(){}": what stands within brackets is gone
    names = set(re.findall(r"\b(?:struct|class|union|enum(?:\s+class)?)\s+(\w+)", text))
    names |= set(re.findall(r"\busing\s+(?:[\w:]+::)?(\w+)\s*[;=]", text))
    names |= set(re.findall(r"\b(\w+)\s*(?:\[[^\]]*\]\s*)*(?=\(|=[^=]|\{|;)", text))
    # Each name of "enum { kA, kB }" and of "int a, b;" is rare enough to be found by the compiler.
    return names


def used_names(code):
    return set(re.findall(r"(?<![.>\w])(\w+)", code))


class Source:
    def __init__(self, path):
        self.path = path
        code = without_comments(path.read_text())
        self.own = own_names(code)
        self.used = used_names(code) | self.own

    def conflicts_with(self, other):
        return bool(self.own & other.used or other.own & self.used)


def groups(sources):
    """Each source goes to the first group that has room and nothing against it."""
    made = []
    for source in sources:
        for group in made:
            if len(group) < SOURCES_MAX and not any(source.conflicts_with(other) for other in group):
                group.append(source)
                break
        else:
            made.append([source])
    return made


def is_part_of_a_library(path):
    return not path.name.endswith("_test.cc") and path.name != "main.cc"


def write(source_dir, out_dir):
    for folder in sorted({path.parent for path in source_dir.rglob("*.cc")}):
        sources = [Source(path) for path in sorted(folder.glob("*.cc")) if is_part_of_a_library(path)]
        out = out_dir / folder.relative_to(source_dir)
        out.mkdir(parents=True, exist_ok=True)
        texts = {}
        for number, group in enumerate(groups(sources)):
            lines = [f'#include "{source.path.relative_to(source_dir)}"\n' for source in group]
            texts[out / f"unity_{number}.cc"] = "".join(lines)
        for stale in set(out.glob("unity_*.cc")) - set(texts):
            stale.unlink()
        for path, text in texts.items():
            if not path.exists() or path.read_text() != text:
                path.write_text(text)


if __name__ == "__main__":
    write(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
