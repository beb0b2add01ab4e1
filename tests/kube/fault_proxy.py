"""Two ways to stand between an agent and its API server and to spoil what passes.

`Wire` passes bytes on without looking into them: HTTP/2 inside TLS as well. `Middle` ends the TLS
connection, speaks HTTP/1.1, and can therefore spoil one answer in a chosen place.
"""

import contextlib
import http.client
import http.server
import random
import re
import select
import socket
import ssl
import struct
import threading
import time

PIECE = 65536


def reset(connection):
    """Closes with RST: the other end sees a broken connection, not an orderly end."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    with contextlib.suppress(OSError):
        connection.close()


class Wire:
    """A TCP relay on loopback. Counts bytes and connections; the modes below spoil it."""

    def __init__(self, target_port):
        self.target_port = target_port
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.lock = threading.Lock()
        self.pairs = set()
        self.frozen = set()
        self.connections = 0
        self.to_server = 0
        self.to_client = 0
        self.refusing = False
        self.stalled = False
        self.bytes_per_second = None
        # After so many more bytes to the client every connection is cut there.
        self.cut_after = None
        # From now on bytes to the client are replaced.
        self.garbage = False
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.refusing = True
        self.listener.close()
        self.cut()

    def cut(self):
        """Every connection there is breaks now."""
        with self.lock:
            pairs = list(self.pairs)
        for pair in pairs:
            for end in pair:
                reset(end)

    def freeze(self):
        """Nothing passes on the connections there are, though they stay; new ones work."""
        with self.lock:
            self.frozen |= self.pairs

    def heal(self):
        self.refusing = self.stalled = self.garbage = False
        self.bytes_per_second = self.cut_after = None

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if self.refusing:
                reset(client)
                continue
            threading.Thread(target=self._relay, args=(client,), daemon=True).start()

    def _relay(self, client):
        try:
            server = socket.create_connection(("127.0.0.1", self.target_port))
        except OSError:
            reset(client)
            return
        pair = (client, server)
        with self.lock:
            self.connections += 1
            self.pairs.add(pair)
        try:
            while self._relay_once(pair):
                pass
        except (OSError, ValueError):
            pass
        with self.lock:
            self.pairs.discard(pair)
        reset(client)
        reset(server)

    def _relay_once(self, pair):
        client, server = pair
        if self.stalled or pair in self.frozen:
            time.sleep(0.02)
            # Whoever gives up on the connection may.
            return client.fileno() >= 0
        ready, _, _ = select.select([client, server], [], [], 0.1)
        for source in ready:
            limit = PIECE
            if source is server and self.bytes_per_second is not None:
                limit = max(1, self.bytes_per_second // 20)
                time.sleep(0.05)
            data = source.recv(limit)
            if not data:
                return False
            if source is client:
                self.to_server += len(data)
                server.sendall(data)
            elif not self._pass_on(client, data):
                return False
        return True

    def _pass_on(self, client, data):
        if self.garbage:
            data = random.randbytes(len(data))
        if self.cut_after is not None:
            part = data[:self.cut_after]
            self.cut_after -= len(part)
            client.sendall(part)
            return self.cut_after > 0
        self.to_client += len(data)
        client.sendall(data)
        return True


class Fault:
    """What happens to the answers of requests whose path matches, `times` times.

    status: answered so, with `headers` and `body`, without asking the server.
    after:  so many bytes of the body pass unspoiled; then
    then:   "cut" breaks the connection, "end" ends the body as if it were whole, "garbage" sends
            random bytes instead, "stall" sends nothing more, "flip" changes single bytes."""

    def __init__(self, pattern, status=None, headers=(), body=b"", after=0, then=None, times=None,
                 delay=0.0, bytes_per_second=None):
        self.pattern = re.compile(pattern)
        self.status = status
        self.headers = headers
        self.body = body
        self.after = after
        self.then = then
        self.times = times
        self.delay = delay
        self.bytes_per_second = bytes_per_second
        self.hits = 0


class Middle:
    """The HTTP/1.1 server in between; `faults` may be changed at any time."""

    def __init__(self, cluster, certificate=None, seed=1):
        self.cluster = cluster
        self.random = random.Random(seed)
        self.faults = []
        # (when, path, status) of every request, as it was answered.
        self.requests = []
        # (path, headers) of the same.
        self.headers = []
        self.lock = threading.Lock()
        self.open = set()
        certificate, key = certificate or (cluster.directory / "server.crt",
                                           cluster.directory / "server.key")
        middle = self

        class Handler(_Handler):
            pass

        Handler.middle = middle
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.upstream = ssl.create_default_context(cafile=str(cluster.ca_file))
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.server.shutdown()
        self.server.server_close()
        self.cut()

    def cut(self):
        """Every connection there is breaks now."""
        with self.lock:
            connections = list(self.open)
        for connection in connections:
            reset(connection)

    def spoil(self, *faults):
        """From now on these; connections are cut, so that everything is asked for again."""
        self.faults = list(faults)
        self.cut()

    def heal(self):
        self.faults = []

    def fault_for(self, path):
        with self.lock:
            for fault in self.faults:
                if fault.pattern.search(path) and (fault.times is None or fault.hits < fault.times):
                    fault.hits += 1
                    return fault
        return None

    def note(self, path, status, headers):
        with self.lock:
            self.requests.append((time.monotonic(), path, status))
            self.headers.append((path, dict(headers.items())))


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    middle = None

    def setup(self):
        # The handshake belongs to this connection's thread.
        self.request = self.middle.context.wrap_socket(self.request, server_side=True,
                                                       do_handshake_on_connect=False)
        self.request.settimeout(300)
        with self.middle.lock:
            self.middle.open.add(self.request)
        super().setup()

    def finish(self):
        with self.middle.lock:
            self.middle.open.discard(self.request)
        with contextlib.suppress(OSError):
            super().finish()

    def handle(self):
        try:
            self.request.do_handshake()
            super().handle()
        except (OSError, ValueError, http.client.HTTPException):
            reset(self.request)

    def log_message(self, *_arguments):
        pass

    def do_GET(self):
        fault = self.middle.fault_for(self.path)
        if fault is not None and fault.delay:
            time.sleep(fault.delay)
        if fault is not None and fault.status is not None:
            self._refuse(fault)
            return
        upstream = http.client.HTTPSConnection("127.0.0.1", self.middle.cluster.port, timeout=300,
                                               context=self.middle.upstream)
        with contextlib.closing(upstream):
            upstream.request("GET", self.path, headers=dict(self.headers.items()))
            response = upstream.getresponse()
            self._relay(response, fault)

    def _refuse(self, fault):
        self.middle.note(self.path, fault.status, self.headers)
        self.send_response(fault.status)
        for name, value in fault.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(fault.body)))
        self.end_headers()
        self.wfile.write(fault.body)

    def _relay(self, response, fault):
        self.middle.note(self.path, response.status, self.headers)
        self.send_response_only(response.status, response.reason)
        for name, value in response.getheaders():
            if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                self.send_header(name, value)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        passed = 0
        while True:
            data = response.read1(PIECE)
            if not data:
                break
            if fault is None or not self._spoil(fault, data, passed):
                self._chunk(data)
            passed += len(data)
        self.wfile.write(b"0\r\n\r\n")

    def _chunk(self, data):
        if data:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))

    def _spoil(self, fault, data, passed):
        """Whether it took care of this piece of the body; raises to break the connection."""
        if fault.bytes_per_second is not None:
            step = max(1, fault.bytes_per_second // 20)
            for start in range(0, len(data), step):
                self._chunk(data[start:start + step])
                time.sleep(0.05)
            return True
        if passed + len(data) <= fault.after or fault.then is None:
            return False
        good = max(0, fault.after - passed)
        rest = len(data) - good
        if fault.then == "flip":
            spoiled = bytearray(data)
            for _ in range(1 + rest // 200):
                spoiled[good + self.middle.random.randrange(rest)] ^= \
                    1 << self.middle.random.randrange(8)
            self._chunk(bytes(spoiled))
            return True
        if fault.then == "garbage":
            self._chunk(data[:good] + self.middle.random.randbytes(rest))
            return True
        if fault.then == "cut":
            # The chunk promises more than comes.
            self.wfile.write(b"%x\r\n%b" % (len(data), data[:good]))
            raise ConnectionAbortedError
        self._chunk(data[:good])
        if fault.then == "end":
            self.wfile.write(b"0\r\n\r\n")
            raise ConnectionAbortedError
        while fault in self.middle.faults:
            time.sleep(0.05)
        raise ConnectionAbortedError
