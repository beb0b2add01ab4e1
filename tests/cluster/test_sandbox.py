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
    """What a node changes: mounts, links, addresses, the packet filter, sysctls, control groups."""
    sysctls = ("vm.overcommit_memory", "kernel.panic", "kernel.panic_on_oops", "net.ipv4.ip_forward")
    return {
        "mounts": pathlib.Path("/proc/self/mountinfo").read_text(),
        "links": command("ip", "-o", "link").count("\n"), "addresses": command("ip", "-br", "addr"),
        "packet filter": command("nft", "list", "ruleset"), "sysctls": command("sysctl", *sysctls),
        "control groups": sorted(map(str, sandbox.CGROUPS.glob(f"*/{sandbox.PREFIX}*"))),
        "directories": sorted(map(str, pathlib.Path("/var/lib").iterdir())),
    }


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
    sandbox.remove_leftovers()
    checks.true("the next one removes it", not directory.exists())


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
