#!/usr/bin/env python3
"""Spans to a receiver that misbehaves in every way: capture is not affected, memory stays bounded,
what is not delivered is counted to the span, and nothing has to be restarted."""

import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import otlp  # noqa: E402
from checks import Checks  # noqa: E402
from http_receiver import certificate, server_context  # noqa: E402
from lab import Lab, run, wait_until  # noqa: E402
from otlp import SpanReceiver, paths  # noqa: E402
from shop import Shop, account, balanced, wait_balanced  # noqa: E402

PORT = 4318
EXPORTER = "otlp_traces"
REQUESTS = 400
# Of the phases that fail: long enough for several attempts.
MISBEHAVE_SECONDS = 1.5
CONFIG = """
otlp:
  endpoint: {scheme}://127.0.0.1:{port}
  timeout: 1s
  queue_size: {queue}
  retry_max: 500ms
  metrics: {{enabled: {metrics}, interval: 200ms}}
{more}
"""


def config(scheme="http", queue="16MiB", metrics="false", more=""):
    return CONFIG.format(scheme=scheme, port=PORT, queue=queue, metrics=metrics, more=more)


def wait_given(shop, agent, what, seconds=30):
    """Until every request since the agent's start became a span, and none of them waits."""
    def done():
        numbers = account(agent.metrics(), EXPORTER)
        return numbers["given"] == shop.sent - shop.before and numbers["waiting"] == 0 \
            and balanced(numbers)
    shop.wait_captured(agent)
    wait_until(done, seconds, f"{what}: everything delivered", pause=0.1)
    return account(agent.metrics(), EXPORTER)


def check_capture(checks, shop, agent, what):
    """What is counted does not depend on what is delivered."""
    metrics = shop.wait_captured(agent)
    for side in ("server", "client"):
        checks.equal(f"{what}: requests counted on the side of the {side}", metrics.total(
            f"http_{side}_request_duration_seconds_count"), shop.sent - shop.before)
    checks.equal(f"{what}: packets lost",
                 metrics.total("vethscope_capture_dropped_packets_total"), 0)
    wait_balanced(agent, EXPORTER)


def failed(agent):
    return agent.metrics().total("vethscope_exporter_failed_total", exporter=EXPORTER)


def check_recovery(checks, shop, agent, receiver, behaviour):
    """Spans of a bad time arrive when it is over, each exactly once."""
    before = failed(agent)
    receiver.behave = behaviour
    shop.send(REQUESTS, behaviour)
    check_capture(checks, shop, agent, behaviour)
    if behaviour != "slow":
        wait_until(lambda: failed(agent) > before, 10, f"{behaviour}: a failure that is counted")
        checks.true(f"{behaviour}: spans wait",
                    account(agent.metrics(), EXPORTER)["waiting"] >= REQUESTS)
    receiver.behave = "accept"
    checks.equal(f"{behaviour}: lost", wait_given(shop, agent, behaviour)["lost"], 0)
    checks.counts(f"{behaviour}: spans", receiver.taken, paths(shop))


def check_loss(checks, shop, agent, receiver, behaviour, wanted):
    """An answer that says so: the spans are lost, counted, and hold nothing up."""
    before = account(agent.metrics(), EXPORTER)
    taken = sum(receiver.taken.values())
    receiver.behave = behaviour
    shop.send(REQUESTS, behaviour)
    check_capture(checks, shop, agent, behaviour)
    after = wait_given(shop, agent, behaviour)
    lost = after["lost"] - before["lost"]
    checks.true(f"{behaviour}: lost", wanted(lost), lost)
    checks.equal(f"{behaviour}: for that reason", agent.metrics().total(
        "vethscope_events_dropped_total", exporter=EXPORTER, reason="rejected"), after["lost"])
    receiver.behave = "accept"
    shop.send(REQUESTS, f"after-{behaviour}")
    numbers = wait_given(shop, agent, behaviour)
    checks.equal(f"{behaviour}: nothing more is lost", numbers["lost"], after["lost"])
    checks.equal(f"{behaviour}: what follows arrives", sum(receiver.taken.values()) - taken,
                 REQUESTS)


def check_misbehaviour(checks, shop, module):
    receiver = SpanReceiver(module, shop.lab.node, PORT)
    agent = shop.lab.agent(config=config())
    shop.before = shop.sent
    shop.send(REQUESTS)
    checks.equal("lost while all is well", wait_given(shop, agent, "well")["lost"], 0)
    checks.counts("spans while all is well", receiver.taken, paths(shop))
    checks.equal("compressed", receiver.fields["Content-Encoding"], "gzip")
    checks.true("requests of several spans", receiver.requests < REQUESTS / 10, receiver.requests)
    for behaviour in ("slow", "busy", "unavailable", "hang", "close_early", "garbage"):
        check_recovery(checks, shop, agent, receiver, behaviour)
    receiver = check_dead(checks, shop, agent, receiver, module)
    for behaviour in ("page", "endless"):
        receiver.behave = behaviour
        shop.send(REQUESTS, behaviour)
        checks.equal(f"{behaviour}: lost", wait_given(shop, agent, behaviour)["lost"], 0)
        checks.counts(f"{behaviour}: spans", receiver.taken, paths(shop))
    # A 500 is no reason to send the same again, says the protocol.
    check_loss(checks, shop, agent, receiver, "fail", lambda lost: lost == REQUESTS)
    check_loss(checks, shop, agent, receiver, "refuse", lambda lost: lost == REQUESTS)
    check_loss(checks, shop, agent, receiver, "partly",
               lambda lost: 0 < lost <= REQUESTS and lost % 5 == 0)
    started = time.monotonic()
    checks.equal("exit status", agent.stop(), 0)
    checks.true("it ends soon", time.monotonic() - started < 3)
    receiver.close()


def check_dead(checks, shop, agent, receiver, module):
    """Nobody listens; then somebody does."""
    receiver.close()
    shop.send(REQUESTS, "dead")
    time.sleep(MISBEHAVE_SECONDS)
    check_capture(checks, shop, agent, "dead")
    revived = SpanReceiver(module, shop.lab.node, PORT)
    revived.taken = receiver.taken
    checks.equal("dead: lost", wait_given(shop, agent, "dead")["lost"], 0)
    checks.counts("dead: spans", revived.taken, paths(shop))
    return revived


def check_bounded(checks, shop, module):
    """A receiver that is away for longer than the queue reaches, for metrics as well."""
    shop.before = shop.sent
    agent = shop.lab.agent(name="bounded", config=config(queue="256KiB", metrics="true"))
    shop.send(1000, "first")
    check_capture(checks, shop, agent, "full")
    resident = agent.metrics().total("process_resident_memory_bytes")
    shop.send(4000, "more")
    check_capture(checks, shop, agent, "full")
    wait_until(lambda: account(agent.metrics(), "otlp_metrics")["lost"] > 0, 60,
               "metrics lost as well")
    grown = agent.metrics().total("process_resident_memory_bytes") - resident
    checks.true("full: memory stays", grown < 8 * 2**20, f"{grown} bytes more")
    started = time.monotonic()
    checks.equal("full: exit status", agent.stop(), 0)
    checks.true("full: it ends soon", time.monotonic() - started < 3)
    checks.true("full: the account", "exporter=otlp_traces given=5000 sent=0 lost=5000 kept=0"
                in agent.stderr(), agent.stderr())
    shop.before = shop.sent
    agent = shop.lab.agent(name="returning", config=config(queue="256KiB"))
    before = shop.sent
    shop.send(3000, "returning")
    shop.wait_captured(agent)
    receiver = SpanReceiver(module, shop.lab.node, PORT)
    numbers = wait_given(shop, agent, "full")
    lost = agent.metrics().total("vethscope_events_dropped_total", exporter=EXPORTER,
                                 reason="queue_full")
    checks.true("full: lost", 0 < lost < 3000, lost)
    checks.equal("full: lost for no other reason", numbers["lost"], lost)
    checks.equal("full: taken and lost are all", sum(receiver.taken.values()) + lost, 3000)
    checks.true("full: none invented", not receiver.taken - paths(shop, before))
    agent.stop()
    receiver.close()


def check_sampling(checks, shop, module):
    """No share at all: errors are kept, and the slowest; the rest is no loss."""
    shop.before = shop.sent
    receiver = SpanReceiver(module, shop.lab.node, PORT)
    agent = shop.lab.agent(name="sampling",
                           config=config(more="  traces: {ratio: 0, slower_than: 10s}"))
    before = shop.sent
    shop.send(1000, "sampling")
    shop.wait_captured(agent)
    agent.stop()
    statuses = {entry["target"].split("?")[0]: entry["status"]
                for entry in shop.nginx.entries()[before:]}
    checks.counts("errors alone", receiver.taken,
                  {path: 1 for path, status in statuses.items() if status >= 500})
    checks.true("the account", "exporter=otlp_traces given=100 sent=100 lost=0"
                in agent.stderr(), agent.stderr())
    receiver.close()


def check_load(checks, shop, module):
    """As many requests as wrk can make: every one becomes a span, and none is lost unless counted."""
    receiver = SpanReceiver(module, shop.lab.node, PORT)
    receiver.behave = "swallow"
    agent = shop.lab.agent(name="load", config=config(metrics="true"))
    before = shop.nginx.lines()
    trace = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    shop.lab.process("wrk", ["wrk", "-t1", "-c8", "-d4s", "-H", trace,
                             f"http://{shop.server.address}/item/5"], shop.client).finish(60)
    shop.nginx.wait_quiet()
    served = shop.nginx.lines() - before
    metrics = agent.settled("http_server_request_duration_seconds_count", served, 30)
    checks.equal("load: requests counted",
                 metrics.total("http_server_request_duration_seconds_count"), served)
    checks.equal("load: packets lost",
                 metrics.total("vethscope_capture_dropped_packets_total"), 0)
    wait_until(lambda: account(agent.metrics(), EXPORTER)["waiting"] == 0 and
               account(agent.metrics(), EXPORTER)["given"] >= served, 30, "spans of the load")
    numbers = wait_balanced(agent, EXPORTER)
    checks.equal("load: spans", numbers["given"], served)
    checks.true("load: a thousand a second", numbers["sent"] > 4000, numbers)
    agent.stop()
    receiver.close()


def check_own_traffic(checks, shop):
    """A receiver that is a pod of the node: what the agent sends there is not the node's traffic, or
    each span would make another one."""
    shop.before = shop.sent
    shop.lab.node.ip("address", "add", "10.77.255.254/16", "dev", "bridge")
    agent = shop.lab.agent(name="own", config=f"""
otlp:
  endpoint: http://{shop.server.address}
  metrics: {{interval: 200ms}}
""")
    shop.send(REQUESTS, "own")
    metrics = shop.wait_captured(agent)
    wait_until(lambda: account(agent.metrics(), "otlp_metrics")["sent"] > 0 and
               account(agent.metrics(), EXPORTER)["sent"] == REQUESTS, 20, "deliveries to a pod")
    time.sleep(1)
    metrics = agent.metrics()
    for side in ("server", "client"):
        checks.equal(f"own: requests counted on the side of the {side}", metrics.total(
            f"http_{side}_request_duration_seconds_count"), REQUESTS)
    checks.equal("own: spans", account(metrics, EXPORTER)["given"], REQUESTS)
    agent.stop()


def check_tls(checks, shop, module):
    """A certificate that nobody vouches for gets nothing; the right one, and ours, do."""
    directory = shop.lab.directory
    wrong = certificate(directory, "wrong", "127.0.0.1")
    right = certificate(directory, "right", "127.0.0.1")
    ours = certificate(directory, "ours", "10.0.0.1")
    secret = directory / "token"
    secret.write_text("Bearer one\n")
    shop.before = before = shop.sent
    receiver = SpanReceiver(module, shop.lab.node, PORT, server_context(wrong))
    agent = shop.lab.agent(name="tls", config=config("https", more=f"""
  ca_file: {right[0]}
  cert_file: {ours[0]}
  key_file: {ours[1]}
  headers: [{{name: Authorization, value_file: {secret}}}]
"""))
    shop.send(REQUESTS, "tls")
    time.sleep(MISBEHAVE_SECONDS)
    check_capture(checks, shop, agent, "wrong certificate")
    checks.equal("wrong certificate: requests", receiver.requests, 0)
    checks.true("wrong certificate: said once", agent.stderr().count("delivery fails") == 1
                and "certificate" in agent.stderr(), agent.stderr())
    receiver.close()
    receiver = SpanReceiver(module, shop.lab.node, PORT, server_context(right, ours[0]))
    checks.equal("right certificate: lost", wait_given(shop, agent, "tls")["lost"], 0)
    checks.counts("right certificate: spans", receiver.taken, paths(shop, before))
    checks.equal("the field", receiver.fields["Authorization"], "Bearer one")
    agent.stop()
    receiver.close()


def main():
    with Checks() as checks, Lab("otlp") as lab:
        module = otlp.load(lab.directory)
        shop = Shop(lab)
        check_misbehaviour(checks, shop, module)
        check_bounded(checks, shop, module)
        check_sampling(checks, shop, module)
        check_tls(checks, shop, module)
        check_load(checks, shop, module)
        check_own_traffic(checks, shop)


if __name__ == "__main__":
    run(main)
