#!/usr/bin/env python3
"""Real servers and real clients against each other: for each pair vethscope's counts by method,
path and status, live and from tcpdump's capture of the same traffic, equal the server's own log
and what tshark decodes; and every answer is the one that its request got."""

import collections
import concurrent.futures
import pathlib
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))

import clients  # noqa: E402
import decoders  # noqa: E402
import servers  # noqa: E402
from checks import Checks  # noqa: E402
from kinds import CLIENT_KINDS, IN_VAIN, REFUSED, SERVERS  # noqa: E402
from lab import Lab, LabError, run  # noqa: E402
from witnesses import Cell, decode  # noqa: E402

SERVER_COUNT = "http_server_request_duration_seconds_count"
CLIENT_COUNT = "http_client_request_duration_seconds_count"
LABELS = ("http_request_method", "http_route", "http_response_status_code")
UNREAD = REFUSED | IN_VAIN
UNASKED = "unsolicited"
# Of the answers in a pipeline; up to three in two hundred were seen.
LATE_SHARE = 0.05
COMMANDS = ("nginx", "haproxy", "node", "curl", "wrk", "ab", "tcpdump", "tshark", "ip", "ss")


def require_everything():
    """Says at once all that is missing: no part of the matrix is ever left out."""
    missing = [name for name in COMMANDS if shutil.which(name) is None]
    if servers.httpd() is None:
        missing.append("httpd (on Debian apache2)")
    if clients.python_with_requests() is None:
        missing.append("the package requests of Python")
    missing += [str(path) for path in servers.GO_PROGRAMS if not path.exists()]
    if missing:
        raise LabError(f"missing: {', '.join(missing)}; `make test-matrix` installs and builds it")


# ---- traffic ----

def make_cells(lab):
    """The servers, accepting connections, and every client with each of them."""
    started = [servers.start(lab, lab.pod(f"s-{name}"), name) for name in SERVERS]
    pods = {client: lab.pod(f"c-{client}".replace(" ", "-")) for client in CLIENT_KINDS}
    return [Cell(client, pods[client], server) for client in CLIENT_KINDS for server in started]


def run_cells(lab, cells):
    """One client program after the other, each with all servers at once."""
    for client in CLIENT_KINDS:
        row = [cell for cell in cells if cell.client == client]
        with concurrent.futures.ThreadPoolExecutor(len(row)) as pool:
            running = [pool.submit(clients.run, lab, cell) for cell in row]
            for one in running:
                one.result()


def wait_logs(cells):
    """Until every request is logged; what answers nothing follows while the captures end."""
    for server in {cell.server for cell in cells}:
        server.wait_asked(sum(cell.planned().total() for cell in cells if cell.server is server))


def read_logs(checks, cells):
    """Every request is in its server's log, with the status that was to be."""
    for cell in cells:
        cell.read_log()
        checks.counts(f"{cell.name}: the server's log is what was planned", cell.logged,
                      cell.planned())


# ---- the live agent ----

def by_route(counts):
    """As metrics have it; every target of the matrix is /SEGMENT/ID."""
    routes = collections.Counter()
    for (method, target, status), count in counts.items():
        routes[method, target.rpartition("/")[0] + "/{id}", str(status)] += count
    return routes


def check_live(checks, cells, metrics):
    for cell in cells:
        got = metrics.by(CLIENT_COUNT, *LABELS, service_name=cell.client_pod.address,
                         server_address=cell.server.pod.address)
        checks.counts(f"{cell.name}: live, seen from the client", got, by_route(cell.logged))
    for server in {cell.server for cell in cells}:
        wanted = collections.Counter()
        for cell in cells:
            wanted += by_route(cell.logged) if cell.server is server else {}
        got = metrics.by(SERVER_COUNT, *LABELS, service_name=f"{server.pod.address}:80")
        checks.counts(f"{server.name}: live, seen from the server", got, wanted)
    unasked = sum(cell.unasked.total() for cell in cells)
    checks.counts("live: alone, seen from both ends",
                  metrics.by("vethscope_unmatched_messages_total", "reason"),
                  {(UNASKED,): 2 * unasked})
    for name in ("capture_dropped_packets", "missed_bytes", "blind_connections",
                 "ambiguous_exchanges", "flows_evicted", "series_rejected"):
        checks.equal(f"live: {name}", metrics.total(f"vethscope_{name}_total"), 0)
    checks.equal("live: active requests", metrics.total("http_server_active_requests"), 0)


# ---- the capture ----

def differing(request, exchange):
    """What an exchange does not share with its request, where the target tells it."""
    about = request.about
    wanted = {"outcome": "complete", "interim": list(about.interim), "ambiguous": False,
              "route": f"/{about.segment}/{{id}}"}
    if request.kind not in UNREAD:
        wanted["request_body_bytes"] = request.upload_bytes
    if request.answer_bytes is not None:
        wanted["response_body_bytes"] = request.answer_bytes
    found = {"interim": [], "ambiguous": False, **exchange}
    return [f"{exchange['target']}: {key} {found.get(key)}, not {value}"
            for key, value in wanted.items() if found.get(key) != value]


def check_read(checks, cell, exchanges):
    """Counts, and of every single exchange what its target tells."""
    asked = [exchange for exchange in exchanges if "target" in exchange]
    checks.counts(f"{cell.name}: read", collections.Counter(
        (exchange["method"], exchange["target"], exchange.get("status")) for exchange in asked),
        cell.logged)
    alone = [exchange for exchange in exchanges if "target" not in exchange]
    checks.counts(f"{cell.name}: read: alone", collections.Counter(
        (exchange["reason"], exchange.get("status")) for exchange in alone),
        {(UNASKED, status): count for status, count in cell.unasked.items()})
    wrong = [difference for exchange in asked for difference in
             differing(cell.requests[exchange["method"], exchange["target"]], exchange)]
    checks.equal(f"{cell.name}: read: every exchange is as its request was", wrong, [])


def end_of(exchange):
    """When the last byte of the answer passed."""
    length = exchange.get("duration_ns", exchange.get("response_ns", 0))
    return decoders.nanoseconds_of_time(exchange["time"]) + length


def check_tshark(checks, cell, decoded, exchanges):
    """tshark reads each answer's own id: that the exchange of this id has its status and ends with
    its last packet proves the pairs.

    Its known errors (4.0.17): a request is none when its body never comes, and the answer to that
    is read as if it were for the request before; an answer up to the close ends with the packet
    that closes, not with its last byte; and in a pipeline, answers that end in the same packet as
    one that began earlier are now and then found only with the next packet. Where packets were
    captured out of order, tshark's end is the packet that fills the last hole."""
    refused = {request.target for request in cell.plan if request.kind in UNREAD}
    requests = collections.Counter((exchange["method"], exchange["target"])
                                   for exchange in exchanges
                                   if exchange.get("target", "") not in {"", *refused})
    checks.counts(f"{cell.name}: tshark's requests", collections.Counter(
        found for found in decoded.requests if found[1] not in refused), requests)
    answers = [(id_of(exchange.get("target", "/")), exchange["status"], end_of(exchange))
               for exchange in exchanges if "status" in exchange]
    checks.counts(f"{cell.name}: tshark's answers", by_answer(decoded.answers), by_answer(answers))
    misread = {str(request.id) for request in cell.plan
               if request.target in refused or cell.up_to_the_close(request.target)}
    pipelined = len(answers) * LATE_SHARE if "pipelining" in cell.client else 0
    check_ends(checks, cell.name, ends(answers, misread), ends(decoded.answers, misread),
               decoded.disordered + pipelined)


def check_ends(checks, name, got, wanted, late_at_most):
    """By id; that the ids are the same is known by now."""
    differ = {number: (times, wanted.get(number, [])) for number, times in got.items()
              if times != wanted.get(number, [])}
    late = {number: pair for number, pair in differ.items() if pair[0] < pair[1]}
    checks.true(f"{name}: ends of answers, tshark's is later", len(late) <= late_at_most, late)
    checks.equal(f"{name}: ends of answers",
                 {number: pair for number, pair in differ.items() if number not in late}, {})


def id_of(target):
    return target.rpartition("/")[2]


def by_answer(answers):
    return collections.Counter((number, status) for number, status, _ in answers)


def ends(answers, left_out):
    """When the answers with an id ended."""
    times = collections.defaultdict(list)
    for number, _, time in sorted(answers):
        if number not in left_out:
            times[number].append(time)
    return times


def check_capture(checks, capture, cells):
    exchanges = collections.defaultdict(list)
    for exchange in decoders.read_json(capture.path):
        exchanges[exchange["client"].rpartition(":")[0]].append(exchange)
    decoded = decode(capture.path)
    addresses = {cell.client_pod.address for cell in cells}
    checks.equal(f"{capture.path.name}: clients", {*exchanges, *decoded}, addresses)
    for cell in cells:
        check_read(checks, cell, exchanges[cell.client_pod.address])
        check_tshark(checks, cell, decoded[cell.client_pod.address],
                     exchanges[cell.client_pod.address])


def main():
    require_everything()
    with Checks() as checks, Lab("matrix") as lab:
        cells = make_cells(lab)
        started = list(dict.fromkeys(cell.server for cell in cells))
        captures = [lab.capture(server.pod.interface, f"{server.name}.pcap")
                    for server in started]
        agent = lab.agent()
        run_cells(lab, cells)
        wait_logs(cells)
        for capture in captures:
            checks.equal(f"{capture.name} lost", capture.close(), 0)
        read_logs(checks, cells)
        total = sum(cell.logged.total() for cell in cells)
        print(f"{total} requests, {len(started)} servers, {len(cells)} combinations")
        check_live(checks, cells, agent.settled(SERVER_COUNT, total))
        checks.equal("exit status of the agent", agent.stop(), 0)
        for server, capture in zip(started, captures, strict=True):
            check_capture(checks, capture, [cell for cell in cells if cell.server is server])


if __name__ == "__main__":
    run(main)
