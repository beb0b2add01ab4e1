"""service.py orders|users: two services of the demo's shop, with the waits and the faults that
databases and their callers have."""

import http.server
import json
import random
import re
import sys
import time

ORDERS = re.compile(r"/orders(/\d+)?$")
USERS = re.compile(r"/users/(\d+)(/cart)?$")
KNOWN_USERS = 900


def orders(method, path):
    """Slow, slower when it writes, and now and then it fails."""
    if not ORDERS.match(path):
        return 404, {"error": "no such page"}
    time.sleep(random.lognormvariate(-3.4, 0.4) if method == "POST" else
               random.uniform(0.008, 0.02))
    if method == "POST" and random.random() < 0.03:
        return 500, {"error": "the warehouse does not answer"}
    return (201 if method == "POST" else 200), {"order": random.randrange(10**6)}


def users(_method, path):
    """Quick; some ask for users who are gone."""
    match = USERS.match(path)
    time.sleep(random.uniform(0.001, 0.006))
    if match is None or int(match.group(1)) > KNOWN_USERS:
        return 404, {"error": "no such user"}
    return 200, {"user": int(match.group(1)), "cart": ["lamp"] * 20 if match.group(2) else None}


class Handler(http.server.BaseHTTPRequestHandler):
    """HTTP/1.1, kept alive; the whole answer in one write."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    service = None

    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, value = type(self).service(self.command, self.path.partition("?")[0])
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = answer

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


if __name__ == "__main__":
    Handler.service = staticmethod({"orders": orders, "users": users}[sys.argv[1]])
    Server(("0.0.0.0", 80), Handler).serve_forever()
