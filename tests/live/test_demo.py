#!/usr/bin/env python3
"""The demo shows the traffic of its four services, and leaves nothing behind however it ends. Its
"machine" is a namespace here, so this one is not touched."""

import pathlib
import re
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from checks import Checks  # noqa: E402
from lab import METRICS_PORT, SOURCE_DIR, Lab, Process, command, run, wait_until  # noqa: E402

DEMO = SOURCE_DIR / "deploy" / "demo" / "demo.py"
SECONDS = 7
SERVED = "http_server_request_duration_seconds_count"


def start(lab, name, seconds):
    return Process(lab, name, [sys.executable, DEMO], lab.node, {"DEMO_SECONDS": str(seconds)})


def left_behind(lab, demo):
    links = [line for line in lab.node.ip("-o", "link", "show").splitlines() if "vsd" in line]
    names = [line for line in command("ip", "netns", "list").splitlines()
             if line.startswith(f"vst{demo.child.pid}-")]
    return links + names


def is_serving(lab):
    try:
        return SERVED in lab.node.get("127.0.0.1", METRICS_PORT, "/metrics")[1].decode()
    except OSError:
        return False


def check_table(checks, what, text):
    for service in ("gateway", "catalog", "orders", "users"):
        row = re.search(rf"^{service} .* (\d+)$", text, re.MULTILINE)
        if checks.true(f"{what}: a row of {service}", row, text):
            checks.true(f"{what}: requests of {service}", int(row.group(1)) > 0, row.group())
    checks.true(f"{what}: no packet lost", re.search(r" packets, 0 lost$", text, re.MULTILINE), text)
    longest = max(map(len, text.splitlines()))
    checks.true(f"{what}: fits 100 columns", longest <= 100, longest)


def main():
    with Checks() as checks, Lab("shop") as lab:
        for name in ("first", "second"):
            demo = start(lab, name, SECONDS)
            checks.equal(f"{name}: exit status", demo.finish(SECONDS + 30), 0)
            check_table(checks, name, demo.stdout())
            checks.equal(f"{name}: left behind", left_behind(lab, demo), [])
        for number, status in ((signal.SIGINT, 0), (signal.SIGTERM, 128 + signal.SIGTERM)):
            demo = start(lab, number.name, 60)
            wait_until(lambda: is_serving(lab), 20, "the demo")
            checks.true(f"{number.name}: it is there", left_behind(lab, demo) != [])
            checks.equal(f"{number.name}: exit status", demo.stop(number), status)
            checks.equal(f"{number.name}: left behind", left_behind(lab, demo), [])
        killed = start(lab, "killed", 60)
        wait_until(lambda: is_serving(lab), 20, "the demo")
        killed.discard()
        wait_until(lambda: not is_serving(lab), 10, "the end of the killed demo's agent")
        demo = start(lab, "after", SECONDS)
        checks.equal(f"after a killed one: exit status: {demo.stderr()}",
                     demo.finish(SECONDS + 30), 0)
        checks.equal("after a killed one: left behind",
                     left_behind(lab, demo) + left_behind(lab, killed), [])


if __name__ == "__main__":
    run(main)
