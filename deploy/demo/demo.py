"""The demo: four services of a shop, each in a network namespace behind a veth on a bridge of this
machine, customers, vethscope on the host side, and its numbers as a table. What it makes here is
the bridge vsdemo, links vsd*, namespaces vst*; all of it goes at the end, and what a killed run
left goes at the start."""

import contextlib
import fcntl
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time

DEMO_DIR = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(DEMO_DIR.parents[1] / "tests" / "support"))

from lab import METRICS_PORT, Host, Lab, LabError, run  # noqa: E402
from nginx import Nginx  # noqa: E402
from table import Table  # noqa: E402

LOCK = "/run/vethscope-demo.lock"
SERVICES = ("gateway", "catalog", "orders", "users")
URL = f"http://127.0.0.1:{METRICS_PORT}/metrics"
REFRESH_SECONDS = 1
# Without a terminal the table is printed anew, less often.
PRINT_SECONDS = 5
BRIDGE_FILTERING = "/proc/sys/net/bridge/bridge-nf-call-iptables"

GATEWAY = """
    map $uri $route {{ default $uri; }}
    upstream catalog {{ server {catalog}; keepalive 16; }}
    upstream orders {{ server {orders}; keepalive 16; }}
    upstream users {{ server {users}; keepalive 16; }}
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    server {{
        listen 80;
        location = / {{ return 200 'welcome to the shop\\n'; }}
        location /catalog/ {{ proxy_pass http://catalog; }}
        location /orders {{ proxy_pass http://orders; }}
        location /users/ {{ proxy_pass http://users; }}
    }}
"""
CATALOG = """
    map $uri $route { default $uri; }
    server {
        listen 80;
        root FILES;
        location ~ ^/catalog/items/[0-9]*7$ { return 404 'sold out\\n'; }
        location /catalog/items/ { try_files /item.json =404; }
        location /catalog/search { try_files /page.json =404; }
    }
"""
CATALOG_FILES = {"item.json": b'{"name": "lamp", "price": 40}\n',
                 "page.json": b'{"name": "lamp", "price": 40}\n' * 500}


class Shop(Lab):
    """A lab whose node is this machine, as vethscope would find it on a node of a cluster."""

    link_prefix = "vsd"
    bridge = "vsdemo"

    def make_node(self):
        self.remove_links()
        return Host()

    def close(self):
        super().close()
        self.remove_links()

    def remove_links(self):
        """The kernel takes a namespace down later than its name: its link is not waited for."""
        for line in Host().ip("-o", "link", "show").splitlines():
            name = line.split(": ")[1].partition("@")[0]
            if name.startswith(self.link_prefix):
                subprocess.run(["ip", "link", "del", name], stderr=subprocess.DEVNULL, check=False)


def only_one():
    """Two demos would take each other's bridge away; the lock goes with this process."""
    lock = open(LOCK, "w", encoding="ascii")  # held open until the end
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit("demo: another demo is running on this machine")
    return lock


def require_free_port():
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", METRICS_PORT))
        except OSError:
            sys.exit(f"demo: something else listens on 127.0.0.1:{METRICS_PORT}")


@contextlib.contextmanager
def bridge_passes(bridge):
    """With Docker's br_netfilter, frames between ports of any bridge go through the FORWARD chain,
    whose policy Docker sets to DROP: let those of ours through, and take the rule back."""
    filtering = pathlib.Path(BRIDGE_FILTERING)
    needed = filtering.exists() and filtering.read_text().strip() == "1" \
        and shutil.which("iptables") is not None
    rule = ["FORWARD", "-i", bridge, "-o", bridge, "-j", "ACCEPT"]
    if needed:
        subprocess.run(["iptables", "-w", "-D", *rule], stderr=subprocess.DEVNULL, check=False)
        subprocess.run(["iptables", "-w", "-I", *rule], check=True)
    try:
        yield
    finally:
        if needed:
            subprocess.run(["iptables", "-w", "-D", *rule], check=False)


def open_shop(shop):
    """Starts the services and the agent; returns the agent."""
    pods = {name: shop.pod(name) for name in (*SERVICES, "customers")}
    Nginx(shop, pods["catalog"], CATALOG, CATALOG_FILES)
    for name in ("orders", "users"):
        shop.serve(name, [sys.executable, DEMO_DIR / "service.py", name], pods[name])
    addresses = {name: pod.address for name, pod in pods.items()}
    Nginx(shop, pods["gateway"], GATEWAY.format(**addresses))
    names = "".join(f"  - address: {address}\n    namespace: shop\n    service: {name}\n"
                    for name, address in addresses.items())
    agent = shop.agent(config=f"names:\n{names}")
    shop.process("customers", [sys.executable, DEMO_DIR / "customers.py", addresses["gateway"]],
                 pods["customers"])
    return agent


def watch(agent, seconds):
    """Shows the table until the time is over."""
    table = Table(URL)
    table.add(agent.metrics())
    on_terminal = sys.stdout.isatty()
    pause = REFRESH_SECONDS if on_terminal else PRINT_SECONDS
    end = time.monotonic() + seconds if seconds else None
    while end is None or time.monotonic() < end:
        left = end - time.monotonic() if end is not None else pause
        time.sleep(max(0, min(pause, left)))
        if not agent.running():
            raise LabError(f"vethscope ended: {agent.stderr().strip()}")
        table.add(agent.metrics())
        table.show(sys.stdout, on_terminal)


def main():
    seconds = float(os.environ.get("DEMO_SECONDS") or 0)
    lock = only_one()
    require_free_port()
    print("demo: opening the shop ...")
    try:
        with contextlib.closing(lock), Shop("demo") as shop, bridge_passes(Shop.bridge):
            agent = open_shop(shop)
            print(f"demo: {', '.join(SERVICES)} are open; metrics on {URL}")
            with contextlib.suppress(KeyboardInterrupt):
                watch(agent, seconds)
            agent.stop()
    finally:
        print("demo: closed; nothing is left behind")


if __name__ == "__main__":
    run(main)
