#!/usr/bin/env python3
"""Every rule by which an address gets its name, with objects of a real API server."""

import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]

import objects  # noqa: E402
from checks import Checks  # noqa: E402
from cluster import Cluster  # noqa: E402
from lab import run  # noqa: E402
from probe import Probe  # noqa: E402

HASH = "5d8f7c9b46"
ANNOTATION = "resource.opentelemetry.io/service."
NOBODY = ("awaited", "external", "unnamed")


def cluster_objects():
    """What is there in every test: two nodes, dual stack."""
    return [objects.node("node-1", ["192.0.2.1", "198.51.100.1"], ["10.1.0.0/16", "fd00:1::/64"]),
            objects.node("node-2", ["192.0.2.2"], ["10.2.0.0/16", "fd00:2::/64"])]


def workloads():
    """(objects, [(what, address, port, wanted fields)])"""
    pod = objects.pod
    made = [
        pod("web-x", ["10.1.1.1"], ("ReplicaSet", f"web-{HASH}"), {"pod-template-hash": HASH}),
        objects.replica_set(f"api-{HASH}", "api"),
        pod("api-x", ["10.1.1.2"], ("ReplicaSet", f"api-{HASH}"), {"pod-template-hash": HASH}),
        objects.replica_set("lone-set"),
        pod("lone-x", ["10.1.1.3"], ("ReplicaSet", "lone-set")),
        pod("db-0", ["10.1.1.4"], ("StatefulSet", "db")),
        pod("log-x", ["10.1.1.5"], ("DaemonSet", "log")),
        objects.job("backup-29013480", "backup"),
        pod("backup-29013480-x", ["10.1.1.6"], ("Job", "backup-29013480")),
        objects.job("migrate"),
        pod("migrate-x", ["10.1.1.7"], ("Job", "migrate")),
        pod("bare", ["10.1.1.8"]),
        pod("mirror-node-1", ["10.1.1.9"], ("Node", "node-1")),
        pod("named-x", ["10.1.1.10"], ("StatefulSet", "named"),
            annotations={ANNOTATION + "name": "checkout"}),
        pod("moved-x", ["10.1.1.11"], ("StatefulSet", "moved"),
            annotations={ANNOTATION + "namespace": "elsewhere"}),
        pod("labelled-x", ["10.1.1.12"], ("StatefulSet", "labelled"),
            {"app.kubernetes.io/name": "by-label"}),
        objects.namespace("team"),
        pod("theirs-x", ["10.1.1.13"], ("StatefulSet", "theirs"), namespace="team", node="node-2"),
    ]
    wanted = [
        ("Deployment by its set's name and the hash", "10.1.1.1",
         {"service": "web", "kind": "Deployment", "pod": "web-x", "node": "node-1"}),
        ("Deployment by its set", "10.1.1.2", {"service": "api", "kind": "Deployment"}),
        ("a replica set that nobody owns", "10.1.1.3",
         {"service": "lone-set", "kind": "ReplicaSet"}),
        ("StatefulSet", "10.1.1.4", {"service": "db", "kind": "StatefulSet", "pod": "db-0"}),
        ("DaemonSet", "10.1.1.5", {"service": "log", "kind": "DaemonSet"}),
        ("CronJob by its job", "10.1.1.6", {"service": "backup", "kind": "CronJob"}),
        ("Job", "10.1.1.7", {"service": "migrate", "kind": "Job"}),
        ("a pod that nobody owns", "10.1.1.8",
         {"service": "bare", "kind": "Pod", "namespace": "default"}),
        ("a static pod is owned by its node", "10.1.1.9", {"service": "mirror-node-1"}),
        ("annotated name", "10.1.1.10",
         {"service": "checkout", "kind": "StatefulSet", "namespace": "default"}),
        ("annotated namespace", "10.1.1.11", {"service": "moved", "namespace": "elsewhere"}),
        ("the label is not asked for", "10.1.1.12", {"service": "labelled"}),
        ("another namespace", "10.1.1.13",
         {"namespace": "team", "service": "theirs", "called_namespace": "team",
          "called": "theirs", "node": "node-2"}),
    ]
    return made, [(what, address, 8080, fields) for what, address, fields in wanted]


def services():
    """Cluster addresses, node ports, load balancers and what is behind them."""
    pod, service, piece = objects.pod, objects.service, objects.endpoint_slice
    port = {"name": "http", "port": 80, "nodePort": 30080, "protocol": "TCP"}
    dns = {"name": "dns", "port": 53, "protocol": "UDP"}
    balanced = service("balanced", type="LoadBalancer", clusterIP="10.96.1.3")
    balanced["status"] = {"loadBalancer": {"ingress": [{"ip": "203.0.113.9"}]}}
    made = [
        pod("shop-0", ["10.1.2.1", "fd00:1::21"], ("StatefulSet", "shop-pods"),
            ports=(8080, 9090)),
        pod("shop-1", ["10.2.2.1", "fd00:2::21"], ("StatefulSet", "shop-pods"), node="node-2"),
        service("shop", clusterIP="10.96.1.1", clusterIPs=["10.96.1.1", "fd00:96::11"],
                ipFamilyPolicy="RequireDualStack"),
        piece("shop-4", "shop", [("10.1.2.1", "shop-0"), ("10.2.2.1", "shop-1")]),
        piece("shop-6", "shop", [("fd00:1::21", "shop-0"), ("fd00:2::21", "shop-1")],
              family="IPv6"),
        service("on-nodes", [port], type="NodePort", clusterIP="10.96.1.2"),
        balanced,
        service("outward", clusterIP="10.96.1.4", externalIPs=["198.51.100.40"]),
        service("headless", clusterIP="None"),
        pod("member-0", ["10.1.2.2"], ("StatefulSet", "members")),
        piece("headless-1", "headless", [("10.1.2.2", "member-0")]),
        service("datagrams", [dns], clusterIP="10.96.1.5"),
        service("elsewhere", [], type="ExternalName", externalName="db.example.com"),
        service("legacy", clusterIP="10.96.1.6"),
        piece("legacy-1", "legacy", [("203.0.113.50", None)], ports=(5432,)),
        pod("both-0", ["10.1.2.3"], ("StatefulSet", "both"), ports=(8080, 9090)),
        pod("left-0", ["10.1.2.4"], ("StatefulSet", "left")),
        pod("right-0", ["10.1.2.5"], ("StatefulSet", "right")),
        service("mixed", clusterIP="10.96.1.9"),
        piece("mixed-1", "mixed", [("10.1.2.4", "left-0"), ("10.1.2.5", "right-0")]),
        service("first", clusterIP="10.96.1.7"), service("second", clusterIP="10.96.1.8"),
        piece("first-1", "first", [("10.1.2.3", "both-0")]),
        piece("second-1", "second", [("10.1.2.3", "both-0")], ports=(8080, 9090)),
    ]
    own = {"kind": "StatefulSet", "service": "shop-pods"}
    wanted = [
        ("cluster address", "10.96.1.1", 80,
         {"called": "shop", "called_namespace": "default", "pod": "", "node": "", **own}),
        ("its second family", "fd00:96::11", 80, {"called": "shop", **own}),
        ("cluster address with nobody behind it", "10.96.1.4", 80,
         {"called": "outward", "service": "outward", "kind": "Service"}),
        ("cluster address before two workloads", "10.96.1.9", 80,
         {"called": "mixed", "service": "mixed", "kind": "Service"}),
        ("a pod of one of the two", "10.1.2.4", 8080, {"called": "mixed", "service": "left"}),
        ("a pod of the other", "10.1.2.5", 8080, {"called": "mixed", "service": "right"}),
        ("a pod behind it", "10.1.2.1", 8080, {"called": "shop", **own}),
        ("another of its pods", "10.2.2.1", 8080, {"called": "shop", **own, "node": "node-2"}),
        ("a pod's second family", "fd00:1::21", 8080, {"called": "shop", "pod": "shop-0", **own}),
        ("a port of the pod that no service has", "10.1.2.1", 9090,
         {"called": "shop-pods", **own}),
        ("node port", "192.0.2.1", 30080, {"called": "on-nodes"}),
        ("node port on another node", "192.0.2.2", 30080, {"called": "on-nodes"}),
        ("node port on an external address", "198.51.100.1", 30080, {"called": "on-nodes"}),
        ("another port of the node", "192.0.2.1", 10250, {"kind": "Node", "node": "node-1"}),
        ("load balancer", "203.0.113.9", 80, {"called": "balanced"}),
        ("external address", "198.51.100.40", 80, {"called": "outward"}),
        ("headless: the pod", "10.1.2.2", 8080, {"called": "headless", "service": "members"}),
        ("no pod behind the slice", "203.0.113.50", 5432, {"called": "legacy"}),
        ("two services over a port", "10.1.2.3", 8080, {"called": "both", "service": "both"}),
        ("one service over another port", "10.1.2.3", 9090, {"called": "second"}),
    ]
    return made, wanted


def host_network():
    """Pods that share their node's address are told apart by their ports."""
    pod = objects.pod
    made = [
        pod("proxy-1", ["192.0.2.1"], ("DaemonSet", "proxy"), ports=(9091,), host_network=True),
        pod("ingress-1", ["192.0.2.1"], ("DaemonSet", "ingress"), ports=(443,), host_network=True),
        objects.service("entry", clusterIP="10.96.3.1"),
        objects.endpoint_slice("entry-1", "entry", [("192.0.2.1", "ingress-1")], ports=(443,)),
        # Its image listens on more than it says.
        pod("quiet-2", ["192.0.2.2"], ("DaemonSet", "quiet"), ports=(), host_network=True,
            node="node-2"),
    ]
    wanted = [
        ("hostNetwork by its port", "192.0.2.1", 9091, {"service": "proxy", "pod": "proxy-1"}),
        ("hostNetwork behind a service", "192.0.2.1", 443,
         {"service": "ingress", "called": "entry"}),
        ("a port that none of them names", "192.0.2.1", 40000, {"kind": "Node", "node": "node-1"}),
        ("no ports named at all", "192.0.2.2", 40000, {"kind": "Node", "node": "node-2"}),
    ]
    return made, wanted


def check_all(probe, checks, wanted):
    for what, address, port, fields in wanted:
        late = probe.wait_find(address, port, seconds=3, answer="known", **fields)
        checks.true(what, late is not None,
                    f"{address} {port} is {probe.find(address, port)}, wanted {fields}")


def reuse(cluster, probe, checks):
    """An address belongs to whoever has it now; the former owner's name is never given again."""
    api = cluster.api
    first = objects.pod("first-owner", ["10.1.4.1"])
    api.create(first)
    checks.true("the first owner", probe.wait_find("10.1.4.1", pod="first-owner") is not None)
    api.set_status(first, objects.pod_status(["10.1.4.1"], "Succeeded"))
    gone = probe.wait_find("10.1.4.1", answer="awaited", seconds=3)
    checks.true("a finished pod has no address", gone is not None, probe.find("10.1.4.1"))
    second = objects.pod("second-owner", ["10.1.4.1"])
    api.create(second)
    checks.true("the second owner", probe.wait_find("10.1.4.1", pod="second-owner") is not None)
    # The finished one is touched again, as by its garbage collection.
    api.patch(first, {"metadata": {"labels": {"touched": "yes"}}})
    api.delete(first)
    api.create(objects.pod("marker", ["10.1.4.9"]))
    checks.true("a marker", probe.wait_find("10.1.4.9", pod="marker") is not None)
    checks.equal("the second owner stays", probe.find("10.1.4.1").pod, "second-owner")
    third = objects.pod("third-owner", ["10.1.4.1"])
    api.create(third)
    checks.true("a third owner, before the second is heard to have gone",
                probe.wait_find("10.1.4.1", pod="third-owner") is not None,
                probe.find("10.1.4.1"))
    api.delete(second)
    api.delete(third)
    checks.true("at last nobody", probe.wait_find("10.1.4.1", answer="awaited", seconds=3)
                is not None, probe.find("10.1.4.1"))


def ends_gracefully(cluster, probe, checks):
    """A pod that is being deleted answers until its containers have ended."""
    api = cluster.api
    pod = objects.pod("leaving", ["10.1.4.2"])
    api.create(pod)
    checks.true("a pod", probe.wait_find("10.1.4.2", pod="leaving") is not None)
    api.delete(pod, grace=30)
    api.create(objects.pod("marker-2", ["10.1.4.8"]))
    checks.true("a marker", probe.wait_find("10.1.4.8", pod="marker-2") is not None)
    checks.equal("it leaves, and still answers", probe.find("10.1.4.2").pod, "leaving")
    ended = objects.pod_status(["10.1.4.2"], "Succeeded")
    ended["phase"] = "Running"
    api.set_status(pod, ended)
    checks.true("its containers have ended",
                probe.wait_find("10.1.4.2", answer="awaited", seconds=3) is not None,
                probe.find("10.1.4.2"))
    api.delete(pod)


def outside(probe, checks):
    """Who is not the cluster's: nobody knows them, and nobody is waited for."""
    for address in ("8.8.8.8", "2001:db8::1"):
        checks.true(f"{address} is outside", probe.find(address, 443).answer
                    in ("external", "unnamed"), probe.find(address, 443))
    checks.equal("an address of a node's range", probe.find("10.1.200.200").answer, "awaited")
    checks.true("the cluster address of datagrams has no TCP service",
                probe.find("10.96.1.5", 53).called in ("", "datagrams"), probe.find("10.96.1.5", 53))


def by_label(cluster, checks):
    with Probe("--kubeconfig", cluster.kubeconfig(), "--app-label") as probe:
        probe.wait_synced()
        checks.equal("the label is asked for", probe.find("10.1.1.12").service, "by-label")
        checks.equal("an annotation goes before", probe.find("10.1.1.10").service, "checkout")
        checks.equal("no label, no change", probe.find("10.1.1.4").service, "db")


def main():
    with Checks() as checks, Cluster() as cluster:
        for manifest in cluster_objects():
            cluster.api.create(manifest)
        with Probe("--kubeconfig", cluster.kubeconfig()) as probe:
            probe.wait_synced()
            tables = [workloads(), services(), host_network()]
            for made, wanted in tables:
                for manifest in made:
                    cluster.api.create(manifest)
                check_all(probe, checks, wanted)
            reuse(cluster, probe, checks)
            ends_gracefully(cluster, probe, checks)
            outside(probe, checks)
            checks.equal("exit status", probe.close(), 0)
        # Whoever comes later hears the same from lists as the first one heard from events.
        with Probe("--kubeconfig", cluster.kubeconfig()) as probe:
            probe.wait_synced()
            for _, wanted in tables:
                check_all(probe, checks, wanted)
        by_label(cluster, checks)


if __name__ == "__main__":
    run(main)
