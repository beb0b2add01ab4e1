#!/usr/bin/env python3
"""What following a cluster costs its API server: requests and bytes, of one agent, measured; and
what 5,000 agents make of it, computed.

First what each way of learning names would cost an object, then what the agent really asks for: to
get in step, in a quiet cluster, and while pods are replaced. Objects are as large as real ones.
"""

import concurrent.futures
import http.client
import json
import os
import pathlib
import ssl
import statistics
import sys
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
QUIET_SECONDS = int(os.environ.get("QUIET_SECONDS", "150"))
REPLACED = 60
LOOKUPS = 100
PROTOBUF = "application/vnd.kubernetes.protobuf"
METADATA = f"{PROTOBUF};as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
# The large cluster for which everything is reckoned.
LARGE = {"pods": 150_000, "nodes": 5_000, "services": 10_000}
# A node's status is written so often where nothing happens.
HEARTBEATS_PER_HOUR = 12
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
                  for index in range(97)]
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
            ("replica sets, metadata only", "ReplicaSet", METADATA, 97)]
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


def replace_pods(api):
    """As a rolling update does, with every write that a scheduler, a kubelet and the controllers
    of pods and endpoint slices make: nine events a pod and two of a slice."""
    for number in range(REPLACED):
        index = number % SERVICES
        old, new = pod_of(number), pod_of(PODS + number)
        new["metadata"]["name"] += "-new"
        running = new.pop("status")
        new["status"] = objects.realistic_status([], "Pending")
        api.create(new)
        for ready in ("False", "False", "True"):
            for condition in running["conditions"]:
                condition["status"] = ready
            api.set_status(new, running)
        renewed = slice_of(index)
        api.patch(renewed, {"endpoints": renewed["endpoints"][1:]})
        renewed["endpoints"][0]["addresses"] = [address_of(PODS + number)]
        api.patch(renewed, {"endpoints": renewed["endpoints"]})
        api.delete(old, grace=30)
        for phase in ("Running", "Succeeded"):
            api.set_status(old, objects.realistic_status([address_of(number)], phase))
        api.delete(old)


def measure(cluster, name, arguments):
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
        replace_pods(cluster.api)
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
        if status["wanted"]:
            print(f"    {kind:16} {status['objects']:6} objects {status['events']:6} events "
                  f"{status['bytes'] / 1024:9.1f} KiB")


def print_large(costs, scope):
    """The same agent, and 5,000 of them, where everything is as large as it gets."""
    shared = {"services": LARGE["services"] / SERVICES, "endpointslices": LARGE["pods"] / PODS,
              "nodes": LARGE["nodes"] / NODES, "replicasets": LARGE["pods"] / PODS}
    if scope == "cluster":
        shared["pods"] = LARGE["pods"] / PODS
    start = sum(costs["start_bytes"].get(kind, 0) * shared.get(kind, 1)
                for kind in costs["start_bytes"])
    hours = QUIET_SECONDS / 3600
    quiet = costs["quiet"][0] / hours \
        + costs["heartbeats"][0] / NODES * LARGE["nodes"] * HEARTBEATS_PER_HOUR
    churn = costs["replaced"][0] / REPLACED * LARGE["pods"] * CHURN_PER_HOUR
    agents = LARGE["nodes"]
    print(f"  {scope:8} start {start / 2**20:8.1f} MiB, an hour quiet {quiet / 2**20:8.1f} MiB, "
          f"churning {(quiet + churn) / 2**20:8.1f} MiB")
    print(f"  {'':8} times {agents}: start {start * agents / 2**40:6.2f} TiB, quiet "
          f"{quiet * agents / 3600 / 2**20:8.1f} MiB/s, churning "
          f"{(quiet + churn) * agents / 3600 / 2**20:8.1f} MiB/s")


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
        results = {}
        for scope, arguments in (("cluster", ()), ("node", ("--node-only",))):
            results[scope] = measure(cluster, f"scope {scope}", arguments)
        print(f"\nreckoned for {LARGE['pods']} pods, {LARGE['nodes']} nodes, "
              f"{LARGE['services']} services, {CHURN_PER_HOUR:.0%} of the pods replaced an hour:")
        for scope, costs in results.items():
            print_large(costs, scope)
    return 0


if __name__ == "__main__":
    sys.exit(main())
