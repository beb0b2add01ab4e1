#!/usr/bin/env python3
"""The dashboards as Grafana takes them: their parts in order, no source of data but the one that is
chosen, no query that names a metric, variable or dashboard that there is not; as they are, in the
chart's ConfigMaps."""

import json
import re
import sys

import chart
import yaml
from checks import Checks

GRAFANA = chart.SOURCE_DIR / "deploy" / "grafana"
METRICS = chart.SOURCE_DIR / "docs" / "metrics.md"
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
WIDTH = 24
# Grafana's own; the rest of a dashboard's variables is in its list.
BUILT_IN = {"__rate_interval", "__url_time_range", "__data"}
_NAME = re.compile(r"\b(?:http_|vethscope_|traces_|process_)[a-z0-9_]+")
LABELS = {"http_request_method", "http_route", "http_response_status_code"}
_VARIABLE = re.compile(r"\$\{?([a-zA-Z_]+)")


def pages():
    return {path.name: json.loads(path.read_text()) for path in sorted(GRAFANA.glob("*.json"))}


def queries(page):
    """Every query of a dashboard: its panel's title, and the expression."""
    return [(panel["title"], target["expr"]) for panel in page["panels"]
            for target in panel.get("targets", [])]


def variables(page):
    return {item["name"]: item for item in page["templating"]["list"]}


def families():
    """What docs/metrics.md, which a test compares with the program, knows: with each series' name."""
    names = set()
    for name, kind in re.findall(r"^\| `([a-z0-9_]+)`.*?\| (\w+) \|", METRICS.read_text(),
                                 re.MULTILINE):
        endings = ("_bucket", "_count", "_sum") if kind == "histogram" else ("",)
        names.update(name + ending for ending in endings)
    return names


def overlap(first, second):
    a, b = first["gridPos"], second["gridPos"]
    return a["x"] < b["x"] + b["w"] and b["x"] < a["x"] + a["w"] and \
        a["y"] < b["y"] + b["h"] and b["y"] < a["y"] + a["h"]


def check_shape(checks, name, page):
    panels = page["panels"]
    ids = [panel["id"] for panel in panels]
    checks.equal(f"{name}: ids once each", len(set(ids)), len(ids))
    checks.equal(f"{name}: no number of its own", page.get("id"), None)
    titles = [(panel["type"], panel["title"]) for panel in panels]
    checks.equal(f"{name}: titles once each", len(set(titles)), len(titles))
    checks.true(f"{name}: within the width",
                all(0 <= panel["gridPos"]["x"] <= WIDTH - panel["gridPos"]["w"]
                    for panel in panels))
    for i, panel in enumerate(panels):
        for other in panels[i + 1:]:
            checks.true(f"{name}: {panel['title']} on {other['title']}", not overlap(panel, other))
        letters = [target["refId"] for target in panel.get("targets", [])]
        checks.equal(f"{name}: {panel['title']}: queries", len(set(letters)), len(letters))
        checks.true(f"{name}: {panel['title']}: has queries", letters or panel["type"] == "row")


def check_source(checks, name, page):
    """Whoever imports it chooses; nothing of where it was made comes along."""
    checks.equal(f"{name}: the choice", variables(page)["datasource"]["query"], "prometheus")
    places = [*page["panels"], *(target for panel in page["panels"]
                                 for target in panel.get("targets", [])),
              *(item for item in variables(page).values() if item["type"] == "query")]
    for place in places:
        if place.get("type") != "row":
            checks.equal(f"{name}: source of data", place["datasource"], SOURCE)
    uids = set(re.findall(r'"uid": "([^"]*)"', json.dumps(page)))
    checks.equal(f"{name}: uids", uids, {"${datasource}", page["uid"]})


def check_names(checks, name, page, known):
    defined = variables(page).keys()
    texts = [expression for _, expression in queries(page)]
    texts += [item["definition"] for item in variables(page).values() if "definition" in item]
    for text in texts:
        checks.equal(f"{name}: metrics of {text}", set(_NAME.findall(text)) - LABELS - known,
                     set())
    links = [link["url"] for panel in page["panels"]
             for override in panel.get("fieldConfig", {}).get("overrides", [])
             for item in override["properties"] if item["id"] == "links" for link in item["value"]]
    used = {found for text in [*texts, *links] for found in _VARIABLE.findall(text)}
    checks.equal(f"{name}: variables", used - defined - BUILT_IN, set())
    for link in links:
        uid = re.match(r"/d/([a-z-]+)\?", link)[1]
        target = next((other for other in pages().values() if other["uid"] == uid), None)
        if checks.true(f"{name}: {link} leads somewhere", target):
            passed = set(re.findall(r"var-(\w+)=", link))
            checks.equal(f"{name}: what {link} passes", passed - variables(target).keys(), set())


def check_maps(checks, known):
    """In the ConfigMaps that Grafana's sidecar finds: the files, to the byte, within their limits."""
    documents = chart.rendered("--set", "dashboards.enabled=true,dashboards.namespace=grafana",
                               "--set", "dashboards.annotations.grafana_folder=vethscope")
    found = {}
    for (kind, namespace, name), document in documents.items():
        if kind == "ConfigMap" and namespace == "grafana":
            checks.equal(f"{name}: label", document["metadata"]["labels"]["grafana_dashboard"], "1")
            checks.equal(f"{name}: folder",
                         document["metadata"]["annotations"]["grafana_folder"], "vethscope")
            checks.true(f"{name}: size", len(yaml.safe_dump(document)) < 1 << 20)
            found.update(document["data"])
    files = {f"vethscope-{path.name}": path.read_text() for path in GRAFANA.glob("*.json")}
    checks.equal("files in the ConfigMaps", {name: text.rstrip("\n") for name, text in found.items()},
                 {name: text.rstrip("\n") for name, text in files.items()})
    checks.true("docs/metrics.md was understood", len(known) > 60, len(known))


def main():
    known = families()
    with Checks() as checks:
        uids = [page["uid"] for page in pages().values()]
        checks.equal("uids once each", len(set(uids)), len(uids))
        for name, page in pages().items():
            check_shape(checks, name, page)
            check_source(checks, name, page)
            check_names(checks, name, page, known)
        check_maps(checks, known)


if __name__ == "__main__":
    sys.exit(main())
