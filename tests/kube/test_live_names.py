#!/usr/bin/env python3
"""Traffic of pods on a node, named by a real API server.

The pods' addresses are routed one by one, as most network plugins do it, and a service's address is
rewritten by nftables on the node, as kube-proxy does it: each request is seen before the rewriting
at the client's link and behind it at the server's. Both views carry the right workload, the client's
the service that was called. A pod is seen before its watch event; an address changes hands; the API
server is away."""

import pathlib
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]

import objects  # noqa: E402
from checks import Checks  # noqa: E402
from cluster import Cluster  # noqa: E402
from lab import Lab, Pod, command, run, wait_until  # noqa: E402

HASH = "5d8f7c9b46"
GATEWAY = "169.254.1.1"
SERVICE_ADDRESS = "10.96.0.50"
SERVICE_PORT, POD_PORT = 80, 8080
HOLD_SECONDS = 2
SERVER = "http_server_request_duration_seconds_count"
CLIENT = "http_client_request_duration_seconds_count"
GRAPH = "traces_service_graph_request_total"
UNNAMED = "vethscope_unnamed_exchanges_total"

# The shape of kube-proxy's own table: a map from service to chain, a chain for each of its ends.
RULES = """
table ip kube-proxy {{
    map service-ips {{
        type ipv4_addr . inet_proto . inet_service : verdict
        elements = {{ {service} . tcp . {service_port} : goto service-orders }}
    }}
    chain service-orders {{
        numgen random mod 1 vmap {{ 0 : goto endpoint-orders }}
    }}
    chain endpoint-orders {{
        meta l4proto tcp dnat to {pod}:{pod_port}
    }}
    chain nat-prerouting {{
        type nat hook prerouting priority dstnat; policy accept;
        ip daddr . meta l4proto . th dport vmap @service-ips
    }}
}}
"""


class RoutedPod(Pod):
    """A pod whose veth is on no bridge: the node routes its one address to it."""

    def link(self, order="peer"):
        node = self.lab.node
        node.ip("link", "add", self.interface, "type", "veth", "peer", "name", "eth0",
                "netns", self.name)
        self.ip("addr", "add", f"{self.address}/32", "dev", "eth0")
        self.ip("link", "set", "eth0", "up")
        self.ip("route", "add", GATEWAY, "dev", "eth0", "scope", "link")
        self.ip("route", "add", "default", "via", GATEWAY)
        node.ip("addr", "add", f"{GATEWAY}/32", "dev", self.interface)
        node.ip("link", "set", self.interface, "up")
        node.ip("route", "add", f"{self.address}/32", "dev", self.interface)
        return self

    def remove(self):
        """As when its sandbox is torn down, with everything that runs in it."""
        self.unlink()
        self.delete()
        self.lab.pods.remove(self)


class Node:
    """The lab's node with the cluster behind it."""

    def __init__(self, lab, cluster):
        self.lab = lab
        self.api = cluster.api
        self.made = 1
        command(*lab.node.enter_command, "sysctl", "-q", "-w", "net.ipv4.ip_forward=1",
                "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0")
        self.api.create(objects.node("node-1", ["192.0.2.9"], ["10.77.0.0/16"]))
        for name in ("shop", "store"):
            self.api.create(objects.namespace(name))

    def pod(self, name, address=None):
        """Its namespace and link; nobody tells the API server."""
        self.made += 1
        pod = RoutedPod(self.lab, name, self.made)
        pod.address = address or pod.address
        self.lab.pods.append(pod)
        return pod.link()

    def manifest(self, pod, namespace):
        """Of a Deployment with the pod's name."""
        return objects.pod(f"{pod.short_name}-{HASH}-x2x4z", [pod.address],
                           ("ReplicaSet", f"{pod.short_name}-{HASH}"),
                           {"pod-template-hash": HASH}, namespace=namespace)

    def known_pod(self, name, namespace):
        pod = self.pod(name)
        self.api.create(self.manifest(pod, namespace))
        return pod

    def server(self, pod):
        self.lab.backend(pod, POD_PORT)
        return pod

    def service(self, pod):
        """orders-api in front of the pod, and what kube-proxy makes of it."""
        port = {"name": "http", "port": SERVICE_PORT, "targetPort": POD_PORT, "protocol": "TCP"}
        self.api.create(objects.service("orders-api", [port], "store",
                                        clusterIP=SERVICE_ADDRESS))
        self.api.create(objects.endpoint_slice(
            "orders-api-1", "orders-api", [(pod.address, self.manifest(pod, "store")["metadata"]
                                            ["name"])], namespace="store"))
        rules = self.lab.directory / "kube-proxy.nft"
        rules.write_text(RULES.format(service=SERVICE_ADDRESS, service_port=SERVICE_PORT,
                                      pod=pod.address, pod_port=POD_PORT))
        command(*self.lab.node.enter_command, "nft", "-f", rules)


def ask(client, address, port, count):
    for number in range(count):
        status, _ = client.get(address, port, "/")
        if status != 200:
            raise AssertionError(f"{address}:{port} answered {status} to request {number}")


def is_synced(agent):
    kinds = agent.metrics().by("vethscope_kube_synced", "kind")
    return len(kinds) >= 6


def start_agent(lab, access, names=""):
    config = f"kubernetes:\n  kubeconfig: {access}\n  node: node-1\n{names}"
    return lab.agent(config=config)


def servers(metrics):
    return metrics.by(SERVER, "service_namespace", "service_name")


def through_the_service(node, agent, gateway, orders, checks):
    ask(gateway, SERVICE_ADDRESS, SERVICE_PORT, 20)
    ask(gateway, orders.address, POD_PORT, 5)
    metrics = agent.settled(SERVER, 25)
    metrics = agent.settled(CLIENT, 25)
    checks.counts("the server's view", servers(metrics), {("store", "orders"): 25})
    checks.counts("the client's view",
                  metrics.by(CLIENT, "service_namespace", "service_name", "server_address",
                             "server_port"),
                  {("shop", "gateway", "orders-api.store", "80"): 20,
                   ("shop", "gateway", "orders-api.store", "8080"): 5})
    checks.counts("the service graph",
                  metrics.by(GRAPH, "client_service_namespace", "client",
                             "server_service_namespace", "server"),
                  {("shop", "gateway", "store", "orders"): 25})
    checks.equal("nobody went unnamed", metrics.total(UNNAMED), 0)


def before_the_watch_event(node, agent, gateway, checks):
    """Both ends are new: the server's pod is unknown at its own link and at the client's."""
    late = node.server(node.pod("late"))
    ask(gateway, late.address, POD_PORT, 10)
    checks.equal("held", servers(agent.metrics()).get(("store", "late"), 0), 0)
    node.api.create(node.manifest(late, "store"))
    metrics = agent.settled(SERVER, 10, service_name="late")
    checks.equal("seen before its event", servers(metrics).get(("store", "late")), 10)
    checks.equal("and by its client", metrics.total(CLIENT, server_address="late.store"), 10)
    checks.equal("nobody was unknown", metrics.total(SERVER, service_name="unknown"), 0)
    checks.equal("nor counted as such", metrics.total(UNNAMED), 0)


def an_address_changes_hands(node, agent, gateway, checks):
    first = node.server(node.known_pod("first", "store"))
    ask(gateway, first.address, POD_PORT, 5)
    checks.equal("the first owner", agent.settled(SERVER, 5, service_name="first").total(
        SERVER, service_name="first"), 5)
    first.remove()
    second = node.server(node.pod("second", first.address))
    ask(gateway, second.address, POD_PORT, 5)
    time.sleep(0.5)
    checks.equal("not counted for the former owner",
                 agent.metrics().total(SERVER, service_name="first"), 5)
    node.api.delete(node.manifest(first, "store"))
    node.api.create(node.manifest(second, "store"))
    metrics = agent.settled(SERVER, 5, service_name="second")
    checks.equal("the second owner", metrics.total(SERVER, service_name="second"), 5)
    checks.equal("the first one's count stands", metrics.total(SERVER, service_name="first"), 5)
    second.remove()
    third = node.server(node.pod("third", first.address))
    ask(gateway, third.address, POD_PORT, 3)
    metrics = agent.settled(SERVER, 3, seconds=HOLD_SECONDS + 8, service_name="unknown")
    checks.equal("nobody says who the third is", metrics.total(SERVER, service_name="unknown"), 3)
    checks.equal("not the second", metrics.total(SERVER, service_name="second"), 5)
    checks.equal("counted", metrics.total(UNNAMED, reason="timeout"), 3)


def without_an_api_server(lab, cluster, gateway, orders, checks):
    """Configured names, until it is back."""
    # A token can be had only while there is somebody to give it.
    access = cluster.kubeconfig()
    cluster.stop_server()
    names = f"names:\n- address: {orders.address}\n  service: configured\n"
    agent = start_agent(lab, access, names)
    ask(gateway, orders.address, POD_PORT, 4)
    metrics = agent.settled(SERVER, 4, seconds=HOLD_SECONDS + 8)
    checks.counts("configured names", servers(metrics), {("", "configured"): 4})
    checks.equal("not synced", metrics.total("vethscope_kube_synced"), 0)
    checks.equal("ready", agent.page("/readyz")[0], 200)
    cluster.start_server()
    wait_until(lambda: is_synced(agent), 60, "the agent to follow the API server again")
    ask(gateway, SERVICE_ADDRESS, SERVICE_PORT, 4)
    metrics = agent.settled(CLIENT, 4, server_address="orders-api.store")
    checks.equal("named again", metrics.total(CLIENT, service_name="gateway",
                                              server_address="orders-api.store"), 4)
    checks.equal("ends in order", agent.stop(), 0)


def test(lab, cluster, checks):
    node = Node(lab, cluster)
    gateway = node.known_pod("gateway", "shop")
    orders = node.server(node.known_pod("orders", "store"))
    node.service(orders)
    agent = start_agent(lab, cluster.kubeconfig())
    wait_until(lambda: is_synced(agent), 20, "the agent to follow the API server")
    through_the_service(node, agent, gateway, orders, checks)
    before_the_watch_event(node, agent, gateway, checks)
    an_address_changes_hands(node, agent, gateway, checks)
    checks.equal("ends in order", agent.stop(), 0)
    without_an_api_server(lab, cluster, gateway, orders, checks)


def main():
    with Checks() as checks, Lab("names") as lab, lab.node.inside(), Cluster() as cluster:
        test(lab, cluster, checks)


if __name__ == "__main__":
    run(main)
