"""customers.py ADDRESS: the demo's load, bounded: some customers who each look, wait and buy."""

import http.client
import random
import sys
import threading
import time

CUSTOMERS = 24
# Each asks about eight times a second: some 200 requests a second together.
PAUSE_SECONDS = 0.12
REQUESTS_A_VISIT = 60
RETRY_SECONDS = 0.5


def next_request():
    number = random.randrange(1000)
    return random.choices([
        ("GET", "/", None),
        ("GET", f"/catalog/items/{number}", None),
        ("GET", f"/catalog/search?q=lamp&page={number % 9}", None),
        ("GET", f"/users/{number}", None),
        ("GET", f"/users/{number}/cart", None),
        ("GET", f"/orders/{number}", None),
        ("POST", "/orders", b'{"item": 17, "count": 1}' * random.randrange(1, 20)),
        ("GET", "/favicon.ico", None),
    ], [10, 30, 15, 12, 8, 10, 12, 3])[0]


def visit(address):
    connection = http.client.HTTPConnection(address, 80, timeout=10)
    for _ in range(REQUESTS_A_VISIT):
        method, target, body = next_request()
        connection.request(method, target, body)
        connection.getresponse().read()
        time.sleep(random.expovariate(1 / PAUSE_SECONDS))
    connection.close()


def customer(address):
    while True:
        try:
            visit(address)
        except (OSError, http.client.HTTPException):
            time.sleep(RETRY_SECONDS)


if __name__ == "__main__":
    for _ in range(CUSTOMERS):
        threading.Thread(target=customer, args=(sys.argv[1],)).start()
