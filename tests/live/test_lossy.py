#!/usr/bin/env python3
"""A capture that misses packets and shuffles others must never make a wrong pair, must report what
it can know, and must account for the rest. The server's answer to a request is decided by the
request alone (id_server.py), so a wrong pair shows in its status or its size.

Once with capture files, where it is known which packets were taken away; once on a live path: a
mirror of the server's link that forwards its packets late or not at all, and that vethscope
watches."""

import collections
import heapq
import json
import pathlib
import random
import re
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import id_server  # noqa: E402
import mangle  # noqa: E402
from checks import Checks  # noqa: E402
from lab import SUPPORT_DIR, Lab, LabError, binary, run  # noqa: E402

SEED = 20261123
WORDS = list(id_server.STATUSES)
REQUESTS_PER_CONNECTION = 60
CONNECTIONS = 60
PIPELINED_BATCH = 6
PARALLEL = 8
# Share of packets taken away, and among how many places the others move.
MANGLINGS = [(0, 1), (0.01, 1), (0.05, 1), (0, 4), (0, 64), (0.01, 8), (0.05, 64)]
# Without pipelining, of the exchanges whose two heads were captured.
REPORTED_SHARE = 0.999
SMALLEST_HEAD = 40
# All packets arrive at the mirror, so it cannot tell on which side they were captured.
COUNTS = ("http_server_request_duration_seconds_count",
          "http_client_request_duration_seconds_count")
UNMATCHED = "vethscope_unmatched_messages_total"
ANY_PACKET = 3  # ETH_P_ALL
SO_RCVBUFFORCE = 33
LARGEST_PACKET = 262144
# Nothing is held back for longer when no packet comes to take its place.
QUIET_SECONDS = 0.02
# What waits for a late packet is given up after 200 ms.
SETTLED_SECONDS = 1.5


def request(number):
    word = WORDS[number % len(WORDS)]
    asked = {"method": "GET", "target": f"/{word}/{number}", "status": id_server.STATUSES[word]}
    if number % 4 == 0:
        asked |= {"method": "POST", "body": "b" * (number * 31 % 3000)}
    return asked


def plan(address, first, batch):
    """Connections of requests with numbers from `first` on; `batch` of them are sent at once."""
    connections = []
    for index in range(CONNECTIONS):
        numbers = range(first + index * REQUESTS_PER_CONNECTION,
                        first + (index + 1) * REQUESTS_PER_CONNECTION)
        requests = [request(number) for number in numbers]
        connections.append([requests[at:at + batch]
                            for at in range(0, REQUESTS_PER_CONNECTION, batch)])
    return {"address": address, "port": 80, "host": "ids", "parallel": PARALLEL,
            "connections": connections}


def send(lab, client, what, name):
    path = lab.directory / f"{name}.json"
    path.write_text(json.dumps(what))
    status = lab.process(name, [sys.executable, SUPPORT_DIR / "load_client.py", path],
                         client).finish(120)
    if status != 0:
        raise LabError(f"{name}: the load failed")


def number_of(exchange):
    return int(exchange["target"].rsplit("/", 1)[1])


def is_right(exchange):
    """Whether what is said of the answer is what this request is answered with."""
    number = number_of(exchange)
    return (exchange["status"] == id_server.STATUSES[WORDS[number % len(WORDS)]] and
            exchange.get("response_body_bytes", id_server.body_bytes(number)) ==
            id_server.body_bytes(number))


def heads_captured(records):
    """Numbers whose request line and whose answer's X-Id are in a packet that was captured."""
    data = b"\0".join(records)
    asked = {int(number) for number in re.findall(rb"(?:GET|POST) /[a-z]+/(\d+) ", data)}
    answered = {int(number) for number in re.findall(rb"X-Id: (\d+)\r\n", data)}
    return asked & answered


def read(path):
    """The exchanges of a capture, and how many bytes the summary says were missed."""
    done = subprocess.run([binary(), "read", "--output", "json", str(path)], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True)
    missed = re.search(r"bytes missed\s+(\d+)", done.stderr)
    return [json.loads(line) for line in done.stdout.splitlines()], int(missed[1]) if missed else 0


def check_file(checks, what, path, captured, sent, pipelined):
    exchanges, missed = read(path)
    complete = [exchange for exchange in exchanges if exchange["outcome"] == "complete"]
    wrong = [exchange for exchange in complete if not is_right(exchange)]
    checks.equal(f"{what}: wrong pairs", wrong[:3], [])
    strange = {exchange["outcome"] for exchange in exchanges} - {
        "complete", "request_only", "response_only"}
    checks.equal(f"{what}: no errors are invented", strange, set())
    numbers = [number_of(exchange) for exchange in exchanges if "target" in exchange]
    checks.equal(f"{what}: no request twice", len(numbers), len(set(numbers)))
    reported = {number_of(exchange) for exchange in complete}
    share = len(reported & captured) / max(1, len(captured))
    print(f"{what}: {len(complete)} of {sent} exchanges reported, {share:.3%} of those whose heads "
          f"were captured; {missed} bytes missed")
    if not pipelined:
        checks.true(f"{what}: reported share", share >= REPORTED_SHARE, f"{share:.4%}")
    silent = sent - len(set(numbers))
    checks.true(f"{what}: what is not reported lies in missed bytes",
                silent * SMALLEST_HEAD <= missed, (silent, missed))


def check_files(checks, lab, server, client):
    for pipelined, batch in ((False, 1), (True, PIPELINED_BATCH)):
        name = "pipelined" if pipelined else "one by one"
        capture = lab.capture(server.interface, f"{name}.pcap".replace(" ", "-"))
        send(lab, client, plan(server.address, 0, batch), f"load-{batch}")
        checks.equal(f"{name}: tcpdump lost", capture.close(), 0)
        header, records = mangle.read_pcap(capture.path)
        for loss, window in MANGLINGS:
            kept = mangle.mangled(records, loss, window, SEED)
            path = lab.directory / "mangled.pcap"
            path.write_bytes(header + b"".join(kept))
            check_file(checks, f"{name}, {loss:.0%} lost, window {window}", path,
                       heads_captured(kept), CONNECTIONS * REQUESTS_PER_CONNECTION, pipelined)


class Mirror(threading.Thread):
    """Copies what passes one interface of the node to another, with losses and out of order."""

    def __init__(self, node, interface, mirror, loss, window):
        super().__init__(daemon=True)
        with node.inside():
            self.source = socket.socket(socket.AF_PACKET, socket.SOCK_RAW,
                                        socket.htons(ANY_PACKET))
            self.source.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
            self.source.bind((interface, ANY_PACKET))
            self.target = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
            self.target.bind((mirror, 0))
        self.source.settimeout(QUIET_SECONDS)
        self.chance = random.Random(SEED)
        self.loss, self.window = loss, window
        self.held, self.seen, self.stopping = [], 0, False

    def forward(self, up_to):
        """Sends what has its place in the new order before `up_to`."""
        while self.held and self.held[0][0] <= up_to:
            self.target.send(heapq.heappop(self.held)[2])

    def run(self):
        while True:
            try:
                packet = self.source.recv(LARGEST_PACKET)
            except TimeoutError:
                self.forward(float("inf"))
                if self.stopping:
                    return
                continue
            self.seen += 1
            if self.chance.random() >= self.loss:
                place = self.seen + self.chance.random() * self.window
                heapq.heappush(self.held, (place, self.seen, packet))
            self.forward(self.seen)

    def stop(self):
        """Returns when everything that was waiting has been forwarded."""
        self.stopping = True
        self.join()


def check_live(checks, lab, server, client):
    """Status by route: both come from the metrics, and the server binds them to each other."""
    node = lab.node
    node.ip("link", "add", "mirror0", "mtu", "65535", "type", "veth", "peer", "name", "mirror1",
            "mtu", "65535")
    node.ip("link", "set", "mirror0", "up")
    node.ip("link", "set", "mirror1", "up")
    config = "capture: {interfaces: [mirror1], vantage: pod}\n"
    sent = CONNECTIONS * REQUESTS_PER_CONNECTION
    for loss, window in ((0, 8), (0.01, 8)):
        agent = lab.agent(config=config, name=f"agent-{loss}-{window}")
        mirror = Mirror(node, server.interface, "mirror0", loss, window)
        mirror.start()
        send(lab, client, plan(server.address, 0, 1), f"live-load-{loss}")
        mirror.stop()
        time.sleep(SETTLED_SECONDS)
        metrics = agent.metrics()
        pairs = collections.Counter()
        for family in COUNTS:
            pairs.update(metrics.by(family, "http_route", "http_response_status_code"))
        wrong = {key: count for key, count in pairs.items()
                 if key[1] and str(id_server.STATUSES[key[0].split("/")[1]]) != key[1]}
        what = f"live, {loss:.0%} lost, window {window}"
        reported = sum(pairs.values())
        unmatched = metrics.total(UNMATCHED)
        missed = metrics.total("vethscope_missed_bytes_total")
        print(f"{what}: {reported:g} of {sent} reported, {unmatched:g} messages alone, "
              f"{missed:g} bytes missed")
        checks.equal(f"{what}: wrong pairs", wrong, {})
        checks.equal(f"{what}: kernel drops",
                     metrics.total("vethscope_capture_dropped_packets_total"), 0)
        checks.true(f"{what}: most are reported", reported >= sent * (1 - 6 * loss), reported)
        checks.true(f"{what}: accounted for", reported <= sent, reported)
        checks.equal(f"{what}: exit status", agent.stop(), 0)


def main():
    with Checks() as checks, Lab("lossy") as lab:
        server, client = lab.pod("server"), lab.pod("client")
        lab.serve("id-server", [sys.executable, SUPPORT_DIR / "id_server.py", "80"], server)
        check_files(checks, lab, server, client)
        check_live(checks, lab, server, client)


if __name__ == "__main__":
    run(main)
