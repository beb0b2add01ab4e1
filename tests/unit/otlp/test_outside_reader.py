#!/usr/bin/env python3
"""Both requests as protoc reads them with our .proto files, which have OpenTelemetry's field
numbers: nothing unknown is left, and every value is where it belongs."""

import re
import subprocess
import sys
import unittest

SAMPLES, PROTOC, PROTO_DIR = sys.argv[1:4]
PACKAGE = "opentelemetry.proto.collector"


def decoded(kind, message, file):
    """The request in protoc's text form, without spaces at the lines' beginnings."""
    request = subprocess.run([SAMPLES, kind], stdout=subprocess.PIPE, check=True).stdout
    done = subprocess.run(
        [PROTOC, f"--proto_path={PROTO_DIR}", f"--decode={PACKAGE}.{message}",
         f"opentelemetry/proto/collector/{file}"],
        input=request, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True)
    if done.stderr:
        raise ValueError(done.stderr)
    return [line.strip() for line in done.stdout.decode("ascii").splitlines()]


def attributes(lines):
    """key: value of each attribute."""
    found = {}
    for key, value in zip(lines, lines[2:]):
        if key.startswith("key: "):
            found[key[6:-1]] = value.split(": ", 1)[1]
    return found


class OutsideReader(unittest.TestCase):
    """protoc knows no more than the published files."""

    def check_known(self, lines):
        self.assertFalse([line for line in lines if re.match(r"\d+:", line)])

    def test_metrics(self):
        lines = decoded("metrics", "metrics.v1.ExportMetricsServiceRequest",
                        "metrics/v1/metrics_service.proto")
        self.check_known(lines)
        self.assertEqual(attributes(lines), {"service.name": r'"cart \357\277\275"',
                                             "http.route": r'"/a\357\277\275b"'})
        for line in ('name: "http.server.request.duration"', 'unit: "s"', "count: 3", "sum: 0.75",
                     "scale: 5", "offset: -3", "bucket_counts: 1", "bucket_counts: 2",
                     "time_unix_nano: 1769860800000000000",
                     "start_time_unix_nano: 1769860799999999999",
                     'name: "vethscope.x"', "as_int: 7", "is_monotonic: true"):
            self.assertIn(line, lines)
        self.assertEqual(
            lines.count("aggregation_temporality: AGGREGATION_TEMPORALITY_CUMULATIVE"), 2)
        self.assertEqual(lines.count("resource_metrics {"), 2)
        self.assertEqual(lines.count('name: "v"'), 2)

    def test_traces(self):
        lines = decoded("traces", "trace.v1.ExportTraceServiceRequest",
                        "trace/v1/trace_service.proto")
        self.check_known(lines)
        found = attributes(lines)
        self.assertEqual(found["url.path"], r'"/caf\303\251\357\277\275"')
        self.assertEqual(found["http.response.status_code"], "503")
        self.assertEqual(found["error.type"], '"503"')
        self.assertEqual(found["http.response.body.size"], "4294967295")
        for line in ('name: "GET /{id}"', "kind: SPAN_KIND_SERVER", "code: STATUS_CODE_ERROR",
                     r'trace_id: "\n\367e\031\026\315C\335\204H\353!\034\2001\234"',
                     r'parent_span_id: "\267\255kqi 31"', "flags: 769",
                     "start_time_unix_nano: 1769860800000000000",
                     "end_time_unix_nano: 1769860800000000060",
                     'name: "http.request.end"', "time_unix_nano: 1769860800000000010",
                     'name: "http.response.start"', "time_unix_nano: 1769860800000000030"):
            self.assertIn(line, lines)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
