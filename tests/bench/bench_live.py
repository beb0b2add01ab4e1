#!/usr/bin/env python3
"""What watching costs while nginx is under load in network namespaces: CPU seconds of the whole
observer for 100,000 requests, drops, and what the load's client noticed. Small exchanges and bodies
of 1 MB; rings of 2 MiB; short runs in turn, medians. httpry takes part where it is installed.
Prints numbers; nothing passes or fails.

    bench_live.py [SECONDS [ROUNDS]]
"""

import contextlib
import os
import pathlib
import re
import resource
import shutil
import signal
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from lab import Agent, Lab, binary, run, wait_until  # noqa: E402
from nginx import Nginx  # noqa: E402

RING = 2 << 20
CONNECTIONS = 16
BARE = pathlib.Path(binary()).parents[1] / "tests/bench/bare_ring"
NGINX = """
    map $uri $route { default $uri; }
    sendfile on;
    server {
        listen 80; root FILES; access_log off;
        location = /small { return 200 'a small answer'; }
    }
"""
CONFIG = f"capture: {{ring_size: {RING >> 20}MiB}}\n"


def cpu_seconds(process):
    """User and system time of its threads; short-lived ones, as a scrape's, are left out."""
    seconds = 0
    for task in pathlib.Path(f"/proc/{process.child.pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError):
            seconds += int((task / "schedstat").read_text().split()[0]) / 1e9
    return seconds


def milliseconds(text):
    number, unit = re.fullmatch(r"([0-9.]+)(us|ms|s)", text).groups()
    return float(number) * {"us": 1e-3, "ms": 1, "s": 1e3}[unit]


def observers():
    """Name: how it is started on the node for an interface; None: nobody looks."""
    found = {
        "nobody": None,
        "bare loop, snap 256": lambda interface: [BARE, interface, "256", RING],
        "tcpdump -s0": lambda interface: ["tcpdump", "-i", interface, "-s0", "-B", RING >> 10, "-n",
                                          "-Z", "root", "-w", "/dev/null", "tcp"],
        "vethscope": "agent",
    }
    if shutil.which("httpry"):
        found["httpry"] = lambda interface: ["httpry", "-i", interface, "-o", "/dev/null"]
    return found


def start(lab, name, how, interface):
    if how is None:
        return None
    if how == "agent":
        return Agent(lab, ("--interface", interface), CONFIG).wait_ready()
    process = lab.process(name.split()[0], how(interface), lab.node)
    if name != "httpry":
        wait_until(lambda: "listening on" in process.stderr(), 10, name)
    else:
        time.sleep(1)
    return process


def dropped(process, how):
    if process is None:
        return 0
    if how == "agent":
        value = process.settled("vethscope_capture_packets_total", 1)
        time.sleep(1.1)
        value = process.metrics()
        return int(value.total("vethscope_capture_dropped_packets_total"))
    process.stop(signal.SIGINT if "httpry" not in process.name else signal.SIGTERM)
    match = re.search(r"(\d+) packets dropped by kernel", process.stderr())
    return int(match.group(1)) if match else -1


def measure(lab, name, how, server, client, target, seconds):
    process = start(lab, name, how, server.interface)
    before = cpu_seconds(process) if process else 0
    wrk = lab.process("wrk", ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency",
                              f"http://{server.address}{target}"], client)
    wrk.finish(seconds + 30)
    time.sleep(0.4)
    used = cpu_seconds(process) - before if process else 0
    output = wrk.stdout()
    requests = int(re.search(r"(\d+) requests in", output).group(1))
    result = {"cpu": used / requests * 1e5, "rate": requests / seconds,
              "p99": milliseconds(re.search(r" 99%\s+(\S+)", output).group(1)),
              "drops": dropped(process, how)}
    if how == "agent":
        counted = process.metrics()
        result["missed"] = counted.total("vethscope_missed_bytes_total")
        result["seen"] = counted.total("http_server_request_duration_seconds_count") / requests
    if process:
        process.stop()
    return result


def table(lab, title, server, client, target, seconds, rounds):
    results = {name: [] for name in observers()}
    for _ in range(rounds):
        for name, how in observers().items():
            results[name].append(measure(lab, name, how, server, client, target, seconds))
    print(f"\n{title}: {rounds} rounds of {seconds} s, ring of {RING >> 20} MiB")
    print(f"{'':<22}{'CPU s/100,000':>14}{'requests/s':>12}{'p99 ms':>8}{'dropped':>9}")
    for name, runs in results.items():
        middle = {key: statistics.median(one[key] for one in runs) for key in runs[0]}
        line = f"{name:<22}{middle['cpu']:14.3f}{middle['rate']:12.0f}{middle['p99']:8.2f}" \
               f"{middle['drops']:9.0f}"
        if "seen" in middle:
            line += f"   counted {middle['seen']:.4f} of them, {middle['missed']:.0f} bytes missed"
        print(line, flush=True)


def main():
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
    with Lab("benchlive") as lab:
        server, client = lab.pod("web"), lab.pod("client")
        Nginx(lab, server, NGINX, {"large": os.urandom(1 << 20)})
        table(lab, "small exchanges", server, client, "/small", seconds, rounds)
        table(lab, "bodies of 1 MiB", server, client, "/large", seconds, rounds)


if __name__ == "__main__":
    run(main)
