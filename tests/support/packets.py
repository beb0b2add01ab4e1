"""Captures written byte by byte: TCP connections as raw IP packets with chosen times."""

import ipaddress
import struct

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
NANOSECONDS, RAW = 0xA1B23C4D, 101
# 2026-01-31T12:00:00Z
BEGIN_NS = 1769860800 * 10**9
STEP_NS = 1000


class Connection:
    """Appends (time, packet) to `packets`; what both ends send is captured unless `lost`."""

    def __init__(self, packets, client="10.0.0.1", server="10.0.0.2", client_port=40000,
                 server_port=80, now=BEGIN_NS):
        self.packets = packets
        self.address = {"client": ipaddress.ip_address(client),
                        "server": ipaddress.ip_address(server)}
        self.port = {"client": client_port, "server": server_port}
        self.sequence = {"client": 1000, "server": 0xFFFFFFF0}
        self.now = now

    def segment(self, sender, flags, payload=b"", lost=False, snap=None):
        peer = "server" if sender == "client" else "client"
        acknowledgment = self.sequence[peer] if flags & ACK else 0
        tcp = struct.pack(">HHIIBBHHH", self.port[sender], self.port[peer],
                          self.sequence[sender] & 0xFFFFFFFF, acknowledgment & 0xFFFFFFFF, 0x50,
                          flags, 65535, 0, 0) + payload
        packet = self._ip(sender, peer, tcp)
        self.sequence[sender] += len(payload) + (1 if flags & (SYN | FIN) else 0)
        if not lost:
            self.packets.append((self.now, packet[:snap], len(packet)))
        self.now += STEP_NS
        return self

    def _ip(self, sender, peer, tcp):
        source, target = self.address[sender].packed, self.address[peer].packed
        if self.address[sender].version == 6:
            return struct.pack(">IHBB", 6 << 28, len(tcp), 6, 64) + source + target + tcp
        head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0)
        return head + source + target + tcp

    def open(self):
        self.segment("client", SYN)
        self.segment("server", SYN | ACK)
        return self.segment("client", ACK)

    def client(self, payload, **how):
        return self.segment("client", PSH | ACK, payload, **how)

    def server(self, payload, **how):
        return self.segment("server", PSH | ACK, payload, **how)

    def wait(self, nanoseconds):
        """Between the packet before and the next."""
        self.now += nanoseconds - STEP_NS
        return self

    def close(self, first="client"):
        second = "server" if first == "client" else "client"
        self.segment(first, FIN | ACK)
        self.segment(second, FIN | ACK)
        return self.segment(first, ACK)

    def reset(self, sender):
        return self.segment(sender, RST | ACK)


def pcap(packets, link=RAW, magic=NANOSECONDS):
    out = [struct.pack("<IHHiIII", magic, 2, 4, 0, 0, 262144, link)]
    for time, packet, length in packets:
        out.append(struct.pack("<IIII", time // 10**9, time % 10**9, len(packet), length))
        out.append(packet)
    return b"".join(out)
