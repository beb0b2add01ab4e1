#!/usr/bin/env python3
"""python_client.py ADDRESS PLAN.json: asks with requests what the plan says; ends with 1 unless
every answer is the one that belongs to its request."""

import json
import queue
import sys
import threading

import requests

CONNECTIONS = 3
TIMEOUT_SECONDS = 30


def body_of(planned):
    whole = b"u" * planned["upload_bytes"]
    if planned["body"] == "chunked":
        half = len(whole) // 2
        return (piece for piece in (whole[:half], whole[half:]) if piece)
    return whole or None


def ask(session, address, planned):
    fields = dict(planned["fields"])
    if planned["expect"]:
        fields["Expect"] = "100-continue"
    if planned["close"]:
        fields["Connection"] = "close"
    answer = session.request(planned["method"], f"http://{address}{planned['target']}",
                             headers=fields, data=body_of(planned), timeout=TIMEOUT_SECONDS)
    got = (answer.status_code, answer.headers.get("X-Request-Id"))
    wanted = (planned["status"], planned["id"])
    if got != wanted:
        raise ValueError(f"got {got}, wanted {wanted}")
    if planned["answer_bytes"] not in (None, len(answer.content)):
        raise ValueError(f"{len(answer.content)} bytes")


def worker(address, waiting, failures):
    with requests.Session() as session:
        session.trust_env = False
        while True:
            try:
                planned = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                ask(session, address, planned)
            except (requests.RequestException, ValueError) as failure:
                failures.append(f"{planned['method']} {planned['target']}: {failure}")


def main():
    address, path = sys.argv[1:]
    waiting, failures = queue.Queue(), []
    with open(path, encoding="utf-8") as file:
        for planned in json.load(file):
            waiting.put(planned)
    threads = [threading.Thread(target=worker, args=(address, waiting, failures))
               for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(*failures, sep="\n", end="", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
