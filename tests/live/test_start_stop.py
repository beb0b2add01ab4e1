#!/usr/bin/env python3
"""Counting begins when /readyz answers and ends when the agent does: requests that are sent at once
after the one and answered just before the other are all there."""

import json
import pathlib
import re
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from checks import Checks  # noqa: E402
from lab import SUPPORT_DIR, Lab, binary, run, wait_until  # noqa: E402
from nginx import Nginx  # noqa: E402

ROUNDS = 8
CONNECTIONS, REQUESTS = 10, 50
AGENT_PORTS = (9991, 9992)
LONE_REQUESTS = 40
NGINX = """
    map $uri $route { default $uri; }
    server {
        listen 80;
        location / { return 200 'hello'; }
    }
"""


def write_plan(lab, address):
    request = {"method": "GET", "target": "/", "status": 200}
    plan = {"address": address, "port": 80, "host": "web", "parallel": 2,
            "connections": [[[request]] * REQUESTS] * CONNECTIONS}
    path = lab.directory / "plan.json"
    path.write_text(json.dumps(plan))
    return path


def check_workers_stop_together(checks, lab):
    """Each waits out its own ring, which takes two seconds here; not one behind the other."""
    agent = lab.agent(config="capture: {workers: 4, ring_size: 4MiB, block_timeout: 1s}\n")
    began = time.monotonic()
    checks.equal("exit status of several workers", agent.stop(), 0)
    took = time.monotonic() - began
    checks.true("several workers stop together", took < 5, took)


def check_two_agents(checks, lab, server, client):
    """Agents in containers have the same process id; their workers must not share the packets."""
    config = lab.directory / "workers.yaml"
    config.write_text("capture: {workers: 2, ring_size: 4MiB}\n")
    agents = [lab.process(f"agent-{port}",
                          ["unshare", "--pid", "--fork", "--kill-child=SIGTERM", binary(), "run",
                           "--config", config, "--listen", f"127.0.0.1:{port}"], lab.node)
              for port in AGENT_PORTS]
    for agent in agents:
        wait_until(lambda agent=agent: "watching" in agent.stderr(), 20, agent.name)
    for _ in range(LONE_REQUESTS):
        client.get(server.address, 80, "/")
    for agent in agents:
        agent.discard()  # ends unshare, which passes SIGTERM on
        wait_until(lambda agent=agent: "stopped" in agent.stderr(), 20, agent.name)
        ended = re.search(r"exchanges=(\d+)", agent.stderr())
        checks.equal(f"{agent.name} saw", ended.group(1), str(2 * LONE_REQUESTS))


def main():
    with Checks() as checks, Lab("ends") as lab:
        web, client = lab.pod("web"), lab.pod("client")
        Nginx(lab, web, NGINX)
        plan = write_plan(lab, web.address)
        for number in range(ROUNDS):
            agent = lab.agent(name=f"vethscope-{number}")
            load = lab.process(f"load-{number}",
                               [sys.executable, SUPPORT_DIR / "load_client.py", plan], client)
            checks.equal("the client ended well", load.finish(60), 0)
            checks.equal("exit status", agent.stop(), 0)
            ended = re.search(r"exchanges=(\d+).* dropped=(\d+)", agent.stderr())
            if checks.true("says what it saw", ended, agent.stderr()):
                checks.equal("seen from both sides, and dropped", ended.groups(),
                             (str(2 * CONNECTIONS * REQUESTS), "0"))
        check_workers_stop_together(checks, lab)
        check_two_agents(checks, lab, web, client)


if __name__ == "__main__":
    run(main)
