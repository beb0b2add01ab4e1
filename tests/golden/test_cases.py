#!/usr/bin/env python3
"""Captures written byte by byte and the exact JSON that must be read in them; the events as the
published .proto decodes them, field by field the same; and what depends on where `read` writes."""

import json
import os
import pathlib
import pty
import re
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from checks import Checks  # noqa: E402
from lab import SOURCE_DIR, binary  # noqa: E402
from packets import FIN, ACK, Connection, pcap  # noqa: E402

TRACE = "0af7651916cd43dd8448eb211c80319c"
KEYS = ["time", "side", "client", "server", "method", "target", "route", "host", "version",
        "status", "outcome", "reason", "ambiguous", "request_body_bytes", "response_body_bytes",
        "interim", "request_ns", "server_ns", "response_ns", "duration_ns", "connect_ns", "trace_id",
        "client_namespace", "client_service", "server_namespace", "server_service", "user_agent"]


def read(path, *arguments, environment=None):
    done = subprocess.run([binary(), "read", *map(str, arguments), str(path)],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                          env={**os.environ, **(environment or {})})
    return done.returncode, done.stdout, done.stderr.decode()


def base(**more):
    """What most expected exchanges have."""
    return {"time": "2026-01-31T12:00:00.000003000Z", "side": "server",
            "client": "10.0.0.1:40000", "server": "10.0.0.2:80", "version": "1.1",
            "outcome": "complete", **more}


# ---- the cases: each makes packets and says what must be read in them ----

def every_field(packets):
    connection = Connection(packets).open()
    connection.client(b"POST /users/42?full=1 HTTP/1.1\r\nHost: shop.example\r\n"
                      b"User-Agent: test/1\r\n"
                      b"traceparent: 00-" + TRACE.encode() + b"-b7ad6b7169203331-01\r\n"
                      b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n").wait(10**6)
    connection.server(b"HTTP/1.1 100 Continue\r\n\r\n")
    connection.client(b"12345").wait(20 * 10**6)
    connection.server(b"HTTP/1.1 201 Created\r\nContent-Length: 10\r\n\r\n12345").wait(3 * 10**6)
    connection.server(b"67890").close()
    return [base(method="POST", target="/users/42?full=1", route="/users/{id}", host="shop.example",
                 status=201, request_body_bytes=5, response_body_bytes=10, interim=[100],
                 request_ns=1001000, server_ns=20000000, response_ns=3000000,
                 duration_ns=24001000, connect_ns=2000, trace_id=TRACE, user_agent="test/1")]


def pipelined(packets):
    connection = Connection(packets, "2001:db8::1", "2001:db8::2").open()
    connection.client(b"GET /a HTTP/1.1\r\n\r\nHEAD /b HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    connection.server(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
                      b"HTTP/1.1 404 No\r\nContent-Length: 99\r\n\r\n").close()
    ends = {"client": "[2001:db8::1]:40000", "server": "[2001:db8::2]:80"}
    times = {"request_ns": 0, "server_ns": 1000, "response_ns": 0, "duration_ns": 1000,
             "request_body_bytes": 0}
    return [base(method="GET", target="/a", route="/a", status=200, response_body_bytes=3,
                 connect_ns=2000, **ends, **times),
            base(method="HEAD", target="/b", route="/b", status=404, response_body_bytes=0,
                 **{**ends, **times, "version": "1.0"})]


def broken_off(packets):
    connection = Connection(packets).open()
    connection.client(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
    connection.server(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345").wait(1000)
    connection.reset("server")
    return [base(method="GET", target="/a", route="/a", host="a", status=200,
                 outcome="connection_reset", request_body_bytes=0, request_ns=0, server_ns=1000,
                 connect_ns=2000)]


def without_answer(packets):
    connection = Connection(packets).open()
    connection.client(b"GET /a HTTP/1.1\r\n\r\n").close("server")
    return [base(method="GET", target="/a", route="/a", outcome="server_closed",
                 request_body_bytes=0, request_ns=0, connect_ns=2000)]


def capture_ends(packets):
    connection = Connection(packets).open()
    connection.client(b"PUT /a HTTP/1.1\r\nContent-Length: 5\r\n\r\n123")
    return [base(method="PUT", target="/a", route="/a", outcome="request_only",
                 reason="capture_end", connect_ns=2000)]


def request_lost(packets):
    connection = Connection(packets).open()
    connection.client(b"GET /a HTTP/1.1\r\n\r\n", lost=True)
    connection.server(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").close()
    return [base(time="2026-01-31T12:00:00.000004000Z", status=200, outcome="response_only",
                 reason="gap", response_body_bytes=2, response_ns=0, connect_ns=2000)]


def ambiguous(packets):
    connection = Connection(packets).open()
    connection.client(b"POST /a HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
                      b"0\r\n\r\n")
    connection.server(b"HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n").close()
    return [base(method="POST", target="/a", route="/a", status=400, ambiguous=True,
                 request_body_bytes=0, response_body_bytes=0, request_ns=0, server_ns=1000,
                 response_ns=0, duration_ns=1000, connect_ns=2000)]


def hostile_bytes(packets):
    connection = Connection(packets).open()
    connection.client(b"GET /\x1b]0;x\x07\xff\"\\?\xc3\xa9 HTTP/1.1\r\n"
                      b"Host: \x1b[31m\xfe.example\r\nUser-Agent: a\r\n  b\x00c\r\n\r\n")
    connection.server(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").close()
    return [base(method="GET", target="/\x1b]0;x\x07\ufffd\"\\?\u00e9",
                 route="/{id}", host="\x1b[31m\ufffd.example", status=200, ambiguous=True,
                 request_body_bytes=0, response_body_bytes=0, request_ns=0, server_ns=1000,
                 response_ns=0, duration_ns=1000, connect_ns=2000,
                 user_agent="a\r\n  b\u0000c")]


def cut_short_by_snaplen(packets):
    connection = Connection(packets).open()
    connection.client(b"POST /a HTTP/1.1\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1000, snap=96)
    connection.server(b"HTTP/1.1 200 OK\r\nContent-Length: 1300\r\n\r\n" + b"y" * 1300, snap=96)
    connection.close()
    return [base(method="POST", target="/a", route="/a", status=200, request_body_bytes=1000,
                 response_body_bytes=1300, request_ns=0, server_ns=1000, response_ns=0,
                 duration_ns=1000, connect_ns=2000)]


def sequence_wrap_and_clock_step(packets):
    connection = Connection(packets).open()
    connection.client(b"GET /a HTTP/1.1\r\n\r\n").wait(-10**9)
    connection.server(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n" + b"y" * 50).close()
    return [base(method="GET", target="/a", route="/a", status=200, request_body_bytes=0,
                 response_body_bytes=50, connect_ns=2000)]


def half_closed(packets):
    connection = Connection(packets).open()
    connection.segment("client", FIN | ACK, b"GET /a HTTP/1.0\r\n\r\n")
    connection.server(b"HTTP/1.0 200 OK\r\n\r\nuntil the end")
    connection.segment("server", FIN | ACK)
    return [base(method="GET", target="/a", route="/a", version="1.0", status=200,
                 request_body_bytes=0, response_body_bytes=13, request_ns=0, server_ns=1000,
                 response_ns=0, duration_ns=1000, connect_ns=2000)]


def not_http(packets):
    connection = Connection(packets).open()
    connection.client(b"\x16\x03\x01\x00\x05hello").server(b"\x16\x03\x03\x00\x02ok").close()
    return []


CASES = [every_field, pipelined, broken_off, without_answer, capture_ends, request_lost, ambiguous,
         hostile_bytes, cut_short_by_snaplen, sequence_wrap_and_clock_step, half_closed, not_http]


# ---- events ----

def text_of_proto(text):
    """protoc's text form as a dictionary; what may repeat is a list."""
    stack = [{}]
    for line in text.splitlines():
        line = line.strip()
        if line.endswith("{"):
            child = {}
            stack[-1].setdefault(line[:-1].strip(), []).append(child)
            stack.append(child)
        elif line == "}":
            stack.pop()
        else:
            key, _, value = line.partition(": ")
            stack[-1].setdefault(key, []).append(value)
    return stack[0]


def unquoted(value):
    raw = re.sub(rb"\\(?:([0-7]{3})|(.))",
                 lambda found: bytes([int(found[1], 8)]) if found[1] else
                 {b"n": b"\n", b"r": b"\r", b"t": b"\t"}.get(found[2], found[2]),
                 value[1:-1].encode())
    return raw.decode()


def nanoseconds(text):
    return int(subprocess.run(["date", "-u", "-d", text, "+%s%N"], stdout=subprocess.PIPE,
                              check=True).stdout)


TEXTS = {"method": "method", "target": "target", "route": "route", "host": "host",
         "user_agent": "user_agent", "protocol_version": "version", "trace_id": "trace_id"}
NUMBERS = {"status": "status", "request_body_bytes": "request_body_bytes",
           "response_body_bytes": "response_body_bytes", "request_duration_nano": "request_ns",
           "server_duration_nano": "server_ns", "response_duration_nano": "response_ns",
           "duration_nano": "duration_ns", "connect_duration_nano": "connect_ns"}


def told_by_event(message):
    """A decoded event as the JSON output tells it."""
    fields = text_of_proto(message)
    found = {"time": int(fields["time_unix_nano"][0]), "side": fields["side"][0][5:].lower(),
             "outcome": fields["outcome"][0][8:].lower()}
    for end in ("client", "server"):
        address, port = unquoted(fields[end][0]["address"][0]), fields[end][0]["port"][0]
        found[end] = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    found |= {name: unquoted(fields[key][0]) for key, name in TEXTS.items() if key in fields}
    found |= {name: int(fields[key][0]) for key, name in NUMBERS.items() if key in fields}
    if "reason" in fields:
        found["reason"] = fields["reason"][0][7:].lower()
    if "ambiguous" in fields:
        found["ambiguous"] = fields["ambiguous"][0] == "true"
    if "interim_status" in fields:
        found["interim"] = [int(value) for value in fields["interim_status"]]
    return found


def messages_of(data):
    at = 0
    while at < len(data):
        length = shift = 0
        while True:
            byte = data[at]
            at += 1
            length |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        yield data[at:at + length]
        at += length


def decoded(message):
    return subprocess.run(
        ["protoc", f"--proto_path={SOURCE_DIR}/exporters/proto", "--decode=vethscope.v1.Exchange",
         "vethscope/v1/exchange.proto"], input=message, stdout=subprocess.PIPE,
        check=True).stdout.decode()


def check_case(checks, directory, case):
    packets = []
    wanted = case(packets)
    path = directory / f"{case.__name__}.pcap"
    path.write_bytes(pcap(packets))
    status, out, errors = read(path, "--output", "json")
    lines = out.decode().splitlines()
    found = [json.loads(line) for line in lines]
    checks.equal(f"{case.__name__}: exit status ({errors.strip()})", status, 0)
    checks.equal(f"{case.__name__}: exchanges", found, wanted)
    for line in lines:
        keys = list(json.loads(line))
        checks.equal(f"{case.__name__}: order of keys", keys, sorted(keys, key=KEYS.index))
    status, out, _ = read(path, "--output", "events")
    events = [told_by_event(decoded(message)) for message in messages_of(out)]
    # JSON tells every byte as it can; a protobuf string has no NUL.
    checks.equal(f"{case.__name__}: events", (status, events), (0, [
        {**exchange, "time": nanoseconds(exchange["time"]),
         **({"user_agent": exchange["user_agent"].replace("\0", "\ufffd")}
            if "user_agent" in exchange else {})} for exchange in wanted]))


# ---- what depends on more than one connection, or on where it is written ----

def on_a_terminal(path, environment=None):
    """Standard output of the table, and whether it was made for a terminal."""
    main, end = pty.openpty()
    child = subprocess.Popen([binary(), "read", str(path)], stdin=subprocess.DEVNULL, stdout=end,
                             stderr=subprocess.DEVNULL, env={**os.environ, **(environment or {})})
    os.close(end)
    out = b""
    while True:
        try:
            part = os.read(main, 65536)
        except OSError:
            break
        if not part:
            break
        out += part
    os.close(main)
    child.wait()
    return out


def mixed_capture(directory):
    """Services and routes of different weight, one of them with errors."""
    packets = []
    plan = [("10.0.1.1", b"/b", 3, b"200 OK"), ("10.0.1.1", b"/a", 3, b"200 OK"),
            ("10.0.1.2", b"/c", 5, b"500 No"), ("10.0.1.1", b"/\x1b[31mred", 1, b"200 OK")]
    port = 40000
    for server, target, times, answer in plan:
        for _ in range(times):
            connection = Connection(packets, server=server, client_port=port).open()
            connection.client(b"GET " + target + b" HTTP/1.1\r\nHost: \x1b[31m\r\n\r\n")
            connection.server(b"HTTP/1.1 " + answer + b"\r\nContent-Length: 2\r\n\r\nok").close()
            port += 1
    path = directory / "mixed.pcap"
    path.write_bytes(pcap(packets))
    return path


def check_table(checks, directory):
    path = mixed_capture(directory)
    status, out, errors = read(path)
    rows = [re.split(r"\s+", line)[:3] for line in out.decode().splitlines()]
    checks.equal("table", (status, rows), (0, [
        ["SERVICE", "ROUTE", "REQUESTS"], ["10.0.1.2:80", "/c", "5"], ["10.0.1.1:80", "/a", "3"],
        ["10.0.1.1:80", "/b", "3"], ["10.0.1.1:80", "/%1B%5B31mred", "1"]]))
    checks.true("table: errors", " 100.0% " in out.decode().splitlines()[1], out)
    checks.true("summary", errors.startswith("12 exchanges in 96 packets"), errors)
    checks.true("table off a terminal: no escapes", b"\033" not in out)
    coloured = on_a_terminal(path)
    checks.true("table on a terminal: colour", b"\033[31m" in coloured and b"\033[1m" in coloured)
    checks.equal("table on a terminal: the same text",
                 re.sub(rb"\033\[\d+m", b"", coloured).replace(b"\r\n", b"\n"), out)
    plain = on_a_terminal(path, {"NO_COLOR": "1"})
    checks.equal("table with NO_COLOR", plain.replace(b"\r\n", b"\n"), out)


def check_server_port(checks, directory):
    """TLS met in the middle: only the port tells who was asked."""
    packets = []
    connection = Connection(packets, client_port=9443, server_port=40000)
    connection.client(b"\x17\x03\x03\x00\x02ab").server(b"\x17\x03\x03\x00\x02cd")
    connection = Connection(packets, client_port=30000, server_port=40001)
    connection.client(b"\x17\x03\x03\x00\x02ab").server(b"\x17\x03\x03\x00\x02cd")
    path = directory / "midstream.pcap"
    path.write_bytes(pcap(packets))
    for arguments, wanted in ((("--server-port", "40000", "--server-port", "30000"),
                               {"10.0.0.2:40000", "10.0.0.1:30000"}),
                              ((), {"10.0.0.1:9443", "10.0.0.1:30000"})):
        out = read(path, "--output", "prometheus", *arguments)[1].decode()
        found = set(re.findall(r'vethscope_blind_connections_total\{.*service_name="([^"]*)"', out))
        checks.equal(f"read {' '.join(arguments)}: servers of blind connections", found, wanted)


def simple_packets(packets):
    """A pcapng of raw IP whose packets have no times."""
    def block(kind, body):
        body += b"\0" * (-len(body) % 4)
        return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)
    out = [block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)),
           block(1, struct.pack("<HHI", 101, 0, 0))]
    return b"".join(out + [block(3, struct.pack("<I", length) + packet)
                           for _, packet, length in packets])


def check_untimed(checks, directory):
    """Without a time an exchange is counted, and is not one that took no time."""
    packets = []
    wanted = every_field(packets)
    path = directory / "untimed.pcapng"
    path.write_bytes(simple_packets(packets))
    status, out, _ = read(path, "--output", "json")
    checks.equal("no times: JSON", (status, [json.loads(line) for line in out.splitlines()]),
                 (0, [{key: value for key, value in wanted[0].items()
                       if key != "time" and not key.endswith("_ns")}]))
    event = text_of_proto(decoded(next(messages_of(read(path, "--output", "events")[1]))))
    checks.equal("no times: event", [key for key in event if key.endswith("_nano")], [])
    metrics = read(path, "--output", "prometheus")[1].decode()
    for family in re.findall(r"^# TYPE (\S+_seconds) histogram$", metrics, re.MULTILINE):
        values = {le: float(value) for le, value in re.findall(
            family + r'_bucket\{.*le="(.*)"\} (\S+)', metrics)}
        checks.true(f"no times: {family}: nothing but +Inf",
                    {le for le, value in values.items() if value > 0} <= {"+Inf"}, values)
    counted = re.findall(r"^http_server_request_duration_seconds_count\{.*\} (.*)$", metrics,
                         re.MULTILINE)
    checks.equal("no times: counted", counted, ["1"])
    row = read(path)[1].decode().splitlines()[1]
    checks.true("no times: table", re.search(r" 1 +0\.0% +- +- +-", row), row)


def check_fragments(checks, directory):
    """Of a packet in fragments only the first tells its connection: the rest is missed."""
    packets = []
    connection = Connection(packets).open()
    connection.client(b"POST /a HTTP/1.1\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1000)
    time, packet, _ = packets.pop()
    cut = 20 + 504
    first = packet[:2] + struct.pack(">HHH", cut, 0, 0x2000) + packet[8:cut]
    rest = packet[:2] + struct.pack(">HHH", 20 + len(packet) - cut, 0, (cut - 20) // 8) + \
        packet[8:20] + packet[cut:]
    packets += [(time, first, len(first)), (time, rest, len(rest))]
    connection.server(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").close()
    path = directory / "fragments.pcap"
    path.write_bytes(pcap(packets))
    _, out, errors = read(path, "--output", "json")
    found = [(exchange["outcome"], exchange["request_body_bytes"])
             for exchange in map(json.loads, out.splitlines())]
    checks.equal("fragments: the exchange", found, [("complete", 1000)])
    checks.true("fragments: counted", re.search(r"IP fragments +1$", errors, re.MULTILINE), errors)
    checks.true("fragments: the bytes", re.search(rf"bytes missed +{len(packet) - cut}$", errors,
                                                  re.MULTILINE), errors)


def check_tls_names(checks, directory):
    """Whom TLS clients asked for stands in the summary; more names than are kept are counted."""
    packets = []
    for number in range(18):
        name = b"s%02d.example" % number
        names = struct.pack(">HBH", len(name) + 3, 0, len(name)) + name
        extensions = struct.pack(">HH", 0, len(names)) + names
        body = b"\3\3" + b"r" * 32 + b"\0\0\2\x13\1\1\0" + \
            struct.pack(">H", len(extensions)) + extensions
        hello = b"\1" + struct.pack(">I", len(body))[1:] + body
        record = b"\x16\3\1" + struct.pack(">H", len(hello)) + hello
        for port in (20000, 30000):
            Connection(packets, client_port=port + number).open().client(record[:60]) \
                .client(record[60:]).close()
    path = directory / "tls.pcap"
    path.write_bytes(pcap(packets))
    errors = read(path, "--output", "json")[2]
    checks.equal("TLS names", re.findall(r"by name asked for +(\d+)  \((.*)\)", errors),
                 [("2", f"s{number:02}.example") for number in range(16)])
    checks.equal("TLS names: others", re.findall(r"TLS connections for other names +(\d+)", errors),
                 ["4"])


def check_damaged(checks, directory):
    """A damaged file: everything readable is reported, then exit status 1."""
    packets = []
    for port in range(40000, 40010):
        Connection(packets, client_port=port).open().client(b"GET /a HTTP/1.1\r\n\r\n") \
            .server(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").close()
    whole = pcap(packets)
    path = directory / "damaged.pcap"
    for cut in (len(whole) - 1, len(whole) - 30, 24 + 16 + 10, 24 + 5):
        path.write_bytes(whole[:cut])
        status, out, errors = read(path, "--output", "json")
        complete = sum(json.loads(line)["outcome"] == "complete" for line in out.splitlines())
        checks.true(f"cut at {cut}: reported", complete >= (10 if cut > len(whole) - 40 else 0))
        checks.equal(f"cut at {cut}: exit status", status, 1)
        why = re.findall(r"^vethscope read: .*damaged\.pcap: .*$", errors, re.MULTILINE)
        checks.equal(f"cut at {cut}: one line says why", len(why), 1)
    for output in ("table", "prometheus", "events"):
        path.write_bytes(whole[:-1])
        status, out, _ = read(path, "--output", output)
        checks.true(f"cut, {output}: reported all the same", status == 1 and len(out) > 0)


def main():
    with Checks() as checks, tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        for case in CASES:
            check_case(checks, directory, case)
        check_table(checks, directory)
        check_server_port(checks, directory)
        check_untimed(checks, directory)
        check_fragments(checks, directory)
        check_tls_names(checks, directory)
        check_damaged(checks, directory)


if __name__ == "__main__":
    main()
