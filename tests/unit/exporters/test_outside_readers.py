#!/usr/bin/env python3
"""Readers that are not ours take what format_samples writes: promtool, Python's json, protoc.

test_outside_readers.py FORMAT_SAMPLES PROMTOOL PROTOC PROTO_FOLDER"""

import json
import re
import subprocess
import sys
import unittest

SAMPLES, PROMTOOL, PROTOC, PROTO_FOLDER = sys.argv[1:5]

# What the program writes, byte by byte.
NASTY = [
    b"plain",
    b'"quotes" and \\backslashes\\',
    b"line\nfeed\r\ttab",
    b"nul\0inside",
    b"\x01\x02\x1f\x7f",
    "caf\u00e9 \u20ac \U0001f600".encode(),
    b"overlong \xc0\xaf surrogate \xed\xa0\x80",
    b"cut \xe2\x82",
    b"\xff\xfe{}=,#",
    b"${x} {{y}} <z>",
]
TIME = 1769860800000000001


def readable(raw, nul="\0"):
    """The text as it should arrive: one U+FFFD for each byte that is not part of UTF-8."""
    text = raw.decode("utf-8", "surrogateescape")
    return re.sub("[\udc80-\udcff]", "\ufffd", text).replace("\0", nul)


def samples(kind):
    return subprocess.run([SAMPLES, kind], stdout=subprocess.PIPE, check=True).stdout


def messages(stream):
    """Splits length-delimited messages."""
    at = 0
    while at < len(stream):
        size, shift = 0, 0
        while True:
            byte = stream[at]
            at += 1
            size |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                break
        yield stream[at:at + size]
        at += size


def decode(message):
    """protoc's text form of a message, as a list of (field, value)."""
    done = subprocess.run(
        [PROTOC, f"--proto_path={PROTO_FOLDER}", "--decode=vethscope.v1.Exchange",
         "vethscope/v1/exchange.proto"],
        input=message, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True)
    if done.stderr:
        raise ValueError(done.stderr)
    return re.findall(r"(\w+): (.*)", done.stdout.decode("ascii"))


def unquote(text):
    """A quoted string of protoc's text form: C escapes of bytes."""
    raw = re.sub(rb"\\([0-7]{3}|.)", lambda match: bytes([int(match[1], 8)])
                 if len(match[1]) == 3
                 else {b"n": b"\n", b"r": b"\r", b"t": b"\t"}.get(match[1], match[1]),
                 text[1:-1].encode("ascii"))
    return raw.decode("utf-8")


class OutsideReaders(unittest.TestCase):
    """Each format, each nasty value."""

    def test_promtool(self):
        exposition = samples("prometheus")
        exposition.decode("utf-8")
        done = subprocess.run([PROMTOOL, "check", "metrics"], input=exposition,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        self.assertEqual((done.returncode, done.stdout), (0, b""))

    def test_json(self):
        lines = samples("json").decode("utf-8").split("\n")
        self.assertEqual(lines.pop(), "")
        self.assertEqual(len(lines), len(NASTY))
        for i, (line, raw) in enumerate(zip(lines, NASTY)):
            record = json.loads(line)
            for key in ("method", "target", "route", "host", "user_agent", "server_service"):
                self.assertEqual(record[key], readable(raw))
            self.assertEqual(record["time"], f"2026-01-31T12:00:00.{i + 1:09}Z")
            self.assertEqual(record["response_body_bytes"], 2 ** 64 - 2)
            self.assertEqual(record.get("interim"), [100] if i % 2 else None)
            self.assertNotIn("server_ns", record)

    def test_protobuf(self):
        found = list(messages(samples("protobuf")))
        self.assertEqual(len(found), len(NASTY))
        for i, (message, raw) in enumerate(zip(found, NASTY)):
            fields = decode(message)
            values = dict(fields)
            for key in ("method", "target", "route", "host", "user_agent", "service"):
                self.assertEqual(unquote(values[key]), readable(raw, "\ufffd"))
            self.assertEqual([value for key, value in fields if key == "address"],
                             ['"10.0.0.1"', '"2001:db8::1"'])
            self.assertEqual([value for key, value in fields if key == "port"], ["40312", "80"])
            self.assertEqual(values["time_unix_nano"], str(TIME + i))
            self.assertEqual((values["side"], values["outcome"]),
                             ("SIDE_SERVER", "OUTCOME_COMPLETE"))
            self.assertEqual(values["request_body_bytes"], "0")
            self.assertEqual(values["request_duration_nano"], "0")
            self.assertNotIn("server_duration_nano", values)
            self.assertEqual(values.get("interim_status"), "100" if i % 2 else None)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
