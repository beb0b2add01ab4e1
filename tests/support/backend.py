#!/usr/bin/env python3
"""backend.py PORT: an HTTP/1.1 server, one thread a connection, that waits where the path says.

    /after/MS      waits, then answers
    /middle/MS     sends half of the body, waits, sends the rest
    /status/CODE   answers with that status
    /never         takes the request and does not answer
anything else is answered at once.
"""

import http.server
import socket
import sys
import time

BODY = b"0123456789abcdef" * 512
PARKED_SECONDS = 3600


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def answer(self):
        length = int(self.headers.get("Content-Length", 0))
        self.rfile.read(length)
        kind, _, argument = self.path.lstrip("/").partition("/")
        if kind == "after":
            time.sleep(int(argument) / 1000)
        if kind == "never":
            time.sleep(PARKED_SECONDS)
        self.send_response(int(argument) if kind == "status" else 200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        if self.command == "HEAD":
            return
        half = len(BODY) // 2
        self.wfile.write(BODY[:half])
        if kind == "middle":
            time.sleep(int(argument) / 1000)
        self.wfile.write(BODY[half:])

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = answer

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6  # and IPv4 in mapped form
    daemon_threads = True
    request_queue_size = 128


if __name__ == "__main__":
    Server(("::", int(sys.argv[1])), Handler).serve_forever()
