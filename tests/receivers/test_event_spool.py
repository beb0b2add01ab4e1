#!/usr/bin/env python3
"""A spool outlives the agent: what a dead receiver did not get before kill -9 it gets afterwards; a
full one loses the oldest events and counts them."""

import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import events  # noqa: E402
from checks import Checks  # noqa: E402
from http_receiver import Receiver  # noqa: E402
from lab import Lab, run, wait_until  # noqa: E402
from shop import Shop, account, settled, wait_balanced  # noqa: E402

PORT = 8089
EXPORTER = "events_http"
CONFIG = """
events:
  http:
    url: http://127.0.0.1:{port}/
    batch_delay: 100ms
    timeout: 1s
  spool:
    directory: {directory}
    max_size: {size}
  retry_max: 300ms
"""


def start(shop, name, directory, size="64MiB"):
    shop.before = shop.sent
    return shop.lab.agent(name=name, config=CONFIG.format(port=PORT, directory=directory, size=size))


def numbers_of(agent):
    return account(agent.metrics(), EXPORTER)


def check_kill(checks, shop, module):
    directory = shop.lab.directory / "spool"
    agent = start(shop, "killed", directory)
    earlier = shop.expected()
    shop.send(1000)
    wait_until(lambda: numbers_of(agent)["waiting"] == 2000, 20, "the events in the spool")
    agent.child.kill()
    agent.child.wait()
    receiver = Receiver(module, shop.lab.node, PORT)
    again = start(shop, "again", directory)
    shop.send(500)
    numbers = settled(shop, again, EXPORTER, replayed=2000)
    metrics = again.metrics()
    checks.equal("replayed", metrics.total("vethscope_exporter_replayed_total"), 2000)
    checks.equal("lost", numbers["lost"], 0)
    checks.counts("events", receiver.taken, shop.expected() - earlier)
    receiver.close()
    check_end(checks, shop, module, again, receiver.taken, earlier)


def check_end(checks, shop, module, agent, taken, earlier):
    """An end in order keeps what waits, too; and nothing is sent twice after it."""
    shop.send(300, "kept")
    shop.wait_captured(agent)
    checks.equal("exit status", agent.stop(), 0)
    kept = re.search(r"exporter=events_http given=\d+ sent=\d+ lost=0 kept=(\d+)", agent.stderr())
    checks.equal("kept at the end", kept and kept.group(1), "600")
    receiver = Receiver(module, shop.lab.node, PORT)
    receiver.taken.update(taken)
    last = start(shop, "last", shop.lab.directory / "spool")
    settled(shop, last, EXPORTER, replayed=600)
    checks.counts("events after the end", receiver.taken, shop.expected() - earlier)
    last.stop()
    receiver.close()


def check_full(checks, shop, module):
    agent = start(shop, "full", shop.lab.directory / "small", "1MiB")
    earlier = shop.expected()
    shop.send(6000, "full")
    shop.wait_captured(agent)
    wait_balanced(agent, EXPORTER)
    used = sum(path.stat().st_size for path in (shop.lab.directory / "small" / "http").iterdir())
    checks.true("bounded on disk", used <= 2**20 + 4096, used)
    receiver = Receiver(module, shop.lab.node, PORT)
    numbers = settled(shop, agent, EXPORTER)
    lost = agent.metrics().total("vethscope_events_dropped_total", reason="spool_full")
    checks.true("full: lost", 0 < lost < 12000, lost)
    checks.equal("full: lost for no other reason", numbers["lost"], lost)
    checks.equal("full: taken and lost are all", sum(receiver.taken.values()) + lost, 12000)
    checks.true("full: none invented", not receiver.taken - (shop.expected() - earlier))
    newest = f"/item/{shop.sent - 1}?n={(shop.sent - 1) % 7}"
    checks.equal("full: the newest are there", receiver.taken[1, newest], 1)
    agent.stop()
    receiver.close()


def main():
    with Checks() as checks, Lab("spool") as lab:
        module = events.load(lab.directory)
        shop = Shop(lab)
        check_kill(checks, shop, module)
        check_full(checks, shop, module)


if __name__ == "__main__":
    run(main)
