"""What receivers of OTLP do: the real Collector, whose understanding of it is read as OTLP/JSON; and a
receiver that reads spans with Python's protobuf and our .proto files."""

import collections
import gzip
import http.server
import importlib
import json
import pathlib
import subprocess
import sys
import threading

from http_receiver import Receiver
from lab import wait_until

PROTO_DIR = pathlib.Path(__file__).resolve().parents[2] / "exporters" / "proto"
COLLECTOR_PORT, SINK_PORT = 4318, 4319
_CONFIG = f"""
receivers:
  otlp:
    protocols:
      http: {{endpoint: 127.0.0.1:{COLLECTOR_PORT}}}
exporters:
  otlp_http:
    endpoint: http://127.0.0.1:{SINK_PORT}
    encoding: json
    compression: none
    sending_queue: {{enabled: false}}
service:
  telemetry:
    metrics: {{level: none}}
  pipelines:
    metrics: {{receivers: [otlp], exporters: [otlp_http]}}
    traces: {{receivers: [otlp], exporters: [otlp_http]}}
"""


def plain(attributes):
    """A list of attributes as a dictionary of Python's values."""
    found = {}
    for attribute in attributes:
        (kind, value), = attribute["value"].items()
        found[attribute["key"]] = int(value) if kind == "intValue" else value
    assert len(found) == len(attributes), "an attribute twice"
    return found


class Sink:
    """Takes what the Collector hands on."""

    def __init__(self, namespace):
        self.bodies = {"/v1/metrics": [], "/v1/traces": []}
        sink = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                sink.bodies[self.path].append(json.loads(body))
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_):
                pass

        with namespace.inside():
            self.server = http.server.ThreadingHTTPServer(("127.0.0.1", SINK_PORT), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class Collector:
    """OpenTelemetry's Collector on the node."""

    def __init__(self, lab, program):
        self.sink = Sink(lab.node)
        config = lab.directory / "collector.yaml"
        config.write_text(_CONFIG)
        self.process = lab.process("collector", [program, "--config", config], lab.node)
        wait_until(lambda: "Everything is ready" in self.process.stderr(), 60, "the Collector")

    def forget(self):
        for bodies in self.sink.bodies.values():
            bodies.clear()

    def spans(self):
        """(attributes of the resource, span) of all spans so far."""
        return [(plain(about["resource"].get("attributes", [])), span)
                for body in list(self.sink.bodies["/v1/traces"])
                for about in body["resourceSpans"]
                for scope in about["scopeSpans"] for span in scope["spans"]]

    def scopes(self):
        return {(scope["scope"]["name"], scope["scope"]["version"])
                for body in list(self.sink.bodies["/v1/traces"])
                for about in body["resourceSpans"] for scope in about["scopeSpans"]}

    def points(self, name):
        """(attributes of the resource, metric, point) of one metric, in the order of arrival."""
        return [(plain(about["resource"].get("attributes", [])), metric, point)
                for body in list(self.sink.bodies["/v1/metrics"])
                for about in body["resourceMetrics"] for scope in about["scopeMetrics"]
                for metric in scope["metrics"] if metric["name"] == name
                for point in data_of(metric)["dataPoints"]]


def data_of(metric):
    kind, = {"gauge", "sum", "histogram", "exponentialHistogram"} & metric.keys()
    return metric[kind]


def load(directory):
    """Compiles our .proto files; returns the module of the requests with spans."""
    protos = [str(path.relative_to(PROTO_DIR)) for path in PROTO_DIR.rglob("opentelemetry/**/*.proto")]
    subprocess.run(["protoc", f"--proto_path={PROTO_DIR}", f"--python_out={directory}", *protos],
                   check=True)
    sys.path.insert(0, str(directory))
    return importlib.import_module("opentelemetry.proto.collector.trace.v1.trace_service_pb2")


class SpanReceiver(Receiver):
    """Counts spans by their path."""

    def take(self, handler, body):
        assert handler.path == "/v1/traces", handler.path
        assert handler.headers["Content-Type"] == "application/x-protobuf"
        request = self.module.ExportTraceServiceRequest.FromString(unpacked(handler, body))
        with self.lock:
            self.taken.update(path_of(span) for about in request.resource_spans
                              for scope in about.scope_spans for span in scope.spans)

    def accept(self, handler, body):
        self.take(handler, body)
        self.answer(handler, 200, [("Content-Type", "application/x-protobuf")])

    def partly(self, handler, body):
        """Takes all but 5 spans, as it says."""
        answer = self.module.ExportTraceServiceResponse()
        answer.partial_success.rejected_spans = 5
        answer.partial_success.error_message = "too old"
        self.answer(handler, 200, [("Content-Type", "application/x-protobuf")],
                    answer.SerializeToString())

    def swallow(self, handler, _body):
        """Takes it without a look."""
        self.answer(handler, 200, [("Content-Type", "application/x-protobuf")])

    def unavailable(self, handler, _body):
        self.answer(handler, 503)

    def page(self, handler, body):
        """Takes everything and answers with what no OTLP receiver would."""
        self.take(handler, body)
        self.answer(handler, 200, [("Content-Type", "text/html")], b"<html>thanks</html>")


def unpacked(handler, body):
    return gzip.decompress(body) if handler.headers.get("Content-Encoding") == "gzip" else body


def path_of(span):
    return next(attribute.value.string_value for attribute in span.attributes
                if attribute.key == "url.path")


def paths(shop, since=0):
    """One span for each request that nginx logged behind the first `since`."""
    return collections.Counter(entry["target"].split("?")[0]
                               for entry in shop.nginx.entries()[since:])
