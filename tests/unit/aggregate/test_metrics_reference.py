#!/usr/bin/env python3
"""docs/metrics.md and the program name the same families, with the same types and labels; promtool
finds nothing wrong with them, nor with the queries of the page.

test_metrics_reference.py ALL_FAMILIES PROMTOOL SOURCE_FOLDER"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

PROGRAM, PROMTOOL = sys.argv[1:3]
SOURCE_DIR = pathlib.Path(sys.argv[3])

sys.path.insert(0, str(SOURCE_DIR / "tests/support"))

import prometheus_text  # noqa: E402

ROW = re.compile(r"\| `(\w+)` \| (\w+) \|([^|]*)\| (.*) \|")
NAME = r'"((?:vethscope|process|http|traces)_\w+)"'
# Where the sources name a family: alone, or as one of a table.
EMITTED = re.compile(r"metric_emit_(counter|gauge|info)\(\s*sink,\s*" + NAME)
DECLARED = re.compile(r"(?:\{\{|\.name = |struct metric_family \w+ = \{)\s*" + NAME)


def documented():
    """Family to (section, type, labels)."""
    found, section = {}, None
    for line in (SOURCE_DIR / "docs/metrics.md").read_text().splitlines():
        mark = re.match(r"<!-- families: (\w+) -->", line)
        row = ROW.match(line)
        if mark:
            section = mark.group(1)
        elif row and section:
            name, kind, labels, meaning = row.groups()
            if name in found or not meaning:
                raise ValueError(f"{name}: twice, or without a meaning")
            found[name] = (section, kind, set(re.findall(r"`(\w+)`", labels)))
    return found


def examples():
    """The PromQL of the page: each run of indented lines."""
    text = (SOURCE_DIR / "docs/metrics.md").read_text()
    return re.findall(r"(?:^    .+\n)+", text, re.MULTILINE)


def exposed(text):
    """Family to (type, labels), from an exposition; a histogram's `le` is not a label of its own."""
    metrics = prometheus_text.parse(text)
    found = {name: (kind, set()) for name, kind in metrics.types.items()}
    for name, labels, _ in metrics.samples:
        family = name if name in found else name.rsplit("_", 1)[0]
        found[family][1].update(set(labels) - {"le"})
    return found


class Reference(unittest.TestCase):
    """The reference, and the program beside it."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.exposition = subprocess.run([PROGRAM], stdout=subprocess.PIPE, text=True,
                                        check=True).stdout
        cls.reference = documented()

    def test_promtool(self):
        done = subprocess.run([PROMTOOL, "check", "metrics"], input=self.exposition, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        self.assertEqual((done.returncode, done.stdout), (0, ""))

    def test_families_of_the_aggregate(self):
        expected = {name: (kind, labels) for name, (section, kind, labels)
                    in self.reference.items() if section == "aggregate"}
        self.assertEqual(exposed(self.exposition), expected)

    def test_help(self):
        helps = dict(re.findall(r"^# HELP (\w+) (.+)$", self.exposition, re.MULTILINE))
        self.assertEqual(set(helps), set(exposed(self.exposition)))
        for name, text in helps.items():
            if name.endswith("_duration_seconds") or name.endswith("_client_seconds"):
                self.assertRegex(text, "first byte|SYN|first to the last byte")

    def test_names_in_the_sources(self):
        names, kinds = set(), {}
        sources = [path for room in ("agent", "exporters")
                   for path in (SOURCE_DIR / room).rglob("*.c")]
        for path in sources:
            text = path.read_text()
            names.update(DECLARED.findall(text))
            kinds.update({name: kind for kind, name in EMITTED.findall(text)})
        self.assertEqual(names | set(kinds), set(self.reference))
        for name, kind in kinds.items():
            self.assertEqual("gauge" if kind == "info" else kind, self.reference[name][1], name)

    def test_examples(self):
        queries = examples()
        self.assertGreater(len(queries), 5)
        # JSON is YAML too, and quotes what has to be quoted.
        rules = [{"record": f"example:{i}", "expr": query} for i, query in enumerate(queries)]
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            json.dump({"groups": [{"name": "examples", "rules": rules}]}, file)
            file.flush()
            done = subprocess.run([PROMTOOL, "check", "rules", file.name], text=True, check=False,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn(f"{len(queries)} rules found", done.stdout)
        for query in queries:
            for name in re.findall(r"\b(?:http|traces|vethscope)_\w+(?=[{\[])", query):
                self.assertIn(re.sub("_(bucket|sum|count)$", "", name), self.reference)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
