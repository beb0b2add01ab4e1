#!/usr/bin/env python3
"""Events of a running agent with two workers: the same messages in a file and over HTTP, one for each
side of every request, readable by protoc with the published description; a receiver that refuses to
answer changes nothing in the counts, and the end comes within the two seconds."""

import collections
import http.server
import pathlib
import re
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from checks import Checks  # noqa: E402
from lab import SOURCE_DIR, Lab, run, wait_until  # noqa: E402

PROTO_DIR = SOURCE_DIR / "exporters" / "proto"
PORT = 8087
REQUESTS = 40
CONFIG = """
capture: {{workers: 2}}
names:
  - {{address: {address}, namespace: shop, service: orders}}
events:
  file: {{path: {path}, flush_interval: 100ms}}
  http: {{url: "http://127.0.0.1:{port}/", batch_delay: 100ms, timeout: 500ms, compression: gzip}}
"""


def messages_of(data):
    """Splits length-delimited messages."""
    found, at = [], 0
    while at < len(data):
        size = shift = 0
        while True:
            byte = data[at]
            at += 1
            size |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        found.append(data[at:at + size])
        at += size
    return found


def decode(message):
    """What protoc prints of one message."""
    return subprocess.run(["protoc", f"--proto_path={PROTO_DIR}", "--decode=vethscope.v1.Exchange",
                           "vethscope/v1/exchange.proto"], input=message, stdout=subprocess.PIPE,
                          check=True).stdout.decode()


class Receiver(http.server.BaseHTTPRequestHandler):
    bodies = []
    answers = True

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if not Receiver.answers:
            time.sleep(30)
            return
        if self.headers["Content-Encoding"] == "gzip":
            body = subprocess.run(["gzip", "-dc"], input=body, stdout=subprocess.PIPE,
                                  check=True).stdout
        Receiver.bodies.append(body)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


def serve(namespace):
    with namespace.inside():
        server = http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Receiver)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()


def status_of(number):
    return 404 if number % 4 == 0 else 200


def target_of(number):
    return "/status/404" if number % 4 == 0 else f"/item/{number}"


def send(client, server, start):
    for number in range(start, start + REQUESTS):
        client.get(server.address, 80, target_of(number))


def check_events(checks, where, messages):
    texts = [decode(message) for message in messages]
    seen = collections.Counter(
        (re.search(r"^side: (\w+)$", text, re.M)[1], re.search(r'^target: "(.*)"$', text, re.M)[1],
         int(re.search(r"^status: (\d+)$", text, re.M)[1])) for text in texts)
    wanted = collections.Counter((side, target_of(number), status_of(number))
                                 for number in range(REQUESTS)
                                 for side in ("SIDE_SERVER", "SIDE_CLIENT"))
    checks.counts(f"events {where}", seen, wanted)
    checks.true(f"names {where}", all('service: "orders"' in text for text in texts))


def main():
    with Checks() as checks, Lab("events") as lab:
        server, client = lab.pod("server"), lab.pod("client")
        lab.backend(server)
        serve(lab.node)
        path = lab.directory / "events.pb"
        agent = lab.agent(config=CONFIG.format(address=server.address, path=path, port=PORT))
        send(client, server, 0)
        wait_until(lambda: sum(len(messages_of(body)) for body in list(Receiver.bodies))
                   >= 2 * REQUESTS, 20, "the events over HTTP")
        wait_until(lambda: len(messages_of(path.read_bytes())) >= 2 * REQUESTS, 20,
                   "the events in the file")
        check_events(checks, "over HTTP", messages_of(b"".join(Receiver.bodies)))
        check_events(checks, "in the file", messages_of(path.read_bytes()))
        Receiver.answers = False
        send(client, server, REQUESTS)
        for side in ("server", "client"):
            family = f"http_{side}_request_duration_seconds_count"
            checks.equal(f"requests of the {side}",
                         agent.settled(family, 2 * REQUESTS).total(family), 2 * REQUESTS)
        started = time.monotonic()
        checks.equal("exit status", agent.stop(), 0)
        checks.true("it ends soon", time.monotonic() - started < 5)
        checks.equal("events in the file at the end", len(messages_of(path.read_bytes())),
                     4 * REQUESTS)
        checks.true("the account of what was not delivered",
                    f"exporter=events_http given={4 * REQUESTS} sent={2 * REQUESTS} "
                    f"lost={2 * REQUESTS} kept=0" in agent.stderr(), agent.stderr())
        # One that is still being waited for then is told as what it is.
        agent = lab.agent(name="patient", config=CONFIG.replace("500ms", "10s").format(
            address=server.address, path=path, port=PORT))
        send(client, server, 2 * REQUESTS)
        agent.settled(family, REQUESTS)
        agent.stop()
        checks.true("why nothing was delivered", "no answer until the agent had to end"
                    in agent.stderr(), agent.stderr())


if __name__ == "__main__":
    run(main)
