#!/usr/bin/env python3
"""Sizes of functions and files, the folders at the top, and words that do not belong in the tree."""

import re
import statistics
import sys

import house

FUNCTION_LINES = 80
FUNCTION_MEDIAN = 15
# Nearly all functions; one in twenty may be longer.
FUNCTION_95TH = 60
SOURCE_LINES = 500
HEADER_LINES = 120
TOP_FOLDERS = {"agent", "http_parser", "exporters", "deploy", "helm", "tests", "docs"}
# Of tools, and left out of the rules.
TOOL_FOLDERS = {".git", ".ci", "build"}

# A path of the machine on which it was written; and marks of unfinished work.
MACHINE_PATH = re.compile(r"(?<![\w.$}])/(?:work|root|home/\w+|Users)/")
UNFINISHED = re.compile(r"\b(?:TO[D]O|FIX[M]E|XX[X])\b|(?i:not (?:yet )?implemente[d])")


def functions(path):
    """Name line and length of every function; its braces stand alone in the first column."""
    start = None
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line == "{":
            start = number
        elif line == "}" and start is not None:
            yield start, number - start + 1
            start = None


def check_functions(root):
    lengths = []
    for path in house.c_files(root, *house.CODE_ROOTS):
        for line, length in functions(path):
            lengths.append(length)
            if length > FUNCTION_LINES:
                yield f"{path.relative_to(root)}:{line}: a function of {length} lines"
    if len(lengths) > 1:
        median = statistics.median(lengths)
        late = statistics.quantiles(lengths, n=20)[-1]
        print(f"functions: {len(lengths)}, median {median:g} lines, 95th percentile {late:g}, "
              f"longest {max(lengths)}")
        if median > FUNCTION_MEDIAN or late > FUNCTION_95TH:
            yield f"functions: median above {FUNCTION_MEDIAN} or 95th above {FUNCTION_95TH}"


def check_files(root):
    for path in house.c_files(root, *house.CODE_ROOTS, "tests"):
        lines = len(path.read_text().splitlines())
        bound = HEADER_LINES if path.suffix == ".h" else SOURCE_LINES
        if lines > bound:
            yield f"{path.relative_to(root)}: {lines} lines, more than {bound}"


def check_words(root):
    for path in house.text_files(root):
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            for pattern, what in ((MACHINE_PATH, "a path of one machine"),
                                  (UNFINISHED, "unfinished")):
                found = pattern.search(line)
                if found:
                    yield f"{path.relative_to(root)}:{number}: {what}: {found.group()}"


def check_top(root):
    for path in sorted(root.iterdir()):
        if path.is_dir() and path.name not in TOP_FOLDERS | TOOL_FOLDERS:
            yield f"{path.name}/: no folder of the house"


def check(root):
    yield from check_top(root)
    yield from check_functions(root)
    yield from check_files(root)
    yield from check_words(root)


if __name__ == "__main__":
    sys.exit(house.main(check))
