"""What the tests of the scrapers share: known requests, and scrapes in every format."""

import concurrent.futures
import contextlib
import gzip
import http.client
import importlib
import pathlib
import random
import socket
import struct
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from lab import METRICS_PORT, SOURCE_DIR  # noqa: E402

from google.protobuf.internal.decoder import _DecodeVarint32  # noqa: E402

FAMILY = "http_server_request_duration_seconds"
ROUTE = "/after/{id}"
ACCEPT = {
    "text": "text/plain;version=0.0.4",
    "openmetrics": "application/openmetrics-text;version=1.0.0",
    "protobuf": "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;"
                "encoding=delimited",
}
THREADS = 8
# Waits in milliseconds, as many short as long ones on a logarithmic scale.
SHORTEST_MS, LONGEST_MS = 4, 60
# Every so many requests are part of a trace.
TRACED = 3


def trace_id(number):
    return f"{0x5eed << 64 | number + 1:032x}"


def plan(count):
    """Milliseconds to wait and a trace id or None, of each request; always the same."""
    chosen = random.Random(count)
    spread = LONGEST_MS / SHORTEST_MS
    return [(round(SHORTEST_MS * spread ** chosen.random()), trace_id(i) if i % TRACED == 0 else None)
            for i in range(count)]


def _send(pod, address, requests):
    with pod.inside():
        connection = http.client.HTTPConnection(address, 80, timeout=30)
        connection.connect()
    with contextlib.closing(connection):
        for wait, trace in requests:
            fields = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"} if trace else {}
            connection.request("GET", f"/after/{wait}", headers=fields)
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                raise ValueError(f"the backend answered {answer.status}")


def send(pod, address, requests):
    """All of them, over several connections at a time."""
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        parts = [requests[i::THREADS] for i in range(THREADS)]
        for job in [pool.submit(_send, pod, address, part) for part in parts]:
            job.result()


def abandon(pod, address, count):
    """Requests that are never answered: their client gives up, and resets the connection."""
    for _ in range(count):
        with pod.inside():
            connection = http.client.HTTPConnection(address, 80, timeout=30)
            connection.connect()
        with contextlib.closing(connection):
            connection.request("GET", "/never")
            time.sleep(0.05)
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                       struct.pack("ii", 1, 0))


def fetch(agent, kind=None, coding=None, method="GET"):
    """One scrape; returns the fields of the answer and its body, as it came."""
    fields = {}
    if kind is not None:
        fields["Accept"] = ACCEPT[kind]
    if coding is not None:
        fields["Accept-Encoding"] = coding
    with agent.home.inside():
        connection = http.client.HTTPConnection("127.0.0.1", METRICS_PORT, timeout=30)
        connection.connect()
    with contextlib.closing(connection):
        connection.request(method, "/metrics", headers=fields)
        answer = connection.getresponse()
        if answer.status != 200:
            raise ValueError(f"/metrics answered {answer.status}")
        return answer.headers, answer.read()


def messages(kind, data):
    """The messages of a delimited stream."""
    found, position = [], 0
    while position < len(data):
        length, position = _DecodeVarint32(data, position)
        found.append(kind.FromString(data[position:position + length]))
        position += length
    return found


def compiled(directory, proto):
    """The Python module of a published description. The package `io` is Python's own as well, so
    modules are loaded from the folders they are in."""
    folder = SOURCE_DIR / "exporters/proto"
    subprocess.run(["protoc", f"--proto_path={folder}", f"--python_out={directory}", proto],
                   check=True)
    module = pathlib.Path(proto)
    sys.path.insert(0, str(directory / module.parent))
    return importlib.import_module(f"{module.stem}_pb2")


def plain(headers, body):
    return gzip.decompress(body) if headers["Content-Encoding"] == "gzip" else body
