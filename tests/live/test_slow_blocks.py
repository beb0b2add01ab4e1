#!/usr/bin/env python3
"""Packets that wait for their block of the ring are not lost: with blocks of two seconds, a segment
in one block and the one it came too early for in the next, nothing is missed."""

import pathlib
import socket
import struct
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from checks import Checks  # noqa: E402
from lab import Lab, run  # noqa: E402

CONFIG = "capture: {interfaces: [mirror1], vantage: pod, block_timeout: 2s}\n"
# Several blocks long, with a pair across nearly every border of two.
CONNECTIONS, PAUSE_SECONDS = 150, 0.03
SETTLED_SECONDS = 5
REQUEST = b"GET /late HTTP/1.1\r\nHost: late\r\n\r\n"
RESPONSE = b"HTTP/1.1 204 No Content\r\n\r\n"
CUT = 10
SYN, ACK, PUSH = 2, 16, 8


class Wire:
    """Puts made-up connections on an interface, both directions of them."""

    def __init__(self, node, interface):
        with node.inside():
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
            self.socket.bind((interface, 0))

    def send(self, port, from_server, sequence, acknowledgment, flags, payload=b""):
        ends = [(socket.inet_aton("10.0.0.1"), port), (socket.inet_aton("10.0.0.2"), 80)]
        source, target = reversed(ends) if from_server else ends
        tcp = struct.pack(">HHIIBBHHH", source[1], target[1], sequence, acknowledgment, 5 << 4,
                          flags, 65535, 0, 0) + payload
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 0, 64, socket.IPPROTO_TCP, 0,
                         source[0], target[0])
        self.socket.send(b"\xff" * 6 + b"\2" + b"\0" * 5 + struct.pack(">H", 0x0800) + ip + tcp)

    def exchange(self, port):
        """A request whose first segment the capture shows last, behind the answer to it."""
        self.send(port, False, 100, 0, SYN)
        self.send(port, True, 500, 101, SYN | ACK)
        self.send(port, False, 101, 501, ACK)
        self.send(port, False, 101 + CUT, 501, ACK | PUSH, REQUEST[CUT:])
        self.send(port, True, 501, 101 + len(REQUEST), ACK | PUSH, RESPONSE)
        time.sleep(PAUSE_SECONDS)
        self.send(port, False, 101, 501, ACK | PUSH, REQUEST[:CUT])


def main():
    with Checks() as checks, Lab("slow") as lab:
        lab.node.ip("link", "add", "mirror0", "type", "veth", "peer", "name", "mirror1")
        lab.node.ip("link", "set", "mirror0", "up")
        lab.node.ip("link", "set", "mirror1", "up")
        agent = lab.agent(config=CONFIG)
        wire = Wire(lab.node, "mirror0")
        for number in range(CONNECTIONS):
            wire.exchange(40000 + number)
        time.sleep(SETTLED_SECONDS)
        metrics = agent.metrics()
        counted = metrics.by("http_server_request_duration_seconds_count", "http_route",
                             "http_response_status_code")
        checks.equal("counted", counted, {("/late", "204"): CONNECTIONS})
        checks.equal("bytes missed", metrics.total("vethscope_missed_bytes_total"), 0)
        checks.equal("exit status", agent.stop(), 0)


if __name__ == "__main__":
    run(main)
