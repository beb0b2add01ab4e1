"""The source tree as the checks of the house see it."""

import pathlib
import sys

SOURCE_DIR = pathlib.Path(__file__).resolve().parents[2]
# What a room's files are; tests are bound by the same shape but may include anything.
CODE_ROOTS = ("http_parser", "agent", "exporters")
LEFT_OUT = {".git", "build", "__pycache__"}


def text_files(root):
    """Every file of the tree that people wrote, build results left out."""
    for path in sorted(root.rglob("*")):
        if path.is_file() and not LEFT_OUT & set(path.relative_to(root).parts):
            yield path


def c_files(root, *roots):
    """The .c and .h files of some top-level folders."""
    for name in roots:
        for path in sorted((root / name).rglob("*.[ch]")):
            yield path


def main(check):
    """Runs a check over a tree (this one, or that of the argument) and says what it found."""
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else SOURCE_DIR
    found = list(check(root))
    for violation in found:
        print(violation)
    if found:
        print(f"{len(found)} against the rules of the house")
    return 1 if found else 0
