#!/usr/bin/env python3
"""What the agent costs on a real Kubernetes node: the size of its image, the time from nothing to the
first metrics, and memory and CPU while 50 pods are idle. Needs what `make test-cluster` makes.

    bench_cluster.py [PODS [SECONDS]]      by default 50 pods, watched for 60 seconds
"""

import os
import pathlib
import sys
import tarfile
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / name) for name in ("cluster", "kube", "support")]

import sandbox  # noqa: E402
from lab import run, wait_until  # noqa: E402
from node import Node  # noqa: E402
from release import DAEMONSET, NAMESPACE, Release, image_archive  # noqa: E402
from runtime import PAUSE  # noqa: E402

MIB = 1 << 20
STARTS = 5
TICKS = os.sysconf("SC_CLK_TCK")
METRICS = "http://127.0.0.1:9990/metrics"


def print_image_size():
    """As it is unpacked; what a registry sends is compressed."""
    archive = image_archive()
    with tarfile.open(archive) as outer:
        layers = [member for member in outer if member.name.endswith(".tar") and member.isfile()]
        size = sum(layer.size for layer in layers)
    print(f"image: {size / MIB:.1f} MiB in {len(layers)} layer(s)")


def first_metrics():
    try:
        with urllib.request.urlopen(METRICS, timeout=1) as answer:
            return answer.read()
    except OSError:
        return None


def start_of(pid):
    """Seconds since the boot, as the kernel has noted it when the process was made."""
    return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]) / TICKS


def keep_away(node, wanted):
    """No node is what this asks for; or again every node."""
    node.api.patch({"kind": "DaemonSet", "metadata": {"name": "vethscope", "namespace": NAMESPACE}},
                   {"spec": {"template": {"spec": {"nodeSelector": {
                       "no-such-label": "none" if wanted else None}}}}})


def print_cold_start(node, release):
    """From the wish for a pod to its first metrics, the image being there; and of the process."""
    whole, alone = [], []
    for _ in range(STARTS):
        keep_away(node, True)
        wait_until(lambda: not node.get("pods", "-n", NAMESPACE)["items"], 60, "the agent to go")
        began = time.monotonic()
        keep_away(node, False)
        wait_until(first_metrics, 60, "metrics", pause=0.005)
        now = time.clock_gettime(time.CLOCK_BOOTTIME)
        whole.append(time.monotonic() - began)
        alone.append(now - start_of(release.pid()))
    print(f"start to first metrics: process {1000 * min(alone):.0f} to {1000 * max(alone):.0f} ms, "
          f"pod {min(whole):.1f} to {max(whole):.1f} s")


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory(pid):
    """Resident bytes by kind; what is mapped of the ring is shared memory."""
    rows = (line.split() for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
    kinds = {row[0].rstrip(":"): int(row[1]) / 1024 for row in rows if row[0].startswith("Rss")}
    return sum(kinds.values()), kinds


def print_idle(release, pods, seconds):
    pid = release.pid()
    before = cpu_seconds(pid)
    time.sleep(seconds)
    used = cpu_seconds(pid) - before
    total, kinds = memory(pid)
    parts = ", ".join(f"{name[3:].lower()} {size:.1f}" for name, size in kinds.items())
    print(f"{pods} pods, {seconds} s: {total:.1f} MiB resident ({parts}), "
          f"{100 * used / seconds:.2f} % of one CPU")


def idle_pods(count):
    labels = {"app": "idle"}
    container = {"name": "main", "image": PAUSE, "imagePullPolicy": "Never"}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "idle"},
            "spec": {"replicas": count, "selector": {"matchLabels": labels},
                     "template": {"metadata": {"labels": labels},
                                  "spec": {"containers": [container], "dnsPolicy": "Default"}}}}


def main():
    pods = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    seconds = int(sys.argv[2]) if len(sys.argv) > 2 else 60
    directory = sandbox.enter()
    print_image_size()
    with Node(directory) as node:
        release = Release(node)
        release.install()
        print_cold_start(node, release)
        node.rolled_out(DAEMONSET, namespace=NAMESPACE)
        print_idle(release, 0, seconds)
        node.apply(idle_pods(pods))
        node.rolled_out("deployment/idle", seconds=300)
        print_idle(release, pods, seconds)


if __name__ == "__main__":
    run(main)
