"""The servers: each in a pod, on port 80, with a log of its own of what it answered.

nginx, httpd and HAProxy answer from files and rules of their own and pass the rest (chunked
answers, trailers, uploads) to the Go server on their pod's loopback.
"""

import json
import os
import pathlib
import shutil
import sys

from kinds import ANSWER_BYTES
from lab import LabError, binary, wait_until
from nginx import Nginx

HERE = pathlib.Path(__file__).resolve().parent
PROGRAMS = pathlib.Path(binary()).parents[1] / "tests/live/matrix"
GO_PROGRAMS = (PROGRAMS / "go_server", PROGRAMS / "go_client")
BACKEND_PORT = 8081
# Long ago, for If-Modified-Since.
FILE_TIME = 1_000_000_000
LOG_SECONDS = 15

NGINX = """
    map $request_uri $id { "~^/[a-z]+/(?<digits>[0-9]+)$" $digits; }
    map $uri $route { default ""; }
    keepalive_timeout 60s;
    server {
        listen 80;
        root FILES;
        etag off;
        if_modified_since before;
        default_type application/octet-stream;
        add_header X-Request-Id $id always;
        location ~ "^/(?:length|unchanged)/[0-9]*([0-9])$" { try_files /$1 =500; }
        location ~ "^/close/[0-9]*([0-9])$" { keepalive_timeout 0; try_files /$1 =500; }
        location /nothing/ { return 204; }
        location /missing/ { return 404; }
        location /fail/ { return 500; }
        location /refuse/ { return 403; }
        location / {
            proxy_pass http://127.0.0.1:BACKEND;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_hide_header X-Request-Id;
            proxy_buffering off;
        }
        location /trailer/ {
            proxy_pass http://127.0.0.1:BACKEND;
            proxy_hide_header X-Request-Id;
            add_header X-Request-Id $id;
            add_trailer X-Sum 120;
        }
    }
"""

HTTPD = """
ServerRoot DIRECTORY
ServerName httpd
PidFile DIRECTORY/pid
DefaultRuntimeDir DIRECTORY
ErrorLog DIRECTORY/error.log
Listen 80
User "#65534"
Group "#65534"
LOADMODULES
StartServers 1
ThreadsPerChild 25
MaxRequestWorkers 50
KeepAlive On
KeepAliveTimeout 60
MaxKeepAliveRequests 0
FileETag None
DocumentRoot FILES
<Directory FILES>
    Require all granted
</Directory>
LogFormat "{\\"method\\":\\"%m\\",\\"target\\":\\"%U%q\\",\\"status\\":%>s,\\"client\\":\\"%a\\"}" truth
CustomLog DIRECTORY/access.log truth
SetEnvIf Request_URI "^/[a-z]+/([0-9]+)$" ID=$1
SetEnvIf Request_URI "^/close/" nokeepalive
Header unset X-Request-Id
Header always set X-Request-Id "%{ID}e"
AliasMatch "^/(?:length|unchanged|close)/[0-9]*([0-9])$" "FILES/$1"
RewriteEngine On
RewriteRule "^/nothing/" - [R=204,L]
RewriteRule "^/fail/" - [R=500,L]
RewriteRule "^/refuse/" - [F]
PROXIED
"""
HTTPD_MODULES = ("mpm_event", "unixd", "log_config", "authz_core", "alias", "rewrite", "headers",
                 "setenvif", "proxy", "proxy_http")
HTTPD_MODULE_FOLDERS = ("/usr/lib/apache2/modules", "/usr/lib64/httpd/modules",
                        "/usr/lib/httpd/modules")

HAPROXY = """
global
    log stdout len 4096 format raw local0
defaults
    mode http
    log global
    timeout connect 10s
    timeout client 60s
    timeout server 60s
    timeout http-keep-alive 60s
    log-format '{"method":"%HM","target":"%HPO","status":%ST,"client":"%ci"}'
frontend web
    bind 0.0.0.0:80
    http-request set-var(txn.id) path,field(3,/)
    http-request set-var(txn.segment) path,field(2,/)
    http-request return status 204 if { var(txn.segment) -m str nothing }
    http-request return status 404 content-type text/plain string "missing" if { var(txn.segment) -m str missing }
    http-request return status 500 content-type text/plain string "failed" if { var(txn.segment) -m str fail }
    http-request deny deny_status 403 if { var(txn.segment) -m str refuse }
    http-after-response set-header X-Request-Id %[var(txn.id)]
    http-after-response set-header Connection close if { var(txn.segment) -m str close }
    default_backend go
backend go
    server go 127.0.0.1:BACKEND
"""


def first_existing(candidates, what):
    """The first of these files or folders that is there."""
    for candidate in candidates:
        if os.path.exists(candidate):
            return candidate
    raise LabError(f"no {what}: looked for {', '.join(candidates)}")


class Server:
    """A server whose log is `log`: one JSON object a line."""

    def __init__(self, lab, pod, name, log=None):
        self.lab = lab
        self.pod = pod
        self.name = name
        self.log = log
        self.directory = lab.directory / f"server-{name}"
        self.directory.mkdir()

    def serve(self, argv):
        """Starts it; the log is its standard output unless it has a file for it."""
        process = self.lab.serve(f"server-{self.name}", argv, self.pod)
        self.log = self.log or process.output

    def serve_behind(self):
        """The Go server, for what is passed on."""
        self.lab.serve(f"behind-{self.name}",
                       [PROGRAMS / "go_server", f"127.0.0.1:{BACKEND_PORT}"], self.pod,
                       BACKEND_PORT)

    def write_files(self, folder):
        """One file for each last digit of an id."""
        folder.mkdir(exist_ok=True)
        for digit, length in enumerate(ANSWER_BYTES):
            path = folder / str(digit)
            path.write_bytes(b"x" * length)
            os.utime(path, (FILE_TIME, FILE_TIME))

    def configure(self, text):
        """Writes its configuration."""
        path = self.directory / "server.conf"
        path.write_text(text.replace("DIRECTORY", str(self.directory))
                        .replace("FILES", str(self.directory / "files"))
                        .replace("BACKEND", str(BACKEND_PORT)))
        return path

    def entries(self):
        """What was logged so far; a line may just be written."""
        whole = self.log.read_text().rpartition("\n")[0]
        return [json.loads(line) for line in whole.splitlines()]

    def asked(self):
        """The entries of requests; the others are answers to nothing."""
        return [entry for entry in self.entries() if entry["target"].startswith("/")]

    def wait_asked(self, wanted):
        """A request is logged shortly after its answer was sent."""
        wait_until(lambda: len(self.asked()) >= wanted, LOG_SECONDS,
                   f"{wanted} requests in the log of {self.name}", pause=0.2)


def start_nginx(server):
    nginx = Nginx(server.lab, server.pod, NGINX.replace("BACKEND", str(BACKEND_PORT)))
    server.write_files(nginx.directory / "files")
    server.log = nginx.log


def httpd():
    """The program, which Debian calls by the project's name."""
    return shutil.which("apache2") or shutil.which("httpd")


def start_httpd(server):
    modules = pathlib.Path(first_existing(HTTPD_MODULE_FOLDERS, "folder of httpd's modules"))
    load = "\n".join(f"LoadModule {name}_module {modules}/mod_{name}.so" for name in HTTPD_MODULES
                     if (modules / f"mod_{name}.so").exists())
    proxied = "\n".join(f'ProxyPass "/{segment}/" "http://127.0.0.1:BACKEND/{segment}/"'
                        for segment in ("chunked", "trailer", "echo", "store", "hints"))
    server.write_files(server.directory / "files")
    path = server.configure(HTTPD.replace("LOADMODULES", load).replace("PROXIED", proxied))
    server.log = server.directory / "access.log"
    server.serve([httpd(), "-X", "-f", path])


def start_haproxy(server):
    server.serve(["haproxy", "-db", "-f", server.configure(HAPROXY)])


def start_node(server):
    server.serve(["node", HERE / "node_server.js", "80"])


def start_python(server):
    # `import kinds` finds it beside the server's own file.
    server.serve([sys.executable, HERE / "python_server.py", "80"])


def start_go(server):
    server.serve([PROGRAMS / "go_server", ":80"])


STARTS = {"nginx": start_nginx, "httpd": start_httpd, "haproxy": start_haproxy,
          "node": start_node, "python": start_python, "go": start_go}
PASSING_ON = {"nginx", "httpd", "haproxy"}


def start(lab, pod, name):
    """The server of that name, accepting connections."""
    server = Server(lab, pod, name)
    if name in PASSING_ON:
        server.serve_behind()
    STARTS[name](server)
    return server
