#!/usr/bin/env python3
"""Events over HTTP to a receiver that misbehaves in every way: capture is not affected, memory stays
bounded, what is not delivered is counted to the event, and nothing has to be restarted."""

import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import events  # noqa: E402
from checks import Checks  # noqa: E402
from http_receiver import Receiver, certificate, server_context  # noqa: E402
from lab import Lab, run, wait_until  # noqa: E402
from shop import Shop, account, settled, wait_balanced  # noqa: E402

PORT = 8088
EXPORTER = "events_http"
REQUESTS = 400
# Of the phases that fail: long enough for several attempts.
MISBEHAVE_SECONDS = 1.5
CONFIG = """
events:
  http:
    url: {scheme}://127.0.0.1:{port}/in
    batch_delay: 100ms
    timeout: 1s
    compression: {compression}
{more}
  queue_size: {queue}
  retry_max: 500ms
"""


def config(scheme="http", compression="none", queue="16MiB", more=""):
    return CONFIG.format(scheme=scheme, port=PORT, compression=compression, queue=queue, more=more)


def check_capture(checks, shop, agent, what):
    """What is counted does not depend on what is delivered."""
    metrics = shop.wait_captured(agent)
    for side in ("server", "client"):
        checks.equal(f"{what}: requests counted on the side of the {side}", metrics.total(
            f"http_{side}_request_duration_seconds_count"), shop.sent - shop.before)
    checks.equal(f"{what}: packets lost", metrics.total("vethscope_capture_dropped_packets_total"),
                 0)
    wait_balanced(agent, EXPORTER)


def check_recovery(checks, shop, agent, receiver, behaviour):
    """Events of a bad time arrive when it is over, each exactly once."""
    failed = agent.metrics().total("vethscope_exporter_failed_total", exporter=EXPORTER)
    receiver.behave = behaviour
    shop.send(REQUESTS, behaviour)
    check_capture(checks, shop, agent, behaviour)
    if behaviour != "slow":
        time.sleep(MISBEHAVE_SECONDS)
        metrics = agent.metrics()
        checks.true(f"{behaviour}: failures are counted", metrics.total(
            "vethscope_exporter_failed_total", exporter=EXPORTER) > failed)
        checks.true(f"{behaviour}: events wait",
                    account(metrics, EXPORTER)["waiting"] >= REQUESTS)
    receiver.behave = "accept"
    numbers = settled(shop, agent, EXPORTER)
    checks.equal(f"{behaviour}: lost", numbers["lost"], 0)
    checks.counts(f"{behaviour}: events", receiver.taken, shop.expected())


def check_misbehaviour(checks, shop, module):
    receiver = Receiver(module, shop.lab.node, PORT)
    secret = shop.lab.directory / "token"
    secret.write_text("Bearer one\n")
    agent = shop.lab.agent(config=config(compression="gzip", more=f"""
    headers:
      - {{name: Authorization, value_file: {secret}}}
      - {{name: X-Node, value: lab}}
"""))
    shop.before = shop.sent
    shop.send(REQUESTS)
    checks.equal("lost while all is well", settled(shop, agent, EXPORTER)["lost"], 0)
    checks.counts("events while all is well", receiver.taken, shop.expected())
    checks.equal("content type", receiver.fields["Content-Type"], "application/vnd.google.protobuf;"
                 " proto=vethscope.v1.Exchange; encoding=delimited")
    checks.equal("fields", (receiver.fields["Authorization"], receiver.fields["X-Node"],
                            receiver.fields["Content-Encoding"]), ("Bearer one", "lab", "gzip"))
    checks.true("batches", receiver.requests < REQUESTS / 10, receiver.requests)
    secret.write_text("Bearer two\n")
    for behaviour in ("slow", "fail", "busy", "hang", "close_early", "garbage"):
        check_recovery(checks, shop, agent, receiver, behaviour)
    checks.equal("the renewed secret", receiver.fields["Authorization"], "Bearer two")
    check_dead(checks, shop, agent, receiver, module)


def check_dead(checks, shop, agent, receiver, module):
    """Nobody listens; then somebody does. And answers that do not end are cut."""
    receiver.close()
    shop.send(REQUESTS, "dead")
    time.sleep(MISBEHAVE_SECONDS)
    check_capture(checks, shop, agent, "dead")
    revived = Receiver(module, shop.lab.node, PORT)
    revived.taken = receiver.taken
    checks.equal("dead: lost", settled(shop, agent, EXPORTER)["lost"], 0)
    checks.counts("dead: events", revived.taken, shop.expected())
    revived.behave = "endless"
    shop.send(REQUESTS, "endless")
    shop.wait_captured(agent)
    settled(shop, agent, EXPORTER)
    checks.counts("endless: events", revived.taken, shop.expected())
    check_refusal(checks, shop, agent, revived)
    started = time.monotonic()
    checks.equal("exit status", agent.stop(), 0)
    checks.true("it ends soon", time.monotonic() - started < 3)
    revived.close()


def check_refusal(checks, shop, agent, receiver):
    """What is refused for good is lost, counted, and holds nothing up."""
    receiver.behave = "refuse"
    taken = sum(receiver.taken.values())
    shop.send(REQUESTS, "refused")
    shop.wait_captured(agent)
    numbers = settled(shop, agent, EXPORTER)
    metrics = agent.metrics()
    checks.equal("refused: counted", metrics.total("vethscope_events_dropped_total",
                                                   exporter=EXPORTER, reason="rejected"),
                 2 * REQUESTS)
    checks.equal("refused: nothing else", numbers["lost"], 2 * REQUESTS)
    receiver.behave = "accept"
    shop.send(REQUESTS, "after")
    shop.wait_captured(agent)
    settled(shop, agent, EXPORTER)
    checks.equal("refused: what follows arrives", sum(receiver.taken.values()) - taken,
                 2 * REQUESTS)


def check_bounded(checks, shop, module):
    """A receiver that is away for longer than the queue reaches: taken and counted add up."""
    agent = shop.lab.agent(name="bounded", config=config(queue="256KiB"))
    shop.before = shop.sent
    earlier = shop.expected()
    shop.send(2000, "first")
    check_capture(checks, shop, agent, "full")
    resident = agent.metrics().total("process_resident_memory_bytes")
    shop.send(8000, "more")
    check_capture(checks, shop, agent, "full")
    grown = agent.metrics().total("process_resident_memory_bytes") - resident
    checks.true("full: memory stays", grown < 8 * 2**20, f"{grown} bytes more")
    receiver = Receiver(module, shop.lab.node, PORT)
    numbers = settled(shop, agent, EXPORTER)
    lost = agent.metrics().total("vethscope_events_dropped_total", exporter=EXPORTER,
                                 reason="queue_full")
    checks.true("full: lost", 0 < lost < 20000, lost)
    checks.equal("full: lost for no other reason", numbers["lost"], lost)
    checks.equal("full: taken and lost are all", sum(receiver.taken.values()) + lost, 20000)
    checks.true("full: none twice", max(receiver.taken.values()) == 1)
    checks.true("full: none invented", not receiver.taken - (shop.expected() - earlier))
    agent.stop()
    receiver.close()


def check_end_without_receiver(checks, shop):
    """At the end, what cannot be delivered is counted in the log, within the two seconds."""
    shop.before = shop.sent
    agent = shop.lab.agent(name="abandoned", config=config())
    shop.send(REQUESTS, "abandoned")
    agent.settled("http_client_request_duration_seconds_count", REQUESTS)
    started = time.monotonic()
    checks.equal("abandoned: exit status", agent.stop(), 0)
    checks.true("abandoned: it ends soon", time.monotonic() - started < 3)
    checks.true("abandoned: the account", f"exporter=events_http given={2 * REQUESTS} sent=0 "
                f"lost={2 * REQUESTS} kept=0" in agent.stderr(), agent.stderr())


def check_end_of_a_hanging_request(checks, shop, module):
    """A request under way that would take its time does not hold up the end."""
    receiver = Receiver(module, shop.lab.node, PORT)
    receiver.behave = "hang"
    agent = shop.lab.agent(name="hanging", config=config().replace("timeout: 1s", "timeout: 1m"))
    shop.before = shop.sent
    shop.send(REQUESTS, "hanging")
    wait_until(lambda: receiver.requests > 0, 20, "a request")
    started = time.monotonic()
    checks.equal("hanging: exit status", agent.stop(), 0)
    checks.true("hanging: it ends within the two seconds", time.monotonic() - started < 2.5,
                time.monotonic() - started)
    checks.true("hanging: the account", f"exporter=events_http given={2 * REQUESTS} sent=0 "
                f"lost={2 * REQUESTS} kept=0" in agent.stderr(), agent.stderr())
    receiver.close()


def check_tls(checks, shop, module):
    """A certificate that nobody vouches for gets nothing; the right one, and ours, do."""
    directory = shop.lab.directory
    wrong = certificate(directory, "wrong", "127.0.0.1")
    right = certificate(directory, "right", "127.0.0.1")
    ours = certificate(directory, "ours", "10.0.0.1")
    receiver = Receiver(module, shop.lab.node, PORT, server_context(wrong))
    agent = shop.lab.agent(name="tls", config=config("https", "zstd", more=f"""
    ca_file: {right[0]}
    cert_file: {ours[0]}
    key_file: {ours[1]}
"""))
    shop.before = shop.sent
    earlier = shop.expected()
    shop.send(REQUESTS, "tls")
    time.sleep(MISBEHAVE_SECONDS)
    check_capture(checks, shop, agent, "wrong certificate")
    checks.equal("wrong certificate: taken", sum(receiver.taken.values()), 0)
    checks.equal("wrong certificate: requests", receiver.requests, 0)
    checks.true("wrong certificate: said once", agent.stderr().count("delivery fails") == 1
                and "certificate" in agent.stderr(), agent.stderr())
    receiver.close()
    receiver = Receiver(module, shop.lab.node, PORT, server_context(right, ours[0]))
    checks.equal("right certificate: lost", settled(shop, agent, EXPORTER)["lost"], 0)
    checks.counts("right certificate: events", receiver.taken, shop.expected() - earlier)
    agent.stop()
    receiver.close()


def main():
    with Checks() as checks, Lab("http") as lab:
        module = events.load(lab.directory)
        shop = Shop(lab)
        check_misbehaviour(checks, shop, module)
        check_bounded(checks, shop, module)
        check_end_without_receiver(checks, shop)
        check_end_of_a_hanging_request(checks, shop, module)
        check_tls(checks, shop, module)


if __name__ == "__main__":
    run(main)
