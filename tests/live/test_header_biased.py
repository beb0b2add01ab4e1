#!/usr/bin/env python3
"""Body bytes that nobody reads are not copied, and nothing else changes: nginx and curl, large
bodies of every framing, on connections that were seen to send large bodies of known length before
and on fresh ones. Counts, statuses and body sizes equal the access log; no byte that matters is
missed."""

import collections
import contextlib
import os
import pathlib
import re
import socket
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from checks import Checks  # noqa: E402
from lab import Lab, run, wait_until  # noqa: E402
from nginx import Nginx  # noqa: E402

LARGE = 1 << 20
LONG = 16 << 20
HABIT = 20
DURATION = "http_server_request_duration_seconds_count"
BODY = "http_server_response_body_size_bytes_sum"
NGINX = """
    map $uri $route { default $uri; }
    sendfile on;
    gzip on; gzip_min_length 1; gzip_comp_level 1; gzip_types text/plain;
    types { text/plain txt; application/octet-stream bin; }
    client_body_buffer_size 32m;
    server {
        listen 80; root FILES;
        location = /upload { proxy_pass http://127.0.0.1:8081; proxy_http_version 1.1; }
        location = /chunked { proxy_pass http://127.0.0.1:8081/chunked.txt;
                              proxy_http_version 1.1; proxy_set_header Accept-Encoding gzip; }
    }
    server {
        listen 127.0.0.1:8081; access_log off; root FILES;
        location = /upload { return 204; }
    }
"""


class Client:
    """One kept connection; sends what it is given and reads what it announces."""

    def __init__(self, pod, server):
        with pod.inside():
            self.socket = socket.create_connection((server.address, 80), 10)
        self.socket.settimeout(20)
        self.buffer = b""

    def fill(self):
        got = self.socket.recv(1 << 18)
        if not got:
            raise EOFError
        self.buffer += got

    def send(self, *targets, method="GET", fields=(), body=b""):
        lines = "".join(f"{field}\r\n" for field in fields)
        self.socket.sendall(b"".join(
            f"{method} {target} HTTP/1.1\r\nHost: large\r\n{lines}\r\n".encode() + body
            for target in targets))

    def take(self, length):
        while len(self.buffer) < length:
            self.fill()
        taken, self.buffer = self.buffer[:length], self.buffer[length:]
        return taken

    def line(self):
        while b"\r\n" not in self.buffer:
            self.fill()
        line, _, self.buffer = self.buffer.partition(b"\r\n")
        return line

    def receive(self, bodiless=False):
        """One response; returns its status and the size of its content."""
        while b"\r\n\r\n" not in self.buffer:
            self.fill()
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        status = int(head.split()[1])
        length = re.search(rb"(?i)content-length: (\d+)", head)
        if bodiless or status in (204, 304) or status < 200:
            return status, 0
        if length:
            return status, len(self.take(int(length.group(1))))
        total = 0
        while size := int(self.line(), 16):
            total += len(self.take(size))
            self.line()
        self.line()
        return status, total


def settle(agent, wanted):
    metrics = agent.settled(DURATION, wanted)
    time.sleep(0.5)
    return metrics


class Talk:
    """Everything that was asked, and what came."""

    def __init__(self):
        self.counts = collections.Counter()
        self.bytes = collections.Counter()

    def note(self, target, result):
        status, size = result
        self.counts[target, str(status)] += 1
        self.bytes[target] += size

    def ask(self, client, target, **more):
        client.send(target, **more)
        result = client.receive(bodiless=more.get("method") == "HEAD")
        if result[0] == 100:
            result = client.receive()
        self.note(target, result)

    def pipeline(self, client, *targets):
        client.send(*targets)
        for target in targets:
            self.note(target, client.receive())


def framings(talk, client):
    """Each framing, large, in an order in which none prepares the next."""
    talk.ask(client, "/large.bin")
    talk.ask(client, "/text.txt", fields=["Accept-Encoding: gzip"])
    talk.ask(client, "/large.bin", method="HEAD")
    talk.ask(client, "/large.bin", fields=["Range: bytes=5-700000"])
    talk.ask(client, "/chunked", fields=["Accept-Encoding: gzip"])
    talk.ask(client, "/upload", method="PUT", body=b"u" * LARGE,
             fields=[f"Content-Length: {LARGE}"])
    chunks = b"".join(b"%x\r\n" % size + b"c" * size + b"\r\n" for size in (70000, 1, 300000, 17))
    talk.ask(client, "/upload", method="PUT", body=chunks + b"0\r\n\r\n",
             fields=["Transfer-Encoding: chunked"])
    talk.pipeline(client, "/large.bin", "/large.bin", "/small.bin", "/large.bin")
    talk.ask(client, "/small.bin", fields=["X-Long: " + "h" * 6000])


def check(checks, what, agent, talk):
    metrics = settle(agent, sum(talk.counts.values()))
    checks.counts(f"{what}: by route and status",
                  metrics.by(DURATION, "http_route", "http_response_status_code"), talk.counts)
    got = {key[0]: value for key, value in metrics.by(BODY, "http_route").items()}
    checks.equal(f"{what}: body bytes", {key: value for key, value in got.items() if value},
                 {key: value for key, value in talk.bytes.items() if value})
    checks.equal(f"{what}: bytes missed", metrics.total("vethscope_missed_bytes_total"), 0)
    checks.equal(f"{what}: dropped", metrics.total("vethscope_capture_dropped_packets_total"), 0)
    return metrics


def main():
    with Checks() as checks, Lab("biased") as lab:
        web, user = lab.pod("web"), lab.pod("user")
        text = b"".join(b"line %d of some text\n" % number for number in range(200_000))
        nginx = Nginx(lab, web, NGINX, {
            "large.bin": os.urandom(LARGE), "long.bin": os.urandom(LONG), "text.txt": text,
            "chunked.txt": text, "small.bin": b"small"})
        config = "capture: {ring_size: 64MiB}\nmemory: {limit: 256MiB}\n" \
                 "metrics: {body_sizes: true}\n"
        agent = lab.agent("--interface", web.interface, config=config)
        talk = Talk()
        time.sleep(1)
        talk.ask(Client(user, web), "/small.bin")
        began = time.monotonic()
        wait_until(lambda: agent.metrics().total(DURATION) == 1, 5, "the first request")
        checks.true("a quiet pod's request is told within a second",
                    time.monotonic() - began < 1, time.monotonic() - began)
        for _ in range(5):
            client = Client(user, web)
            for _ in range(3):
                framings(talk, client)
            client.socket.close()
        check(checks, "every framing", agent, talk)

        client = Client(user, web)
        for _ in range(HABIT):
            talk.ask(client, "/large.bin")
        time.sleep(1)  # the kernel is told
        for _ in range(HABIT):
            talk.ask(client, "/large.bin")
        for _ in range(3):
            talk.ask(client, "/long.bin")
        check(checks, "by habit", agent, talk)
        for _ in range(5):
            talk.ask(client, "/small.bin", fields=["X-Long: " + "h" * 6000])
            talk.ask(client, "/large.bin", method="HEAD")
            talk.ask(client, "/large.bin", fields=["Range: bytes=1-900000"])
            talk.ask(client, "/upload", method="PUT", body=b"u" * LARGE,
                     fields=[f"Content-Length: {LARGE}"])
        check(checks, "other messages of known length", agent, talk)

        # Now the habit is broken: bytes may be missed, but no exchange and no status is made up.
        talk.ask(client, "/text.txt", fields=["Accept-Encoding: gzip"])
        time.sleep(1)
        talk.ask(client, "/large.bin")
        metrics = settle(agent, sum(talk.counts.values()))
        checks.counts("a habit broken", metrics.by(DURATION, "http_route",
                                                   "http_response_status_code"), talk.counts)
        missed = metrics.total("vethscope_missed_bytes_total")
        checks.true("a habit broken: missed bytes tell", missed > 0, missed)
        for _ in range(HABIT):
            talk.ask(client, "/text.txt", fields=["Accept-Encoding: gzip"])
            talk.ask(client, "/large.bin")
        metrics = settle(agent, sum(talk.counts.values()))
        checks.equal("broken once", metrics.total("vethscope_missed_bytes_total"), missed)
        checks.counts("broken once: by route and status",
                      metrics.by(DURATION, "http_route", "http_response_status_code"),
                      talk.counts)
        nginx.wait_quiet()
        logged = nginx.counts("target", "status")
        checks.counts("the access log", logged, talk.counts)
        with contextlib.closing(client.socket):
            checks.equal("exit status", agent.stop(), 0)


if __name__ == "__main__":
    run(main)
