#!/usr/bin/env python3
"""The alerts: right for Prometheus, fire when they should and only then, each has a runbook, and the
chart gives out the same ones, changed as its values say."""

import re
import sys

import chart
import yaml
from checks import Checks

RULES = chart.SOURCE_DIR / "deploy" / "prometheus" / "vethscope.rules.yaml"
TESTS = chart.HERE / "alerts.test.yaml"
RUNBOOKS = chart.SOURCE_DIR / "docs" / "runbooks.md"
MADE_OF_VALUES = {"vethscope:error_budget:ratio": "vector(0.01)",
                  "vethscope:latency_objective:seconds": "vector(0.25)"}


def rules_of(groups):
    return {rule.get("alert") or rule["record"]: rule for group in groups
            for rule in group["rules"]}


def given(*arguments):
    """The rules that the chart gives out."""
    documents = chart.rendered("--set", "prometheusRule.enabled=true", *arguments)
    return rules_of(documents[("PrometheusRule", "vethscope", "vethscope")]["spec"]["groups"])


def check_tests(checks, rules):
    """promtool's own checks; and that no alert is without a test that it fires, and one that not."""
    for command in (("check", "rules", RULES), ("test", "rules", TESTS)):
        status, output, errors = chart.run("promtool", *command)
        checks.equal(f"promtool {command[0]}", status, 0)
        if status != 0:
            print(output, errors)
    fired, quiet = set(), set()
    for test in yaml.safe_load(TESTS.read_text())["tests"]:
        for case in test["alert_rule_test"]:
            (fired if case.get("exp_alerts") else quiet).add(case["alertname"])
    alerts = {name for name, rule in rules.items() if "alert" in rule}
    checks.equal("alerts that no test makes fire", alerts - fired, set())
    # That of a healthy agent beside an ill one is in the same case.
    checks.true("alerts whose silence is tested", quiet, quiet)


def check_runbooks(checks, rules):
    sections = {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")
                for heading in re.findall(r"^## (.*)$", RUNBOOKS.read_text(), re.MULTILINE)}
    alerts = {name.lower() for name, rule in rules.items() if "alert" in rule}
    checks.equal("alerts and sections of docs/runbooks.md", alerts, sections & alerts)
    checks.equal("sections without an alert", {name for name in sections
                                               if name.startswith("vethscope")} - alerts, set())
    for name, rule in rules.items():
        if "alert" in rule:
            url = rule["annotations"]["runbook_url"]
            checks.true(f"{name}: its link", url.endswith(f"docs/runbooks.md#{name.lower()}"), url)
            checks.true(f"{name}: how urgent", rule["labels"]["severity"] in
                        ("critical", "warning"))


def check_chart(checks, rules):
    checks.equal("the chart's rules", given(), rules)
    changed = given("--set-json", "prometheusRule.errorBudget=0.01",
                    "--set-json", "prometheusRule.latencyObjective=0.25",
                    "--set", "prometheusRule.disabled={VethscopeAbsent}",
                    "--set", "prometheusRule.alertLabels.team=web",
                    "--set", "prometheusRule.alertLabels.severity=info",
                    "--set", "prometheusRule.runbookUrl=https://wiki.example/books")
    checks.equal("left out", rules.keys() - changed.keys(), {"VethscopeAbsent"})
    for name, expression in MADE_OF_VALUES.items():
        checks.equal(name, changed[name]["expr"], expression)
    for name, rule in changed.items():
        if "alert" in rule:
            checks.equal(f"{name}: labels", rule["labels"], {"severity": "info", "team": "web"})
            checks.equal(f"{name}: link", rule["annotations"]["runbook_url"],
                         f"https://wiki.example/books#{name.lower()}")
        elif name not in MADE_OF_VALUES:
            checks.equal(f"{name}: as it was", rule, rules[name])
    without = given("--set", "prometheusRule.runbookUrl=")
    checks.true("no links", not any("runbook_url" in rule.get("annotations", {})
                                    for rule in without.values()))


def main():
    rules = rules_of(yaml.safe_load(RULES.read_text())["groups"])
    with Checks() as checks:
        check_tests(checks, rules)
        check_runbooks(checks, rules)
        check_chart(checks, rules)


if __name__ == "__main__":
    sys.exit(main())
