#!/usr/bin/env python3
"""What following a cluster costs its API server: requests and bytes, of one agent, measured; and
what as many agents as nodes make of it, reckoned.

First what each way of learning names would cost an object, then what the agent really asks for: to
get in step, in a quiet cluster, and while pods are replaced. Objects are as large as real ones.
"""

import concurrent.futures
import contextlib
import http.client
import json
import os
import pathlib
import ssl
import statistics
import sys
import threading
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "kube"), str(ROOT / "tests" / "support")]

import build  # noqa: E402
import objects  # noqa: E402
from api import collection  # noqa: E402
from cluster import Cluster  # noqa: E402
from fault_proxy import Wire  # noqa: E402
from probe import Probe  # noqa: E402

NODES = 40
PODS = 1200
SERVICES = 80
# Of the pods, so many back a service.
BACKING = 800
REPLICA_SETS = 97
QUIET_SECONDS = int(os.environ.get("QUIET_SECONDS", "150"))
REPLACED = 60
LOOKUPS = 100
PROTOBUF = "application/vnd.kubernetes.protobuf"
METADATA_EVENT = f"{PROTOBUF};as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
METADATA = f"{PROTOBUF};as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
# The clusters for which it is reckoned what one agent a node costs.
LARGE_NODES = (100, 500, 1_000, 5_000)
PODS_PER_NODE = 30
SERVICES_PER_NODE = 2
# A Deployment keeps ten old ones.
REPLICA_SETS_PER_SERVICE = 11
# A node's status is written so often where nothing happens.
HEARTBEATS_PER_HOUR = 12
# Of all pods; 10 % replaces each of them two or three times a day.
CHURN_PER_HOUR = 0.1


def address_of(number):
    return f"10.{1 + number // 62500}.{number // 250 % 250}.{number % 250 + 1}"


def node_of(number):
    return f"node-{number % NODES:05d}"


def slice_of(index):
    """The slice of one service, with its share of the backing pods."""
    numbers = range(index, BACKING, SERVICES)
    return objects.endpoint_slice(f"service-{index}-abcde", f"service-{index}",
                                  [(address_of(number), pod_of(number)["metadata"]["name"])
                                   for number in numbers])


def pod_of(number):
    return objects.realistic_pod(number, node_of(number), address_of(number))


def populate(api):
    manifests = [objects.realistic_node(number, f"172.16.{number // 250}.{number % 250 + 1}",
                                        [f"10.{100 + number // 250}.{number % 250}.0/24"])
                 for number in range(NODES)]
    manifests += [objects.service(f"service-{index}", selector={"app": f"service-{index}"})
                  for index in range(SERVICES)]
    manifests += [slice_of(index) for index in range(SERVICES)]
    manifests += [objects.replica_set(f"shop-frontend-{index}-7d9c5b8f6d", f"shop-frontend-{index}")
                  for index in range(REPLICA_SETS)]
    manifests += [pod_of(number) for number in range(PODS)]
    with concurrent.futures.ThreadPoolExecutor(4) as workers:
        list(workers.map(api.create, manifests))


class Reader:
    """Asks as an agent would, in protobuf, and counts bytes."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.context = ssl.create_default_context(cafile=str(cluster.ca_file))
        self.token = cluster.api.token
        self.connection = None

    def size(self, path, accept=PROTOBUF):
        """Bytes of the answer's body, as sent."""
        if self.connection is None:
            self.connection = http.client.HTTPSConnection("127.0.0.1", self.cluster.port,
                                                          context=self.context)
        headers = {"Authorization": f"Bearer {self.token}", "Accept": accept}
        self.connection.request("GET", path, headers=headers)
        response = self.connection.getresponse()
        body = response.read()
        if response.status != 200:
            raise RuntimeError(f"{path}: {response.status} {body[:200]}")
        return len(body)


def server_cpu_seconds(cluster):
    for line in cluster.metrics().splitlines():
        if line.startswith("process_cpu_seconds_total "):
            return float(line.split()[1])
    raise RuntimeError("the API server does not say how much CPU it used")


def print_sizes(cluster):
    """An object's size in each way of asking for it. Watches are never compressed."""
    reader = Reader(cluster)
    rows = [("pods, whole", "Pod", PROTOBUF, PODS), ("pods, metadata only", "Pod", METADATA, PODS),
            ("services", "Service", PROTOBUF, SERVICES),
            ("endpoint slices of ten", "EndpointSlice", PROTOBUF, SERVICES),
            ("nodes", "Node", PROTOBUF, NODES), ("nodes, metadata only", "Node", METADATA, NODES),
            ("replica sets, metadata only", "ReplicaSet", METADATA, REPLICA_SETS)]
    print("\nbytes an object")
    for what, kind, accept, count in rows:
        path = f"{collection(kind)}?resourceVersion=0"
        print(f"{what:32}  {reader.size(path, accept) / count:7.0f}")


def print_lookups(cluster):
    """One pod by its address, which no index helps with."""
    reader = Reader(cluster)
    times, received = [], 0
    before = server_cpu_seconds(cluster)
    for number in range(LOOKUPS):
        selector = urllib.parse.quote(f"status.podIP={address_of(number * 7 % PODS)}")
        started = time.monotonic()
        received += reader.size(f"{collection('Pod')}?resourceVersion=0&fieldSelector={selector}")
        times.append(time.monotonic() - started)
    cpu = (server_cpu_seconds(cluster) - before) / LOOKUPS
    print(f"\na pod by its address among {PODS}: {received / LOOKUPS:.0f} bytes, "
          f"{statistics.median(times) * 1000:.1f} ms, {cpu * 1000:.2f} ms of the server's CPU, "
          f"which grows with the number of pods")


class RawWatch:
    """A watch whose bytes are only counted."""

    def __init__(self, cluster, path, accept):
        self.received = 0
        self.connection = http.client.HTTPSConnection(
            "127.0.0.1", cluster.port,
            context=ssl.create_default_context(cafile=str(cluster.ca_file)))
        self.connection.request("GET", path, headers={
            "Authorization": f"Bearer {cluster.api.token}", "Accept": accept})
        self.response = self.connection.getresponse()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
            while data := self.response.read1(65536):
                self.received += len(data)


def print_watches(cluster):
    """What each way of following costs where something happens."""
    rows = [("pods, whole", "Pod", PROTOBUF, ""), ("pods, metadata only", "Pod", METADATA_EVENT, ""),
            (f"pods of one of {NODES} nodes", "Pod", PROTOBUF,
             f"&fieldSelector=spec.nodeName%3D{node_of(0)}"),
            ("endpoint slices of ten", "EndpointSlice", PROTOBUF, ""),
            ("replica sets, metadata only", "ReplicaSet", METADATA_EVENT, ""),
            ("nodes", "Node", PROTOBUF, ""), ("nodes, metadata only", "Node", METADATA_EVENT, "")]
    watches = []
    for what, kind, accept, more in rows:
        version = cluster.api.call("GET", f"{collection(kind)}?limit=1")["metadata"]
        path = f"{collection(kind)}?watch=true&resourceVersion={version['resourceVersion']}{more}"
        watches.append((what, RawWatch(cluster, path, accept)))
    replace_pods(cluster.api, 0)
    time.sleep(2)
    replaced = [watch.received for _, watch in watches]
    beat_all_nodes(cluster.api)
    time.sleep(2)
    print("\nbytes a watch brings            for a pod replaced   for a node's heartbeat")
    for (what, watch), before in zip(watches, replaced):
        print(f"{what:32}  {before / REPLACED:16.0f}  {(watch.received - before) / NODES:22.0f}")


class Meter:
    """Requests and bytes of one agent between two moments."""

    def __init__(self, wire, probe):
        self.wire = wire
        self.probe = probe
        self.mark()

    def requests(self):
        return sum(kind["requests"] for kind in self.probe.status().values())

    def mark(self):
        self.last = (self.wire.to_client, self.wire.to_server, self.requests())

    def since(self):
        """Bytes received, bytes sent, requests since the mark; which is set anew."""
        now = (self.wire.to_client, self.wire.to_server, self.requests())
        difference = tuple(after - before for after, before in zip(now, self.last))
        self.last = now
        return difference


def beat_all_nodes(api):
    for number in range(NODES):
        name = {"kind": "Node", "metadata": {"name": f"node-{number:05d}"}}
        api.set_status(name, {"conditions": objects.heartbeat(int(time.monotonic()) % 3600)})


def replace_pods(api, turn):
    """As a rolling update does, with the writes of a scheduler, a kubelet and the controllers of
    replica sets and endpoint slices: nine of the two pods, four of a slice, two of a set."""
    for number in range(turn * REPLACED, (turn + 1) * REPLACED):
        old, new = pod_of(number), pod_of(PODS + number)
        running = new.pop("status")
        new["status"] = objects.realistic_status([], "Pending")
        api.create(new)
        for ready in ("False", "False", "True"):
            for condition in running["conditions"]:
                condition["status"] = ready
            api.set_status(new, running)
        api.delete(old, grace=30)
        for phase in ("Running", "Succeeded"):
            api.set_status(old, objects.realistic_status([address_of(number)], phase))
        api.delete(old)
        replace_around(api, number)


def replace_around(api, number):
    """What else is written for one pod that comes and one that goes."""
    renewed = slice_of(number % SERVICES)
    first = renewed["endpoints"][0]
    for address, ready in ((address_of(PODS + number), False), (address_of(PODS + number), True),
                           (address_of(number), True), (address_of(PODS + number), True)):
        first.update(addresses=[address], conditions={"ready": ready})
        api.patch(renewed, {"endpoints": renewed["endpoints"]})
    owner = {"kind": "ReplicaSet", "metadata": pod_of(number)["metadata"]["ownerReferences"][0]}
    owner["metadata"]["namespace"] = "default"
    for replicas in (number, number + 1):
        api.set_status(owner, {"replicas": replicas})


def measure(cluster, name, arguments, turn):
    """One agent's life; returns what it cost by phase."""
    with Wire(cluster.port) as wire, \
            Probe("--kubeconfig", cluster.kubeconfig(port=wire.port), "--node", node_of(0),
                  *arguments) as probe:
        costs = {}
        meter = Meter(wire, probe)
        meter.last = (0, 0, 0)
        probe.wait_synced(120)
        time.sleep(1)
        costs["start"] = meter.since()
        costs["start_bytes"] = {kind: state["bytes"] for kind, state in probe.status().items()}
        meter.mark()
        time.sleep(QUIET_SECONDS)
        costs["quiet"] = meter.since()
        beat_all_nodes(cluster.api)
        time.sleep(2)
        costs["heartbeats"] = meter.since()
        started = time.monotonic()
        replace_pods(cluster.api, turn)
        time.sleep(2)
        costs["replaced"] = meter.since()
        costs["seconds"] = time.monotonic() - started
        costs["status"] = probe.status()
        print(f"\n{name}: {wire.connections} connections, resident "
              f"{probe.resident_bytes() / 2**20:.1f} MiB")
    print_costs(costs)
    return costs


def print_costs(costs):
    down, up, requests = costs["start"]
    print(f"  in step      {requests:4} requests  {down / 1024:9.1f} KiB received  "
          f"{up / 1024:6.1f} KiB sent")
    hours = QUIET_SECONDS / 3600
    down, up, requests = costs["quiet"]
    print(f"  quiet, 1 h   {requests / hours:4.0f} requests  {down / hours / 1024:9.1f} KiB received"
          f"  {up / hours / 1024:6.1f} KiB sent")
    down, _, requests = costs["heartbeats"]
    print(f"  a heartbeat of a node     {down / NODES:8.0f} bytes")
    down, _, requests = costs["replaced"]
    print(f"  a pod that is replaced    {down / REPLACED:8.0f} bytes, {requests} requests for "
          f"{REPLACED}")
    for kind, status in costs["status"].items():
        print(f"    {kind:16} {status['objects']:6} objects {status['events']:6} events "
              f"{status['bytes'] / 1024:9.1f} KiB")


def reckon(costs, scope, nodes):
    """MiB of one agent: to get in step, in a quiet hour, in an hour of churn."""
    pods, services = nodes * PODS_PER_NODE, nodes * SERVICES_PER_NODE
    factors = {"services": services / SERVICES, "endpointslices": pods / PODS,
               "replicasets": services * REPLICA_SETS_PER_SERVICE / REPLICA_SETS,
               "nodes": nodes / NODES, "pods": pods / PODS}
    if scope == "node":
        factors.update(nodes=1, pods=1)
    start = sum(size * factors.get(kind, 1) for kind, size in costs["start_bytes"].items())
    quiet = costs["quiet"][0] * 3600 / QUIET_SECONDS \
        + costs["heartbeats"][0] * nodes / NODES * HEARTBEATS_PER_HOUR
    churn = quiet + costs["replaced"][0] / REPLACED * pods * CHURN_PER_HOUR
    return start / 2**20, quiet / 2**20, churn / 2**20


def print_large(results):
    print(f"\nreckoned: {PODS_PER_NODE} pods and {SERVICES_PER_NODE} services a node, "
          f"{CHURN_PER_HOUR:.0%} of the pods replaced in an hour of churn")
    print("                  one agent, MiB                    all agents")
    print("scope    nodes    start  quiet h  churn h    start GiB  quiet MiB/s  churn MiB/s")
    for scope, costs in results.items():
        for nodes in LARGE_NODES:
            start, quiet, churn = reckon(costs, scope, nodes)
            print(f"{scope:8} {nodes:5} {start:8.1f} {quiet:8.1f} {churn:8.1f}   "
                  f"{start * nodes / 1024:10.1f} {quiet * nodes / 3600:12.2f} "
                  f"{churn * nodes / 3600:12.2f}")


def main():
    try:
        build.ensure()
    except build.BuildError as error:
        print(f"not measured: {error}")
        return 0
    with Cluster() as cluster:
        populate(cluster.api)
        pod = json.dumps(cluster.api.get("Pod", pod_of(0)["metadata"]["name"], "default"))
        print(f"{PODS} pods of {len(pod) / 1024:.1f} KiB as JSON, {NODES} nodes, "
              f"{SERVICES} services")
        print_sizes(cluster)
        print_lookups(cluster)
        print_watches(cluster)
        results = {}
        for turn, (scope, arguments) in enumerate((("cluster", ()), ("node", ("--node-only",))), 1):
            results[scope] = measure(cluster, f"scope {scope}", arguments, turn)
        print_large(results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
