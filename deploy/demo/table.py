"""Scrapes as a table: a row for every service and route, rates of the last seconds."""

import collections
import time

FAMILY = "http_server_request_duration_seconds"
NAMESPACE = "shop"
# What the rates and quantiles are taken over.
WINDOW_SCRAPES = 10
ROUTE_WIDTH = 34
CLEAR = "\x1b[H\x1b[2J"
BOLD, DIM, RED, YELLOW, RESET = "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[33m", "\x1b[0m"


class Row:
    """What happened to one service and route between two scrapes."""

    def __init__(self):
        self.count = 0
        self.status = collections.Counter()
        self.buckets = collections.Counter()

    def quantile(self, share):
        """By straight lines inside the buckets, as Prometheus does it; in seconds."""
        wanted = share * self.buckets[float("inf")]
        below, low = 0, 0.0
        for bound in sorted(self.buckets):
            if self.buckets[bound] >= wanted and self.buckets[bound] > below:
                if bound == float("inf"):
                    return low
                return low + (bound - low) * (wanted - below) / (self.buckets[bound] - below)
            below, low = self.buckets[bound], bound
        return low


def key_of(labels):
    return labels["service_name"], labels.get("http_request_method", "-"), labels["http_route"]


def rows_of(metrics):
    rows = collections.defaultdict(Row)
    for _, labels, value in metrics.select(f"{FAMILY}_count", service_namespace=NAMESPACE):
        row = rows[key_of(labels)]
        row.count += value
        row.status[labels.get("http_response_status_code", "none")[0]] += value
    for _, labels, value in metrics.select(f"{FAMILY}_bucket", service_namespace=NAMESPACE):
        rows[key_of(labels)].buckets[float(labels["le"])] += value
    return rows


def difference(new, old):
    row = Row()
    row.count = new.count - old.count
    row.status = new.status - old.status
    row.buckets = new.buckets - old.buckets
    return row


class Table:
    """Keeps the scrapes of the window."""

    def __init__(self, url, clock=time.monotonic):
        self.url = url
        self.clock = clock
        self.scrapes = collections.deque(maxlen=WINDOW_SCRAPES + 1)
        self.metrics = None

    def add(self, metrics):
        self.metrics = metrics
        self.scrapes.append((self.clock(), rows_of(metrics)))

    def lines(self, colored):
        paint = (lambda code, text: f"{code}{text}{RESET}") if colored else (lambda _, text: text)
        then, old = self.scrapes[0]
        now, new = self.scrapes[-1]
        yield paint(BOLD, f"{'SERVICE':<9} {'':<5}{'ROUTE':<{ROUTE_WIDTH}} {'REQ/S':>7} {'4XX':>6}"
                    f" {'5XX':>6} {'P50':>8} {'P99':>8} {'TOTAL':>8}")
        last = None
        for key in sorted(new):
            row = difference(new[key], old.get(key, Row()))
            yield self.line(key, row, new[key].count, max(now - then, 1), key[0] != last, paint)
            last = key[0]
        yield from self.footer(new, paint)

    @staticmethod
    def line(key, row, total, seconds, named, paint):
        service, method, route = key
        if len(route) > ROUTE_WIDTH:
            route = route[:ROUTE_WIDTH - 1] + "~"
        shares = []
        for kind, color in (("4", YELLOW), ("5", RED)):
            share = 100 * row.status[kind] / row.count if row.count else 0
            text = f"{share:5.1f}%" if share else f"{'-':>6}"
            shares.append(paint(color, text) if share else text)
        times = [f"{row.quantile(share) * 1000:6.1f}ms" if row.count else f"{'-':>8}"
                 for share in (0.5, 0.99)]
        return (f"{service if named else '':<9} {method:<5}{route:<{ROUTE_WIDTH}} "
                f"{row.count / seconds:7.1f} {shares[0]} {shares[1]} {times[0]} {times[1]} "
                f"{total:8.0f}")

    def footer(self, rows, paint):
        requests = sum(row.count for row in rows.values())
        packets = self.metrics.total("vethscope_capture_packets_total")
        dropped = self.metrics.total("vethscope_capture_dropped_packets_total")
        yield ""
        yield paint(DIM, f"{requests:.0f} requests seen from outside the pods, in {packets:.0f} "
                    f"packets, {dropped:.0f} lost")
        yield paint(DIM, f"{self.url}   Ctrl-C stops and removes everything")

    def show(self, stream, on_terminal):
        text = "\n".join(self.lines(on_terminal))
        stream.write(f"{CLEAR}{text}\n" if on_terminal else f"{text}\n\n")
        stream.flush()
