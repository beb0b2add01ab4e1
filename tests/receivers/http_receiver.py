"""An HTTP receiver of events that can be made to misbehave, and keeps account of what it took."""

import collections
import contextlib
import gzip
import http.server
import socket
import ssl
import struct
import subprocess
import threading
import time

import events


class Receiver:
    """Listens in a namespace. `behave` is one of the names of the methods below."""

    def __init__(self, module, namespace, port, context=None):
        self.module = module
        self.taken = collections.Counter()  # key of an event -> how often it was accepted
        self.requests = 0
        self.bodies = []  # sizes
        self.fields = {}  # of the last request
        self.behave = "accept"
        self.lock = threading.Lock()
        self.connections = set()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                super().setup()
                receiver.connections.add(self.connection)

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with receiver.lock:
                    receiver.requests += 1
                    receiver.fields = dict(self.headers)
                    receiver.bodies.append(len(body))
                getattr(receiver, receiver.behave)(self, body)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass

        with namespace.inside():
            self.server = Server(("127.0.0.1", port), Handler)
        if context is not None:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True,
                                                     do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        """Open connections end too, as with a process."""
        self.server.shutdown()
        self.server.server_close()
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def take(self, handler, body):
        coding = handler.headers.get("Content-Encoding")
        if coding == "gzip":
            body = gzip.decompress(body)
        elif coding == "zstd":
            body = subprocess.run(["zstd", "-dcq"], input=body, stdout=subprocess.PIPE,
                                  check=True).stdout
        messages, left = events.split(body)
        assert left == 0, "a body that ends in the middle of a message"
        with self.lock:
            self.taken.update(map(events.key, events.parse(self.module, messages)))

    def answer(self, handler, status, fields=(), body=b""):
        handler.send_response(status)
        for name, value in fields:
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    # ---- ways to behave ----

    def accept(self, handler, body):
        self.take(handler, body)
        self.answer(handler, 204)

    def slow(self, handler, body):
        time.sleep(0.5)
        self.accept(handler, body)

    def hang(self, handler, _body):
        time.sleep(3600)

    def fail(self, handler, _body):
        self.answer(handler, 500, body=b"not today")

    def busy(self, handler, _body):
        self.answer(handler, 429, [("Retry-After", "1")])

    def refuse(self, handler, _body):
        self.answer(handler, 400, body=b"never")

    def close_early(self, handler, _body):
        """Half of an answer, and then a reset."""
        handler.send_response(200)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        handler.wfile.write(b"half")
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                      struct.pack("ii", 1, 0))
        handler.close_connection = True

    def garbage(self, handler, _body):
        handler.wfile.write(b"\x00\xff\xfe this is no HTTP \r\n\r\n" * 50)
        handler.close_connection = True

    def endless(self, handler, body):
        """Takes it, and then does not stop talking."""
        self.take(handler, body)
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        try:
            while True:
                handler.wfile.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
        except OSError:
            handler.close_connection = True


def certificate(directory, name, host):
    """A certificate of its own authority; returns the files of certificate and key."""
    certificate_file, key_file = directory / f"{name}.pem", directory / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", f"/CN={host}",
                    "-addext", f"subjectAltName=IP:{host}", "-keyout", key_file,
                    "-out", certificate_file], check=True, stderr=subprocess.DEVNULL)
    return certificate_file, key_file


def server_context(certificate_files, client_authority=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate_files)
    if client_authority is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client_authority)
    return context
