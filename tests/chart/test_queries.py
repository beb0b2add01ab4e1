#!/usr/bin/env python3
"""Every query of the dashboards and every rule, executed by a real Prometheus that scrapes a real
agent which watches real requests: each one finds data, with the labels that its legend and its
columns name, and some of it is what was sent."""

import concurrent.futures
import contextlib
import http.client
import json
import math
import pathlib
import re
import socket
import sys
import time
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
SOURCE_DIR = HERE.parents[1]
sys.path[:0] = [str(SOURCE_DIR / "tests" / "support")]

from checks import Checks  # noqa: E402
from lab import METRICS_PORT, Lab, run, wait_until  # noqa: E402
from nginx import Nginx  # noqa: E402

RULES = SOURCE_DIR / "deploy" / "prometheus" / "vethscope.rules.yaml"
PORT = 9191
SECONDS = 14
# So many of a hundred requests fail, two of them without an answer.
FAIL = 10
RATE = "8s"
ALL = {"namespace": ".*", "service": ".*", "instance": ".*"}
ONE = {"namespace": "shop", "service": "orders", "instance": f"127.0.0.1:{METRICS_PORT}"}
# What is wrong in this scene: the service fails, and nobody answers at the API server's address.
PENDING = {"VethscopeErrorBudgetBurnFast", "VethscopeErrorBudgetBurnSlow", "VethscopeNamesNotSynced"}
CLIENT_HELLO = b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + bytes(160)
_GATEWAY = """
    map $uri $route {{ default $uri; }}
    upstream orders {{ server {orders}; keepalive 8; }}
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    server {{ listen 80; location / {{ proxy_pass http://orders; }} }}
"""
_SCRAPES = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [{rules}]
scrape_configs:
  - job_name: vethscope
    static_configs: [targets: ["127.0.0.1:{port}"]]
"""
_KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: a
clusters: [{name: a, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: a, user: {token: a}}]
contexts: [{name: a, context: {cluster: a, user: a}}]
"""


# ---- the scene ----

def agent_config(lab, pods):
    kubeconfig = lab.directory / "kubeconfig"
    kubeconfig.write_text(_KUBECONFIG)
    names = "".join(f"- {{address: {pod.address}, namespace: shop, service: {name}}}\n"
                    for name, pod in pods.items())
    return (f"names:\n{names}kubernetes: {{kubeconfig: {kubeconfig}}}\n"
            f"events: {{file: {{path: {lab.directory}/events}}}}\n")


def ask(pod, address, end):
    """Requests until the time is over, on connections that are kept a while."""
    number = 0
    while time.monotonic() < end:
        with pod.inside():
            connection = http.client.HTTPConnection(address, 80, timeout=30)
            connection.connect()
        with contextlib.closing(connection):
            for number in range(number + 1, number + 26):
                failing = number % 100 < FAIL - 2
                connection.request("GET", "/status/500" if failing else f"/after/{number % 7}")
                connection.getresponse().read()
                time.sleep(0.005)


def abandon(pod, address, end):
    """Two of a hundred that get no answer, as their client resets the connection; with the server
    asked directly, as a proxy would have another end to tell of."""
    while time.monotonic() < end:
        with pod.inside(), socket.create_connection((address, 80)) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                  b"\x01\x00\x00\x00\x00\x00\x00\x00")
            connection.sendall(b"GET /never HTTP/1.1\r\nHost: orders\r\n\r\n")
            time.sleep(0.2)


def disturb(pod, address, end):
    """Connections that are refused, and some that carry TLS."""
    while time.monotonic() < end:
        with pod.inside():
            with contextlib.suppress(ConnectionRefusedError):
                socket.create_connection((address, 81), 1).close()
            with socket.create_connection((address, 80), 5) as connection:
                connection.sendall(CLIENT_HELLO)
                time.sleep(0.3)


def make_traffic(pods):
    end = time.monotonic() + SECONDS
    gateway, orders = pods["gateway"].address, pods["orders"].address
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        jobs = [pool.submit(ask, pods["customers"], gateway, end) for _ in range(3)]
        jobs.append(pool.submit(abandon, pods["customers"], orders, end))
        jobs.append(pool.submit(disturb, pods["customers"], orders, end))
        for job in jobs:
            job.result()


def start_prometheus(lab):
    config = lab.directory / "prometheus.yml"
    config.write_text(_SCRAPES.format(rules=RULES, port=METRICS_PORT))
    lab.process("prometheus", [
        "prometheus", f"--config.file={config}", f"--storage.tsdb.path={lab.directory}/tsdb",
        f"--web.listen-address=127.0.0.1:{PORT}", "--log.level=warn"], lab.node)

    def ready():
        with contextlib.suppress(OSError, ValueError):
            return call(lab, "query", query="up == 1")["result"]
        return False
    wait_until(ready, 60, "Prometheus and its first scrape", pause=0.2)


def call(lab, path, **parameters):
    """Prometheus' API; ValueError with its own words where it refuses."""
    encoded = urllib.parse.urlencode(parameters, doseq=True)
    status, body = lab.node.get("127.0.0.1", PORT, f"/api/v1/{path}?{encoded}", timeout=60)
    answer = json.loads(body)
    if status != 200 or answer["status"] != "success":
        raise ValueError(answer.get("error", answer))
    return answer["data"]


# ---- the queries ----

def filled(text, choice):
    """A query as Grafana sends it, with its variables' values."""
    values = {"__rate_interval": RATE, **choice}
    return re.sub(r"\$\{?([a-z_]+)\}?", lambda found: values[found[1]], text)


def rows(lab, expression):
    """Labels and values of an instant query; NaN is no data."""
    result = call(lab, "query", query=expression)["result"]
    return [(row["metric"], float(row["value"][1])) for row in result
            if not math.isnan(float(row["value"][1]))]


def labels_shown(panel, target):
    """The labels without which the panel shows the query badly."""
    shown = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
    for step in panel.get("transformations", []):
        if step["id"] == "organize":
            shown.update(key for key in step["options"]["renameByName"]
                         if not key.startswith("Value"))
    if panel["type"] == "nodeGraph":
        shown.update({"id", "source", "target"})
    return shown


def check_panels(checks, lab, name, page, choice):
    count = 0
    for panel in page["panels"]:
        for target in panel.get("targets", []):
            expression = filled(target["expr"], choice)
            what = f"{name}: {panel['title']}: {expression}"
            try:
                found = rows(lab, expression)
            except ValueError as error:
                checks.true(what, False, error)
                continue
            if checks.true(f"{what}: finds data", found):
                missing = labels_shown(panel, target) - {key for labels, _ in found
                                                         for key in labels}
                checks.equal(f"{what}: labels that are shown and not there", missing, set())
            count += 1
    return count


def check_variables(checks, lab, name, page):
    for variable in page["templating"]["list"]:
        if variable["type"] != "query":
            continue
        text = filled(variable["definition"], ALL)
        family, label = re.fullmatch(r"label_values\((.*), (\w+)\)", text).groups()
        values = call(lab, f"label/{label}/values", **{"match[]": family})
        wanted = ONE.get(variable["name"])
        checks.true(f"{name}: choices of {variable['name']}", wanted in values, values)


def value_of(lab, page, title, choice, index=0, **labels):
    """What one panel shows."""
    panel = next(panel for panel in page["panels"] if panel["title"] == title)
    found = rows(lab, filled(panel["targets"][index]["expr"], choice))
    chosen = [value for names, value in found
              if all(names.get(key) == value for key, value in labels.items())]
    return chosen[0] if chosen else None


def between(checks, what, value, low, high):
    checks.true(what, value is not None and low <= value <= high, value)


def check_values(checks, lab, pages):
    """Some of what is shown, beside what was sent."""
    service = pages["service.json"]
    share = value_of(lab, service, "Failed", ONE)
    between(checks, "share of failures", share, FAIL / 100 * 0.3, FAIL / 100 * 2)
    between(checks, "failures with 500", value_of(lab, service, "What went wrong", ONE,
                                                 error_type="500"), 1, 1000)
    between(checks, "requests without a status",
            value_of(lab, service, "Requests by status", ONE, **{"class": "no status"}), 0.5, 100)
    between(checks, "TLS", value_of(lab, service, "Unreadable connections", ONE, protocol="tls"),
            0.1, 100)
    between(checks, "refused connections", value_of(lab, service, "Connections", ONE, index=1),
            0.1, 100)
    edge = value_of(lab, pages["service-map.json"], "Who calls whom", ALL, source="shop/gateway",
                    target="shop/orders", id="shop/gateway > shop/orders")
    between(checks, "gateway calls orders", edge, 10, 100000)
    between(checks, "agents", value_of(lab, pages["observer.json"], "Agents", ALL), 1, 1)
    between(checks, "pods", value_of(lab, pages["observer.json"], "Interfaces", ALL), 3, 3)
    between(checks, "names are not in step",
            value_of(lab, pages["observer.json"], "Names in step with the API server", ALL,
                     kind="pods"), 0, 0)


def check_rules(checks, lab):
    """All of them were evaluated without an error, and found what there is."""
    groups = call(lab, "rules")["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    checks.true("rules are loaded", len(rules) >= 20, len(rules))
    for rule in rules:
        checks.equal(f"{rule['name']}: health", (rule["health"], rule.get("lastError", "")),
                     ("ok", ""))
        if rule["type"] == "recording":
            checks.true(f"{rule['name']}: finds data", rows(lab, rule["name"]))
    pending = {rule["name"] for rule in rules if rule.get("state") in ("pending", "firing")}
    checks.equal("alerts that begin", pending, PENDING)


def check_alert_metrics(checks, lab):
    """What the alerts look at is there while nothing is wrong, or they would never fire."""
    there = set(call(lab, "label/__name__/values"))
    used = set(re.findall(r"\b(?:http_server_request_|vethscope_|traces_|process_)[a-z0-9_]+",
                          re.sub(r"#.*|https?://\S+", "", RULES.read_text())))
    checks.true("the alerts' metrics", len(used) > 12, used)
    checks.equal("metrics of alerts that nobody serves", used - there, set())


def main():
    pages = {path.name: json.loads(path.read_text())
             for path in sorted((SOURCE_DIR / "deploy" / "grafana").glob("*.json"))}
    with Checks() as checks, Lab("queries") as lab:
        pods = {name: lab.pod(name) for name in ("gateway", "orders", "customers")}
        lab.backend(pods["orders"])
        Nginx(lab, pods["gateway"], _GATEWAY.format(orders=pods["orders"].address))
        lab.agent(config=agent_config(lab, pods))
        start_prometheus(lab)
        make_traffic(pods)
        # Of the last seconds: what Prometheus has just scraped.
        executed = sum(check_panels(checks, lab, name, page, choice)
                       for name, page in pages.items() for choice in (ALL, ONE))
        for name, page in pages.items():
            check_variables(checks, lab, name, page)
        check_values(checks, lab, pages)
        check_rules(checks, lab)
        check_alert_metrics(checks, lab)
        print(f"{executed} queries of {len(pages)} dashboards executed")


if __name__ == "__main__":
    run(main)
