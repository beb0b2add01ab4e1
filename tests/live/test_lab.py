#!/usr/bin/env python3
"""The lab itself: what it promises to the live tests, without vethscope."""

import os
import pathlib
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import prometheus_text  # noqa: E402
from checks import Checks  # noqa: E402
from lab import Lab, command, run, wait_until  # noqa: E402
from nginx import Nginx  # noqa: E402

NGINX = """
    map $uri $route { default $uri; }
    server { listen 80; }
"""
EXPOSITION = '''# HELP a_total Says "a".
# TYPE a_total counter
a_total{path="x\\\\y\\"z\\n",code="200"} 3
a_total{code="404"} 1.5e1
b 7
'''


def traces_of(prefix):
    namespaces = [line for line in command("ip", "netns", "list").split("\n") if prefix in line]
    return namespaces + [str(path) for path in pathlib.Path("/tmp").glob(f"{prefix}*")]


def check_pods(lab, checks):
    for order in ("peer", "move", "pod"):
        server = lab.pod(f"s-{order}", order)
        lab.backend(server)
        client = lab.pod(f"c-{order}", order)
        checks.equal(f"{order}: IPv4", client.get(server.address, 80, "/status/404")[0], 404)
        links = lab.node.ip("-d", "-o", "link", "show", "dev", server.interface)
        checks.true(f"{order}: the far end is in another namespace", "link-netns" in links, links)


def check_capture(lab, checks):
    server, client = lab.pods[0], lab.pods[1]
    capture = lab.capture(server.interface)
    for _ in range(50):
        client.get(server.address, 80, "/")
    checks.equal("packets lost", capture.close(), 0)
    heads = command("tshark", "-r", str(capture.path), "-Y", "http.request", "-T", "fields",
                    "-e", "frame.time_epoch", stdin=subprocess.DEVNULL).split()
    checks.equal("requests in the capture", len(heads), 50)
    checks.true("nanoseconds", any(not time_text.endswith("000") for time_text in heads), heads[:3])


def processes_in(directory):
    """Who has a file of a lab open, or had: the lab's directory is gone at the end."""
    found = []
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            links = [os.readlink(link) for link in process.glob("fd/*")]
        except OSError:
            continue
        if any(str(directory) in link for link in links):
            found.append(process.name)
    return found


def check_parser(checks):
    metrics = prometheus_text.parse(EXPOSITION)
    checks.equal("sum", metrics.total("a_total"), 18)
    checks.equal("label", metrics.total("a_total", path='x\\y"z\n'), 3)
    checks.equal("by", metrics.by("a_total", "code"), {("200",): 3, ("404",): 15})
    for wrong in ("b 7\nb 7\n", 'a{b="c} 1\n', "a\n"):
        try:
            prometheus_text.parse(wrong)
            checks.true("refused", False, wrong)
        except ValueError:
            checks.true("refused", True)


def check_interrupted(checks, number):
    """A lab that is ended by a signal in the middle leaves nothing behind."""
    with subprocess.Popen([sys.executable, __file__, "--park"], stdout=subprocess.PIPE,
                          text=True) as child:
        prefix = child.stdout.readline().strip()
        checks.true("it was there", len(traces_of(prefix)) >= 3, traces_of(prefix))
        directory = child.stdout.readline().strip()
        child.send_signal(number)
        child.wait(20)
    if number == signal.SIGKILL:
        with Lab("after"):
            pass
    wait_until(lambda: not traces_of(prefix), 5, f"removal after signal {number}")
    checks.equal(f"left after signal {number}", traces_of(prefix), [])
    checks.equal(f"processes after signal {number}", processes_in(directory), [])


def park():
    with Lab("park") as lab:
        Nginx(lab, lab.pod("server"), NGINX)
        print(lab.prefix, lab.directory, sep="\n", flush=True)
        time.sleep(60)


def main():
    if "--park" in sys.argv:
        park()
        return
    with Checks() as checks:
        check_parser(checks)
        with Lab("self") as lab:
            prefix = lab.prefix
            check_pods(lab, checks)
            check_capture(lab, checks)
            Nginx(lab, lab.pod("nginx"), NGINX)
            checks.true("its processes are found", len(processes_in(lab.directory)) >= 5,
                        processes_in(lab.directory))
            directory = lab.directory
            children = [process.child.pid for process in lab.processes]
        checks.equal("left behind", traces_of(prefix), [])
        checks.equal("processes left", processes_in(directory), [])
        checks.equal("children", [pid for pid in children if os.path.exists(f"/proc/{pid}")], [])
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL):
            check_interrupted(checks, number)


if __name__ == "__main__":
    run(main)
