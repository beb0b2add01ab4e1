#!/usr/bin/env python3
"""How many instructions OpenTelemetry's exporters spend on an exchange and on a data point, counted by
valgrind in bench_otlp: the machine's own counters are often not for programs to read."""

import pathlib
import re
import subprocess
import sys

PROGRAM = pathlib.Path(__file__).resolve().parents[2] / "build/release/tests/bench/bench_otlp"
SPANS = 10000
POINTS = 2 * 2 * 5000
STEPS = (("otlp_sampler_wants", SPANS, "an exchange: whether it becomes a span"),
         ("otlp_span_append", SPANS, "an exchange as a span"),
         ("take_point", POINTS, "a data point of 60 buckets, both temporalities"),
         ("otlp_request_write", POINTS, "a data point in a request"))


def main():
    program = sys.argv[1] if len(sys.argv) > 1 else PROGRAM
    for function, count, what in STEPS:
        done = subprocess.run(
            ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
             f"--toggle-collect={function}", program, "quick"],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=True)
        collected = int(re.search(r"Collected : (\d+)", done.stderr).group(1))
        if collected == 0:
            sys.exit(f"{function} was not seen running: is it part of another function?")
        print(f"{what:<50}{collected / count:8.0f} instructions")


if __name__ == "__main__":
    main()
