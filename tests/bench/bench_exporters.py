#!/usr/bin/env python3
"""What an exchange costs with each exporter, in instructions counted by valgrind and in nanoseconds:
counted for Prometheus, as a span and in the data points of OpenTelemetry, as an event step by step
and all the way to a receiver. (Into Kafka: bench_events_kafka.py.)"""

import http.server
import pathlib
import re
import subprocess
import sys
import threading

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))

import callgrind  # noqa: E402

FOLDER = ROOT / "build/release/tests/bench"
EVENTS, HTTP_EVENTS = 5000, 500000
# Of bench_otlp: a function, what is called how often with "quick", and what is said of its time.
SPANS, POINTS = 10000, 2 * 2 * 5000
OTLP = (("otlp_sampler_wants", SPANS, "OTLP: whether it becomes a span", "whether it becomes a span"),
        ("otlp_span_append", SPANS, "OTLP: as a span", "an exchange as a span"),
        ("take_point", POINTS, "OTLP: a data point of 60 buckets", "60 buckets, cumulative"),
        ("otlp_request_write", POINTS, "OTLP: a data point in a request", "in a request"))
FEEDS = 200000  # of bench_scrape's round
PROMETHEUS = (("plain", "Prometheus: counted"), ("traced", "Prometheus: with an exemplar"))
EVENT_STEPS = (("record", "events: made a record, with names"),
               ("ring", "events: put into the worker's ring"),
               ("encode", "events: encoded"), ("file", "events: all the way into a file"),
               ("file-zstd", "events: into a file, zstd"))


class Receiver(http.server.BaseHTTPRequestHandler):
    """Takes everything."""
    protocol_version = "HTTP/1.1"

    def do_POST(self):  # noqa: N802 - the library's name
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def run(*argv):
    return subprocess.run(list(map(str, argv)), stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, check=True).stdout


def line(what, instructions, nanoseconds):
    print(f"{what:<40}{instructions:8.0f} instructions{nanoseconds:9.0f} ns of CPU", flush=True)


def ns(output, behind=""):
    """The first time behind this text."""
    return float(re.search(rf"{behind}\D*\b(\d+) ns", output)[1])


def event_ns(*argv):
    return ns(run(FOLDER / "bench_events", *argv))


def http_line():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/"
        counted = callgrind.each(
            lambda events: [FOLDER / "bench_events", "http", events, url], EVENTS)
        line("events: to an HTTP receiver, zstd", counted, event_ns("http", HTTP_EVENTS, url))
        server.shutdown()


def main():
    for way, what in PROMETHEUS:
        argv = [FOLDER / "bench_scrape", way]
        line(what, callgrind.count(argv, "feed_round*") / FEEDS, ns(run(*argv, "timed")))
    times = run(FOLDER / "bench_otlp")
    for function, count, what, behind in OTLP:
        collected = callgrind.count([FOLDER / "bench_otlp", "quick"], function)
        if collected == 0:
            sys.exit(f"{function} was not seen running: is it part of another function?")
        line(what, collected / count, ns(times, behind))
    for step, what in EVENT_STEPS:
        counted = callgrind.each(lambda events, step=step: [FOLDER / "bench_events", step, events],
                                 EVENTS)
        line(what, counted, event_ns(step))
    http_line()


if __name__ == "__main__":
    main()
