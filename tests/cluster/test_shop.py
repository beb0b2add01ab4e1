#!/usr/bin/env python3
"""A shop of four services on a real node: what Prometheus has scraped is what the services logged,
request by request, on both sides and through cluster addresses; while pods come, go and are
replaced; and behind each way in which the agent itself is replaced.

    test_shop.py [bridge|ptp]      how the pods are joined to the node
"""

import collections
import os
import pathlib
import signal
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "kube"), str(HERE.parent / "support")]

import sandbox  # noqa: E402
from checks import Checks  # noqa: E402
from lab import LabError, run, wait_until  # noqa: E402
from node import NAME as NODE, Node  # noqa: E402
from prometheus import Prometheus  # noqa: E402
from release import DAEMONSET, NAMESPACE, Release  # noqa: E402
from shop import DEPLOYMENTS, NAMESPACE as SHOP, PROBE_ROUTE, Shop  # noqa: E402

SERVER = "http_server_request_duration_seconds_count"
CLIENT = "http_client_request_duration_seconds_count"
REQUEST = ("http_request_method", "http_route", "http_response_status_code")
SETTLE_SECONDS = 20
UNDER_LOAD_SECONDS = 3


class Comparison:
    """Of the logs with the metrics, from a moment on at which the agent knew of nothing."""

    def __init__(self, shop, prometheus, checks):
        self.shop = shop
        self.prometheus = prometheus
        self.checks = checks
        self.pod = None
        self.served = self.asked = collections.Counter()
        self.errors = 0

    def start(self, pod):
        """Nobody asks anybody at this moment, and this pod's agent is new."""
        self.pod = pod
        self.served, self.asked = self.shop.served(), self.shop.asked()
        self.errors = len(self.shop.errors())
        wait_until(lambda: self.prometheus.scrapes(pod), 30, f"a scrape of {pod}", pause=0.2)

    def _measured(self):
        where = f'pod="{self.pod}", service_namespace="{SHOP}", http_route!="{PROBE_ROUTE}"'
        return (self.prometheus.by(SERVER, "service_name", *REQUEST, where=where),
                self.prometheus.by(CLIENT, "service_name", "server_address", *REQUEST,
                                   where=where))

    def check(self, when):
        """Everything is asked and answered; the last scrapes may still be under way."""
        served = dict(self.shop.served() - self.served)
        asked = dict(self.shop.asked() - self.asked)
        end = time.monotonic() + SETTLE_SECONDS
        while (got := self._measured()) != (served, asked) and time.monotonic() < end:
            time.sleep(0.25)
        print(f"{when}: {sum(served.values())} requests served, {sum(asked.values())} asked, "
              f"{len(served)} and {len(asked)} series")
        self.checks.true(f"{when}: there were requests", served and asked)
        self.checks.counts(f"{when}: servers", got[0], served)
        self.checks.counts(f"{when}: clients", got[1], asked)
        self.checks.equal(f"{when}: errors of the shop", self.shop.errors()[self.errors:], [])
        self._check_nothing_missed(when)

    def check_since(self, when, served, asked):
        """Beside check: all that was logged since these counts, and of what was before anything or
        nothing."""
        least = (self.shop.served() - served, self.shop.asked() - asked)
        most = (self.shop.served() - self.served, self.shop.asked() - self.asked)
        end = time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < end:
            got = tuple(map(collections.Counter, self._measured()))
            if not least[0] - got[0] and not least[1] - got[1]:
                break
            time.sleep(0.25)
        print(f"{when}: at least {sum(least[0].values())} requests, seen {sum(got[0].values()):g}, "
              f"at most {sum(most[0].values())}")
        for side, name in enumerate(("servers", "clients")):
            self.checks.counts(f"{when}: {name}, not seen", least[side] - got[side], {})
            self.checks.counts(f"{when}: {name}, made up", got[side] - most[side], {})

    def _check_nothing_missed(self, when):
        for family in ("vethscope_capture_dropped_packets_total",
                       "vethscope_unmatched_messages_total", "vethscope_unnamed_exchanges_total",
                       "vethscope_series_rejected_total"):
            self.checks.counts(f"{when}: {family}",
                               self.prometheus.by(family, "service_name", "reason",
                                                  where=f'pod="{self.pod}"'), {})


def fixed_load(shop, comparison, checks):
    shop.send("load", 1000)
    comparison.check("a thousand visits")
    asked = shop.asked()
    checks.equal("what the customers asked for",
                 sum(count for key, count in asked.items() if key[0] == "load"), 1000)
    statuses = {key[-1] for key in asked}
    checks.equal("statuses", statuses, {"200", "201", "204", "404", "500"})
    graph = comparison.prometheus.by("traces_service_graph_request_total", "client", "server",
                                     where=f'pod="{comparison.pod}", client!="{NODE}"')
    edges = collections.Counter()
    for (workload, service, *_), count in asked.items():
        edges[workload, DEPLOYMENTS[service]] += count
    checks.counts("the service graph", graph, edges)
    asking = comparison.prometheus.by("traces_service_graph_request_total", "client",
                                      where=f'pod="{comparison.pod}"')
    checks.true("the kubelet, which asks from the pods' gateway, is the node",
                asking.get((NODE,), 0) > 0, asking)


def change_of_pods(shop, comparison):
    shop.customers()
    shop.scale("catalogue", 4)
    shop.scale("catalogue", 1)
    shop.roll("front")
    shop.roll("cart")
    shop.send_home()
    comparison.check("pods come, go and are replaced")


def replaced_agent(node, release, shop, comparison):
    """Its pod is deleted: the next one knows of connections that are older than itself."""
    node.kubectl("delete", "pod", "-n", NAMESPACE, release.pod())
    comparison.start(release.pod())
    shop.send("after-restart", 200)
    comparison.check("after the agent's pod was deleted")


def restarts(node):
    """How often the agent's container was, once it is ready; None: it is not."""
    status = node.get("pods", "-n", NAMESPACE)["items"][0]["status"]["containerStatuses"][0]
    return status["restartCount"] if status["ready"] else None


def kill(node, release, prometheus):
    """The same pod, another process: its counters begin again."""
    pod, before, now = release.pod(), restarts(node), time.time()
    os.kill(release.pid(), signal.SIGKILL)
    wait_until(lambda: restarts(node) == before + 1, 60, "the agent to be restarted", pause=0.2)
    wait_until(lambda: any(value > now - 1 for _, value in prometheus.query(
        f'process_start_time_seconds{{pod="{pod}"}}')), 30, "a scrape of the new process")


def killed_agent(node, release, shop, comparison):
    """Once while nobody asks, and once in the middle: what is seen then is what came after the new
    one was ready, and nothing of it is made up."""
    kill(node, release, comparison.prometheus)
    comparison.start(release.pod())
    shop.send("after-kill", 200)
    comparison.check("after the agent was killed")
    shop.customers("regulars")
    comparison.start(release.pod())
    kill(node, release, comparison.prometheus)
    seen_from = shop.served(), shop.asked()
    time.sleep(UNDER_LOAD_SECONDS)
    shop.send_home("regulars")
    comparison.check_since("killed while customers ask", *seen_from)


def upgraded_chart(node, release, shop, comparison, checks):
    before = release.pod()
    release.upgrade()
    checks.equal("an upgrade without a change keeps the pod", release.pod(), before)
    release.upgrade(**{"config.metrics.body_sizes": "true"})
    node.rolled_out(DAEMONSET, namespace=NAMESPACE)
    after = release.pod()
    checks.true("a changed value replaces the pod", after != before)
    comparison.start(after)
    shop.send("after-upgrade", 200)
    comparison.check("after an upgrade")
    checks.true("the changed value holds", comparison.prometheus.by(
        "http_server_request_body_size_bytes_count", "service_name",
        where=f'pod="{after}", service_namespace="{SHOP}"'))


def main():
    network = sys.argv[1] if len(sys.argv) > 1 else "bridge"
    with Checks() as checks, Node(sandbox.enter(), network) as node:
        release, shop = Release(node), Shop(node)
        prometheus = Prometheus(node)
        release.install()
        shop.open()
        comparison = Comparison(shop, prometheus, checks)
        comparison.start(release.pod())
        try:
            fixed_load(shop, comparison, checks)
            change_of_pods(shop, comparison)
            replaced_agent(node, release, shop, comparison)
            killed_agent(node, release, shop, comparison)
            upgraded_chart(node, release, shop, comparison, checks)
        except LabError:
            print(node.kubectl("get", "pods,events", "-A", "-o", "wide"))
            raise


if __name__ == "__main__":
    run(main)
