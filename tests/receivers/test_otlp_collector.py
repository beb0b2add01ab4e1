#!/usr/bin/env python3
"""OpenTelemetry's own Collector, built with its official builder, receives our metrics and spans; what
it understood is compared with nginx's log, with the trace headers that were sent, and with the times
in a capture of the same packets."""

import collections
import json
import math
import os
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "collector"))

import build  # noqa: E402
import decoders  # noqa: E402
from checks import Checks  # noqa: E402
from lab import SUPPORT_DIR, Lab, run, wait_until  # noqa: E402
from otlp import COLLECTOR_PORT, Collector, data_of, plain  # noqa: E402
from shop import STATUSES, Shop, account, status_of, wait_balanced  # noqa: E402

REQUESTS = 3000
SERVER, CLIENT = 2, 3
ERROR = 2
DURATION = "http.server.request.duration"
NAMES = """
names:
  - {{address: {0}, namespace: shop, service: orders}}
  - {{address: {1}, namespace: shop, service: front}}
"""


def ids_of(number):
    """Trace id, span id and the header fields that a request carries; every fourth has none."""
    trace, span = f"{0xabc0000000000000 + number:032x}", f"{0xdef0000000000000 + number:016x}"
    kind = number % 4
    if kind == 0:
        return trace, span, {"traceparent": f"00-{trace}-{span}-01"}
    if kind == 1:
        return trace, span, {"b3": f"{trace}-{span}-1"}
    if kind == 2:
        return trace, span, {"uber-trace-id": f"{trace}:{span}:0:1"}
    return None, None, {}


class TracedShop(Shop):
    """Requests that belong to traces."""

    def send(self, count, name="load"):
        numbers = range(self.sent, self.sent + count)
        requests = [[{"method": "GET", "target": f"/item/{number}?n=1", "status": status_of(number),
                      "fields": {"User-Agent": "shop/1.0", **ids_of(number)[2]}}]
                    for number in numbers]
        path = self.lab.directory / f"{name}-{self.sent}.json"
        path.write_text(json.dumps({"address": self.server.address, "port": 80, "host": "shop",
                                    "parallel": 4, "connections": [
                                        requests[at:at + 50] for at in range(0, count, 50)]}))
        done = self.lab.process(f"{name}-{self.sent}",
                                [sys.executable, SUPPORT_DIR / "load_client.py", path],
                                self.client).finish(120)
        assert done == 0, "the load failed"
        self.sent += count
        wait_until(lambda: len(self.nginx.entries()) >= self.sent, 20, "nginx' log")


def number_of(span):
    return int(plain(span["attributes"])["url.path"].rpartition("/")[2])


def duration_of(span):
    return int(span["endTimeUnixNano"]) - int(span["startTimeUnixNano"])


def expected_attributes(shop, number, span):
    """Every attribute of a SERVER span; the client's port is whatever it was."""
    status = status_of(number)
    wanted = {"http.request.method": "GET", "url.scheme": "http", "url.path": f"/item/{number}",
              "http.route": "/item/{id}", "server.address": "shop", "server.port": 80,
              "network.peer.address": shop.client.address,
              "network.peer.port": plain(span["attributes"])["network.peer.port"],
              "network.protocol.version": "1.1", "user_agent.original": "shop/1.0",
              "vethscope.client.service": "front", "http.response.status_code": status,
              "http.request.body.size": 0,
              "http.response.body.size": len({404: "no", 500: "broken"}.get(status,
                                                                           "here you are"))}
    return {**wanted, **({"error.type": "500"} if status == 500 else {})}


def check_span(checks, shop, about, span):
    """One SERVER span against what is known of its request."""
    number = number_of(span)
    trace, parent, _ = ids_of(number)
    failed = status_of(number) == 500
    events = [(event["name"], int(event["timeUnixNano"])) for event in span["events"]]
    start, end = int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"])
    problems = [name for name, right in (
        ("resource", about == {"service.name": "orders", "service.namespace": "shop",
                               "deployment.environment.name": "lab"}),
        ("name", span["name"] == "GET /item/{id}"),
        ("kind", span["kind"] == SERVER),
        ("trace", trace is None or span["traceId"] == trace),
        ("parent", span.get("parentSpanId", "") == (parent or "")),
        ("flags", span["flags"] == (1 if trace is None else 0x301)),
        ("status", span["status"] == ({"code": ERROR} if failed else {})),
        ("attributes", plain(span["attributes"]) == expected_attributes(shop, number, span)),
        ("events", [name for name, _ in events] == ["http.request.end", "http.response.start"]),
        ("order", start <= events[0][1] <= events[1][1] <= end),
    ) if not right]
    if problems:
        checks.true(f"span of request {number}", False, f"{problems} differ in {about} {span}")


def check_spans(checks, shop, collector, capture):
    spans = collector.spans()
    checks.counts("spans", collections.Counter(number_of(span) for _, span in spans),
                  collections.Counter(range(shop.sent)))
    for about, span in spans:
        check_span(checks, shop, about, span)
    ids = {span["spanId"] for _, span in spans}
    checks.equal("span ids differ", len(ids), shop.sent)
    alone = [span["traceId"] for _, span in spans if ids_of(number_of(span))[0] is None]
    checks.equal("traces of their own differ", len(set(alone)), len(alone))
    checks.equal("scope", collector.scopes(), {("vethscope", "0.1.0")})
    times = {int(row["target"].split("?")[0].rpartition("/")[2]): row
             for row in decoders.read_json(capture, "--side", "server")}
    checks.equal("requests captured", len(times), shop.sent)
    # Each reader of a packet has its own stamp on it, about a microsecond apart.
    apart = sorted(abs(duration_of(span) - times[number_of(span)]["duration_ns"])
                   for _, span in spans)
    checks.true("durations are those of the packets", apart[len(apart) // 2] < 10_000 and
                apart[-1] < 5_000_000, (apart[len(apart) // 2], apart[-3:]))


def index_of(nanoseconds, scale):
    """The exponential bucket of a value."""
    return math.ceil(math.log2(nanoseconds / 1e9) * 2 ** scale) - 1


def check_histogram(checks, collector, spans):
    """The last report: every bucket holds just the requests whose spans say so."""
    last = {}
    for about, metric, point in collector.points(DURATION):
        checks.equal("unit", metric["unit"], "s")
        checks.equal("whom it is about", (about["service.namespace"], about["service.name"]),
                     ("shop", "orders"))
        checks.equal("temporality", data_of(metric)["aggregationTemporality"], 2)
        last[plain(point["attributes"])["http.response.status_code"]] = point
    checks.equal("statuses", set(last), {200, *STATUSES.values()})
    for status, point in last.items():
        durations = [duration_of(span) for _, span in spans
                     if plain(span["attributes"])["http.response.status_code"] == status]
        positive = point["positive"]
        got = collections.Counter({positive.get("offset", 0) + at: int(count) for at, count
                                   in enumerate(positive["bucketCounts"]) if int(count) > 0})
        checks.equal(f"{status}: count", int(point["count"]), len(durations))
        checks.true(f"{status}: sum", abs(point["sum"] - sum(durations) / 1e9) < 1e-9,
                    (point["sum"], sum(durations) / 1e9))
        checks.counts(f"{status}: buckets", got, collections.Counter(
            index_of(duration, point["scale"]) for duration in durations))
        wanted = {"http.request.method": "GET", "http.route": "/item/{id}", "url.scheme": "http",
                  "http.response.status_code": status}
        checks.equal(f"{status}: attributes", plain(point["attributes"]),
                     {**wanted, **({"error.type": "500"} if status == 500 else {})})


def check_agent_metrics(checks, collector):
    """What the agent says of itself is about the agent."""
    about, metric, point = collector.points("vethscope.capture_packets")[-1]
    checks.equal("the agent's name", (about["service.name"], about["service.version"]),
                 ("vethscope", "0.1.0"))
    checks.true("the agent's host", about["host.name"] != "")
    checks.true("a counter", metric["sum"]["isMonotonic"] and int(point["asInt"]) > 0)
    checks.true("an interval", 0 < int(point["startTimeUnixNano"]) <= int(point["timeUnixNano"]))
    _, metric, _ = collector.points("http.server.active_requests")[-1]
    checks.true("a sum that goes up and down", not metric["sum"].get("isMonotonic", False))
    _, metric, _ = collector.points("vethscope.memory")[-1]
    checks.equal("a gauge", ("gauge" in metric, metric["unit"]), (True, "By"))


def check_cumulative(checks, shop, collector):
    """As it is by default, configured in the file."""
    agent = shop.lab.agent(config=NAMES.format(shop.server.address, shop.client.address) + f"""
otlp:
  endpoint: http://127.0.0.1:{COLLECTOR_PORT}
  metrics: {{interval: 500ms}}
  resource_attributes: [{{name: deployment.environment.name, value: lab}}]
""")
    capture = shop.lab.capture(shop.server.interface)
    shop.send(REQUESTS)
    shop.wait_captured(agent)
    checks.equal("tcpdump lost", capture.close(), 0)
    numbers = wait_balanced(agent, "otlp_metrics")
    checks.equal("metrics lost", numbers["lost"], 0)
    started = time.monotonic()
    checks.equal("exit status", agent.stop(), 0)
    checks.true("it ends soon", time.monotonic() - started < 3)
    check_spans(checks, shop, collector, capture.path)
    check_histogram(checks, collector, collector.spans())
    check_agent_metrics(checks, collector)
    checks.true("the account", f"exporter=otlp_traces given={REQUESTS} sent={REQUESTS} lost=0"
                in agent.stderr(), agent.stderr())


def intervals_follow(points):
    """Each report of a series begins where the one before ended."""
    ends = {}
    for attributes, start, end in points:
        if attributes in ends and ends[attributes] != start:
            return False
        ends[attributes] = end
    return True


def check_delta(checks, shop, collector):
    """Deltas with explicit buckets, spans of both sides; configured by variables alone, but for what
    has none."""
    collector.forget()
    shop.before = shop.sent
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{COLLECTOR_PORT}/",
                 "OTEL_METRIC_EXPORT_INTERVAL": "300", "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
                 "OTEL_RESOURCE_ATTRIBUTES": "k8s.cluster.name=blue%20one,service.name=ignored",
                 "OTEL_SERVICE_NAME": "watcher", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}
    os.environ.update(variables)
    agent = shop.lab.agent(name="delta", config=NAMES.format(
        shop.server.address, shop.client.address) + """
otlp:
  metrics: {temporality: delta, histograms: explicit}
  traces: {spans: both, query: true}
""")
    for name in variables:
        del os.environ[name]
    for _ in range(4):
        shop.send(250)
        time.sleep(0.4)
    shop.wait_captured(agent)
    agent.stop()
    checks.counts("spans of both sides", collections.Counter(
        (span["kind"], about["service.name"]) for about, span in collector.spans()),
        {(SERVER, "orders"): 1000, (CLIENT, "front"): 1000})
    client = next(span for _, span in collector.spans()
                  if span["kind"] == CLIENT and number_of_url(span) % 10 == 3)
    checks.equal("a client's 4xx is an error", (client["status"], plain(client["attributes"])[
        "error.type"]), ({"code": ERROR}, "404"))
    points = collector.points(DURATION)
    checks.equal("delta", {data_of(metric)["aggregationTemporality"] for _, metric, _ in points},
                 {1})
    checks.equal("requests of all deltas", sum(int(point["count"]) for *_, point in points), 1000)
    checks.equal("buckets of all deltas", sum(sum(map(int, point["bucketCounts"]))
                                              for *_, point in points), 1000)
    checks.true("intervals follow each other", intervals_follow(
        (json.dumps(plain(point["attributes"])), point["startTimeUnixNano"], point["timeUnixNano"])
        for *_, point in points))
    checks.true("several reports", len({point["timeUnixNano"] for *_, point in points}) >= 3)
    checks.equal("the user's attribute", {about["k8s.cluster.name"] for about, *_ in points},
                 {"blue one"})
    checks.equal("the agent's name", {about["service.name"] for about, *_ in
                                      collector.points("vethscope.capture_packets")}, {"watcher"})


def number_of_url(span):
    return int(plain(span["attributes"])["url.full"].split("?")[0].rpartition("/")[2])


def check_wrong_variables(checks, lab):
    """Said in one line, before anything is opened."""
    for name, value in (("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
                        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317"),
                        ("OTEL_EXPORTER_OTLP_COMPRESSION", "snappy"),
                        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
                        ("OTEL_EXPORTER_OTLP_HEADERS", "no pair")):
        environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", name: value}
        os.environ.update(environment)
        agent = lab.process(f"wrong-{name}", [os.environ.get("VETHSCOPE", "vethscope"), "run"],
                            lab.node)
        for key in environment:
            del os.environ[key]
        checks.equal(f"{name}={value}: exit status", agent.finish(10), 2)
        checks.true(f"{name}={value}: one line that names it", agent.stderr().count("\n") == 1
                    and name in agent.stderr(), agent.stderr())


def main():
    program = build.build()
    with Checks() as checks, Lab("collector") as lab:
        shop = TracedShop(lab)
        collector = Collector(lab, program)
        check_wrong_variables(checks, lab)
        check_cumulative(checks, shop, collector)
        check_delta(checks, shop, collector)


if __name__ == "__main__":
    run(main)
