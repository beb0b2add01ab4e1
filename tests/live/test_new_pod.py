#!/usr/bin/env python3
"""Pods that come and go while the agent runs: the first request over a new veth is counted, every
time; a veth that is deleted in the middle of a request closes it with its outcome."""

import contextlib
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from checks import Checks  # noqa: E402
from lab import Lab, run, wait_until  # noqa: E402

ROUNDS = 20
ORDERS = ("peer", "move", "pod")
SERVER = "http_server_request_duration_seconds_count"
CLIENT = "http_client_request_duration_seconds_count"
UNMATCHED = "vethscope_unmatched_messages_total"
CONNECT_SECONDS = 15
RETRY_SECONDS = 0.005
LINGER_SECONDS = 30


def first_request(client, address, port, target):
    """The first moment at which it can be sent; no other packet of TCP goes before it."""
    end = time.monotonic() + CONNECT_SECONDS
    while True:
        with contextlib.suppress(OSError):
            return client.get(address, port, target)[0]
        if time.monotonic() > end:
            return None
        time.sleep(RETRY_SECONDS)


def ask_new_pods(lab, checks, client):
    """The new pod serves; its server is there before its link is."""
    pods = []
    for number in range(ROUNDS):
        pod = lab.pod(f"n{number}", link=False)
        lab.backend(pod, 8080)
        pod.link(ORDERS[number % len(ORDERS)])
        checks.equal(f"new server {number}", first_request(client, pod.address, 8080, "/"), 200)
        pods.append(pod)
    return pods


def ask_from_new_pods(lab, checks, server):
    """The new pod asks, at once."""
    pods = []
    for number in range(ROUNDS):
        pod = lab.pod(f"m{number}", link=False)
        pod.link(ORDERS[number % len(ORDERS)])
        checks.equal(f"new client {number}", first_request(pod, server.address, 80, "/"), 200)
        pods.append(pod)
    return pods


def check_first_requests(checks, agent, servers, clients):
    agent.settled(SERVER, 2 * ROUNDS)
    metrics = agent.settled(CLIENT, 2 * ROUNDS)
    checks.counts("first requests to new pods",
                  {key: value for key, value in metrics.by(SERVER, "service_name").items()
                   if key[0].endswith(":8080")},
                  {(f"{pod.address}:8080",): 1 for pod in servers})
    asked = {(pod.address,) for pod in clients}
    checks.counts("first requests of new pods",
                  {key: value for key, value in metrics.by(CLIENT, "service_name").items()
                   if key in asked}, {key: 1 for key in asked})
    checks.equal("unmatched", metrics.total(UNMATCHED), 0)
    checks.equal("missed bytes", metrics.total("vethscope_missed_bytes_total"), 0)


def ask_and_vanish(lab, checks, agent, client, number):
    """A request that is being answered when the server's veth goes."""
    pod = lab.pod(f"gone{number}")
    lab.backend(pod)
    asking = lab.process(f"asking-{number}", [
        "curl", "-sS", "-m", "60", f"http://{pod.address}/never"], client)
    wait_until(lambda: agent.metrics().total(
        "http_server_active_requests", service_name=f"{pod.address}:80") == 1, 10, "the request")
    pod.unlink()
    service = f"{pod.address}:80"
    metrics = agent.settled(UNMATCHED, 1, service_name=service)
    checks.counts("the request of a vanished veth", metrics.by(UNMATCHED, "reason",
                                                                service_name=service),
                  {("interface_gone",): 1})
    checks.equal("no answer is made up", metrics.total(SERVER, service_name=service), 0)
    checks.equal("active requests",
                 metrics.total("http_server_active_requests", service_name=service), 0)
    return asking


def flows(agent):
    return agent.metrics().total("vethscope_flows")


def check_vanishing(lab, checks, agent, client):
    """Of the flows nothing is left when clients and servers are gone; closed ones linger shortly,
    for segments that come late."""
    wait_until(lambda: flows(agent) == 0, LINGER_SECONDS, "vethscope_flows without connections")
    asking = [ask_and_vanish(lab, checks, agent, client, number) for number in range(3)]
    checks.equal("the clients' flows alone are open", flows(agent), len(asking))
    for process in asking:
        process.stop()
    client.unlink()
    wait_until(lambda: flows(agent) == 0, LINGER_SECONDS, "vethscope_flows at the end")
    checks.equal("active requests at the end",
                 agent.metrics().total("http_client_active_requests"), 0)


def main():
    with Checks() as checks, Lab("new") as lab:
        server, client = lab.pod("server"), lab.pod("client")
        lab.backend(server)
        agent = lab.agent()
        new_servers = ask_new_pods(lab, checks, client)
        new_clients = ask_from_new_pods(lab, checks, server)
        check_first_requests(checks, agent, new_servers, new_clients)
        check_vanishing(lab, checks, agent, client)
        checks.equal("kernel drops",
                     agent.metrics().total("vethscope_capture_dropped_packets_total"), 0)
        checks.equal("exit status of the agent", agent.stop(), 0)


if __name__ == "__main__":
    run(main)
