#!/usr/bin/env python3
"""One conversation of real programs, captured by tcpdump, told in every way a capture can be
written: each must read as the same exchanges. And every output of `read`, compared with the others
and with what an outside decoder makes of it."""

import gzip
import json
import pathlib
import re
import struct
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from checks import Checks  # noqa: E402
from lab import SOURCE_DIR, Lab, binary, run  # noqa: E402

TARGETS = ["/", "/status/404", "/status/500", "/users/42?token=1", "/users/43", "/middle/5"]
ROUNDS = 5
FILE_HEADER = struct.Struct("<IHHiIII")
RECORD = struct.Struct("<IIII")
MICROSECONDS, NANOSECONDS = 0xA1B2C3D4, 0xA1B23C4D
ETHERNET, RAW, SLL, SLL2, NULL, LOOP = 1, 101, 113, 276, 0, 108
ETHERNET_HEADER = 14
COLUMNS = 100


def records_of(path):
    """(seconds, nanoseconds, frame) of tcpdump's file."""
    data = path.read_bytes()
    magic, *_ = FILE_HEADER.unpack_from(data)
    assert magic == NANOSECONDS, hex(magic)
    at, records = FILE_HEADER.size, []
    while at < len(data):
        seconds, fraction, captured, _ = RECORD.unpack_from(data, at)
        at += RECORD.size
        records.append((seconds, fraction, data[at:at + captured]))
        at += captured
    return records


def relinked(frame, link):
    """The packet of an Ethernet frame behind another link's header."""
    ethertype, packet = frame[12:14], frame[ETHERNET_HEADER:]
    if link == ETHERNET:
        return frame
    if link == RAW:
        return packet
    if link == SLL:
        return b"\0\0\0\1\0\6" + frame[6:12] + b"\0\0" + ethertype + packet
    if link == SLL2:
        return ethertype + b"\0\0\0\0\0\7\0\1\0\6" + frame[6:12] + b"\0\0" + packet
    if link == NULL:
        return struct.pack("<I", 2) + packet
    return struct.pack(">I", 2) + packet


def tagged(frame):
    """Behind two VLAN tags."""
    return frame[:12] + b"\x88\xa8\x00\x05" + b"\x81\x00\x00\x06" + frame[12:]


def pcap(records, link=ETHERNET, order="<", magic=NANOSECONDS):
    unit = 1 if magic == NANOSECONDS else 1000
    out = [struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 262144, link)]
    for seconds, fraction, frame in records:
        frame = relinked(frame, link)
        out.append(struct.pack(order + "IIII", seconds, fraction // unit, len(frame), len(frame)))
        out.append(frame)
    return b"".join(out)


def block(kind, body, order):
    body += b"\0" * (-len(body) % 4)
    length = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + length + body + length


def pcapng(records, links, order="<"):
    """An interface of its own for each link; a connection stays on one."""
    nanoseconds = struct.pack(order + "HHB3x", 9, 1, 9) + struct.pack(order + "HH", 0, 0)
    out = [block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order)]
    for link in links:
        out.append(block(1, struct.pack(order + "HHI", link, 0, 65535 + link) + nanoseconds, order))
    for seconds, fraction, frame in records:
        ports = struct.unpack_from(">HH", frame, ETHERNET_HEADER + 20)
        interface = max(ports) % len(links)
        frame = relinked(frame, links[interface])
        time = seconds * 10**9 + fraction
        head = struct.pack(order + "IIIII", interface, time >> 32, time & 0xFFFFFFFF, len(frame),
                           len(frame))
        out.append(block(6, head + frame, order))
    return b"".join(out)


def read(*arguments, given=None, environment=None):
    done = subprocess.run([binary(), "read", *map(str, arguments)], input=given,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                          env=environment)
    return done.returncode, done.stdout, done.stderr.decode()


def exchanges(*arguments, given=None):
    status, out, errors = read("--output", "json", *arguments, given=given)
    return status, [json.loads(line) for line in out.splitlines()], errors


def without_times(found):
    return [{key: value for key, value in exchange.items()
             if key != "time" and not key.endswith("_ns")} for exchange in found]


def by_client(found):
    return sorted(found, key=lambda exchange: (exchange["client"], exchange["time"]))


def talk(lab):
    """Every request on a connection of its own, and one connection that asks them all."""
    server, client = lab.pod("server"), lab.pod("client")
    lab.backend(server)
    capture = lab.capture(server.interface)
    for _ in range(ROUNDS):
        for target in TARGETS:
            client.get(server.address, 80, target)
    capture.close()
    return server, capture.path


def check_formats(checks, directory, records, wanted):
    half = len(records) // 2
    variants = {
        "pcap, big-endian": pcap(records, order=">"),
        "pcap, raw IP": pcap(records, RAW),
        "pcap, SLL": pcap(records, SLL),
        "pcap, SLL2": pcap(records, SLL2),
        "pcap, null": pcap(records, NULL),
        "pcap, loop": pcap(records, LOOP),
        "pcap, VLAN tags": pcap([(a, b, tagged(frame)) for a, b, frame in records]),
        "pcap, gzip": gzip.compress(pcap(records)),
        "pcap, gzip in two members": gzip.compress(pcap(records)[:5000]) +
                                     gzip.compress(pcap(records)[5000:]),
        "pcapng": pcapng(records, [ETHERNET]),
        "pcapng, big-endian": pcapng(records, [ETHERNET], ">"),
        "pcapng, interfaces that differ": pcapng(records, [ETHERNET, RAW, SLL2]),
        "pcapng, two sections": pcapng(records[:half], [ETHERNET]) +
                                pcapng(records[half:], [ETHERNET], ">"),
        "pcapng, gzip": gzip.compress(pcapng(records, [ETHERNET])),
    }
    for what, content in variants.items():
        path = directory / "variant"
        path.write_bytes(content)
        status, found, errors = exchanges(path)
        checks.equal(f"{what}: exit status ({errors.strip()})", status, 0)
        checks.equal(f"{what}: exchanges", found if "differ" not in what else by_client(found),
                     wanted if "differ" not in what else by_client(wanted))
        status, found, _ = exchanges("-", given=content)
        checks.equal(f"{what} on standard input", (status, len(found)), (0, len(wanted)))
    path = directory / "microseconds"
    path.write_bytes(pcap(records, magic=MICROSECONDS))
    checks.equal("pcap, microseconds", without_times(exchanges(path)[1]), without_times(wanted))
    first, second = directory / "first", directory / "second"
    first.write_bytes(pcap(records[:half]))
    second.write_bytes(pcapng(records[half:], [ETHERNET]))
    for what, paths in (("in order", (first, second)), ("last file first", (second, first))):
        checks.equal(f"two files are one timeline, {what}", exchanges(*paths)[1], wanted)


def check_many_files(checks, directory, records, wanted):
    """As a rotating tcpdump leaves them, and more of them than a process may have open."""
    paths = []
    for number, record in enumerate(records):
        paths.append(directory / f"part{number}")
        paths[-1].write_bytes(pcap([record]))
    paths.append(directory / "empty")
    paths[-1].write_bytes(pcap([]))
    paths.append(directory / "cut")
    paths[-1].write_bytes(pcap(records[-1:])[:-1])
    few = len(paths) // 4
    limited = ["prlimit", f"--nofile={few}", binary(), "read", "--output", "json"]
    read = subprocess.run([*limited, *paths[few:], *paths[:few]], capture_output=True, text=True, check=False)
    checks.equal("many files: exit status", read.returncode, 1)
    checks.equal("many files: what is wrong", read.stderr.count("truncated"), 1)
    checks.equal("many files: exchanges",
                 [json.loads(line) for line in read.stdout.splitlines()], wanted)


def check_truncated(checks, directory, whole, wanted):
    path = directory / "cut.pcap"
    path.write_bytes(whole[:-10])
    status, found, errors = exchanges(path)
    checks.equal("a cut file", (status, found[:-1]), (1, wanted[:len(found) - 1]))
    checks.true("a cut file loses its last exchange at most", len(wanted) - len(found) <= 1,
                len(found))
    checks.true("a cut file is called cut", re.search(r"cut\.pcap: truncated", errors), errors)


def check_options(checks, directory, path, server, wanted):
    client = wanted[0]["client"]
    port = client.rsplit(":", 1)[1]
    checks.equal("--filter", [exchange["client"] for exchange in
                              exchanges("--filter", f"port {port}", path)[1]], [client])
    checks.equal("--side", {exchange["side"] for exchange in
                            exchanges("--side", "client", path)[1]}, {"client"})
    # Without its beginning nobody can tell from a response who is who, but for the port.
    config = directory / "names.yaml"
    config.write_text("names:\n"
                      f"  - {{address: {server.address}, port: 80, namespace: shop, service: web}}\n"
                      "routes:\n  patterns: ['/middle/{pause}']\n")
    named = exchanges("--config", config, path)[1]
    checks.equal("names", {(exchange["server_namespace"], exchange["server_service"])
                           for exchange in named}, {("shop", "web")})
    checks.true("patterns win", any(exchange["route"] == "/middle/{pause}" for exchange in named))
    checks.equal("routes", {exchange["route"] for exchange in wanted},
                 {"/", "/status/{id}", "/users/{id}", "/middle/{id}"})


def told(message):
    """Of protoc's text form: the client, and what it asked."""
    address, port = re.search(r'client \{\s*address: "(.*)"\s*port: (\d+)', message).groups()
    fields = dict(re.findall(r'^(\w+): "?([^"\n]*)"?$', message, re.MULTILINE))
    return f"{address}:{port}", fields["method"], fields["target"], int(fields["status"])


def check_events(checks, path, wanted):
    status, out, _ = read("--output", "events", path)
    checks.equal("events: exit status", status, 0)
    at, messages = 0, []
    while at < len(out):
        length = shift = 0
        while True:
            byte = out[at]
            at += 1
            length |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        decoded = subprocess.run(
            ["protoc", f"--proto_path={SOURCE_DIR}/exporters/proto",
             "--decode=vethscope.v1.Exchange", "vethscope/v1/exchange.proto"],
            input=out[at:at + length], stdout=subprocess.PIPE, check=True)
        messages.append(told(decoded.stdout.decode()))
        at += length
    checks.equal("events: the same as in JSON", messages,
                 [(exchange["client"], exchange["method"], exchange["target"], exchange["status"])
                  for exchange in wanted])


def check_prometheus(checks, path, wanted):
    out = read("--output", "prometheus", path)[1].decode()
    counts = re.findall(r"^http_server_request_duration_seconds_count\{.*\} (\d+)$", out,
                        re.MULTILINE)
    checks.equal("prometheus: as many as in JSON", sum(map(int, counts)), len(wanted))


def check_table(checks, path, wanted):
    status, out, errors = read(path)
    lines = out.decode().splitlines()
    checks.equal("table: exit status", status, 0)
    checks.true("table: fits", all(len(line) <= COLUMNS for line in lines), lines)
    checks.equal("table: aligned", len({len(line) for line in lines}), 1)
    checks.true("table: no colour off a terminal", b"\033" not in out)
    requests = [int(re.split(r"\s+", line)[2]) for line in lines[1:]]
    checks.equal("table: the busiest first", requests, sorted(requests, reverse=True))
    checks.equal("table: all of them", sum(requests), len(wanted))
    checks.true("summary", f"{len(wanted)} exchanges" in errors, errors)


def hostile_capture(records):
    """The first request's target with bytes that are nobody's business on a terminal."""
    changed = []
    for seconds, fraction, frame in records:
        changed.append((seconds, fraction, frame.replace(b"GET /users/42?token=1 ",
                                                         b"GET /\x1b[31m\xff\xfe\x07\"\\er=1 ")))
    return pcap(changed)


def check_hostile(checks, directory, records, wanted):
    path = directory / "hostile.pcap"
    path.write_bytes(hostile_capture(records))
    status, found, _ = exchanges(path)
    checks.equal("hostile bytes: JSON", (status, len(found)), (0, len(wanted)))
    checks.true("hostile bytes: seen", any("\x1b[31m\ufffd\ufffd\x07\"\\" in exchange["target"]
                                           for exchange in found))
    for output in ("table", "json", "prometheus"):
        out = read("--output", output, path)[1]
        raw = set(out) - set(range(32, 127)) - {10}
        checks.true(f"hostile bytes: none raw in {output}",
                    not raw & (set(range(32)) | {127}) and out.decode() != "", sorted(raw))


def main():
    with Checks() as checks, Lab("formats") as lab:
        server, path = talk(lab)
        records = records_of(path)
        status, wanted, errors = exchanges(path)
        checks.equal(f"the capture itself ({errors.strip()})",
                     (status, [exchange["target"] for exchange in wanted]), (0, TARGETS * ROUNDS))
        check_formats(checks, lab.directory, records, wanted)
        check_many_files(checks, lab.directory, records, wanted)
        check_truncated(checks, lab.directory, path.read_bytes(), wanted)
        check_options(checks, lab.directory, path, server, wanted)
        check_events(checks, path, wanted)
        check_prometheus(checks, path, wanted)
        check_table(checks, path, wanted)
        check_hostile(checks, lab.directory, records, wanted)


if __name__ == "__main__":
    run(main)
