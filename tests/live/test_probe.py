#!/usr/bin/env python3
"""`vethscope probe`: says of an agent that it is ready, and of everything else what it is instead."""

import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from checks import Checks  # noqa: E402
from lab import Agent, Lab, binary, run  # noqa: E402


def probe(lab, *arguments):
    """Status, output and errors, asked from the node."""
    done = subprocess.run([*lab.node.enter_command, binary(), "probe", *arguments],
                          capture_output=True, text=True, check=False, timeout=30,
                          env={"http_proxy": "http://127.0.0.1:1", "PATH": "/usr/sbin:/usr/bin"})
    return done.returncode, done.stdout, done.stderr


def check_refused(checks, lab, what, words, *arguments, status=1):
    got = probe(lab, *arguments)
    checks.equal(f"{what}: status", got[0], status)
    checks.equal(f"{what}: says nothing else", got[1], "")
    checks.true(f"{what}: says why", words in got[2], got[2])


def main():
    version = subprocess.run([binary(), "--version"], capture_output=True, text=True,
                             check=True).stdout.split()[1]
    with Checks() as checks, Lab("probe") as lab:
        pod = lab.pod("server")
        lab.backend(pod, 9990)
        lab.node.ip("address", "add", "10.77.255.1/16", "dev", lab.bridge)
        check_refused(checks, lab, "nobody", "http://127.0.0.1:9990/readyz: ")
        Agent(lab, ("--listen=:9990",)).wait_ready()
        for arguments, base in (((), "http://127.0.0.1:9990"),
                                (("127.0.0.1",), "http://127.0.0.1:9990"),
                                (("::1", "9990"), "http://[::1]:9990"),
                                (("[::1]",), "http://[::1]:9990"),
                                (("10.77.255.1", "9990"), "http://10.77.255.1:9990")):
            checks.equal(f"an agent: {arguments}", probe(lab, *arguments),
                         (0, f"{base}: ready, version {version}, 1 interfaces\n", ""))
        check_refused(checks, lab, "another server", "these are not vethscope's", pod.address)
        check_refused(checks, lab, "another port", "127.0.0.1:9991/readyz", "127.0.0.1", "9991")
        check_refused(checks, lab, "no name", "nowhere.invalid", "nowhere.invalid")
        check_refused(checks, lab, "no address", "too long", "a" * 400, status=2)
        for port in ("http", "", "0", "65536", "80 "):
            check_refused(checks, lab, f"port '{port}'", "is no port", "127.0.0.1", port, status=2)
        check_refused(checks, lab, "too much", "at most", "a", "1", "2", status=2)
        status, output, _ = probe(lab, "--help")
        checks.equal("help", (status, output.startswith("usage: vethscope probe")), (0, True))


if __name__ == "__main__":
    run(main)
