#!/usr/bin/env python3
"""Scrapers that do not read, that go away in the middle, and that speak garbage: every request is
counted, no packet is lost, and a good scraper is answered."""

import socket
import time

from scrapes import ACCEPT, FAMILY, fetch, plan, send
# Scrapes has put the folder of these on the path.
import prometheus_text
from checks import Checks
from lab import METRICS_PORT, Lab, run

REQUESTS = 400
# What one address may hold is 16 connections; the good scraper needs some of them.
SLOW, HASTY = 8, 200
GARBAGE = [
    b"\x00" * 2000,
    b"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: " + b"," * 8000 + b"\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: " + b'"' * 4000 + b"\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip;q=" + b"9" * 4000 + b"\r\n\r\n",
    b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
    b"GET " + b"/" * 60000 + b" HTTP/1.1\r\n\r\n",
]
# Memory that eight slow scrapers may cost: four expositions are made, the others are refused.
GROWTH_MAX = 16 * 2 ** 20


def connect(lab):
    with lab.node.inside():
        made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    made.settimeout(10)
    made.connect(("127.0.0.1", METRICS_PORT))
    return made


def ask(connection, kind):
    connection.sendall(f"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: {ACCEPT[kind]}\r\n\r\n".encode())


def resident(agent):
    text = fetch(agent, "text")[1].decode()
    return prometheus_text.parse(text).total("process_resident_memory_bytes")


def main():
    with Checks() as checks, Lab("badscrapers") as lab:
        server, client = lab.pod("server"), lab.pod("client")
        lab.backend(server)
        agent = lab.agent()
        requests = plan(REQUESTS)
        send(client, server.address, requests[:REQUESTS // 2])
        before = resident(agent)
        slow = [connect(lab) for _ in range(SLOW)]
        for connection in slow:
            ask(connection, "openmetrics")
        for number in range(HASTY):
            hasty = connect(lab)
            ask(hasty, ("text", "openmetrics", "protobuf")[number % 3])
            if number % 2:
                hasty.recv(100)
            hasty.close()
        for bytes_sent in GARBAGE:
            garbage = connect(lab)
            try:
                garbage.sendall(bytes_sent)
                garbage.recv(100)
            except OSError:
                pass  # it may close before it has read all of that
            garbage.close()
        send(client, server.address, requests[REQUESTS // 2:])
        for connection in slow:
            connection.close()
        time.sleep(0.5)
        metrics = agent.settled(f"{FAMILY}_count", REQUESTS)
        checks.equal("requests", metrics.total(f"{FAMILY}_count"), REQUESTS)
        checks.equal("lost packets", metrics.total("vethscope_capture_dropped_packets_total"), 0)
        checks.equal("missed bytes", metrics.total("vethscope_missed_bytes_total"), 0)
        growth = resident(agent) - before
        checks.true("memory", growth < GROWTH_MAX, growth)
        for kind in ACCEPT:
            checks.true(f"a good scraper gets {kind}", len(fetch(agent, kind)[1]) > 1000)
        checks.equal("exit status", agent.stop(), 0)


if __name__ == "__main__":
    run(main)
