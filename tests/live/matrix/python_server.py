#!/usr/bin/env python3
"""python_server.py PORT: http.server with the answers of kinds.py; one JSON line a request on
standard output, with its answer."""

import http.server
import json
import sys
import threading

from kinds import ANSWER_BYTES

LOCK = threading.Lock()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle_expect_100(self):
        return True if self.path.startswith("/refuse/") else super().handle_expect_100()

    def read_body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            return
        while size := int(self.rfile.readline().split(b";")[0], 16):
            self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline() not in (b"\r\n", b""):
            pass

    def start(self, status, *fields):
        self.send_response(status)
        self.send_header("X-Request-Id", self.path.rpartition("/")[2])
        for name, value in fields:
            self.send_header(name, value)
        if self.close_connection or self.request_version == "HTTP/1.0":
            self.send_header("Connection", "close" if self.close_connection else "keep-alive")
        self.end_headers()

    def sized(self, status, body, *fields):
        self.start(status, ("Content-Length", str(len(body))), *fields)
        if self.command != "HEAD":
            self.wfile.write(body)

    def chunked(self, body, *trailers):
        if self.request_version == "HTTP/1.0":
            self.close_connection = True
            self.start(200)
            if self.command != "HEAD":
                self.wfile.write(body)
            return
        self.start(200, ("Transfer-Encoding", "chunked"))
        if self.command == "HEAD":
            return
        half = len(body) // 2
        for piece in filter(None, (body[:half], body[half:])):
            self.wfile.write(b"%x;an=extension\r\n%s\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n" + b"".join(trailers) + b"\r\n")

    def answer(self):
        _, segment, number = self.path.split("/")
        body = b"x" * ANSWER_BYTES[int(number[-1])]
        if segment == "refuse":
            self.close_connection = True  # the body may or may not come
            self.sized(403, b"no")
            return
        self.read_body()
        if segment in ("length", "echo"):
            self.sized(200, body)
        elif segment == "close":
            self.close_connection = True
            self.sized(200, body)
        elif segment == "chunked":
            self.chunked(body)
        elif segment == "trailer":
            self.chunked(body, b"X-Sum: 120\r\n")
        elif segment == "hints":
            self.wfile.write(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n")
            self.sized(200, body)
        else:
            self.bodiless(segment)

    def bodiless(self, segment):
        statuses = {"store": 204, "nothing": 204, "unchanged": 304}
        if segment in statuses:
            self.start(statuses[segment])
        else:
            self.sized(500 if segment == "fail" else 404, b"see the status")

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = answer

    def log_request(self, code="-", size="-"):
        line = {"method": self.command, "target": self.path, "status": int(code),
                "client": self.client_address[0]}
        with LOCK:
            print(json.dumps(line), flush=True)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


if __name__ == "__main__":
    Server(("", int(sys.argv[1])), Handler).serve_forever()
