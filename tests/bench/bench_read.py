#!/usr/bin/env python3
"""What reading a capture costs: CPU of the whole process, user and system, and its largest resident
memory, of `vethscope read`, of tcpdump copying the packets, of a loop that does nothing with them,
and of those programs that read HTTP and are installed. All take turns over the same generated
captures (captures.py); ratios are medians of the turns' ratios. Prints numbers; fails only when an
exchange was miscounted."""

import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "support"), str(ROOT / "tests" / "bench")]

import captures  # noqa: E402
from lab import binary  # noqa: E402

BARE = os.environ.get("BARE_LOOP", str(ROOT / "build/release/tests/bench/bare_loop"))
PACKETS = {"small": 1020000, "crowd": 300000, "browser": 300000, "mixed": 300000, "lossy": 1020000}
TURNS, SLOW_TURNS = 9, 3
LOOK_SECONDS = 0.005
# Beside the bare loop on small exchanges alone; the last one reads a part of them, it takes so long.
SLOW = (("ndpiReader", "-q", "-i"),
        ("httpry", "-o", "/dev/null", "-r"),
        ("ngrep", "-q", "HTTP", "port", "80", "-I"),
        ("tshark", "-n", "-Y", "http", "-T", "fields", "-e", "http.request.method", "-e",
         "http.response.code", "-r"))
PART, PART_PACKETS = "tshark", 60000


def resident_mib(process):
    """The most so far; 0 when it is over. (A child's ru_maxrss is at least its parent's.)"""
    try:
        status = pathlib.Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return 0
    found = re.search(r"VmHWM:\s+(\d+)", status)
    return int(found[1]) / 1024 if found else 0


def spent(argv):
    """(CPU seconds, MiB resident at most)"""
    mib, pid = 0, 0
    with subprocess.Popen(list(map(str, argv)), stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while pid == 0:
            mib = max(mib, resident_mib(process))
            time.sleep(LOOK_SECONDS)
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{argv[0]} ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime, mib


class Contest:
    """Programs that take turns; each one's cost is kept for a packet."""

    def __init__(self):
        self.seconds, self.mib = {}, {}

    def turn(self, name, argv, packets):
        seconds, mib = spent(argv)
        self.seconds.setdefault(name, []).append(seconds / packets)
        self.mib[name] = max(mib, self.mib.get(name, 0))

    def ratio(self, name, other):
        pairs = zip(self.seconds[name], self.seconds[other])
        return statistics.median(mine / others for mine, others in pairs)

    def report(self):
        print(f"{'':<28}{'s per million':>14}{'to bare loop':>14}{'to tcpdump':>12}{'MiB':>8}")
        for name, seconds in self.seconds.items():
            print(f"{name:<28}{statistics.median(seconds) * 1e6:14.3f}"
                  f"{self.ratio(name, 'bare loop'):14.2f}{self.ratio(name, 'tcpdump -w'):12.2f}"
                  f"{self.mib[name]:8.1f}", flush=True)


def counted(path):
    """Exchanges in what vethscope says."""
    out = subprocess.run([binary(), "read", "--output", "prometheus", path], check=True,
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL, text=True).stdout
    lines = (line for line in out.splitlines()
             if line.startswith("http_server_request_duration_seconds_count"))
    return sum(int(float(line.rsplit(" ", 1)[1])) for line in lines)


def compete(path, kind, part):
    contest, packets = Contest(), PACKETS[kind]
    for turn in range(TURNS):
        contest.turn("bare loop", [BARE, path], packets)
        contest.turn("tcpdump -w", ["tcpdump", "-r", path, "-w", "/dev/null"], packets)
        for output in ("prometheus", "json") if kind == "small" else ("prometheus",):
            contest.turn(f"vethscope read, {output}",
                         [binary(), "read", "--output", output, path], packets)
        for name, *arguments in SLOW if kind == "small" and turn < SLOW_TURNS else ():
            if shutil.which(name):
                argv = [name, *arguments, part if name == PART else path]
                contest.turn(name, argv, PART_PACKETS if name == PART else packets)
    contest.report()


def main():
    absent = [name for name, *_ in SLOW if shutil.which(name) is None]
    if absent:
        print(f"not installed (.ci/setup.sh bench), so not measured: {', '.join(absent)}")
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        captures.write(directory / "part.pcap", "small", PART_PACKETS)
        for kind, packets in PACKETS.items():
            path = directory / f"{kind}.pcap"
            exchanges = captures.write(path, kind, packets)
            found = counted(path)
            print(f"\n{kind}: {packets} packets, {path.stat().st_size >> 20} MiB, "
                  f"{exchanges} exchanges, {found} counted; {TURNS} turns")
            compete(path, kind, directory / "part.pcap")
            path.unlink()
            if kind != "lossy" and found != exchanges:
                sys.exit(f"{kind}: {exchanges} exchanges, but {found} were counted")


if __name__ == "__main__":
    main()
