#!/usr/bin/env python3
"""Networks that hand packets straight into the pods (Cilium's and Calico's eBPF, by
bpf_redirect_peer): at the node's end of a link only what its pod sends can be seen. No request is
made up of that half, all are counted as unmatched; a sidecar sees them whole."""

import contextlib
import http.client
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from checks import Checks  # noqa: E402
from lab import Agent, Lab, command, run, wait_until  # noqa: E402

SERVER = "http_server_request_duration_seconds_count"
CLIENT = "http_client_request_duration_seconds_count"
UNMATCHED = "vethscope_unmatched_messages_total"
BEFORE, BYPASSED = 5, 20
# Function 155 of the kernel's: to the other end of that link, in one step.
PROGRAM = """
static long (*redirect_peer)(unsigned int, unsigned long long) = (void *)155;
__attribute__((section("classifier"), used)) int bypass(void *packet)
{
    return redirect_peer(INDEX, 0);
}
__attribute__((section("license"), used)) char terms[] = "GPL";
"""


def bypass(lab, source, target):
    """What the pod `source` sends no longer passes the node's end of `target`'s link."""
    index = command(*lab.node.enter_command, "cat",
                    f"/sys/class/net/{target.interface}/ifindex").strip()
    program, compiled = lab.directory / "bypass.c", lab.directory / f"{source.short_name}.o"
    program.write_text(PROGRAM)
    command("clang", "-O2", "-g", "-target", "bpf", f"-DINDEX={index}", "-c", program, "-o",
            compiled)
    tc = (*lab.node.enter_command, "tc")
    command(*tc, "qdisc", "add", "dev", source.interface, "clsact")
    command(*tc, "filter", "add", "dev", source.interface, "ingress", "bpf", "direct-action",
            "object-file", compiled, "section", "classifier")


def ask(pod, address, count):
    with pod.inside():
        connection = http.client.HTTPConnection(address, 80, timeout=10)
        connection.connect()
    with contextlib.closing(connection):
        for _ in range(count):
            connection.request("GET", "/status/404")
            connection.getresponse().read()


def main():
    with Checks() as checks, Lab("bypass") as lab:
        client, server = lab.pod("client"), lab.pod("server")
        server.ip("route", "add", "default", "via", "10.77.255.254", "dev", "eth0", "onlink")
        lab.backend(server)
        agent = lab.agent()
        ask(client, server.address, BEFORE)
        agent.settled(CLIENT, BEFORE)
        bypass(lab, client, server)
        bypass(lab, server, client)
        sidecar = Agent(lab, ("--interface=eth0",), name="sidecar", namespace=server).wait_ready()
        ask(client, server.address, BYPASSED)
        metrics = sidecar.settled(SERVER, BYPASSED)
        checks.equal("a sidecar sees", metrics.total(SERVER), BYPASSED)
        # Each link has one half of each request; the last ones wait for their other half a while.
        wait_until(lambda: agent.metrics().total(UNMATCHED, reason="gap") >= 2 * BYPASSED - 2, 20,
                   "the unmatched messages", pause=0.2)
        metrics = agent.metrics()
        for family in (SERVER, CLIENT):
            checks.equal(f"{family} on the node", metrics.total(family), BEFORE)
        checks.equal("nothing was dropped",
                     metrics.total("vethscope_capture_dropped_packets_total"), 0)


if __name__ == "__main__":
    run(main)
