#!/usr/bin/env python3
"""Every kind of object that is watched, created, changed and deleted in a real API server: the
directory follows within a second. Prints how long each took."""

import pathlib
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]

import objects  # noqa: E402
from checks import Checks  # noqa: E402
from cluster import Cluster  # noqa: E402
from lab import run  # noqa: E402
from probe import Probe  # noqa: E402

FOLLOW_SECONDS = 1.0
# Longer than that is a failure anyway; this long is waited to tell late from never.
PATIENCE_SECONDS = 5.0
UNKNOWN = ("awaited", "external", "unnamed")


class Follower:
    """Does one thing to the cluster and sees the directory follow."""

    def __init__(self, cluster, probe, checks):
        self.api = cluster.api
        self.probe = probe
        self.checks = checks
        self.delays = []

    def after(self, what, change, address, port=0, **wanted):
        """`change` is called; then `address` is to be `wanted`."""
        before = self.probe.find(address, port)._asdict()
        self.checks.true(f"{what}: was something else before",
                         any(before[key] != value for key, value in wanted.items()), before)
        change()
        done = time.monotonic()
        delay = self.probe.wait_find(address, port, seconds=PATIENCE_SECONDS, **wanted)
        if delay is None:
            self.checks.true(what, False, f"{address} {port} is {self.probe.find(address, port)}, "
                             f"wanted {wanted}")
            return
        delay = time.monotonic() - done
        self.delays.append((what, delay))
        self.checks.true(f"{what}: within {FOLLOW_SECONDS} s", delay <= FOLLOW_SECONDS,
                         f"{delay:.3f} s")

    def nobody(self, what, change, address, port=0):
        """`change` is called; then nobody is known there."""
        change()
        done = time.monotonic()
        while self.probe.find(address, port).answer == "known":
            if time.monotonic() - done > PATIENCE_SECONDS:
                self.checks.true(what, False, f"still {self.probe.find(address, port)}")
                return
            time.sleep(0.005)
        delay = time.monotonic() - done
        self.delays.append((what, delay))
        self.checks.true(f"{what}: within {FOLLOW_SECONDS} s", delay <= FOLLOW_SECONDS,
                         f"{delay:.3f} s")

    def report(self):
        width = max(len(what) for what, _ in self.delays)
        for what, delay in self.delays:
            print(f"{what:{width}}  {delay * 1000:6.0f} ms")
        print(f"{'slowest':{width}}  {max(delay for _, delay in self.delays) * 1000:6.0f} ms")


def pods(follower):
    api = follower.api
    pod = objects.pod("cart", owner=("StatefulSet", "cart-set"))
    api.create(pod)
    follower.after("pod gets its address",
                   lambda: api.set_status(pod, objects.pod_status(["10.1.0.10"])),
                   "10.1.0.10", answer="known", service="cart-set", kind="StatefulSet", pod="cart",
                   namespace="default", node="node-1")
    follower.after("pod's annotation changes",
                   lambda: api.patch(pod, {"metadata": {"annotations": {
                       "resource.opentelemetry.io/service.name": "cart-renamed"}}}),
                   "10.1.0.10", service="cart-renamed", pod="cart")
    follower.after("pod's address changes",
                   lambda: api.set_status(pod, objects.pod_status(["10.1.0.11"])),
                   "10.1.0.11", answer="known", pod="cart")
    follower.checks.true("the former address is nobody's",
                         follower.probe.find("10.1.0.10").answer in UNKNOWN)
    follower.nobody("pod is deleted", lambda: api.delete(pod), "10.1.0.11")
    follower.after("pod is created with all at once",
                   lambda: api.create(objects.pod("cart-2", ["10.1.0.11", "fd00:1::11"])),
                   "fd00:1::11", answer="known", pod="cart-2", service="cart-2", kind="Pod")


def services(follower):
    api = follower.api
    service = objects.service("shop", clusterIP="10.96.10.1")
    follower.after("service is created", lambda: api.create(service), "10.96.10.1", 80,
                   answer="known", called="shop", called_namespace="default", kind="Service")
    follower.after("service gets an external address",
                   lambda: api.patch(service, {"spec": {"externalIPs": ["198.51.100.7"]}}),
                   "198.51.100.7", 80, answer="known", called="shop")
    follower.nobody("service is deleted", lambda: api.delete(service), "10.96.10.1", 80)


def endpoint_slices(follower):
    api = follower.api
    api.create(objects.pod("backend", ["10.1.0.20"], owner=("DaemonSet", "backends")))
    api.create(objects.service("front", clusterIP="10.96.10.2"))
    first = objects.endpoint_slice("front-1", "front", [("10.1.0.20", "backend")])
    follower.after("endpoint slice is created", lambda: api.create(first), "10.1.0.20", 8080,
                   called="front", service="backends")
    follower.after("endpoint slice changes its port",
                   lambda: api.patch(first, {"ports": [{"name": "p", "port": 9090,
                                                        "protocol": "TCP"}]}),
                   "10.1.0.20", 9090, called="front")
    follower.after("endpoint slice is deleted", lambda: api.delete(first), "10.1.0.20", 9090,
                   called="backends")


def owners(follower):
    api = follower.api
    api.create(objects.pod("own-x", ["10.1.0.30"], owner=("ReplicaSet", "own-set")))
    follower.after("replica set of a Deployment is created",
                   lambda: api.create(objects.replica_set("own-set", "own-deployment")),
                   "10.1.0.30", service="own-deployment", kind="Deployment")
    rs = objects.replica_set("own-set")
    follower.after("replica set changes its owner",
                   lambda: api.patch(rs, {"metadata": {"ownerReferences": [
                       objects.reference("Deployment", "adopted")]}}),
                   "10.1.0.30", service="adopted", kind="Deployment")
    api.create(objects.pod("report-x", ["10.1.0.31"], owner=("Job", "report-2901")))
    follower.after("job of a CronJob is created",
                   lambda: api.create(objects.job("report-2901", "report")),
                   "10.1.0.31", service="report", kind="CronJob")
    follower.after("job changes its owner",
                   lambda: api.patch(objects.job("report-2901"), {"metadata": {"ownerReferences": [
                       objects.reference("CronJob", "weekly")]}}),
                   "10.1.0.31", service="weekly", kind="CronJob")
    # A set that is gone without its pods cannot be in truth; what was learnt may stay.
    api.delete(rs)
    api.delete(objects.job("report-2901"))


def nodes(follower):
    api = follower.api
    node = objects.node("node-7", ["192.0.2.70"], ["10.70.0.0/24"])
    follower.after("node is created", lambda: api.create(node), "192.0.2.70", answer="known",
                   kind="Node", node="node-7")
    follower.checks.equal("an address of its range that nobody has",
                          follower.probe.find("10.70.0.9").answer, "awaited")
    follower.after("node gets an external address",
                   lambda: api.set_status(node, objects.node_status(["192.0.2.70", "198.51.100.70"])),
                   "198.51.100.70", answer="known", kind="Node", node="node-7")
    follower.nobody("node is deleted", lambda: api.delete(node), "192.0.2.70")


def namespaces(follower):
    api = follower.api
    space = objects.namespace("team-a")
    api.create(space)
    api.create(objects.pod("db", ["10.1.0.40"], namespace="team-a"))
    follower.probe.wait_find("10.1.0.40", answer="known")
    follower.checks.equal("a pod's namespace", follower.probe.find("10.1.0.40").namespace, "team-a")
    annotation = "resource.opentelemetry.io/service.namespace"
    follower.after("namespace is annotated",
                   lambda: api.patch(space, {"metadata": {"annotations": {annotation: "payments"}}}),
                   "10.1.0.40", namespace="payments")
    follower.after("namespace loses the annotation",
                   lambda: api.patch(space, {"metadata": {"annotations": {annotation: None}}}),
                   "10.1.0.40", namespace="team-a")


def main():
    with Checks() as checks, Cluster() as cluster:
        for number in (1, 2):
            cluster.api.create(objects.node(f"node-{number}", [f"192.0.2.{number}"],
                                            [f"10.{number}.0.0/16", f"fd00:{number}::/64"]))
        started = time.monotonic()
        with Probe("--kubeconfig", cluster.kubeconfig()) as probe:
            probe.wait_synced()
            print(f"in step {(time.monotonic() - started) * 1000:.0f} ms after its start")
            follower = Follower(cluster, probe, checks)
            for part in (pods, services, endpoint_slices, owners, nodes, namespaces):
                part(follower)
            follower.report()
            status = probe.status()
            checks.true("no request failed", all(kind["failures"] == 0 for kind in status.values()),
                        status)
            # Had it listed again, following would prove little.
            checks.true("every kind was listed once",
                        all(kind["lists"] <= 1 for kind in status.values()), status)
            checks.equal("exit status", probe.close(), 0)


if __name__ == "__main__":
    run(main)
