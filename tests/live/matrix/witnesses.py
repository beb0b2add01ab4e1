"""Who saw the traffic of a cell of the matrix: the server's own log, and tshark."""

import collections

import decoders
import kinds

DISORDERED = "tcp.srcport == 80 && tcp.len > 0 && " \
    "(tcp.analysis.out_of_order || tcp.analysis.retransmission)"


class Cell:
    """One client with one server: the plan, and what the server logged of it."""

    def __init__(self, client, client_pod, server):
        self.client = client
        self.client_pod = client_pod
        self.server = server
        self.name = f"{client} -> {server.name}"
        self.plan = kinds.plan(client, server.name)
        self.requests = {(request.about.method, request.target): request
                         for request in self.plan}
        self.logged = collections.Counter()
        self.unasked = collections.Counter()

    def planned(self):
        """What the server must log: (method, target, status)."""
        counts = collections.Counter()
        for request in self.plan:
            about = request.about
            counts[about.method, request.target, about.status] += request.times
        return counts

    def read_log(self):
        """`unasked` are the statuses of answers to nothing: HAProxy's 400 to a client that closes
        without having asked."""
        for entry in self.server.entries():
            if entry["client"] != self.client_pod.address:
                continue
            if entry["target"].startswith("/"):
                self.logged[entry["method"], entry["target"], entry["status"]] += 1
            else:
                self.unasked[entry["status"]] += 1

    def up_to_the_close(self, target):
        """Whether the answer to a target has no other end than the connection's."""
        request = self.requests.get(("GET", target))
        old = self.client.startswith("ab") or (request and request.about.version == "1.0")
        return bool(request and old and request.about.segment == "chunked")


class Decoded:
    """What tshark makes of a client's connections: requests, and final answers with the id that
    each carries and the time of the packet that completed it."""

    def __init__(self):
        self.requests = []
        self.answers = []
        self.disordered = 0  # packets of answers out of order or sent again

    def add(self, time, methods, targets, statuses, fields):
        """One packet."""
        self.requests += zip(methods, targets, strict=True)
        ids = [field.split(": ")[1].removesuffix("\\r\\n") for field in fields
               if field.lower().startswith("x-request-id: ")]
        final = [status for status in statuses if status >= "2"]
        # Some servers put the id into interim answers too; an answer to nothing has none.
        carrying = statuses if len(ids) == len(statuses) else final
        ids += [""] * (len(carrying) - len(ids))
        self.answers += [(number, int(status), time)
                         for number, status in zip(ids, carrying, strict=True) if status >= "2"]


def decode(path):
    """tshark's view of a capture, by the client's address."""
    decoded = collections.defaultdict(Decoded)
    for row in decoders.tshark(path, "http", "frame.time_epoch", "ip.src", "ip.dst",
                               "http.request.method", "http.request.uri", "http.response.code",
                               "http.response.line"):
        (time,), (source,), (target,), *messages = row
        client = source if messages[0] else target
        decoded[client].add(decoders.nanoseconds(time), *messages)
    for ((client,),) in decoders.tshark(path, DISORDERED, "ip.dst"):
        decoded[client].disordered += 1
    return decoded
