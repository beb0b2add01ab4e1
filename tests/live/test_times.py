#!/usr/bin/env python3
"""Every phase equals what an independent decoder gets from the packet times, to a microsecond; it
is not below what the server waited and not above what curl measured."""

import collections
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import decoders  # noqa: E402
from checks import Checks  # noqa: E402
from lab import Lab, LabError, run  # noqa: E402

TOLERANCE_NS = 1000
# Live, tcpdump and vethscope look at the same packets, but the kernel stamps a packet of a local
# sender for each of them, some hundred nanoseconds apart and more when it is interrupted.
LIVE_TOLERANCE_NS = 5000
MS = 10**6
# Path, rounds, what the server phase and the response phase must last at least (ns).
WAITS = [
    ("/after/0", 20, 0, 0),
    ("/after/5", 20, 5 * MS, 0),
    ("/after/20", 10, 20 * MS, 0),
    ("/after/100", 5, 100 * MS, 0),
    ("/middle/50", 5, 0, 50 * MS),
]
UPLOAD_BYTES = 3_000_000
FIELDS = ("request_ns", "server_ns", "response_ns", "duration_ns")


def curl(lab, pod, number, arguments):
    """One run; returns the seconds that curl says each of its transfers took, in ns."""
    process = lab.process(f"curl-{number}", [
        "curl", "-sS", "-o", "/dev/null", "-w", "%{time_total}\\n", *arguments], pod)
    if process.finish(60) != 0:
        raise LabError(f"curl: {process.stderr()}")
    return [round(float(line) * 10**9) for line in process.stdout().split()]


def run_traffic(lab, client, address):
    """Every wait on connections of their own and again on one that is kept; then an upload.
    Returns the expected (path, server, response, curl) in the order of the requests."""
    upload = lab.directory / "upload"
    upload.write_bytes(b"u" * UPLOAD_BYTES)
    plan = []
    for path, rounds, server, response in WAITS:
        for _ in range(rounds):
            plan.append((path, server, response, ["GET"], 1))
        plan.append((path, server, response, ["GET"], rounds))
    plan.append(("/after/20", 20 * MS, 0, ["POST", "-H", "Expect:", "--data-binary", f"@{upload}"], 1))
    expected = []
    for number, (path, server, response, how, times) in enumerate(plan):
        urls = [f"http://{address}{path}"] * times
        outputs = ["-o", "/dev/null"] * (times - 1)
        totals = curl(lab, client, number, [*outputs, *how[1:], *urls])
        expected += [(path, server, response, total) for total in totals]
    return expected


def check_against_packets(checks, where, exchanges, decoded):
    if not checks.equal(f"{where}: exchanges", len(exchanges), len(decoded)):
        return
    worst = collections.Counter()
    for number, (exchange, phases) in enumerate(zip(exchanges, decoded, strict=True)):
        wanted = phases.as_fields()
        start = decoders.nanoseconds_of_time(exchange["time"])
        wanted["start"], exchange["start"] = phases.request_start, start
        checks.equal(f"{where}: fields of {number}", "connect_ns" in exchange,
                     "connect_ns" in wanted)
        for name, value in wanted.items():
            off = abs(exchange.get(name, -MS) - value)
            worst[name] = max(worst[name], off)
            if off > TOLERANCE_NS:
                checks.true(f"{where}: {name} of {number}", False,
                            f"got {exchange.get(name)}, wanted {value}")
    checks.true(f"{where}: within a microsecond", max(worst.values()) <= TOLERANCE_NS, worst)
    print(f"{where}: {len(exchanges)} exchanges, farthest off (ns): {dict(worst)}")


def check_bounds(checks, where, exchanges, expected):
    for number, (exchange, wanted) in enumerate(zip(exchanges, expected, strict=True)):
        path, server, response, total = wanted
        what = f"{where}: {number} {path}"
        checks.equal(f"{what} is that request", exchange["target"], path)
        checks.true(f"{what}: server phase", exchange["server_ns"] >= server, exchange)
        checks.true(f"{what}: response phase", exchange["response_ns"] >= response, exchange)
        # curl prints whole microseconds.
        checks.true(f"{what}: not above curl's", exchange["duration_ns"] <= total + 1000,
                    (exchange["duration_ns"], total))


def check_live(checks, agent, service, client, decoded):
    """The sums of the live histograms, from the same packets."""
    for side, name in (("server", service), ("client", client)):
        family = f"http_{side}_request_duration_seconds"
        metrics = agent.settled(f"{family}_count", len(decoded[side]), service_name=name)
        tolerance = len(decoded[side]) * LIVE_TOLERANCE_NS / 10**9
        checks.equal(f"live {side}: count", metrics.total(f"{family}_count", service_name=name),
                     len(decoded[side]))
        fields = [phases.as_fields() for phases in decoded[side]]
        wanted = sum(phase["duration_ns"] for phase in fields) / 10**9
        got = metrics.total(f"{family}_sum", service_name=name)
        checks.true(f"live {side}: duration", abs(got - wanted) <= tolerance, (got, wanted))
        for phase in ("request", "server", "response"):
            wanted = sum(found[f"{phase}_ns"] for found in fields) / 10**9
            got = metrics.total("vethscope_http_phase_duration_seconds_sum", side=side,
                                phase=phase, service_name=name)
            checks.true(f"live {side}: {phase}", abs(got - wanted) <= tolerance, (got, wanted))


def main():
    with Checks() as checks, Lab("times") as lab:
        server, client = lab.pod("server"), lab.pod("client")
        lab.backend(server)
        agent = lab.agent()
        captures = {"server": lab.capture(server.interface, "server.pcap"),
                    "client": lab.capture(client.interface, "client.pcap")}
        expected = run_traffic(lab, client, server.address)
        decoded = {}
        for side, capture in captures.items():
            checks.equal(f"{side}: tcpdump lost", capture.close(), 0)
            decoded[side] = decoders.phases(capture.path, 80)
            exchanges = decoders.read_json(capture.path, "--side", side)
            exchanges.sort(key=lambda exchange: exchange["time"])
            check_against_packets(checks, side, exchanges, decoded[side])
            check_bounds(checks, side, exchanges, expected)
        check_live(checks, agent, f"{server.address}:80", client.address, decoded)
        checks.equal("exit status of the agent", agent.stop(), 0)


if __name__ == "__main__":
    run(main)
