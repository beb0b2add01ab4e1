#!/usr/bin/env python3
"""`read` on a capture of more than 1 GB counts every request of it and stays under 64 MiB."""

import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import big_capture  # noqa: E402
import prometheus_text  # noqa: E402
from checks import Checks  # noqa: E402
from lab import Lab, binary, run  # noqa: E402

CAPTURE_BYTES = (1 << 30) + 1
LIMIT_KIB = 64 * 1024
REQUESTS = 300
COUNT = "http_server_request_duration_seconds_count"


def small_capture(lab):
    """Requests with bodies of several packets, each on a connection of its own."""
    server, client = lab.pod("server"), lab.pod("client")
    lab.backend(server)
    capture = lab.capture(server.interface, "small.pcap")
    for number in range(REQUESTS):
        client.get(server.address, 80, f"/item/{number}?page=1")
    capture.close()
    return capture.path


def read(path, output, file):
    """Runs read; returns its exit status and the most memory it had, in KiB."""
    process = subprocess.Popen([binary(), "read", "--output", output, str(path)],
                               stdin=subprocess.DEVNULL, stdout=file)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage.ru_maxrss


def main():
    with Checks() as checks, Lab("memory") as lab:
        small, big = small_capture(lab), lab.directory / "big.pcap"
        rounds = big_capture.write(big, small, CAPTURE_BYTES)
        checks.true("size", big.stat().st_size >= CAPTURE_BYTES)
        for output in ("prometheus", "table", "json"):
            target = lab.directory / "output"
            with open(target, "wb") as file:
                status, most = read(big, output, file)
            checks.equal(f"{output}: exit status", status, 0)
            checks.true(f"{output}: under {LIMIT_KIB} KiB", most < LIMIT_KIB, most)
            print(f"{output}: {most} KiB for {big.stat().st_size >> 20} MiB")
            if output == "prometheus":
                metrics = prometheus_text.parse(target.read_text())
                checks.equal("requests", metrics.total(COUNT), rounds * REQUESTS)
            if output == "json":
                with open(target, "rb") as file:
                    checks.equal("lines", sum(1 for _ in file), rounds * REQUESTS)


if __name__ == "__main__":
    run(main)
