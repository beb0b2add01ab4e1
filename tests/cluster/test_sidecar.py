#!/usr/bin/env python3
"""vethscope inside of pods, added as the chart's notes say: as a sidecar proper, and as an ordinary
container with no more than the runtime gives. Its numbers are those of its pod's access log."""

import collections
import json
import pathlib
import re
import sys
import time
import urllib.parse
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "kube"), str(HERE.parent / "support")]

import prometheus_text  # noqa: E402
import sandbox  # noqa: E402
from checks import Checks  # noqa: E402
from cluster import ADMIN_TOKEN  # noqa: E402
from lab import SOURCE_DIR, Process, run, wait_until  # noqa: E402
from node import Node  # noqa: E402
from release import CHART, IMAGE_VALUES, image_archive  # noqa: E402
from shop import NAMESPACE, PROBE_ROUTE, Shop  # noqa: E402

SERVER = "http_server_request_duration_seconds_count"
REQUEST = ("http_request_method", "http_route", "http_response_status_code")
PORT = 9990
PROMETHEUS_PORT = 9091
REQUESTS = 300
SETTLE_SECONDS = 20
# workload: (release, more values)
WAYS = {"cart": ("vethscope", ()),
        "payment": ("plain", (f"--values={CHART / 'ci/sidecar-only-values.yaml'}",))}


def add(node, workload):
    """The chart's patch for a workload, and what it makes of its pods."""
    release, values = WAYS[workload]
    settings = {**IMAGE_VALUES, "daemonset.enabled": "false", "sidecar.enabled": "true",
                "sidecar.serviceLabel": "app"}
    node.helm("install", release, CHART, f"--namespace={NAMESPACE}", *values,
              *(f"--set={key}={value}" for key, value in settings.items()))
    name = release if "vethscope" in release else f"{release}-vethscope"
    patch = node.get("configmap", "-n", NAMESPACE, f"{name}-sidecar")["data"]["patch.yaml"]
    node.kubectl("patch", "-n", NAMESPACE, f"deployment/{workload}", "--patch", patch)


def the_pod(shop, workload):
    """The one that is not on its way out."""
    return next(pod for pod in shop.pods(workload) if "deletionTimestamp" not in pod["metadata"])


def statuses(pod):
    """Of the sidecar, wherever it is."""
    every = [*pod["status"].get("initContainerStatuses", []), *pod["status"]["containerStatuses"]]
    return next(status for status in every if status["name"] == "vethscope")


def measured(pod):
    with urllib.request.urlopen(f"http://{pod['status']['podIP']}:{PORT}/metrics",
                                timeout=10) as answer:
        metrics = prometheus_text.parse(answer.read().decode())
    counts = metrics.by(SERVER, "service_namespace", "service_name", *REQUEST)
    return {key: value for key, value in counts.items() if key[3] != PROBE_ROUTE}, metrics


def compare(checks, shop, workload, before):
    pod = the_pod(shop, workload)
    wanted = {(NAMESPACE, name, *request): count
              for (name, *request), count in (shop.served() - before).items() if name == workload}
    end = time.monotonic() + SETTLE_SECONDS
    while (got := measured(pod))[0] != wanted and time.monotonic() < end:
        time.sleep(0.25)
    print(f"{workload}: {sum(wanted.values())} requests, {len(wanted)} series")
    checks.true(f"{workload}: was asked", sum(wanted.values()) > REQUESTS / 10, wanted)
    checks.counts(f"{workload}: requests", got[0], wanted)
    checks.equal(f"{workload}: dropped packets",
                 got[1].total("vethscope_capture_dropped_packets_total"), 0)
    checks.equal(f"{workload}: nobody is asked for names",
                 got[1].select("vethscope_kube_synced"), [])
    checks.equal(f"{workload}: its restarts", statuses(pod)["restartCount"], 0)


def scrape_config(node):
    """What docs/kubernetes.md gives for a Prometheus without the operator, and where the server is."""
    page = (SOURCE_DIR / "docs" / "kubernetes.md").read_text()
    job = re.search(r"^  - job_name: vethscope-sidecars\n(?:    .*\n)+", page, re.MULTILINE)[0]
    server = (f"      - role: pod\n        api_server: https://127.0.0.1:{node.port}\n"
              f"        tls_config: {{ca_file: {node.ca_file}}}\n"
              f"        authorization: {{credentials: {ADMIN_TOKEN}}}\n")
    return ("global: {scrape_interval: 1s}\nscrape_configs:\n"
            + job.replace("      - role: pod\n", server))


def check_scrapes(checks, node, shop):
    """Prometheus finds the sidecars by that, and nobody else."""
    config = node.write("sidecars.yaml", scrape_config(node))
    Process(node, "prometheus", [
        node.programs["prometheus"], f"--config.file={config}",
        f"--storage.tsdb.path={node.directory / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{PROMETHEUS_PORT}", "--log.level=warn"])
    wanted = {f"{the_pod(shop, name)['status']['podIP']}:{PORT}" for name in WAYS}

    def found():
        query = urllib.parse.urlencode({"query": "up"})
        url = f"http://127.0.0.1:{PROMETHEUS_PORT}/api/v1/query?{query}"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                rows = json.load(answer)["data"]["result"]
        except OSError:
            return False
        return {row["metric"]["instance"]: row["value"][1] for row in rows}
    wait_until(lambda: len(found() or ()) >= len(wanted), 60, "the sidecars' scrapes", pause=0.5)
    checks.equal("what Prometheus scrapes", found(), {address: "1" for address in wanted})


def check_places(checks, shop):
    """One is a sidecar proper; the other adds no capability."""
    cart, payment = the_pod(shop, "cart"), the_pod(shop, "payment")
    checks.equal("cart's sidecars", [item["name"] for item in cart["spec"]["initContainers"]],
                 ["vethscope"])
    container = next(item for item in payment["spec"]["containers"] if item["name"] == "vethscope")
    checks.true("payment's adds nothing",
                "add" not in container["securityContext"]["capabilities"], container)


def main():
    with Checks() as checks, Node(sandbox.enter()) as node:
        node.runtime.load(image_archive())
        shop = Shop(node)
        shop.open()
        for workload in WAYS:
            add(node, workload)
        for workload in WAYS:
            shop.rolled_out(workload)
        check_places(checks, shop)
        before = collections.Counter(shop.served())
        shop.send("customers", REQUESTS)
        for workload in WAYS:
            compare(checks, shop, workload, before)
        check_scrapes(checks, node, shop)


if __name__ == "__main__":
    run(main)
