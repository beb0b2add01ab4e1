#!/usr/bin/env python3
"""load_client.py PLAN.json: sends a fixed number of HTTP/1.x requests and reads every answer whole.

The plan names the server and has a list of connections; a connection is a list of batches, a batch
a list of requests that are sent before the first of their answers is read (pipelining when there
are more than one). A request is {"method", "target", "version", "fields", "body", "chunked",
"continue", "status"}; the client fails unless the answer has that status. It closes a connection
after its last batch. Several connections are open at a time, one thread each.

Made for counting: no retries, so what it sent is what the plan says, or it ends with status 1.
"""

import json
import queue
import socket
import sys
import threading

RECEIVE_BYTES = 262144
TIMEOUT_SECONDS = 30


class Reader:
    """Answers from a socket, one after the other."""

    def __init__(self, connection):
        self.connection = connection
        self.buffer = b""

    def more(self):
        received = self.connection.recv(RECEIVE_BYTES)
        self.buffer += received
        return received != b""

    def until(self, mark):
        while mark not in self.buffer:
            if not self.more():
                raise ConnectionError("the server closed before the answer was whole")
        found, _, self.buffer = self.buffer.partition(mark)
        return found

    def take(self, length):
        while len(self.buffer) < length:
            if not self.more():
                raise ConnectionError("the server closed inside a body")
        self.buffer = self.buffer[length:]

    def chunks(self):
        while True:
            size = int(self.until(b"\r\n").split(b";")[0], 16)
            if size == 0:
                while self.until(b"\r\n") != b"":
                    pass
                return
            self.take(size + 2)

    def answer(self, method):
        """Reads one message; returns its status."""
        lines = self.until(b"\r\n\r\n").split(b"\r\n")
        status = int(lines[0].split(b" ")[1])
        fields = dict(line.lower().split(b":", 1) for line in lines[1:])
        if status < 200 or status in (204, 304) or method == "HEAD":
            return status
        if fields.get(b"transfer-encoding", b"").strip() == b"chunked":
            self.chunks()
        elif b"content-length" in fields:
            self.take(int(fields[b"content-length"]))
        else:
            while self.more():
                pass
            self.buffer = b""
        return status


def body_of(request):
    body = request.get("body", "").encode()
    if not request.get("chunked"):
        return body
    third = len(body) // 3 or 1
    pieces = [body[at:at + third] for at in range(0, len(body), third)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def head_of(request, host):
    fields = {"Host": host, **request.get("fields", {})}
    if request.get("chunked"):
        fields["Transfer-Encoding"] = "chunked"
    elif "body" in request:
        fields["Content-Length"] = str(len(request["body"]))
    if request.get("continue"):
        fields["Expect"] = "100-continue"
    lines = [f"{request['method']} {request['target']} HTTP/{request.get('version', '1.1')}"]
    lines += [f"{name}: {value}" for name, value in fields.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def final_answer(reader, method):
    status = 100
    while status < 200:
        status = reader.answer(method)
    return status


def send_batch(connection, reader, batch, host):
    if batch[0].get("continue"):
        connection.sendall(head_of(batch[0], host))
        if reader.answer("") != 100:
            raise ConnectionError("no 100 (Continue)")
        connection.sendall(body_of(batch[0]))
    else:
        connection.sendall(b"".join(head_of(request, host) + body_of(request) for request in batch))
    for request in batch:
        status = final_answer(reader, request["method"])
        if status != request["status"]:
            raise ConnectionError(f"{request['method']} {request['target']}: {status}")


def run_connection(plan, batches):
    address = (plan["address"], plan["port"])
    with socket.create_connection(address, TIMEOUT_SECONDS) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        reader = Reader(connection)
        for batch in batches:
            send_batch(connection, reader, batch, plan["host"])
        if reader.buffer != b"":
            raise ConnectionError("bytes behind the last answer")


def worker(plan, waiting, failures):
    while True:
        try:
            batches = waiting.get_nowait()
        except queue.Empty:
            return
        try:
            run_connection(plan, batches)
        except (OSError, ValueError) as failure:
            failures.append(str(failure))


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        plan = json.load(file)
    waiting, failures = queue.Queue(), []
    for batches in plan["connections"]:
        waiting.put(batches)
    threads = [threading.Thread(target=worker, args=(plan, waiting, failures))
               for _ in range(plan["parallel"])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for failure in failures[:10]:
        print(failure, file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
