#!/usr/bin/env python3
"""Pod to pod on one node: a request is one observation at the server's interface and one at the
client's, and neither is doubled: not by the bridge between them, not by the other's view."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import decoders  # noqa: E402
from checks import Checks  # noqa: E402
from lab import METRICS_PORT, Lab, run  # noqa: E402

# A pod that asks and is asked shows both sides at one interface.
REQUESTS = {("a", "b"): 30, ("b", "a"): 20, ("c", "b"): 10}
SERVER = "http_server_request_duration_seconds_count"
CLIENT = "http_client_request_duration_seconds_count"
CONNECTIONS = "vethscope_tcp_connections_total"


def send(pods, checks):
    """Each request on a connection of its own; one more of each pair over IPv6."""
    for (client, server), count in REQUESTS.items():
        addresses = [pods[server].address] * count + [pods[server].address6]
        statuses = {pods[client].get(address, 80, "/status/404")[0] for address in addresses}
        checks.equal(f"{client} to {server}", statuses, {404})
    # The node's own traffic is nobody's: no pod is at either end of it.
    return sum(REQUESTS.values()) + len(REQUESTS)


def expected(pods):
    servers, clients = {}, {}
    for (client, server), count in REQUESTS.items():
        asks, asked = pods[client], pods[server]
        for source, target, name, times in (
                (asks.address, asked.address, asked.address, count),
                (asks.address6, asked.address6, f"[{asked.address6}]", 1)):
            key = (f"{name}:80",)
            servers[key] = servers.get(key, 0) + times
            clients[(source, target, "80")] = times
    return servers, clients


def check_capture(checks, path, address, address6):
    """The same from a file of one interface: everything there is seen from one side at a time."""
    asked = [exchange for exchange in decoders.read_json(path, "--side", "server")
             if exchange["server"] in (f"{address}:80", f"[{address6}]:80")]
    checks.equal("read: requests to b", len(asked), 30 + 10 + 2)


def main():
    with Checks() as checks, Lab("views") as lab:
        pods = {name: lab.pod(name) for name in "abc"}
        for name in "ab":
            lab.backend(pods[name])
        agent = lab.agent()
        capture = lab.capture(pods["b"].interface)
        total = send(pods, checks)
        for _ in range(20):
            agent.home.get("127.0.0.1", METRICS_PORT, "/metrics")
        servers, clients = expected(pods)
        agent.settled(SERVER, total)
        metrics = agent.settled(CLIENT, total)
        checks.counts("the servers' side", metrics.by(SERVER, "service_name"), servers)
        checks.counts("the clients' side",
                      metrics.by(CLIENT, "service_name", "server_address", "server_port"), clients)
        checks.counts("errors: 404 is the client's alone",
                      {**metrics.by(SERVER, "error_type"), **metrics.by(CLIENT, "error_type")},
                      {("",): total, ("404",): total})
        checks.counts("connections", metrics.by(CONNECTIONS, "side"),
                      {("server",): total, ("client",): total})
        checks.equal("nothing retransmitted",
                     metrics.total("vethscope_tcp_retransmitted_bytes_total"), 0)
        checks.equal("nothing unmatched", metrics.total("vethscope_unmatched_messages_total"), 0)
        checks.equal("tcpdump lost", capture.close(), 0)
        check_capture(checks, capture.path, pods["b"].address, pods["b"].address6)
        checks.equal("exit status of the agent", agent.stop(), 0)


if __name__ == "__main__":
    run(main)
