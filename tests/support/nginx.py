"""nginx in a pod, with an access log that says what it really served."""

import collections
import json
import time

from lab import Process, wait_until

QUIET_SECONDS = 0.5

_CONFIG = """
user root;
daemon off;
worker_processes 1;
pid {directory}/nginx.pid;
error_log {directory}/error.log warn;
events {{ worker_connections 1024; }}
http {{
    log_format truth escape=json '{{"method":"$request_method","target":"$request_uri",'
        '"route":"$route","status":$status,"client":"$remote_addr"}}';
    client_body_temp_path {directory}/client_body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    keepalive_requests 1000000;
    client_max_body_size 64m;
    access_log {directory}/access.log truth;
{http}
}}
"""


class Nginx:
    """One server; `http` is what stands in its http block and must define $route."""

    def __init__(self, lab, pod, http, files=(), port=80):
        self.directory = lab.directory / f"nginx-{pod.short_name}"
        root = self.directory / "files"
        root.mkdir(parents=True)
        for name, content in dict(files).items():
            (root / name).write_bytes(content)
        config = self.directory / "nginx.conf"
        config.write_text(_CONFIG.format(directory=self.directory,
                                         http=http.replace("FILES", str(root))))
        self.log = self.directory / "access.log"
        self.process: Process = lab.serve(
            f"nginx-{pod.short_name}",
            ["nginx", "-p", self.directory, "-e", self.directory / "error.log", "-c", config],
            pod, port)

    def entries(self):
        """The access log so far, one dictionary a request."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def lines(self):
        return self.log.read_bytes().count(b"\n")

    def wait_lines(self, wanted):
        """A request is logged shortly after its answer was sent."""
        wait_until(lambda: self.lines() >= wanted, 10, f"{wanted} lines of nginx's log")

    def wait_quiet(self):
        """Until nothing was logged for a while."""
        before = -1
        while before != self.lines():
            before = self.lines()
            time.sleep(QUIET_SECONDS)

    def counts(self, *keys):
        return collections.Counter(tuple(str(entry[key]) for key in keys)
                                   for entry in self.entries())
