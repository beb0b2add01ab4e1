#!/usr/bin/env python3
"""Events per second into a real Kafka broker on this machine, as bench_events counts them."""

import os
import pathlib
import shutil
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "support"), str(ROOT / "tests" / "receivers" / "kafka")]

from broker import PORT, Broker  # noqa: E402
from lab import Lab, command, run  # noqa: E402

PROGRAM = os.environ.get("BENCH_EVENTS", str(ROOT / "build/release/tests/bench/bench_events"))


def main():
    missing = [name for name in ("java", "mvn") if shutil.which(name) is None]
    if missing:
        print(f"not measured: {' and '.join(missing)} not installed (.ci/setup.sh receivers)")
        return
    with Lab("benchkafka") as lab:
        # librdkafka resolves nothing, not even 127.0.0.1, where there is only loopback.
        lab.node.ip("addr", "add", "192.0.2.1/32", "dev", "lo")
        broker = Broker(lab)
        broker.start()
        print(command(*lab.node.enter_command, PROGRAM, "kafka", f"127.0.0.1:{PORT}"), end="")


if __name__ == "__main__":
    run(main)
