#!/usr/bin/env python3
"""Event files, read with Python's protobuf and the published description: every exchange that nginx
logged is in them, once for each side, as nginx logged it."""

import collections
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import events  # noqa: E402
from checks import Checks  # noqa: E402
from lab import Lab, command, run, wait_until  # noqa: E402
from shop import CLIENT_SIDE, SERVER_SIDE, Shop, account, wait_balanced  # noqa: E402

REQUESTS = 3000
# Small: what the load brings within one flush is more.
MAX_SIZE = {"none": 128 << 10, "zstd": 64 << 10}
NAMES = """
names:
  - {{address: {0}, namespace: shop, service: orders}}
  - {{address: {1}, namespace: shop, service: front}}
"""


def config(shop, path, more=""):
    return NAMES.format(shop.server.address, shop.client.address) + f"""
events:
  file:
    path: {path}
    flush_interval: 200ms
{more}"""


def check_event(checks, shop, event, status):
    """One event of either side against what is known of its exchange."""
    problems = [name for name, got, wanted in (
        ("status", event.status, status), ("method", event.method, "GET"),
        ("route", event.route, "/item/{id}"), ("host", event.host, "shop"),
        ("version", event.protocol_version, "1.1"), ("outcome", event.outcome, 1),
        ("user agent", event.user_agent, "shop/1.0"),
        ("client", event.client.address, shop.client.address),
        ("server", (event.server.address, event.server.port), (shop.server.address, 80)),
        ("names", (event.client.namespace, event.client.service, event.server.namespace,
                   event.server.service), ("shop", "front", "shop", "orders")),
        ("request body", event.WhichOneof("request_body"), "request_body_bytes"),
        ("body", event.response_body_bytes, len({404: "no", 500: "broken"}.get(status,
                                                                             "here you are"))),
        ("sum of times", event.request_duration_nano + event.server_duration_nano +
         event.response_duration_nano, event.duration_nano),
    ) if got != wanted]
    if problems:
        checks.true(f"event of {event.target}", False, f"{problems} differ in {event}")


def check_file(checks, shop, module, compression):
    """Several rotations under load, then the end right after the last request."""
    path = shop.lab.directory / f"{compression}.pb"
    agent = shop.lab.agent(name=compression, config=config(shop, path, f"""
    compression: {compression}
    max_size: {MAX_SIZE[compression] >> 10}KiB
    keep: 100
"""))
    before = shop.expected()
    shop.send(REQUESTS)
    agent.settled("http_client_request_duration_seconds_count", REQUESTS)
    wait_balanced(agent, "events_file")
    started = time.monotonic()
    checks.equal(f"{compression}: exit status", agent.stop(), 0)
    checks.true(f"{compression}: ends soon", time.monotonic() - started < 3)
    found = events.of_files(module, path)
    got = collections.Counter(map(events.key, found))
    checks.counts(f"{compression}: events", got, shop.expected() - before)
    statuses = shop.status_by_target()
    for event in found:
        check_event(checks, shop, event, statuses[event.target])
    now = time.time_ns()
    checks.true(f"{compression}: times",
                all(now - 10**12 < event.time_unix_nano < now for event in found))
    files = list(path.parent.glob(path.name + ".2*"))
    checks.true(f"{compression}: rotated", len(files) >= 1, files)
    checks.true(f"{compression}: sizes", all(
        name.stat().st_size <= MAX_SIZE[compression] for name in files),
        [name.stat().st_size for name in files])


def check_example(checks, shop, path):
    """The reader that docs/events.md shows."""
    page = (events.PROTO_DIR.parents[1] / "docs" / "events.md").read_text()
    script = shop.lab.directory / "reader.py"
    script.write_text(page.split("```python\n")[1].split("```")[0])
    lines = command(sys.executable, script, path).splitlines()
    statuses = shop.status_by_target()
    checks.true("the example reads every event of a file", lines and all(
        line.split()[:3] == ["GET", target, str(statuses[target])]
        for line in lines for target in [line.split()[1]]), lines[:3])


def check_filter(checks, shop, module):
    path = shop.lab.directory / "filtered.pb"
    agent = shop.lab.agent(name="filtered", config=config(shop, path, """
  filter: {only_errors: true}
"""))
    before = shop.expected()
    shop.send(500)
    metrics = agent.settled("http_client_request_duration_seconds_count", 500)
    checks.equal("filtered: the rest is counted", metrics.total(
        "vethscope_events_filtered_total", reason="uninteresting"), 500 + 400 - 50)
    agent.stop()
    statuses = shop.status_by_target()
    wanted = {key: count for key, count in (shop.expected() - before).items()
              if statuses[key[1]] >= (400 if key[0] == CLIENT_SIDE else 500)}
    found = events.of_files(module, path)
    checks.counts("filtered: events", collections.Counter(map(events.key, found)), wanted)


def check_rate(checks, shop, module):
    path = shop.lab.directory / "rate.pb"
    agent = shop.lab.agent(name="rate", config=config(shop, path, """
  filter: {rate_per_service: 20}
"""))
    started = time.monotonic()
    shop.send(2000)
    agent.settled("http_client_request_duration_seconds_count", 2000)
    most = 20 * (time.monotonic() - started + 2)
    metrics = agent.metrics()
    agent.stop()
    found = events.of_files(module, path)
    for side in (SERVER_SIDE, CLIENT_SIDE):
        count = sum(event.side == side for event in found)
        checks.true(f"rate: events of side {side}", 20 <= count <= most, f"{count} of {most}")
    checks.equal("rate: passed or counted", len(found) + metrics.total(
        "vethscope_events_filtered_total", reason="rate"), 4000)


def check_kill(checks, shop, module):
    """What was written before kill -9 is whole, and a restart goes on in a new file."""
    path = shop.lab.directory / "killed.pb"
    agent = shop.lab.agent(name="killed", config=config(shop, path, "    compression: zstd\n"))
    before = shop.expected()
    shop.send(500)
    wait_until(lambda: account(agent.metrics(), "events_file")["sent"] == 1000, 20,
               "all events written")
    agent.child.kill()
    agent.child.wait()
    again = shop.lab.agent(name="again", config=config(shop, path, "    compression: zstd\n"))
    shop.send(500)
    again.settled("http_client_request_duration_seconds_count", 500)
    again.stop()
    found = events.of_files(module, path)
    checks.counts("killed: events", collections.Counter(map(events.key, found)),
                  shop.expected() - before)


def main():
    with Checks() as checks, Lab("files") as lab:
        module = events.load(lab.directory)
        shop = Shop(lab)
        for compression in ("none", "zstd"):
            check_file(checks, shop, module, compression)
        check_example(checks, shop, lab.directory / "none.pb")
        check_filter(checks, shop, module)
        check_rate(checks, shop, module)
        check_kill(checks, shop, module)


if __name__ == "__main__":
    run(main)
