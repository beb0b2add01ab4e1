#!/usr/bin/env python3
"""promtool accepts the exposition, and a real Prometheus that scrapes the agent answers queries
with the counts that were sent."""

import collections
import json
import pathlib
import subprocess
import sys
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import decoders  # noqa: E402
from checks import Checks  # noqa: E402
from lab import METRICS_PORT, Lab, run, wait_until  # noqa: E402

PROMETHEUS_PORT = 9191
SCRAPE_CONFIG = f"""
global:
  scrape_interval: 1s
scrape_configs:
  - job_name: vethscope
    static_configs:
      - targets: ["127.0.0.1:{METRICS_PORT}"]
"""
# Method, target, route, status, how often.
REQUESTS = [
    ("GET", "/", "/", 200, 25),
    ("GET", "/status/503", "/status/{id}", 503, 7),
    ("GET", "/status/404", "/status/{id}", 404, 5),
    ("POST", "/new?x=1", "/new", 200, 11),
    ("HEAD", "/after/20", "/after/{id}", 200, 3),
]
FAMILIES = {
    "http_server_request_duration_seconds": "histogram",
    "http_client_request_duration_seconds": "histogram",
    "http_server_active_requests": "gauge",
    "vethscope_http_phase_duration_seconds": "histogram",
    "vethscope_tcp_connections_total": "counter",
    "vethscope_tcp_connect_duration_seconds": "histogram",
    "vethscope_capture_packets_total": "counter",
    "vethscope_capture_dropped_packets_total": "counter",
    "vethscope_flows": "gauge",
    "vethscope_series": "gauge",
    "vethscope_build_info": "gauge",
}


def send(client, server):
    for method, target, _, _, count in REQUESTS:
        for _ in range(count):
            client.get(server.address, 80, target, method)


def check_with_promtool(checks, where, exposition):
    done = subprocess.run(["promtool", "check", "metrics"], input=exposition, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    checks.equal(f"promtool on {where}", (done.returncode, done.stdout), (0, ""))


def query(lab, expression):
    """An instant query; a dictionary from the labels that were asked for to the value."""
    target = "/api/v1/query?" + urllib.parse.urlencode({"query": expression})
    status, body = lab.node.get("127.0.0.1", PROMETHEUS_PORT, target)
    answer = json.loads(body)
    if status != 200 or answer["status"] != "success":
        raise ValueError(f"{expression}: {answer}")
    return [(row["metric"], float(row["value"][1])) for row in answer["data"]["result"]]


def start_prometheus(lab):
    config = lab.directory / "prometheus.yml"
    config.write_text(SCRAPE_CONFIG)
    started = lab.process("prometheus", [
        "prometheus", f"--config.file={config}", f"--storage.tsdb.path={lab.directory}/tsdb",
        f"--web.listen-address=127.0.0.1:{PROMETHEUS_PORT}", "--log.level=warn"], lab.node)

    def up():
        try:
            return [value for _, value in query(lab, "up")] == [1]
        except (OSError, ValueError):
            return False
    wait_until(up, 40, "Prometheus and its first scrape", pause=0.2)
    return started


def check_counts(lab, checks, service):
    """What was sent, by Prometheus' own arithmetic."""
    expression = ("sum by (http_request_method, http_route, http_response_status_code) "
                  f'(http_server_request_duration_seconds_count{{service_name="{service}"}})')
    wanted = collections.Counter()
    for method, _, route, status, count in REQUESTS:
        wanted[method, route, str(status)] += count
    total = sum(wanted.values())
    wait_until(lambda: sum(value for _, value in query(lab, expression)) >= total, 20,
               "the counts in Prometheus", pause=0.2)
    got = {(labels["http_request_method"], labels["http_route"],
            labels["http_response_status_code"]): value for labels, value in query(lab, expression)}
    checks.counts("counts in Prometheus", got, wanted)
    slow = query(lab, "histogram_quantile(0.5, http_server_request_duration_seconds_bucket"
                      '{http_route="/after/{id}"})')
    checks.equal("one median", len(slow), 1)
    checks.true("it is above the wait of 20 ms", slow[0][1] >= 0.010, slow)
    errors = query(lab, 'http_server_request_duration_seconds_count{error_type!=""}')
    checks.equal("errors", [(labels["error_type"], value) for labels, value in errors],
                 [("503", 7)])
    failed = query(lab, "scrape_samples_scraped")
    checks.true("samples", failed and failed[0][1] > 100, failed)


def check_endpoints(checks, agent):
    checks.equal("/healthz", agent.page("/healthz")[0], 200)
    checks.equal("/readyz", agent.page("/readyz")[0], 200)
    checks.equal("elsewhere", agent.page("/nowhere")[0], 404)
    checks.equal("POST", agent.home.get("127.0.0.1", METRICS_PORT, "/metrics", "POST")[0], 405)


def main():
    with Checks() as checks, Lab("prom") as lab:
        server, client = lab.pod("server"), lab.pod("client")
        lab.backend(server)
        agent = lab.agent()
        check_with_promtool(checks, "a fresh agent", agent.page("/metrics")[1].decode())
        start_prometheus(lab)
        capture = lab.capture(server.interface)
        send(client, server)
        check_counts(lab, checks, f"{server.address}:80")
        metrics = agent.metrics()
        for family, kind in FAMILIES.items():
            checks.equal(f"type of {family}", metrics.types.get(family), kind)
        check_with_promtool(checks, "a busy agent", agent.page("/metrics")[1].decode())
        check_endpoints(checks, agent)
        capture.close()
        check_with_promtool(checks, "read", decoders.read(capture.path, "--output", "prometheus"))
        started = time.monotonic()
        checks.equal("exit status of the agent", agent.stop(), 0)
        checks.true("it stops at once", time.monotonic() - started < 5)


if __name__ == "__main__":
    run(main)
