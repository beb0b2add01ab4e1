#!/usr/bin/env python3
"""The live ring by itself: no first packet of a new interface is lost and no packet of another is
delivered, directions are right, an interface's end is told after its last packet, stopping loses
nothing, and where nothing happens nothing wakes. Each is checked against what was sent."""

import collections
import contextlib
import pathlib
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from checks import Checks  # noqa: E402
from lab import Lab, LabError, Process, command, run, wait_until  # noqa: E402

PORT = 8000
SYN, ACK = 0x02, 0x10
TCPI_BYTES_SENT = 200  # offset in struct tcp_info
BLOCK_MS = 100
# A block is closed at the second tick of its timer; the rest is for a busy machine.
READABLE_SECONDS = 2 * BLOCK_MS / 1000 + 0.3
NEW_PODS = 20

Frame = collections.namedtuple(
    "Frame", "line interface direction source destination flags payload time")


class Dump(Process):
    """live_dump in a namespace, ready."""

    def __init__(self, lab, *arguments, namespace=None, name="live_dump"):
        super().__init__(lab, name, [sys.argv[1], "--block", BLOCK_MS, *arguments],
                         namespace or lab.node)
        wait_until(lambda: "ready" in self.stdout() or not self.running(), 10, name, pause=0.005)
        if not self.running():
            raise LabError(f"{name}: {self.stderr().strip()}")

    def _lines(self, kind):
        # The last line may still be on its way.
        whole = self.stdout().rpartition("\n")[0].splitlines()
        return [(number, line.split()[1:]) for number, line in enumerate(whole)
                if line.startswith(f"{kind} ")]

    def frames(self, port=PORT):
        """Frames of TCP from or to the port."""
        found = []
        for number, fields in self._lines("frame"):
            source, destination = fields[3].split(">")
            if f":{port}" in (source[-len(str(port)) - 1:], destination[-len(str(port)) - 1:]):
                found.append(Frame(number, int(fields[0]), fields[1], source, destination,
                                   int(fields[4], 16), int(fields[5]), int(fields[6])))
        return found

    def gone(self):
        """{interface: the line that tells}, and fails when one is told twice."""
        told = [(int(fields[0]), number) for number, fields in self._lines("gone")]
        if len(dict(told)) != len(told):
            raise LabError(f"{self.name}: gone told twice: {told}")
        return dict(told)

    def sums(self):
        """{(interface, direction): (frames, payload)} of --count."""
        return {(int(fields[0]), fields[1]): (int(fields[2]), int(fields[3]))
                for _number, fields in self._lines("sum")}

    def finish_with(self, checks, what):
        """Stops it; returns the numbers of its last line."""
        checks.equal(f"{what}: exit status", self.stop(), 0)
        end = re.search(r"^end (.*)$", self.stdout(), re.MULTILINE).group(1)
        numbers = {key: int(value) for key, value in
                   (pair.split("=") for pair in end.split())}
        checks.equal(f"{what}: dropped", numbers["dropped"], 0)
        return numbers


class Server:
    """Answers each connection with as many bytes as it was sent, from a thread of this program."""

    def __init__(self, place, address, port=PORT):
        with place.inside():
            self.socket = socket.create_server((address, port), backlog=256)
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _address = self.socket.accept()
                with connection, contextlib.suppress(OSError):
                    received = 0
                    while data := connection.recv(1 << 20):
                        received += len(data)
                    connection.sendall(b"a" * min(received, 1000))

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join()


def converse(place, address, data=b"question", port=PORT, pieces=1):
    """One connection from there; returns its own end, `ADDRESS:PORT`, and how many bytes its TCP
    sent, those included that it sent again."""
    with place.inside():
        connection = socket.create_connection((address, port), timeout=10)
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        own = "{}:{}".format(*connection.getsockname())
        for _ in range(pieces):
            connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(1 << 16):
            pass
        info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCPI_BYTES_SENT + 8)
    return own, struct.unpack_from("Q", info, TCPI_BYTES_SENT)[0]


def talk(*arguments, **options):
    return converse(*arguments, **options)[0]


def ifindex(place, name):
    return int(place.ip("-o", "link", "show", name).split(":")[0])


def quiet(place):
    """No IPv6, so nothing in there speaks unasked."""
    command("ip", "netns", "exec", place.name, "sysctl", "-qw",
            "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")


def check_connection(checks, what, frames, own, interface, to_server):
    """The connection as this interface saw it: whole, from its first packet on."""
    mine = [frame for frame in frames
            if own in (frame.source, frame.destination) and frame.interface == interface]
    asks, answers = ("to", "from") if to_server else ("from", "to")
    if not checks.true(f"{what}: seen", mine):
        return
    checks.equal(f"{what}: first packet", mine[0].flags & (SYN | ACK), SYN)
    checks.equal(f"{what}: directions", {(frame.source == own, frame.direction) for frame in mine},
                 {(True, asks), (False, answers)})
    checks.equal(f"{what}: bytes asked",
                 sum(frame.payload for frame in mine if frame.source == own), 8)
    checks.equal(f"{what}: bytes answered",
                 sum(frame.payload for frame in mine if frame.source != own), 8)


def check_new_pods(checks, order):
    """Twenty pods, each made, asked from, and removed at once."""
    with Lab(f"new-{order}") as lab:
        server = lab.pod("server")
        Server(server, server.address)
        at_server = ifindex(lab.node, server.interface)
        dump = Dump(lab)
        talks = []
        for number in range(NEW_PODS):
            pod = lab.pod(f"n{number}", order)
            index = ifindex(lab.node, pod.interface)
            talks.append((index, talk(pod, server.address)))
            pod.unlink()
        wait_until(lambda: len(dump.gone()) == NEW_PODS, 5, "the end of each pod's interface")
        frames, gone = dump.frames(), dump.gone()
        for number, (index, own) in enumerate(talks):
            what = f"{order} {number}"
            check_connection(checks, f"{what}: pod", frames, own, index, to_server=False)
            check_connection(checks, f"{what}: server", frames, own, at_server, to_server=True)
            last = max(frame.line for frame in frames if frame.interface == index)
            checks.true(f"{what}: gone after the last packet", gone[index] > last)
        checks.equal(f"{order}: interfaces", {frame.interface for frame in frames},
                     {at_server, *(index for index, _own in talks)})
        numbers = dump.finish_with(checks, order)
        checks.equal(f"{order}: interfaces at the end", numbers["interfaces"], 1)


def check_stopped_agent(checks):
    """Pods that come, ask and go while nobody reads; even with notifications lost on the way."""
    for lost in (False, True):
        with Lab("stopped") as lab:
            server = lab.pod("server")
            Server(server, server.address)
            dump = Dump(lab)
            dump.child.send_signal(signal.SIGSTOP)
            talks = []
            for order in ("peer", "move", "pod"):
                pod = lab.pod(order, order)
                talks.append((order, ifindex(lab.node, pod.interface),
                              talk(pod, server.address)))
                if not lost:
                    pod.unlink()
            if lost:
                lose_notifications(lab)
            dump.child.send_signal(signal.SIGCONT)
            gone = 0 if lost else 3
            wait_until(lambda: len(dump.gone()) == gone, 5, "the end of each interface")
            time.sleep(READABLE_SECONDS)
            frames = dump.frames()
            for order, index, own in talks:
                check_connection(checks, f"stopped, {order}", frames, own, index, to_server=False)
            numbers = dump.finish_with(checks, "stopped")
            checks.equal("stopped: interfaces", numbers["interfaces"], 4 if lost else 1)


def lose_notifications(lab):
    """More changes than the socket's buffer holds notifications of."""
    lab.node.ip("link", "add", "noise", "type", "bridge")
    batch = "link set noise up\nlink set noise down\n" * 3000
    subprocess.run(["ip", "-n", lab.node.name, "-batch", "-"], input=batch, text=True, check=True)


def check_moved_late(checks):
    """Both ends run on the node before one is moved: at once, and when the pair was excluded."""
    with Lab("late") as lab:
        server = lab.pod("server")
        Server(server, server.address)
        dump = Dump(lab)
        for number, seconds in enumerate((0, 2.5)):
            pod = lab.pod(f"l{number}", link=False)
            inner = f"inner{number}"
            lab.node.ip("link", "add", pod.interface, "type", "veth", "peer", "name", inner)
            lab.node.ip("link", "set", inner, "up")
            lab.node.ip("link", "set", pod.interface, "master", lab.bridge, "up")
            time.sleep(seconds)
            lab.node.ip("link", "set", inner, "netns", pod.name, "name", "eth0")
            pod.ip("addr", "add", f"{pod.address}/16", "dev", "eth0")
            pod.ip("link", "set", "eth0", "up")
            own = talk(pod, server.address)
            time.sleep(READABLE_SECONDS)
            check_connection(checks, f"moved after {seconds} s", dump.frames(), own,
                             ifindex(lab.node, pod.interface), to_server=False)
        dump.finish_with(checks, "late")


def check_internal_pair(checks):
    """The node reaches the bridge through a pair of its own, which is no pod link, young or old."""
    with Lab("internal") as lab:
        pod = lab.pod("pod")
        Server(pod, pod.address)
        at_pod = ifindex(lab.node, pod.interface)
        dump = Dump(lab)
        lab.node.ip("link", "add", "outer", "type", "veth", "peer", "name", "inner")
        lab.node.ip("link", "set", "outer", "master", lab.bridge, "up")
        lab.node.ip("addr", "add", "10.77.250.1/16", "dev", "inner")
        lab.node.ip("link", "set", "inner", "up")
        owns = [talk(lab.node, pod.address)]
        time.sleep(2.5)
        owns.append(talk(lab.node, pod.address))
        time.sleep(READABLE_SECONDS)
        frames = dump.frames()
        for own in owns:
            check_connection(checks, "internal pair", frames, own, at_pod, to_server=True)
        checks.equal("internal pair: interfaces", {frame.interface for frame in frames}, {at_pod})
        dump.finish_with(checks, "internal pair")


def check_loopback(checks):
    """Every packet on lo is there once, as if it came to a pod."""
    with Lab("lo") as lab:
        Server(lab.node, "127.0.0.1")
        dump = Dump(lab, "--interface", "lo")
        own = talk(lab.node, "127.0.0.1")
        time.sleep(READABLE_SECONDS)
        frames = dump.frames()
        checks.equal("lo: SYNs", [frame.flags & ACK for frame in frames if frame.flags & SYN],
                     [0, ACK])
        checks.equal("lo: directions", {frame.direction for frame in frames}, {"to"})
        checks.equal("lo: bytes", [sum(frame.payload for frame in frames if frame.source == own),
                                   sum(frame.payload for frame in frames if frame.source != own)],
                     [8, 8])
        dump.finish_with(checks, "lo")


def check_vantage(checks):
    """The same connection seen from within the pod and by name from the node."""
    with Lab("vantage") as lab:
        server, client = lab.pod("server"), lab.pod("client")
        Server(server, server.address)
        client.ip("route", "add", "default", "via", server.address)
        in_pod = Dump(lab, "--interface", "eth0", "--interface", "lo", namespace=client, name="pod")
        on_node = Dump(lab, "--interface", f"{client.interface[:2]}*", name="node")
        forced = Dump(lab, "--interface", client.interface, "--vantage", "pod", name="forced")
        own = talk(client, server.address)
        time.sleep(READABLE_SECONDS)
        inside, outside = ifindex(client, "eth0"), ifindex(lab.node, client.interface)
        check_connection(checks, "eth0", in_pod.frames(), own, inside, to_server=False)
        check_connection(checks, "glob", on_node.frames(), own, outside, to_server=False)
        check_connection(checks, "forced", forced.frames(), own, outside, to_server=True)
        for dump, count in ((in_pod, 2), (on_node, 1), (forced, 1)):
            numbers = dump.finish_with(checks, dump.name)
            checks.equal(f"{dump.name}: interfaces", numbers["interfaces"], count)


def check_name_comes_back(checks):
    """A named interface is deleted and made again: it counts again, under its new number."""
    with Lab("back") as lab:
        server, pod = lab.pod("server"), lab.pod("pod")
        Server(server, server.address)
        dump = Dump(lab, "--interface", pod.interface)
        indexes = []
        for _ in range(2):
            indexes.append((ifindex(lab.node, pod.interface), talk(pod, server.address)))
            pod.unlink()
            wait_until(lambda: indexes[-1][0] in dump.gone(), 5, "its end")
            pod.link()
        for index, own in indexes:
            check_connection(checks, "back", dump.frames(), own, index, to_server=False)
        dump.finish_with(checks, "back")


def check_drain(checks):
    """Small packets until the signal: not one is missing, though the last block was still open."""
    with Lab("drain") as lab:
        server, client = lab.pod("server"), lab.pod("client")
        Server(server, server.address)
        dump = Dump(lab, "--count", "--block", "1000", "--filter", f"dst port {PORT}")
        data, pieces = b"b" * 100, 5000
        _own, sent = converse(client, server.address, data, pieces=pieces)
        dump.finish_with(checks, "drain")
        checks.true("drain: all sent", sent >= len(data) * pieces)
        sums = dump.sums()
        for interface, direction in ((client.interface, "from"), (server.interface, "to")):
            _frames, payload = sums.get((ifindex(lab.node, interface), direction), (0, 0))
            checks.equal(f"drain: bytes at {interface}", payload, sent)
        checks.equal("drain: nothing else", len(sums), 2)


def check_load(checks):
    """Half a gigabyte through two veths: every byte, no drop."""
    with Lab("load") as lab:
        server, client = lab.pod("server"), lab.pod("client")
        Server(server, server.address)
        dump = Dump(lab, "--count", "--ring", str(128 << 20), "--filter", "tcp")
        data, pieces = b"c" * (1 << 20), 512
        started = time.monotonic()
        _own, sent = converse(client, server.address, data, pieces=pieces)
        seconds = time.monotonic() - started
        numbers = dump.finish_with(checks, "load")
        checks.true("load: all sent", sent >= len(data) * pieces)
        sums = dump.sums()
        for interface, direction in ((client.interface, "from"), (server.interface, "to")):
            _frames, payload = sums.get((ifindex(lab.node, interface), direction), (0, 0))
            checks.equal(f"load: bytes at {interface}", payload, sent)
        print(f"load: {numbers['packets']} packets in {seconds:.1f} s")


def check_filter(checks):
    with Lab("filter") as lab:
        server, client = lab.pod("server"), lab.pod("client")
        Server(server, server.address)
        Server(server, server.address, PORT + 1)
        dump = Dump(lab, "--filter", f"tcp port {PORT}")
        own = talk(client, server.address)
        talk(client, server.address, port=PORT + 1)
        time.sleep(READABLE_SECONDS)
        check_connection(checks, "filter", dump.frames(), own,
                         ifindex(lab.node, client.interface), to_server=False)
        checks.equal("filter: the other port", dump.frames(PORT + 1), [])
        dump.finish_with(checks, "filter")


def check_fanout(checks):
    """Two rings of a group share the connections, and each connection is whole in one of them."""
    with Lab("fanout") as lab:
        server, client = lab.pod("server"), lab.pod("client")
        Server(server, server.address)
        dumps = [Dump(lab, "--fanout", "4711", name=f"worker{number}") for number in range(2)]
        owns = [talk(client, server.address) for _ in range(40)]
        time.sleep(READABLE_SECONDS)
        frames = [dump.frames() for dump in dumps]
        shares = []
        for own in owns:
            seen = [bool([frame for frame in each if own in (frame.source, frame.destination)])
                    for each in frames]
            shares.append(seen.index(True) if sum(seen) == 1 else None)
            for name in (client, server):
                check_connection(checks, "fanout", [*frames[0], *frames[1]], own,
                                 ifindex(lab.node, name.interface), to_server=name is server)
        checks.equal("fanout: connections in both", shares.count(None), 0)
        checks.true("fanout: both have some", {0, 1} <= set(shares), shares)
        for dump in dumps:
            dump.finish_with(checks, dump.name)


def switches(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", status, re.MULTILINE).group(1))


def check_idle(checks):
    """One packet is readable in time; before and after it the process sleeps."""
    with Lab("idle") as lab:
        quiet(lab.node)
        server, client = lab.pod("server", link=False), lab.pod("client", link=False)
        for pod in (server, client):
            quiet(pod)
            lab.node.ip("link", "add", pod.interface, "type", "veth", "peer", "name", "eth0",
                        "netns", pod.name)
            pod.ip("addr", "add", f"{pod.address}/16", "dev", "eth0")
            lab.node.ip("link", "set", pod.interface, "master", lab.bridge, "up")
            pod.ip("link", "set", "eth0", "up")
        dump = Dump(lab)
        pid = dump.child.pid
        time.sleep(1)
        for what in ("before", "after"):
            count = switches(pid)
            time.sleep(3)
            checks.equal(f"idle {what}: wakeups in 3 s", switches(pid) - count, 0)
            with client.inside(), contextlib.closing(socket.socket()) as lonely:
                # Nobody answers: a reset comes back.
                sent = time.monotonic()
                lonely.connect_ex((server.address, PORT))
            wait_until(lambda: len(dump.frames()) % 4 == 0 and dump.frames(), 5, "the packet",
                       pause=0.005)
            late = time.monotonic() - sent
            checks.true(f"idle {what}: readable in time", late < READABLE_SECONDS, f"{late:.3f} s")
            time.sleep(1.5)
        dump.finish_with(checks, "idle")


def failure(lab, *arguments, prefix=()):
    done = subprocess.run(["ip", "netns", "exec", lab.node.name, *prefix, sys.argv[1], *arguments],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def check_errors(checks):
    with Lab("errors") as lab:
        checks.equal("no such interface", failure(lab, "--interface", "lo", "--interface", "eth9"),
                     (1, "interface eth9 does not exist\n"))
        lab.node.ip("link", "property", "add", "dev", "lo", "altname", "other0")
        checks.equal("alternative name of an interface", failure(lab, "--interface", "other0"),
                     (1, "other0 is an alternative name of the interface lo: name that\n"))
        checks.equal("no permission",
                     failure(lab, prefix=("setpriv", "--bounding-set=-net_raw")),
                     (1, "cannot open the capture: needs CAP_NET_RAW (run as root or grant "
                         "cap_net_raw)\n"))
        status, message = failure(lab, "--filter", "tcp prot 80")
        checks.equal("filter: status", status, 1)
        checks.true("filter: message", re.fullmatch(r'filter "tcp prot 80": .+\n', message), message)


def main():
    with Checks() as checks:
        for order in ("peer", "move", "pod"):
            check_new_pods(checks, order)
        check_stopped_agent(checks)
        check_moved_late(checks)
        check_internal_pair(checks)
        check_loopback(checks)
        check_vantage(checks)
        check_name_comes_back(checks)
        check_drain(checks)
        check_load(checks)
        check_filter(checks)
        check_fanout(checks)
        check_idle(checks)
        check_errors(checks)


if __name__ == "__main__":
    run(main)
