#!/usr/bin/env python3
"""A sidecar: vethscope in a pod's own network namespace counts what its pod is asked and asks, over
its interface and over loopback, each once, under the name that it was given."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from checks import Checks  # noqa: E402
from lab import METRICS_PORT, Agent, Lab, run  # noqa: E402

SERVER = "http_server_request_duration_seconds_count"
CLIENT = "http_client_request_duration_seconds_count"
EDGES = "traces_service_graph_request_total"
OPTIONS = ("--listen=:9990", "--interface=eth0", "--interface=lo", "--name=shop/orders")
ASKED, ASKS, ASKED_V6 = 30, 20, 4
# A container of the pod that asks another one, by either address.
WITHIN, WITHIN_BY_ADDRESS = 12, 7


def send(checks, what, pod, address, count):
    statuses = {pod.get(address, 80, "/status/404")[0] for _ in range(count)}
    checks.equal(what, statuses, {404})


def traffic(checks, orders, client, payments, agent):
    """Every way in which the pod talks, and what is none of its business."""
    send(checks, "asked", client, orders.address, ASKED)
    send(checks, "asked over IPv6", client, orders.address6, ASKED_V6)
    send(checks, "asks", orders, payments.address, ASKS)
    send(checks, "within, by loopback", orders, "127.0.0.1", WITHIN)
    send(checks, "within, by its address", orders, orders.address, WITHIN_BY_ADDRESS)
    send(checks, "others", client, payments.address, 5)
    # A scraper reaches the sidecar over the same interface.
    for _ in range(3):
        client.get(orders.address, METRICS_PORT, "/metrics")
    agent.page("/metrics")


def check(checks, metrics):
    own = ("service_namespace", "service_name")
    served = ASKED + ASKED_V6 + WITHIN + WITHIN_BY_ADDRESS
    checks.counts("asked", metrics.by(SERVER, *own), {("shop", "orders"): served})
    checks.counts("asks", metrics.by(CLIENT, *own, "server_address"),
                  {("shop", "orders", "payments"): ASKS})
    checks.counts("edges", metrics.by(EDGES, "client", "server"),
                  {("external", "orders"): ASKED + ASKED_V6, ("orders", "payments"): ASKS,
                   ("orders", "orders"): WITHIN + WITHIN_BY_ADDRESS})
    checks.equal("unmatched", metrics.total("vethscope_unmatched_messages_total"), 0)
    checks.equal("interfaces", metrics.total("vethscope_capture_interfaces"), 2)


def check_unnamed(checks, lab, orders, client):
    """Without the label that is to name it, a pod is watched all the same."""
    agent = Agent(lab, ("--interface=eth0", "--name=shop/"), name="unnamed",
                  namespace=orders).wait_ready()
    client.get(orders.address, 80, "/status/404")
    metrics = agent.settled(SERVER, 1)
    checks.counts("without a name", metrics.by(SERVER, "service_name"),
                  {(f"{orders.address}:80",): 1})
    checks.true("the log says so", "--name names no service" in agent.stderr(), agent.stderr())


def main():
    with Checks() as checks, Lab("sidecar") as lab:
        orders, payments, client = (lab.pod(name) for name in ("orders", "payments", "client"))
        # As a pod has it; the interface's kind and routes tell that this end is the pod's.
        orders.ip("route", "add", "default", "via", "10.77.255.254", "dev", "eth0", "onlink")
        for pod in (orders, payments):
            lab.backend(pod)
        names = f"names:\n- {{address: {payments.address}, namespace: shop, service: payments}}\n"
        agent = Agent(lab, OPTIONS, names, namespace=orders).wait_ready()
        traffic(checks, orders, client, payments, agent)
        agent.settled(CLIENT, ASKS)
        agent.settled(SERVER, ASKED + ASKED_V6 + WITHIN + WITHIN_BY_ADDRESS)
        check(checks, agent.metrics())
        checks.equal("its end", agent.stop(), 0)
        check_unnamed(checks, lab, orders, client)


if __name__ == "__main__":
    run(main)
