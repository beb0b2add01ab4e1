"""Captures made for measuring: always the same bytes for the same kind and number of packets. 64
connections at a time take turns; every segment with payload is acknowledged, as on a real veth.

  small    exchanges of a 115-byte request and a 244-byte response, a hundred to a connection, from
           48 clients to 16 servers
  crowd    the same, ten to a connection, and every connection from another client
  browser  654-byte requests and pages of 8 KB in segments of 1448 bytes
  mixed    small ones, pipelined ones, chunked ones, uploads, and downloads of 256 KB
  lossy    as small; one packet of a hundred is missing, one of twenty is late
"""

import struct

BEGIN_NS = 1769860800 * 10**9
STEP_NS = 1500
TURNS = 64
SEGMENT = 1448
FIN, SYN, PSH, ACK = 1, 2, 8, 16
SERVERS = 16
# Of a connection: keep-alive as proxies and clients of services use it, or hardly.
EXCHANGES, EXCHANGES_OF_CROWD = 100, 10
CLIENTS = 48

_RECORD = struct.Struct("<IIII")
_ETHERNET = b"\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x08\0"
_HEADERS = struct.Struct(">14sBBHHHBBH4s4sHHIIBBHHH")
_HEADER_SIZE = _HEADERS.size

SMALL_REQUEST = (b"GET /api/v1/orders/%06d HTTP/1.1\r\nHost: orders.shop:8080\r\n"
                 b"User-Agent: Go-http-client/1.1\r\nX-Caller-Id: %06d\r\n\r\n")
SMALL_BODY = b'{"order":%06d,"state":"sent","n":12345678}'
SMALL_RESPONSE = (b"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sat, 31 Jan 2026 12:00:00 GMT\r\n"
                  b"Content-Type: application/json\r\nContent-Length: %d\r\nConnection: keep-alive\r\n"
                  b"Cache-Control: no-store\r\nX-Served-By: pod-13\r\n\r\n%b")
BROWSER_REQUEST = (
    b"GET /catalog/items/%06d?category=books&sort=price&page=2 HTTP/1.1\r\n"
    b"Host: www.shop.example\r\nConnection: keep-alive\r\n"
    b'sec-ch-ua: "Chromium";v="120", "Not_A Brand";v="24"\r\nsec-ch-ua-mobile: ?0\r\n'
    b'sec-ch-ua-platform: "Linux"\r\nUpgrade-Insecure-Requests: 1\r\n'
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/120.0.0.0\r\n"
    b"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
    b"Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: navigate\r\n"
    b"Referer: https://www.shop.example/catalog\r\nAccept-Encoding: gzip, deflate, br\r\n"
    b"Accept-Language: en-US,en;q=0.9\r\n"
    b"Cookie: session=d41d8cd98f00b204e9800998ecf8427e; theme=dark; visits=12%b\r\n\r\n")
PAGE = b"<p>eight kilobytes of a page</p>" * 256
FILE = b"\x89data\0\xff\r\n" * 26215
KINDS = ("small", "crowd", "browser", "mixed", "lossy")


class Numbers:
    """The same in every version of Python."""

    def __init__(self, seed):
        self.state = seed

    def below(self, bound):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.state >> 33) * bound >> 31


def small_exchange(number):
    body = SMALL_BODY % number
    return SMALL_REQUEST % (number, number), SMALL_RESPONSE % (len(body), body)


def browser_exchange(number):
    request = BROWSER_REQUEST % (number, b"")
    request = BROWSER_REQUEST % (number, b"; x=" + b"y" * (650 - len(request)))
    return request, SMALL_RESPONSE % (len(PAGE), PAGE)


def mixed_talk(number, numbers):
    """(bytes of the requests, bytes of the responses, how many exchanges)"""
    dice = numbers.below(16)
    if dice < 8:
        return (*small_exchange(number), 1)
    if dice < 11:
        talks = [small_exchange((number + i) % 1000000) for i in range(4)]
        return b"".join(t[0] for t in talks), b"".join(t[1] for t in talks), 4
    if dice < 13:
        chunks = b"".join(b"%x\r\n%b\r\n" % (len(PAGE[:size]), PAGE[:size])
                          for size in (100, 1000, 4000, 7))
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        return small_exchange(number)[0], head + chunks + b"0\r\n\r\n", 1
    if dice < 15:
        head = b"POST /upload/%06d HTTP/1.1\r\nHost: orders.shop:8080\r\nContent-Length: %d\r\n\r\n"
        return head % (number, len(PAGE)) + PAGE, small_exchange(number)[1], 1
    return small_exchange(number)[0], SMALL_RESPONSE % (len(FILE), FILE), 1


class Connection:
    """The packets of one connection, one after the other."""

    def __init__(self, number, kind, numbers):
        self.kind, self.numbers, self.exchanges = kind, numbers, 0
        place = number & 0xFFFF if kind == "crowd" else number % CLIENTS
        client = bytes((10, 1, place >> 8, place & 255))
        server = bytes((10, 2, 0, number % SERVERS + 1))
        port = 32768 + (number * 7 & 0x7FFF)
        self.ends = ((client, server, port, 80), (server, client, 80, port))
        self.next = [number * 7919 + 1 & 0xFFFFFFFF, number * 104729 + 9 & 0xFFFFFFFF]

    def packet(self, sender, flags, payload=b""):
        source, target, from_port, to_port = self.ends[sender]
        head = _HEADERS.pack(_ETHERNET, 0x45, 0, 40 + len(payload), 0, 0x4000, 64, 6, 0, source,
                             target, from_port, to_port, self.next[sender],
                             self.next[1 - sender] if flags & ACK else 0, 0x50, flags, 65535, 0, 0)
        size = len(payload) + (1 if flags & (SYN | FIN) else 0)
        self.next[sender] = self.next[sender] + size & 0xFFFFFFFF
        return head + payload

    def send(self, sender, payload, exchanges=0):
        """With the last segment so many exchanges are complete."""
        for at in range(0, len(payload), SEGMENT):
            self.exchanges += exchanges if at + SEGMENT >= len(payload) else 0
            yield self.packet(sender, PSH | ACK, payload[at:at + SEGMENT])
            if at // SEGMENT % 2 == 1 or at + SEGMENT >= len(payload):
                yield self.packet(1 - sender, ACK)

    def talks(self):
        for _ in range(EXCHANGES_OF_CROWD if self.kind == "crowd" else EXCHANGES):
            number = self.numbers.below(1000000)
            if self.kind == "mixed":
                yield mixed_talk(number, self.numbers)
            elif self.kind == "browser":
                yield (*browser_exchange(number), 1)
            else:
                yield (*small_exchange(number), 1)

    def packets(self):
        yield self.packet(0, SYN)
        yield self.packet(1, SYN | ACK)
        yield self.packet(0, ACK)
        for request, response, exchanges in self.talks():
            yield from self.send(0, request)
            yield from self.send(1, response, exchanges)
        yield self.packet(0, FIN | ACK)
        yield self.packet(1, FIN | ACK)
        yield self.packet(0, ACK)


def disturbed(packets, numbers):
    """One of a hundred missing; one of twenty behind the next."""
    late = None
    for packet in packets:
        dice = numbers.below(100)
        if dice == 0:
            continue
        if late is None and dice <= 5:
            late = packet
            continue
        yield packet
        if late is not None:
            yield late
            late = None
    if late is not None:
        yield late


def write(path, kind, packets):
    """Writes exactly so many packets. Returns how many exchanges are complete in them, if none is
    missing."""
    numbers = Numbers(KINDS.index(kind) + 7)
    opened = []

    def begin():
        connection = Connection(len(opened), kind, numbers)
        opened.append(connection)
        made = connection.packets()
        return disturbed(made, numbers) if kind == "lossy" else made

    running = [begin() for _ in range(TURNS)]
    time_ns = BEGIN_NS
    with open(path, "wb", buffering=1 << 20) as file:
        file.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, 1))
        while packets > 0:
            turn = numbers.below(TURNS)
            packet = next(running[turn], None)
            if packet is None:
                running[turn] = begin()
                continue
            file.write(_RECORD.pack(time_ns // 10**9, time_ns % 10**9, len(packet), len(packet)))
            file.write(packet)
            time_ns += STEP_NS
            packets -= 1
    return sum(connection.exchanges for connection in opened)
