"""What is asked of every server: one row a kind of request, and the plans made of them.

A target is /SEGMENT/ID. Every request of a run has an id of its own (ab's excepted, which repeats
one target), the server sends it back in X-Request-Id, and its last two digits say how long the
bodies are. So an answer that was given to another request shows.
"""

import dataclasses
import random

# By an id's last digit the answer's body, by the one before it the request's.
ANSWER_BYTES = (612, 1, 17, 100, 0, 1460, 3000, 5000, 20000, 65536)
UPLOAD_BYTES = (1, 2, 17, 100, 612, 1460, 3000, 5000, 20000, 65536)

# More than a connection's buffers hold, less than what curl asks about with Expect.
LARGE_UPLOAD_BYTES = 900_000

# Between the dates of the servers' files and now.
UNCHANGED_SINCE = {"If-Modified-Since": "Wed, 01 Jan 2020 00:00:00 GMT"}


@dataclasses.dataclass(frozen=True)
class Kind:
    """`body` is how a request's body is framed: "", "length" or "chunked"; `sized` says that the
    answer's body has the length that the id tells."""

    method: str
    segment: str
    status: int = 200
    body: str = ""
    expect: bool = False
    close: bool = False
    version: str = "1.1"
    fields: dict = dataclasses.field(default_factory=dict)
    interim: tuple = ()
    sized: bool = True
    large: bool = False


KINDS = {
    "get": Kind("GET", "length"),
    "get chunked": Kind("GET", "chunked"),
    "get with trailer": Kind("GET", "trailer"),
    "head": Kind("HEAD", "length"),
    "head chunked": Kind("HEAD", "chunked"),
    "post": Kind("POST", "echo", body="length"),
    "post chunked": Kind("POST", "echo", body="chunked"),
    "post asked for": Kind("POST", "echo", body="length", expect=True, interim=(100,)),
    "post chunked asked for": Kind("POST", "echo", body="chunked", expect=True, interim=(100,)),
    "post refused": Kind("POST", "refuse", 403, body="length", expect=True, sized=False),
    "post in vain": Kind("POST", "refuse", 403, body="length", large=True, sized=False),
    "post chunked in vain": Kind("POST", "refuse", 403, body="chunked", large=True, sized=False),
    "put": Kind("PUT", "store", 204, body="length"),
    "delete": Kind("DELETE", "nothing", 204),
    "get nothing": Kind("GET", "nothing", 204),
    "get unchanged": Kind("GET", "unchanged", 304, fields=UNCHANGED_SINCE),
    "get missing": Kind("GET", "missing", 404, sized=False),
    "get failing": Kind("GET", "fail", 500, sized=False),
    "get, server closes": Kind("GET", "close"),
    "get, client closes": Kind("GET", "length", close=True),
    "get after hints": Kind("GET", "hints", interim=(103,)),
    "get 1.0": Kind("GET", "length", version="1.0"),
    "get 1.0 up to the close": Kind("GET", "chunked", version="1.0"),
}

EVERY_KIND = frozenset(KINDS)
OLD = {"get 1.0", "get 1.0 up to the close"}
ASKED_FOR = {"post asked for", "post chunked asked for"}
CLOSING = {"get, server closes", "get, client closes"}
HINTS = {"get after hints"}
# Answered before the body has come; it may stay away or break off.
REFUSED = {"post refused"}
IN_VAIN = {"post in vain", "post chunked in vain"}
HEADS = {"head", "head chunked"}

WRK_KINDS = EVERY_KIND - OLD - ASKED_FOR - HINTS - REFUSED - IN_VAIN - HEADS

# What a client can do. wrk reads a body after HEAD and knows no interim answers; Python takes 103
# for the answer and sends the body without waiting; ab speaks HTTP/1.0 and frames by length. An
# upload in vain ends by chance for all but curl, which reads the answer while it still sends.
CLIENT_KINDS = {
    "curl": EVERY_KIND,
    "wrk": WRK_KINDS,
    "wrk pipelining": WRK_KINDS - CLOSING,
    "ab": HEADS | {"get", "get chunked", "post", "put", "get nothing", "get unchanged",
                   "get missing", "get failing", "get, server closes"},
    "ab keep-alive": HEADS | {"get", "get chunked", "post", "get nothing", "get missing",
                              "get failing", "get, server closes"},
    "requests": EVERY_KIND - OLD - HINTS - REFUSED - IN_VAIN,
    "go": EVERY_KIND - OLD - IN_VAIN,
    "node": EVERY_KIND - OLD - IN_VAIN,
}
SERVERS = ("nginx", "httpd", "haproxy", "node", "python", "go")

# nginx 1.22 forwards no 103 and has none of its own. When an upload breaks off Node answers 400 to
# nothing and has no log of that.
NOT_SERVED = {"nginx": HINTS, "node": IN_VAIN}
# After these two's own 500 they close, and what stands behind it in a pipeline is lost.
NOT_PIPELINED = {"nginx": {"get failing"}, "httpd": {"get failing"}}

REPEATS = {"wrk": 24, "wrk pipelining": 24, "ab": 12, "ab keep-alive": 12}
REPEATS_OTHERWISE = 12


@dataclasses.dataclass(frozen=True)
class Request:
    """One request of a plan; `times` is how often it is sent."""

    id: int
    kind: str
    times: int = 1

    @property
    def about(self):
        """Its kind's row."""
        return KINDS[self.kind]

    @property
    def target(self):
        return f"/{self.about.segment}/{self.id}"

    @property
    def upload_bytes(self):
        """Length of the request's body."""
        if self.about.large:
            return LARGE_UPLOAD_BYTES
        return UPLOAD_BYTES[self.id // 10 % 10] if self.about.body else 0

    @property
    def answer_bytes(self):
        """Length of the answer's body, None where the server chooses it."""
        about = self.about
        if about.method == "HEAD" or about.status in (204, 304):
            return 0
        return ANSWER_BYTES[self.id % 10] if about.sized else None

    def as_json(self):
        """For the clients that read a plan."""
        about = self.about
        return {"id": str(self.id), "method": about.method, "target": self.target,
                "status": about.status, "fields": about.fields, "body": about.body,
                "upload_bytes": self.upload_bytes, "answer_bytes": self.answer_bytes,
                "expect": about.expect, "refused": self.kind in REFUSED, "close": about.close,
                "interim": list(about.interim)}


def make_id(dice, start, number, kind):
    """Answers behind interim ones are short: HAProxy 2.6.12 stops inside longer ones."""
    last = dice.randrange(4 if KINDS[kind].interim else 10)
    return start + 100 * number + 10 * dice.randrange(10) + last


def plan(client, server):
    """What one client asks one server, in a mixed order that is the same in every run."""
    impossible = NOT_SERVED.get(server, set())
    if client == "wrk pipelining":
        impossible = impossible | NOT_PIPELINED.get(server, set())
    kinds = sorted(CLIENT_KINDS[client] - impossible)
    repeats = REPEATS.get(client, REPEATS_OTHERWISE)
    dice = random.Random(f"{client} {server}")
    # Nine digits that are no date: a route's {id}.
    start = 700_000_000 + 10_000_000 * SERVERS.index(server)
    start += 1_000_000 * list(CLIENT_KINDS).index(client)
    if client.startswith("ab"):
        return [Request(make_id(dice, start, number, kind), kind, repeats)
                for number, kind in enumerate(kinds)]
    chosen = kinds * repeats
    dice.shuffle(chosen)
    return [Request(make_id(dice, start, number, kind), kind)
            for number, kind in enumerate(chosen)]
