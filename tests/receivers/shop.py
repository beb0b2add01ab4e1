"""A node with a server and a client whose requests can be told apart: the scene of these tests."""

import collections
import json
import sys

from lab import SUPPORT_DIR, wait_until
from nginx import Nginx

SERVER_SIDE, CLIENT_SIDE = 1, 2
REQUESTS_A_CONNECTION = 50
PARALLEL = 4
# The target's last digit decides.
STATUSES = {3: 404, 7: 500}
_HTTP = """
    map $uri $route { default "/item/{id}"; }
    server {
        listen 80;
        location ~ 3$ { return 404 "no"; }
        location ~ 7$ { return 500 "broken"; }
        location / { return 200 "here you are"; }
    }
"""


def status_of(number):
    return STATUSES.get(number % 10, 200)


class Shop:
    """Pods, nginx, and the numbers of the requests sent so far."""

    def __init__(self, lab):
        self.lab = lab
        self.server, self.client = lab.pod("server"), lab.pod("client")
        self.nginx = Nginx(lab, self.server, _HTTP)
        self.sent = 0
        self.before = 0  # sent before the agent at hand was started

    def send(self, count, name="load"):
        """Sends requests with new numbers, and waits until nginx has logged them."""
        numbers = range(self.sent, self.sent + count)
        requests = [[{"method": "GET", "target": f"/item/{number}?n={number % 7}",
                      "status": status_of(number), "fields": {"User-Agent": "shop/1.0"}}]
                    for number in numbers]
        connections = [requests[at:at + REQUESTS_A_CONNECTION]
                       for at in range(0, count, REQUESTS_A_CONNECTION)]
        path = self.lab.directory / f"{name}-{self.sent}.json"
        path.write_text(json.dumps({"address": self.server.address, "port": 80, "host": "shop",
                                    "parallel": PARALLEL, "connections": connections}))
        done = self.lab.process(f"{name}-{self.sent}",
                                [sys.executable, SUPPORT_DIR / "load_client.py", path],
                                self.client).finish(120)
        if done != 0:
            raise ValueError("the load failed")
        self.sent += count
        wait_until(lambda: len(self.nginx.entries()) >= self.sent, 20, "nginx' log")

    def wait_captured(self, agent, seconds=20):
        """Until the agent has counted both views of what was sent since its start."""
        for family in ("http_server_request_duration_seconds_count",
                       "http_client_request_duration_seconds_count"):
            agent.settled(family, self.sent - self.before, seconds)
        return agent.metrics()

    def expected(self):
        """Both views of every request that nginx has logged, once each."""
        return collections.Counter((side, entry["target"]) for entry in self.nginx.entries()
                                   for side in (SERVER_SIDE, CLIENT_SIDE))

    def status_by_target(self):
        return {entry["target"]: entry["status"] for entry in self.nginx.entries()}


def account(metrics, exporter):
    """What an exporter says about its items: given, sent, lost, waiting."""
    def value(family):
        return metrics.total(f"vethscope_exporter_{family}", exporter=exporter)
    return {"given": value("accepted_total") + value("replayed_total"),
            "sent": value("sent_total"),
            "lost": metrics.total("vethscope_events_dropped_total", exporter=exporter),
            "waiting": value("queue_items")}


def balanced(numbers):
    return numbers["given"] == numbers["sent"] + numbers["lost"] + numbers["waiting"]


def wait_balanced(agent, exporter):
    """The numbers of one page are of slightly different moments; soon they agree."""
    wait_until(lambda: balanced(account(agent.metrics(), exporter)), 10, f"{exporter}'s account")
    return account(agent.metrics(), exporter)


def settled(shop, agent, exporter, seconds=30, replayed=0):
    """Until everything sent since the agent's start was given to the exporter, and none of it waits
    any more; returns the account."""
    def done():
        numbers = account(agent.metrics(), exporter)
        return numbers["given"] == 2 * (shop.sent - shop.before) + replayed \
            and numbers["waiting"] == 0 and balanced(numbers)
    shop.wait_captured(agent)
    wait_until(done, seconds, f"everything delivered by {exporter}", pause=0.1)
    return account(agent.metrics(), exporter)
