"""What others make of a capture: tshark as the independent decoder, `vethscope read` as the one
under test."""

import collections
import dataclasses
import datetime
import json
import subprocess

from lab import LabError, binary, command

TSHARK = ("tshark", "-n", "-o", "tcp.reassemble_out_of_order:TRUE", "-T", "fields",
          "-E", "occurrence=a", "-E", "aggregator=\x1f")
# How versions of tshark print a flag that is set.
TRUE = ("1", "True")


def tshark(path, expression, *fields):
    """The fields of the packets that fit; a field with several values is a longer list."""
    arguments = [part for field in fields for part in ("-e", field)]
    text = command(*TSHARK, "-r", str(path), "-Y", expression, *arguments,
                   stdin=subprocess.DEVNULL)
    return [[value.split("\x1f") if value else [] for value in line.split("\t")]
            for line in text.split("\n")[:-1]]


def read(path, *arguments, status=0):
    """vethscope read; returns what it printed on standard output."""
    done = subprocess.run([binary(), "read", *arguments, str(path)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != status:
        raise LabError(f"read {path}: status {done.returncode}: {done.stderr}")
    return done.stdout


def read_json(path, *arguments):
    return [json.loads(line) for line in read(path, "--output", "json", *arguments).splitlines()]


def nanoseconds(epoch):
    seconds, _, fraction = epoch.partition(".")
    return int(seconds) * 10**9 + int(fraction.ljust(9, "0")[:9])


@dataclasses.dataclass
class Phases:
    """Packet times of one exchange; `connect` (SYN to the ACK that ends the handshake) only with a
    connection's first."""

    request_start: int
    request_end: int
    response_start: int = 0
    response_end: int = 0
    connect: int | None = None

    def as_fields(self):
        """By the names of `read --output json`."""
        fields = {"request_ns": self.request_end - self.request_start,
                  "server_ns": self.response_start - self.request_end,
                  "response_ns": self.response_end - self.response_start,
                  "duration_ns": self.response_end - self.request_start}
        if self.connect is not None:
            fields["connect_ns"] = self.connect
        return fields


class _Stream:
    """One connection, packet by packet."""

    def __init__(self):
        self.syn = None
        self.syn_ack = None
        self.connect = None
        self.exchanges = []

    def handshake(self, now, is_syn, is_ack):
        if is_syn and not is_ack:
            self.syn = now
        elif is_syn:
            self.syn_ack = now
        elif self.syn_ack is not None and self.connect is None:
            self.connect = now - self.syn

    def request(self, now):
        if not self.exchanges or self.exchanges[-1].response_start:
            connect = None if self.exchanges else self.connect
            self.exchanges.append(Phases(now, now, connect=connect))
        self.exchanges[-1].request_end = now

    def response(self, now):
        exchange = self.exchanges[-1]
        exchange.response_start = exchange.response_start or now
        exchange.response_end = now


def phases(path, server_port):
    """Exchanges of connections that ask and answer strictly in turn, from nothing but the times,
    lengths and ports of the packets; in the order in which they began."""
    streams = collections.defaultdict(_Stream)
    for row in tshark(path, f"tcp.port == {server_port}", "tcp.stream", "tcp.srcport", "tcp.len",
                      "frame.time_epoch", "tcp.flags.syn", "tcp.flags.ack"):
        number, source, length, time, syn, ack = (value[0] for value in row)
        stream, now = streams[number], nanoseconds(time)
        stream.handshake(now, syn in TRUE, ack in TRUE)
        if length == "0":
            continue
        if int(source) == server_port:
            stream.response(now)
        else:
            stream.request(now)
    found = [exchange for stream in streams.values() for exchange in stream.exchanges]
    return sorted(found, key=lambda exchange: exchange.request_start)


def nanoseconds_of_time(text):
    """RFC 3339 with up to nine digits, in UTC, as nanoseconds since the epoch."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    seconds = datetime.datetime.fromisoformat(whole).replace(tzinfo=datetime.timezone.utc)
    return nanoseconds(f"{int(seconds.timestamp())}.{fraction or 0}")
