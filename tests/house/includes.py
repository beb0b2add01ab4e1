#!/usr/bin/env python3
"""Which room may include what. Data flows from left to right; a stage knows the one to its left
(its input type) and reaches the one to its right only through a callback it was given."""

import re
import sys

import house

BASE = "agent/base/"
PARSER = ("http_parser/head.h", "http_parser/slice.h", "http_parser/stream.h")
METRICS = ("exporters/metric_set.h", "exporters/metric_emit.h", "exporters/text.h")
EVERYTHING = ("",)

# Beside its own folder, a room includes what begins with one of these. The longest room that fits
# a file's path is its room.
ALLOWED = {
    "http_parser/": (),
    "exporters/": (),
    "agent/base/": (),
    "agent/config/": (BASE, "agent/kube/directory.h"),
    "agent/capture/": (BASE,),
    "agent/decode/": (BASE, "agent/capture/frame.h", "agent/capture/sll2.h"),
    "agent/tcp/": (BASE, "agent/decode/segment.h"),
    "agent/exchange/": (BASE, "agent/tcp/", *PARSER),
    "agent/kube/": (BASE,),
    "agent/aggregate/": (BASE, "agent/exchange/exchange.h", "agent/kube/directory.h", *METRICS),
    "agent/privilege/": (BASE,),
    "agent/commands/": EVERYTHING,
    "agent/pipeline.": EVERYTHING,
    "agent/main.c": EVERYTHING,
}

INCLUDE = re.compile(r'\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)')
GENERATED = re.compile(r".*\.pb-c\.h|agent/version\.h")


def room_of(name):
    rooms = [room for room in ALLOWED if name.startswith(room)]
    return max(rooms, key=len) if rooms else None


def includes_of(path):
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1), match.group(2)


def wrong_with(root, name, quoted, system):
    """What is wrong with one include line, or None."""
    if system is not None:
        return f"<{system}> is this project's: write it in quotes" \
            if (root / system).is_file() else None
    if quoted.startswith(".") or "/" not in quoted:
        return f'"{quoted}" is not written from the repository root'
    if not (root / quoted).is_file() and not GENERATED.fullmatch(quoted):
        return f'"{quoted}" does not exist'
    room = room_of(name)
    if room is None:
        return f"{name} is in no room of the table in {__file__}"
    if quoted.startswith((room, *ALLOWED[room])):
        return None
    return f'{room} must not include "{quoted}"'


def check_file(root, path):
    name = str(path.relative_to(root))
    lines = list(includes_of(path))
    for number, quoted, system in lines:
        wrong = wrong_with(root, name, quoted, system)
        if wrong:
            yield f"{name}:{number}: {wrong}"
    own = name.removesuffix("c") + "h"
    if name.endswith(".c") and (root / own).is_file() and lines and lines[0][1] != own:
        yield f'{name}:{lines[0][0]}: the first include is not its own header "{own}"'
    if name.endswith(".h") and "#pragma once" not in path.read_text():
        yield f"{name}:1: no #pragma once"


def check(root):
    for path in house.c_files(root, *house.CODE_ROOTS):
        yield from check_file(root, path)


if __name__ == "__main__":
    sys.exit(house.main(check))
