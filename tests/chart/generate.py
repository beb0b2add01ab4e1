#!/usr/bin/env python3
"""Writes what of the chart is made of something else: the schema of the program's configuration, the
table of the values, the copies of dashboards and rules.

    generate.py             writes them
    generate.py --check     says which of them are not what they would be
"""

import json
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
SOURCE_DIR = HERE.parents[1]
sys.path[:0] = [str(HERE), str(SOURCE_DIR / "deploy" / "grafana")]

import config_schema  # noqa: E402
import dashboards  # noqa: E402
import values_table  # noqa: E402

CHART = SOURCE_DIR / "helm" / "vethscope"
GRAFANA = SOURCE_DIR / "deploy" / "grafana"
RULES = SOURCE_DIR / "deploy" / "prometheus" / "vethscope.rules.yaml"
_TABLE = re.compile(r"(<!-- values: begin -->\n\n).*?(\n<!-- values: end -->)", re.DOTALL)


def schema():
    """The hand-written schema of the values, with the program's configuration inside."""
    whole = json.loads((CHART / "values.schema.json").read_text())
    page = (SOURCE_DIR / "docs" / "configuration.md").read_text()
    whole["definitions"]["config"] = config_schema.schema_of(page)
    alerts = re.findall(r"- alert: (\w+)", RULES.read_text())
    rule = whole["properties"]["prometheusRule"]["properties"]
    rule["disabled"]["items"] = {"enum": alerts}
    return json.dumps(whole, indent=2) + "\n"


def readme():
    table = values_table.table((CHART / "values.yaml").read_text())
    return _TABLE.sub(lambda found: found[1] + table + found[2],
                      (CHART / "README.md").read_text())


def generated():
    """The text of each file by its path."""
    pages = dashboards.rendered()
    files = {GRAFANA / name: text for name, text in pages.items()}
    files.update({CHART / "dashboards" / name: text for name, text in pages.items()})
    files[CHART / "rules" / RULES.name] = RULES.read_text()
    files[CHART / "values.schema.json"] = schema()
    files[CHART / "README.md"] = readme()
    return files


def outdated():
    return [path.relative_to(SOURCE_DIR) for path, text in generated().items()
            if not path.exists() or path.read_text() != text]


def main():
    if sys.argv[1:] == ["--check"]:
        found = outdated()
        for path in found:
            print(f"{path} is not what tests/chart/generate.py writes")
        return 1 if found else 0
    for path, text in generated().items():
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
