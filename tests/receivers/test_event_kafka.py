#!/usr/bin/env python3
"""Events in Kafka: a consumer that is not ours reads each event exactly once, under its service's
key, byte for byte what the event file has, although the broker was stopped and killed in between."""

import collections
import pathlib
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[0] / "support"), str(HERE / "kafka")]

import events  # noqa: E402
from broker import PORT, Broker  # noqa: E402
from checks import Checks  # noqa: E402
from lab import Lab, command, run, wait_until  # noqa: E402
from shop import Shop, account, settled, wait_balanced  # noqa: E402

EXPORTER = "events_kafka"
REQUESTS = 1500
CONFIG = """
names:
  - {{address: {server}, namespace: shop, service: orders}}
events:
  file:
    path: {directory}/{topic}.pb
  kafka:
    brokers: 127.0.0.1:{port}
    topic: {topic}
    properties:
      - {{name: reconnect.backoff.max.ms, value: "1000"}}
{more}
"""


def start(shop, topic, more=""):
    shop.before = shop.sent
    return shop.lab.agent(name=topic, config=CONFIG.format(
        server=shop.server.address, directory=shop.lab.directory, port=PORT, topic=topic,
        more=more))


def consume(lab, topic):
    """Keys and values of everything in the topic, as kcat prints them: sizes, then the bytes."""
    raw = subprocess_bytes(lab, ["kcat", "-C", "-q", "-e", "-b", f"127.0.0.1:{PORT}", "-t", topic,
                                 "-o", "beginning", "-f", "%K %S\n%k%s"])
    found, at = [], 0
    while at < len(raw):
        line, _, _ = raw[at:].partition(b"\n")
        key_size, size = map(int, line.split())
        at += len(line) + 1
        found.append((raw[at:at + key_size], raw[at + key_size:at + key_size + size]))
        at += key_size + size
    return found


def subprocess_bytes(lab, argv):
    output = lab.directory / "consumed"
    command(*lab.node.enter_command, "sh", "-c", 'exec "$@" > "$0"', output, *argv)
    return output.read_bytes()


def check_topic(checks, shop, module, topic, earlier):
    """The topic against nginx' log and against the file, which has the same bytes."""
    consumed = consume(shop.lab, topic)
    parsed = events.parse(module, [value for _, value in consumed])
    checks.counts(f"{topic}: events", collections.Counter(map(events.key, parsed)),
                  shop.expected() - earlier)
    checks.equal(f"{topic}: keys", {key for key, _ in consumed}, {b"shop/orders"})
    written, left = events.split((shop.lab.directory / f"{topic}.pb").read_bytes())
    checks.equal(f"{topic}: the file is whole", left, 0)
    checks.true(f"{topic}: the file has the same bytes in the same order",
                [value for _, value in consumed] == written)


def check_restarts(checks, shop, module, broker):
    """Stopped in order and started again under load, then killed."""
    earlier = shop.expected()
    agent = start(shop, "restarts")
    shop.send(REQUESTS, "before")
    settled(shop, agent, EXPORTER, 60)
    broker.stop()
    shop.send(REQUESTS, "stopped")
    shop.wait_captured(agent)
    wait_until(lambda: account(agent.metrics(), EXPORTER)["waiting"] == 2 * REQUESTS, 20,
               "the events to wait")
    checks.true("failures are counted", agent.metrics().total(
        "vethscope_exporter_failed_total", exporter=EXPORTER) > 0)
    broker.start()
    checks.equal("lost while it was stopped", settled(shop, agent, EXPORTER, 60)["lost"], 0)
    shop.send(REQUESTS, "going")
    broker.kill()
    shop.send(REQUESTS, "killed")
    broker.start()
    numbers = settled(shop, agent, EXPORTER, 60)
    checks.equal("sent", numbers["sent"], 8 * REQUESTS)
    checks.equal("lost", numbers["lost"], 0)
    checks.equal("packets lost", agent.metrics().total(
        "vethscope_capture_dropped_packets_total"), 0)
    checks.equal("exit status", agent.stop(), 0)
    check_topic(checks, shop, module, "restarts", earlier)


def check_spool(checks, shop, module, broker):
    """What waits for the broker when the agent is killed is there when both are back."""
    earlier = shop.expected()
    spool = f"  spool: {{directory: {shop.lab.directory}/spool}}"
    broker.stop()
    agent = start(shop, "spooled", spool)
    shop.send(REQUESTS, "unheard")
    wait_until(lambda: account(agent.metrics(), EXPORTER)["waiting"] == 2 * REQUESTS, 20,
               "the events in the spool")
    agent.child.kill()
    agent.child.wait()
    broker.start()
    again = start(shop, "spooled", spool)
    settled(shop, again, EXPORTER, 60, replayed=2 * REQUESTS)
    again.stop()
    parsed = events.parse(module, [value for _, value in consume(shop.lab, "spooled")])
    checks.counts("spooled: events", collections.Counter(map(events.key, parsed)),
                  shop.expected() - earlier)


def check_bounded(checks, shop, broker):
    """Away for longer than the queue reaches, and at the agent's end still away."""
    broker.stop()
    agent = start(shop, "bounded", "  queue_size: 256KiB")
    shop.send(4000, "lost")
    shop.wait_captured(agent)
    numbers = wait_balanced(agent, EXPORTER)
    lost = agent.metrics().total("vethscope_events_dropped_total", exporter=EXPORTER,
                                 reason="queue_full")
    checks.true("full: lost", 0 < lost < 8000, numbers)
    checks.equal("full: the rest waits", numbers["waiting"], 8000 - lost)
    started = time.monotonic()
    checks.equal("full: exit status", agent.stop(), 0)
    checks.true("full: it ends soon", time.monotonic() - started < 4, time.monotonic() - started)
    checks.true("full: the account", f"exporter={EXPORTER} given=8000 sent=0 lost=8000 kept=0"
                in agent.stderr(), agent.stderr())


def check_too_large(checks, shop, module):
    """One message that the broker does not take costs that one."""
    earlier = shop.expected()
    agent = start(shop, "large", '      - {name: message.max.bytes, value: "1000"}')
    shop.client.get(shop.server.address, 80, "/long/" + "x" * 2000)
    shop.send(200, "small")
    wait_until(lambda: account(agent.metrics(), EXPORTER)["sent"] == 400, 30, "the small ones")
    checks.equal("large: counted", agent.metrics().total(
        "vethscope_events_dropped_total", exporter=EXPORTER, reason="too_large"), 2)
    agent.stop()
    parsed = events.parse(module, [value for _, value in consume(shop.lab, "large")])
    wanted = {key: count for key, count in (shop.expected() - earlier).items()
              if not key[1].startswith("/long/")}
    checks.counts("large: events", collections.Counter(map(events.key, parsed)), wanted)


def main():
    with Checks() as checks, Lab("kafka") as lab:
        module = events.load(lab.directory)
        shop = Shop(lab)
        # librdkafka resolves nothing, not even 127.0.0.1, where there is only loopback.
        lab.node.ip("addr", "add", "192.0.2.1/32", "dev", "lo")
        broker = Broker(lab)
        broker.start()
        check_restarts(checks, shop, module, broker)
        check_too_large(checks, shop, module)
        check_spool(checks, shop, module, broker)
        check_bounded(checks, shop, broker)


if __name__ == "__main__":
    run(main)
