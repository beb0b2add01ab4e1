#!/usr/bin/env python3
"""id_server.py PORT: answers /WORD/N with what WORD and N alone decide, so that anybody who pairs a
request with another's answer can be told: the status by the word, and the number of the body's bytes
by both. Every third answer is chunked. The answer repeats the number in its X-Id field."""

import http.server
import socket
import sys

STATUSES = {"fetched": 200, "created": 201, "missing": 404, "broken": 500, "busy": 503}
_BODY = b"0123456789abcdef" * 1024
_CHUNK = 700


def body_bytes(number):
    """Different for neighbours, from a few bytes to several segments."""
    return 1 + number * 7919 % 6007


def is_chunked(number):
    return number % 3 == 0


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 65536

    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        _, word, number = self.path.split("/")
        body = _BODY[:body_bytes(int(number))]
        self.send_response(STATUSES[word])
        self.send_header("X-Id", number)
        if is_chunked(int(number)):
            self.send_header("Transfer-Encoding", "chunked")
            chunks = [body[at:at + _CHUNK] for at in range(0, len(body), _CHUNK)]
            body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in [*chunks, b""])
        else:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = answer

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6  # and IPv4 in mapped form
    daemon_threads = True
    request_queue_size = 128


if __name__ == "__main__":
    Server(("::", int(sys.argv[1])), Handler).serve_forever()
