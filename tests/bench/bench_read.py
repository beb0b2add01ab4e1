#!/usr/bin/env python3
"""How long `vethscope read` takes for a capture, as a ratio to tcpdump copying it to /dev/null and
to tshark decoding its HTTP. Prints numbers; nothing passes or fails."""

import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import big_capture  # noqa: E402
from lab import Lab, binary, run  # noqa: E402

CAPTURE_BYTES = 1 << 30
# tshark is that much slower that a part of the file must do.
TSHARK_BYTES = 64 << 20
ROUNDS = 3
REQUESTS = 300


def best_of(argv):
    """The shortest of some runs, in seconds."""
    times = []
    for _ in range(ROUNDS):
        start = time.monotonic()
        subprocess.run(list(map(str, argv)), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, check=True)
        times.append(time.monotonic() - start)
    return min(times)


def small_capture(lab):
    server, client = lab.pod("server"), lab.pod("client")
    lab.backend(server)
    capture = lab.capture(server.interface, "small.pcap")
    for number in range(REQUESTS):
        client.get(server.address, 80, f"/item/{number}?page=1")
    capture.close()
    return capture.path


def report(name, seconds, size, vethscope):
    print(f"{name:<28}{seconds:8.2f} s {size / seconds / 1e6:9.0f} MB/s"
          f"   read takes {vethscope / seconds:.3f} times as long")


def main():
    with Lab("bench") as lab:
        small = small_capture(lab)
        big, part = lab.directory / "big.pcap", lab.directory / "part.pcap"
        rounds = big_capture.write(big, small, CAPTURE_BYTES)
        big_capture.write(part, small, TSHARK_BYTES)
        size, part_size = big.stat().st_size, part.stat().st_size
        print(f"{size >> 20} MiB, {rounds * REQUESTS} requests; best of {ROUNDS} runs")
        read = {}
        for output in ("table", "prometheus", "json"):
            read[output] = best_of([binary(), "read", "--output", output, big])
            print(f"vethscope read, {output:<12} {read[output]:8.2f} s "
                  f"{size / read[output] / 1e6:9.0f} MB/s")
        copy = best_of(["tcpdump", "-r", big, "-w", "/dev/null"])
        report("tcpdump -r -w /dev/null", copy, size, read["table"])
        decode = best_of(["tshark", "-n", "-r", part, "-Y", "http", "-T", "fields",
                          "-e", "http.request.method", "-e", "http.response.code"])
        report(f"tshark, {part_size >> 20} MiB of it", decode, part_size,
               best_of([binary(), "read", part]))


if __name__ == "__main__":
    run(main)
