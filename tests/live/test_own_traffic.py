#!/usr/bin/env python3
"""Scrapes of the agent are not the node's traffic, whichever of the node's many addresses they are
made at; the same request to another server there is."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from checks import Checks  # noqa: E402
from lab import METRICS_PORT, SUPPORT_DIR, Lab, run  # noqa: E402

# More than a node with an address on each pod link has.
ADDRESSES = 300
OTHER_PORT = 80
COUNT = "http_server_request_duration_seconds_count"


def main():
    with Checks() as checks, Lab("own") as lab:
        addresses = [f"10.250.{number // 200}.{number % 200}" for number in range(ADDRESSES)]
        for address in addresses:
            lab.node.ip("address", "add", f"{address}/32", "dev", "lo")
        lab.serve("backend", [sys.executable, SUPPORT_DIR / "backend.py", OTHER_PORT], lab.node,
                  OTHER_PORT)
        agent = lab.agent("--interface", "lo", "--listen", f":{METRICS_PORT}")
        for address in (addresses[0], addresses[-1]):
            checks.equal(f"scrape at {address}", lab.node.get(address, METRICS_PORT, "/metrics")[0],
                         200)
            lab.node.get(address, OTHER_PORT, "/")
        metrics = agent.settled(COUNT, 2)
        checks.equal("counted", metrics.by(COUNT, "service_name"),
                     {(f"{address}:{OTHER_PORT}",): 1 for address in (addresses[0], addresses[-1])})
        checks.equal("exit status", agent.stop(), 0)


if __name__ == "__main__":
    run(main)
