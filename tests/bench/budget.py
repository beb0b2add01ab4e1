#!/usr/bin/env python3
"""How many instructions a packet, a message head and an exchange take, counted by valgrind, against
those of budget.json.

  budget.py BUILD           compares; fails where one takes more than the tolerance allows
  budget.py BUILD --write   makes what it takes now the budget
  budget.py BUILD --profile KIND   the functions that take the most while a capture of the kind
                            (captures.py) is read

BUILD is a build directory without optimisation across files. Compilers differ in what they make of
the same code, so the budget is one compiler's: with another one, or on a processor on which the
program runs other code, the numbers are printed and nothing fails."""

import json
import pathlib
import platform
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "support"), str(HERE)]

import callgrind  # noqa: E402
import captures  # noqa: E402

BUDGET = HERE / "budget.json"
PACKETS, HEADS, EVENTS = 10000, 2000, 2500
FEEDS, SPANS = 200000, 10000
MACHINES = ("portable", "sse42", "avx2", "neon")
HEAD_NAMES = ("115-byte request", "654-byte request", "244-byte response")
USED_MACHINE = "avx2"  # by the program, where the budget was written


class Build:
    def __init__(self, path):
        self.path = pathlib.Path(path).resolve()
        self.cache = (self.path / "CMakeCache.txt").read_text(encoding="utf-8")

    def setting(self, name):
        found = re.search(rf"^{name}:\w+=(.*)$", self.cache, re.MULTILINE)
        return found[1] if found else ""

    def bench(self, name):
        return self.path / "tests/bench" / name

    def compiler(self):
        """As "gcc 12 x86_64": who, the major version, for what."""
        program = self.setting("CMAKE_C_COMPILER")
        version = subprocess.run([program, "--version"], capture_output=True, text=True,
                                 check=True).stdout
        name = "clang" if "clang" in version else "gcc"
        major = re.search(r"(\d+)\.\d+\.\d+", version)[1]
        return f"{name} {major} {platform.machine()}"

    def flags(self):
        return (f"{self.setting('CMAKE_BUILD_TYPE')}, hardened {self.setting('VETHSCOPE_HARDENED')}"
                f", LTO {self.setting('VETHSCOPE_LTO')}")

    def runs(self, machine):
        """Whether this processor has what that way to read a head needs."""
        done = subprocess.run([self.bench("bench_http_parser"), str(MACHINES.index(machine)), "0",
                               "1"], check=False, capture_output=True)
        return done.returncode == 0


def packets_of(build, kind, directory):
    """Of `vethscope read`: a packet, and where all are alike an exchange with all its packets."""
    counted, exchanges = [], []
    for times in (1, 2):
        path = directory / f"{kind}-{times}.pcap"
        exchanges.append(captures.write(path, kind, times * PACKETS))
        counted.append(callgrind.count([build.path / "agent/vethscope", "read", "--output",
                                        "prometheus", path]))
    more = counted[1] - counted[0]
    result = {f"packet, {kind}": more / PACKETS}
    if kind in ("small", "crowd", "browser"):
        result[f"exchange with its packets, {kind}"] = more / (exchanges[1] - exchanges[0])
    return result


def head_of(build, machine, head):
    argv = [build.bench("bench_http_parser"), MACHINES.index(machine), head]
    counted = callgrind.each(lambda heads: [*argv, heads], HEADS)
    return {f"head, {HEAD_NAMES[head]}, {machine}": counted}


def event_of(build, step, what):
    argv = [build.bench("bench_events"), step]
    return {f"exchange, {what}": callgrind.each(lambda events: [*argv, events], EVENTS)}


def function_of(build, argv, function, times, what):
    return {f"exchange, {what}": callgrind.count([build.bench(argv[0]), *argv[1:]],
                                                 function) / times}


def measure(build):
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor() as pool:
        jobs = [pool.submit(packets_of, build, kind, pathlib.Path(name))
                for kind in captures.KINDS]
        jobs += [pool.submit(head_of, build, machine, head) for machine in MACHINES
                 if build.runs(machine) for head in range(len(HEAD_NAMES))]
        jobs.append(pool.submit(function_of, build, ("bench_scrape", "plain"), "feed_round*", FEEDS,
                                "counted"))
        jobs.append(pool.submit(function_of, build, ("bench_otlp", "quick"), "otlp_span_append",
                                SPANS, "as a span"))
        jobs += [pool.submit(event_of, build, step, what) for step, what in
                 (("record", "as a record with names"), ("ring", "into the worker's ring"),
                  ("encode", "as an event"))]
        result = {}
        for job in jobs:
            result.update(job.result())
        return result


def write(build, counted):
    made = {"compiler": build.compiler(), "flags": build.flags(), "tolerance": 0.05,
            "instructions": {what: round(number) for what, number in counted.items()}}
    BUDGET.write_text(json.dumps(made, indent=2) + "\n", encoding="utf-8")
    for what, number in counted.items():
        print(f"{what:<44}{number:10.0f}")


def compare(budget, counted):
    """The names of those that take too much, and of those in only one of both."""
    allowed, wrong = budget["instructions"], []
    print(f"{'instructions':<44}{'now':>10}{'budget':>10}")
    for what in {**allowed, **counted}:
        now, before = counted.get(what), allowed.get(what)
        mark = ""
        if now is None or before is None:
            mark = "not counted here" if now is None else "not in the budget"
            print(f"{what:<44}{now or 0:10.0f}{before or 0:10.0f}  {mark}")
            wrong.append(what)
            continue
        change = now / before - 1
        if now > before * (1 + budget["tolerance"]) + 1e-9:
            mark = "  TOO MUCH"
            wrong.append(what)
        elif change < -budget["tolerance"]:
            mark = "  less: budget.py --write keeps it so"
        print(f"{what:<44}{now:10.0f}{before:10d}{change:+8.1%}{mark}")
    return wrong


def profile(build, kind):
    """Of 20,000 packets, start and end of the program included."""
    with tempfile.TemporaryDirectory() as name:
        path, out = pathlib.Path(name) / "packets.pcap", pathlib.Path(name) / "out"
        captures.write(path, kind, 2 * PACKETS)
        subprocess.run(["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={out}",
                        build.path / "agent/vethscope", "read", "--output", "prometheus", path],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        table = subprocess.run(["callgrind_annotate", "--auto=no", "--threshold=90", out],
                               capture_output=True, text=True, check=True).stdout
    for line in table.splitlines():
        found = re.match(r" *([\d,]+) \( ?([\d.]+)%\) +(.*?)(?: \[.*\])?$", line)
        if found:
            packet = int(found[1].replace(",", "")) / (2 * PACKETS)
            print(f"{packet:8.1f} a packet {found[2]:>6} %  {found[3].rsplit('/', 1)[-1]}")


def judge(budget, counted, here):
    """What is wrong, "" for nothing; `here` is a compiler, flags, and whether the processor is as
    the budget's."""
    wrong = compare(budget, counted)
    compiler, flags, usual = here
    if (compiler, flags, usual) != (budget["compiler"], budget["flags"], True):
        print(f"\nNOT CHECKED: the budget is for {budget['compiler']} ({budget['flags']}) on a "
              f"processor with {USED_MACHINE}; this is {compiler} ({flags})"
              f"{'' if usual else f', without {USED_MACHINE}'}.")
        return ""
    if not wrong:
        return ""
    return (f"\nover the budget, or not in both: {'; '.join(wrong)}\n"
            "If that is right: tests/bench/budget.py BUILD --write")


def main():
    how = sys.argv[2:3]
    if len(sys.argv) < 2 or how not in ([], ["--write"], ["--profile"]):
        sys.exit(__doc__)
    build = Build(sys.argv[1])
    if how == ["--profile"]:
        profile(build, sys.argv[3] if len(sys.argv) > 3 else "small")
        return
    if build.setting("VETHSCOPE_LTO") == "ON":
        sys.exit(f"{build.path} is optimised across files: how much that does is chance")
    counted = measure(build)
    if how:
        write(build, counted)
        return
    here = build.compiler(), build.flags(), build.runs(USED_MACHINE)
    sys.exit(judge(json.loads(BUDGET.read_text(encoding="utf-8")), counted, here) or 0)


if __name__ == "__main__":
    main()
