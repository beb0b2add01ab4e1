#!/usr/bin/env python3
"""Events per second into a real Kafka broker on this machine, as bench_events counts them, and the
instructions that each takes."""

import os
import pathlib
import shutil
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "support"), str(ROOT / "tests" / "receivers" / "kafka")]

import callgrind  # noqa: E402
from broker import PORT, Broker  # noqa: E402
from lab import Lab, command, run  # noqa: E402

PROGRAM = os.environ.get("BENCH_EVENTS", str(ROOT / "build/release/tests/bench/bench_events"))
EVENTS, COUNTED_EVENTS = 3000000, 10000


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
        enter, receiver = lab.node.enter_command, f"127.0.0.1:{PORT}"
        print(command(*enter, PROGRAM, "kafka", str(EVENTS), receiver), end="", flush=True)
        counted = callgrind.each(lambda events: [PROGRAM, "kafka", events, receiver],
                                 COUNTED_EVENTS, enter)
        print(f"{counted:.0f} instructions each")


if __name__ == "__main__":
    run(main)
