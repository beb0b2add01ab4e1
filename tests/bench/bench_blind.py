#!/usr/bin/env python3
"""What a packet costs, in instructions counted by valgrind: of a connection that cannot be read
(TLS), of HTTP in small exchanges, of HTTP in one long body, and of something that is no TCP at all,
for which the file is read and the frame decoded all the same. Each is read once with some packets
and once with twice as many; the difference is the packets'. Prints numbers; nothing passes or
fails."""

import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import callgrind  # noqa: E402
from lab import binary  # noqa: E402
from packets import Connection, pcap  # noqa: E402

PACKETS = 20000
PAYLOAD = 1000
UDP, PROTOCOL_AT = 17, 9


def tls(connection, packets):
    connection.client(b"\x16\x03\x01\x02\x00\x01" + b"h" * 516)
    for _ in range(packets // 2):
        connection.server(b"\x17\x03\x03\x03\xe3" + b"s" * (PAYLOAD - 5))
        connection.client(b"\x17\x03\x03\x03\xe3" + b"c" * (PAYLOAD - 5))


def exchanges(connection, packets):
    for number in range(packets // 2):
        head = b"GET /item/%d HTTP/1.1\r\nHost: shop.example\r\nCookie: " % number
        connection.client(head + b"c" * (PAYLOAD - 4 - len(head)) + b"\r\n\r\n")
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (PAYLOAD - 40)
        connection.server(head + b"s" * (PAYLOAD - 40))


def body(connection, packets):
    connection.client(b"GET / HTTP/1.1\r\n\r\n")
    connection.server(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (packets * PAYLOAD))
    for _ in range(packets):
        connection.server(b"s" * PAYLOAD)


def not_tcp(connection, packets):
    first = len(connection.packets)
    tls(connection, packets)
    for at in range(first, len(connection.packets)):
        time, packet, length = connection.packets[at]
        packet = packet[:PROTOCOL_AT] + bytes([UDP]) + packet[PROTOCOL_AT + 1:]
        connection.packets[at] = time, packet, length


def measure(directory, talk):
    counted = []
    for times in (1, 2):
        packets = []
        talk(Connection(packets).open(), times * PACKETS)
        path = directory / "talk.pcap"
        path.write_bytes(pcap(packets))
        counted.append((len(packets), callgrind.count([binary(), "read", "--output", "prometheus",
                                                       path])))
    return (counted[1][1] - counted[0][1]) / (counted[1][0] - counted[0][0])


def main():
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        floor = measure(directory, not_tcp)
        print(f"{'no TCP: the file and the frame':<32}{floor:8.0f} instructions a packet")
        for what, talk in (("blind", tls), ("HTTP, one long body", body),
                           ("HTTP, an exchange in two packets", exchanges)):
            cost = measure(directory, talk)
            print(f"{what:<32}{cost:8.0f} instructions a packet, {cost - floor:.0f} of them behind "
                  "the frame")


if __name__ == "__main__":
    main()
