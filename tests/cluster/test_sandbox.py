#!/usr/bin/env python3
"""A node leaves nothing behind on the machine: not when it ends, not when it is killed in the
middle of its work, with pods running."""

import os
import pathlib
import signal
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "kube"), str(HERE.parent / "support")]

import sandbox  # noqa: E402
from checks import Checks  # noqa: E402
from lab import command, run, wait_until  # noqa: E402

POD = """
kubectl run idle --image=localhost/vethscope-test/pause:1 --image-pull-policy=Never
kubectl wait --for=condition=Ready pod/idle --timeout=60s && ip link show cni0 && echo running
"""


def seen(*pattern):
    """Processes of the whole machine with this in their command lines."""
    found = subprocess.run(["pgrep", "--full", *pattern], stdout=subprocess.PIPE, text=True,
                           check=False).stdout.split()
    return [int(pid) for pid in found if int(pid) != os.getpid()]


def of_the_machine():
    """What a node changes, as far as it is nobody else's as well: other tests may be running."""
    links = command("ip", "-br", "link").split()
    return {
        "mounts": [line for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
                   if "/var/lib" in line or "/var/log" in line or " /proc/sys/" in line],
        "links": sorted({sandbox.UPLINK, "cni0"}.intersection(links)),
        "packet filter": "kube-proxy" in command("nft", "list", "ruleset"),
        "sysctls": command("sysctl", "vm.overcommit_memory", "vm.panic_on_oom", "kernel.panic",
                           "kernel.panic_on_oops", "net.ipv4.ip_forward"),
        "directories": [str(path) for name in ("kubelet", "cni", "containerd/io.containerd.runtime")
                        for path in pathlib.Path("/var/lib").glob(f"{name}*")]
                       + [str(path) for path in pathlib.Path("/var/log").glob("pods*")],
    }


def cgroups(directory):
    """Of that node, in every hierarchy."""
    return [*sandbox.CGROUPS.glob(directory.name), *sandbox.CGROUPS.glob(f"*/{directory.name}")]


def start(script):
    return subprocess.Popen([sys.executable, HERE / "node.py", "--keep", "bash", "--", "-c", script],
                            stdout=subprocess.PIPE, text=True)


def directory_of(node):
    """By the first line it prints."""
    line = node.stdout.readline()
    return pathlib.Path(next(part for part in line.split("=")[1].split()
                             if part.startswith("/"))).parents[1]


def ended(checks):
    node = start(POD)
    directory = directory_of(node)
    said = node.communicate()[0]
    checks.true("a pod ran", said.rstrip().endswith("running"), said)
    checks.equal("exit status of the node", node.returncode, 0)
    checks.true("its directory is gone", not directory.exists(), directory)
    checks.equal("processes of an ended node", seen(str(directory)), [])
    checks.equal("control groups of an ended node", cgroups(directory), [])


def killed(checks):
    node = start(f"{POD} sleep 600")
    directory = directory_of(node)
    while "running" not in (line := node.stdout.readline()) and line:
        pass
    checks.true("a node with its runtime", len(seen(str(directory))) > 5)
    os.kill(node.pid, signal.SIGKILL)
    node.wait()
    wait_until(lambda: not seen(str(directory)), 10, "processes of a killed node to end")
    checks.true("a killed node leaves its directory", directory.exists())
    checks.true("and its control groups", cgroups(directory))
    sandbox.remove_leftovers()
    checks.true("the next one removes it", not directory.exists())
    checks.equal("and them", cgroups(directory), [])


def main():
    sandbox.remove_leftovers()
    with Checks() as checks:
        before = of_the_machine()
        ended(checks)
        killed(checks)
        after = of_the_machine()
        for what, was in before.items():
            checks.equal(f"{what} of the machine", after[what], was)


if __name__ == "__main__":
    run(main)
