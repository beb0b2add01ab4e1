"""The table of a chart's values, read from the comments of its values.yaml: `# --` begins what is
said of the key behind it."""

import json
import re

import yaml

_KEY = re.compile(r"^( *)([A-Za-z]+):")
_COMMENT = re.compile(r"^ *# ?(.*)$")


def _default(values, path):
    at = values
    for name in path:
        at = at[name]
    return json.dumps(at)


def keys(text):
    """(path, what is said of it or None) of each key that stands on a line of its own, in order."""
    path, said, block = [], [], None
    for line in text.splitlines():
        comment, key = _COMMENT.match(line), _KEY.match(line)
        if comment and comment[1].startswith("-- "):
            said = [comment[1][3:]]
        elif comment and said:
            said.append(comment[1])
        elif key:
            depth = len(key[1]) // 2
            # What lies within a key that was described is its default, no key of its own.
            if block is not None and depth > block:
                continue
            path[depth:] = [key[2]]
            block = depth if said else None
            yield tuple(path), " ".join(said) or None
            said = []
        elif not line.strip():
            said = []


def table(text):
    values = yaml.safe_load(text)
    rows = ["| Value | Default | Meaning |", "|---|---|---|"]
    for path, said in keys(text):
        if said is not None:
            cells = (".".join(path), _default(values, path), said.replace("|", "\\|"))
            rows.append("| `{}` | `{}` | {} |".format(*cells))
    return "\n".join(rows) + "\n"


def undescribed(text):
    """Keys that nothing is said of, and that hold no described ones."""
    described = {path for path, said in keys(text) if said is not None}
    return [".".join(path) for path, said in keys(text)
            if said is None and not any(other[:len(path)] == path for other in described)]
