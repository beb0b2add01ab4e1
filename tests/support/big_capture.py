"""A capture of any size from a small real one: its connections again and again, each time from
another client's address and later. Ethernet, IPv4, a little-endian pcap."""

import struct

_FILE_HEADER = 24
_RECORD = struct.Struct("<IIII")
_ETHERTYPE, _IPV4 = 12, b"\x08\x00"
_SOURCE, _TARGET, _PORTS = 26, 30, 34
_CLIENT = struct.Struct(">BBH")


def _records(data):
    position = _FILE_HEADER
    while position + _RECORD.size <= len(data):
        seconds, fraction, captured, length = _RECORD.unpack_from(data, position)
        position += _RECORD.size
        yield seconds, fraction, length, data[position:position + captured]
        position += captured


def _prepared(data, server_port):
    """(seconds since the first, fraction, length, bytes before the client's address, after it)."""
    first = None
    for seconds, fraction, length, packet in _records(data):
        if packet[_ETHERTYPE:_ETHERTYPE + 2] != _IPV4:
            continue
        first = seconds if first is None else first
        from_server = packet[_PORTS:_PORTS + 2] == server_port.to_bytes(2, "big")
        at = _TARGET if from_server else _SOURCE
        yield seconds - first, fraction, length, packet[:at], packet[at + _CLIENT.size:]


def write(path, small, size, server_port=80):
    """Writes at least `size` bytes; returns how many rounds of the small capture are in it."""
    data = small.read_bytes()
    packets = list(_prepared(data, server_port))
    begin = struct.unpack_from("<I", data, _FILE_HEADER)[0]
    span = packets[-1][0] + 1
    rounds = written = 0
    with open(path, "wb", buffering=1 << 20) as file:
        file.write(data[:_FILE_HEADER])
        while written < size:
            client = _CLIENT.pack(10, 78, rounds)
            parts = []
            for offset, fraction, length, before, after in packets:
                captured = len(before) + len(client) + len(after)
                parts += (_RECORD.pack(begin + rounds * span + offset, fraction, captured, length),
                          before, client, after)
            written += file.write(b"".join(parts))
            rounds += 1
    return rounds
