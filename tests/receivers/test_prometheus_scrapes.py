#!/usr/bin/env python3
"""Two real Prometheus servers scrape one agent: the one with native histograms gets protobuf, the
other OpenMetrics. Their quantiles, bucket counts and exemplars are those of the exchanges, which the
agent writes to a file one by one."""

import json
import math
import urllib.parse

from scrapes import FAMILY, ROUTE, abandon, compiled, fetch, messages, plain, plan, send
# Scrapes has put the folder of these on the path.
import prometheus_text
from checks import Checks
from lab import METRICS_PORT, Lab, run, wait_until

from google.protobuf.message import DecodeError

NATIVE_PORT, CLASSIC_PORT = 9191, 9192
FEATURES = {NATIVE_PORT: "native-histograms,exemplar-storage", CLASSIC_PORT: "exemplar-storage"}
REQUESTS = 900
ABANDONED = 4
QUANTILES = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999)
# The schema that is wanted (bounds of a bucket are 2^(1/32) apart), and how many buckets there may be:
# durations further apart than they reach, as a busy machine makes them, halve the resolution.
SCHEMA, BUCKETS_MAX = 5, 160
SCRAPE_CONFIG = f"""
global:
  scrape_interval: 1s
scrape_configs:
  - job_name: vethscope
    static_configs:
      - targets: ["127.0.0.1:{METRICS_PORT}"]
"""


def ask(lab, port, path, **parameters):
    status, body = lab.node.get("127.0.0.1", port, f"{path}?{urllib.parse.urlencode(parameters)}")
    answer = json.loads(body)
    if status != 200 or answer["status"] != "success":
        raise ValueError(f"{parameters}: {answer}")
    return answer["data"]


def query(lab, port, expression):
    """An instant query; labels and value of each row."""
    rows = ask(lab, port, "/api/v1/query", query=expression)["result"]
    return [(row["metric"], float(row["value"][1])) for row in rows]


def value(lab, port, expression):
    """The value of a query with one row; 0 while there is none."""
    rows = query(lab, port, expression)
    if len(rows) > 1:
        raise ValueError(f"{expression}: {rows}")
    return rows[0][1] if rows else 0


def start(lab, port):
    config = lab.directory / "prometheus.yml"
    config.write_text(SCRAPE_CONFIG)
    lab.process(f"prometheus-{port}", [
        "prometheus", f"--config.file={config}", f"--storage.tsdb.path={lab.directory}/tsdb-{port}",
        f"--enable-feature={FEATURES[port]}", f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn"], lab.node)

    def up():
        try:
            return value(lab, port, "up") == 1
        except (OSError, ValueError):
            return False
    wait_until(up, 60, f"Prometheus on port {port} and its first scrape", pause=0.2)


def schema_for(raw):
    """The finest that holds the durations in so many buckets."""
    for schema in range(SCHEMA, -1, -1):
        first, last = (math.ceil(math.log2(end / 1e9) * 2 ** schema) for end in (raw[0], raw[-1]))
        if last - first < BUCKETS_MAX:
            return schema
    raise ValueError(f"durations from {raw[0]} to {raw[-1]} ns")


def check_schema(checks, lab, agent, raw):
    """As fine as the durations allow."""
    module = compiled(lab.directory, "io/prometheus/client/metrics.proto")
    families = messages(module.MetricFamily, plain(*fetch(agent, "protobuf")))
    found = [metric.histogram.schema for family in families if family.name == FAMILY
             for metric in family.metric if any(label.value == ROUTE for label in metric.label)]
    checks.equal("native: schema", found, [schema_for(raw)])


def check_quantiles(checks, lab, raw):
    """Of the native histogram, beside the exchanges' own."""
    worst, tolerance = 0, 2 ** (1 / 2 ** schema_for(raw)) - 1
    for quantile in QUANTILES:
        expression = f'histogram_quantile({quantile}, {FAMILY}{{http_route="{ROUTE}"}})'
        got = value(lab, NATIVE_PORT, expression)
        wanted = raw[math.ceil(quantile * len(raw)) - 1] / 1e9
        error = abs(got - wanted) / wanted
        worst = max(worst, error)
        checks.true(f"quantile {quantile}", error <= tolerance, (got, wanted))
    print(f"native quantiles: {len(QUANTILES)} within {worst:.2%} (bound {tolerance:.2%})")


def check_native(checks, lab, raw):
    selected = f'{FAMILY}{{http_route="{ROUTE}"}}'
    checks.equal("native: count", value(lab, NATIVE_PORT, f"histogram_count({selected})"), len(raw))
    total = value(lab, NATIVE_PORT, f"histogram_sum({selected})")
    checks.true("native: sum", abs(total - sum(raw) / 1e9) < 1e-9, (total, sum(raw)))
    check_quantiles(checks, lab, raw)
    below = value(lab, NATIVE_PORT, f"histogram_fraction(0, 1000, {selected})")
    checks.equal("native: all below 1000 s", below, 1)
    # Without an answer there is no duration: such requests stand above every finite value.
    never = f'{FAMILY}{{http_route="/never"}}'
    checks.equal("native: unanswered", value(lab, NATIVE_PORT, f"histogram_count({never})"),
                 ABANDONED)
    checks.equal("native: no time for them", value(lab, NATIVE_PORT, f"histogram_sum({never})"), 0)
    checks.equal("native: none of them is finite",
                 value(lab, NATIVE_PORT, f"histogram_fraction(0, 1e300, {never})"), 0)
    checks.equal("native: no classic buckets are kept beside them",
                 query(lab, NATIVE_PORT, f"{FAMILY}_bucket"), [])


def check_classic(checks, lab, raw):
    """Every bucket's count is the raw count."""
    rows = query(lab, CLASSIC_PORT, f'{FAMILY}_bucket{{http_route="{ROUTE}"}}')
    counts = {labels["le"]: got for labels, got in rows}
    checks.equal("classic: buckets", len(counts), 18)
    wanted = {bound: sum(duration / 1e9 <= float(bound) for duration in raw) for bound in counts}
    checks.counts("classic: counts", counts, wanted)
    checks.equal("classic: canonical bounds", {"1.0", "10.0", "0.001", "+Inf"} - set(counts), set())
    checks.equal("classic: unanswered",
                 value(lab, CLASSIC_PORT, f'{FAMILY}_count{{http_route="/never"}}'), ABANDONED)


def check_exemplars(checks, lab, port, selector, durations):
    """Each is a request that was sent with that trace id, and took as long as it says."""
    rows = ask(lab, port, "/api/v1/query_exemplars", query=selector, start="0", end="4102444800")
    found = [exemplar for row in rows for exemplar in row["exemplars"]]
    checks.true(f"exemplars on port {port}", len(found) >= 3, rows)
    for exemplar in found:
        trace = exemplar["labels"]["trace_id"]
        checks.equal(f"exemplar {trace}", float(exemplar["value"]), durations.get(trace, 0) / 1e9)
    print(f"exemplars on port {port}: {len(found)}")


def read_events(lab, count):
    """The exchanges that the agent saw at the server's interface, once all are written."""
    module = compiled(lab.directory, "vethscope/v1/exchange.proto")

    def written():
        try:
            events = messages(module.Exchange, (lab.directory / "events").read_bytes())
        except (DecodeError, FileNotFoundError, IndexError):
            return None  # the agent is writing it
        found = [event for event in events if event.side == module.SIDE_SERVER]
        return found if len(found) >= count else None
    return wait_until(written, 20, "the events", pause=0.2)


def main():
    with Checks() as checks, Lab("scrapes") as lab:
        server, client = lab.pod("server"), lab.pod("client")
        lab.backend(server)
        agent = lab.agent(config=f"events: {{file: {{path: {lab.directory}/events}}}}\n")
        for port in FEATURES:
            start(lab, port)
        total = REQUESTS + ABANDONED
        send(client, server.address, plan(REQUESTS))
        abandon(client, server.address, ABANDONED)
        events = read_events(lab, total)
        answered = [event for event in events if event.route == ROUTE]
        raw = sorted(event.duration_nano for event in answered)
        checks.equal("exchanges", (len(raw), len(events)), (REQUESTS, total))
        wait_until(lambda: value(lab, NATIVE_PORT, f"sum(histogram_count({FAMILY}))") == total, 20,
                   "the counts, by protobuf", pause=0.2)
        wait_until(lambda: value(lab, CLASSIC_PORT, f"sum({FAMILY}_count)") == total, 20,
                   "the counts, by OpenMetrics", pause=0.2)
        check_native(checks, lab, raw)
        check_schema(checks, lab, agent, raw)
        check_classic(checks, lab, raw)
        durations = {event.trace_id: event.duration_nano for event in answered if event.trace_id}
        check_exemplars(checks, lab, NATIVE_PORT, FAMILY, durations)
        check_exemplars(checks, lab, CLASSIC_PORT, f"{FAMILY}_bucket", durations)
        metrics = prometheus_text.parse(fetch(agent, "text")[1].decode())
        for kind in ("protobuf", "openmetrics"):
            checks.true(f"scraped as {kind}",
                        metrics.total("vethscope_scrapes_total", format=kind) >= 3)
        checks.equal("failed scrapes", metrics.total("vethscope_scrape_failures_total"), 0)


if __name__ == "__main__":
    run(main)
