"""The program's configuration as JSON Schema, read from docs/configuration.md, whose tables a test
compares with the program."""

import re

_ROW = re.compile(r"^\| `([^`]+)` \| (.+?) \| (.+?) \| (.+) \|$")
_SECTION_LIST = re.compile(r"^## (\w+)\n\n.*A list of up to (\d+); default", re.MULTILINE)
_SIZE = {"type": ["string", "integer"], "pattern": "^[0-9]+(KiB|Ki|MiB|Mi|GiB|Gi)?$", "minimum": 0}
_DURATION = {"type": "string", "pattern": "^[0-9]+(ms|s|m|h)$"}
_RANGE = {"type": "string", "pattern": "^[0-9a-fA-F.:]+(/[0-9]+)?$"}
_BOOLEANS = {"true": True, "false": False}
# Made of other values: the chart says them.
_LEFT_OUT = {"metrics.listen"}


def _number(text):
    return float(text) if "." in text else int(text)


def _choices(text):
    words = re.split(r", | or ", text)
    if set(words) == set(_BOOLEANS):
        return {"type": "boolean"}
    return {"enum": words + [_BOOLEANS[word] for word in words if word in _BOOLEANS]}


def _value(text):
    """The schema of what the column Value says."""
    listed = re.match(r"a list of up to (\d+): (.*)", text)
    if listed:
        return {"type": "array", "maxItems": int(listed[1]), "items": _value(listed[2])}
    numbers = re.match(r"a (?:whole number|port number|number), (\S+) to (\S+)", text)
    if numbers:
        return {"type": "number" if text.startswith("a number") else "integer",
                "minimum": _number(numbers[1]), "maximum": _number(numbers[2])}
    for start, schema in (("a size", _SIZE), ("a duration", _DURATION), ("an address", _RANGE),
                          ("a mapping", {"type": "object"}), ("text", {"type": "string"})):
        if text.startswith(start):
            return dict(schema)
    return _choices(text)


def _section(title=None):
    return {"type": "object", "additionalProperties": False, "properties": {},
            **({"description": title} if title else {})}


def _place(root, path):
    """The mapping that holds the key, made where it is missing, and the key's own name."""
    at = root
    *parents, name = path.split(".")
    for parent in parents:
        key = parent.removesuffix("[]")
        listed = key != parent
        found = at["properties"].setdefault(
            key, {"type": "array", "items": _section()} if listed else _section())
        if listed and "properties" not in found["items"]:
            found["items"] = _section()
        at = found["items"] if listed else found
    return at, name


def schema_of(page):
    """The schema of the whole configuration; `page` is the text of docs/configuration.md."""
    root = _section("The program's configuration, docs/configuration.md.")
    for line in page.splitlines():
        row = _ROW.match(line)
        if row is None or row[1] in _LEFT_OUT:
            continue
        path, default, value, meaning = row.groups()
        parent, name = _place(root, path)
        parent["properties"][name] = {**_value(value), "description": meaning.replace("\\|", "|")}
        if default == "required":
            parent.setdefault("required", []).append(name)
    for name, most in _SECTION_LIST.findall(page):
        root["properties"][name]["maxItems"] = int(most)
    return root
