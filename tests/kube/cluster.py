#!/usr/bin/env python3
"""A real API server with its etcd, on loopback, for as long as a test lasts.

There is no kubelet, no scheduler and no controller: a test writes the status of pods and nodes
itself, which makes every moment of it the test's.

    cluster.py --keep       start one, print how to reach it, stop it on Ctrl-C or SIGTERM

Nothing here needs root. See README.md beside this file.
"""

import argparse
import contextlib
import json
import pathlib
import re
import shutil
import signal
import socket
import sys
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
SOURCE_DIR = HERE.parents[1]
sys.path.insert(0, str(SOURCE_DIR / "tests" / "support"))

import build  # noqa: E402
import certificates  # noqa: E402
from api import Api, ApiError  # noqa: E402
from lab import LabError, Process, wait_until  # noqa: E402

RBAC_FILE = SOURCE_DIR / "deploy" / "kubernetes" / "base" / "rbac.yaml"
ACCOUNT = "vethscope"
ACCOUNT_NAMESPACE = "vethscope"
ADMIN_TOKEN = "the-administrator-of-this-test"
SERVICE_RANGES = "10.96.0.0/16,fd00:96::/112"
START_SECONDS = 180
# Requests of everybody but the server itself, once they are answered.
AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1", "kind": "Policy",
    "omitStages": ["ResponseStarted"],
    "rules": [
        {"level": "None", "users": ["system:apiserver", "admin"]},
        {"level": "Metadata"},
    ],
}


def free_port():
    """A port that nobody listens on; the kernel does not hand it out again soon."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Cluster:
    """etcd and kube-apiserver, from `with` to its end.

    api: the administrator's client; port: the API server's; directory: all of its files."""

    programs_needed = build.SERVER_PROGRAMS
    server_names = certificates.SERVER_NAMES
    # (token, user, group)
    users = ((ADMIN_TOKEN, "admin", "system:masters"),)

    def __init__(self, server_options=()):
        self.server_options = tuple(server_options)
        self.directory = None
        self.processes = []
        self.etcd = None
        self.server = None
        self.api = None
        self.port = free_port()
        self.etcd_port = free_port()
        self.etcd_peer_port = free_port()

    def __enter__(self):
        self.programs = build.ensure(self.programs_needed)
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="vethscope-kube-"))
        try:
            self.make_files()
            self.start_etcd()
            self.start_server()
            self.prepare()
        except BaseException:
            self._print_logs()
            self.close()
            raise
        return self

    def __exit__(self, kind, _value, _traceback):
        if kind is not None and issubclass(kind, Exception):
            self._print_logs()
        self.close()

    def close(self):
        for process in reversed(self.processes):
            process.discard()
        if self.directory is not None:
            shutil.rmtree(self.directory, ignore_errors=True)

    def _print_logs(self):
        for process in self.processes:
            lines = process.stderr().splitlines()[-10:]
            if lines:
                print(f"--- standard error of {process.name}:", *lines, sep="\n    ")

    def make_files(self):
        self.authority = certificates.Authority(self.directory)
        self.ca_file = self.authority.certificate
        self.authority.server(self.server_names)
        certificates.signing_key(self.directory / "accounts.key")
        self.write("tokens.csv", "".join(f'{token},{user},{user},"{group}"\n'
                                         for token, user, group in self.users))
        self.write("audit-policy.json", json.dumps(AUDIT_POLICY))

    def write(self, name, text):
        """A file in the cluster's directory, replaced in one step."""
        path = self.directory / name
        partial = path.with_name(f".{name}")
        partial.write_text(text)
        partial.rename(path)
        return path

    def start_etcd(self):
        client = f"http://127.0.0.1:{self.etcd_port}"
        peer = f"http://127.0.0.1:{self.etcd_peer_port}"
        self.etcd = Process(self, "etcd", [
            self.programs["etcd"], "--name=test", f"--data-dir={self.directory / 'etcd'}",
            f"--listen-client-urls={client}", f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=test={peer}", "--unsafe-no-fsync", "--log-level=error"])
        wait_until(lambda: self._etcd_healthy() or not self.etcd.running(), START_SECONDS, "etcd",
                   pause=0.05)

    def _etcd_healthy(self):
        with contextlib.suppress(OSError):
            url = f"http://127.0.0.1:{self.etcd_port}/health"
            with urllib.request.urlopen(url, timeout=2) as answer:
                return json.load(answer)["health"] == "true"
        return False

    def start_server(self):
        """Starts it and waits until it is ready; also after stop_server."""
        file = self.directory.joinpath
        self.server = Process(self, "kube-apiserver", [
            self.programs["kube-apiserver"],
            f"--etcd-servers=http://127.0.0.1:{self.etcd_port}",
            # The test compacts when it wants to.
            "--etcd-compaction-interval=0",
            f"--secure-port={self.port}",
            f"--tls-cert-file={file('server.crt')}", f"--tls-private-key-file={file('server.key')}",
            f"--client-ca-file={self.ca_file}", f"--token-auth-file={file('tokens.csv')}",
            "--anonymous-auth=false",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-signing-key-file={file('accounts.key')}",
            f"--service-account-key-file={file('accounts.key')}",
            f"--audit-policy-file={file('audit-policy.json')}",
            f"--audit-log-path={file('audit.log')}", "--audit-log-mode=blocking",
            "--shutdown-delay-duration=0s", "--v=1", *self.place_options(), *self.server_options])
        self.api = Api(self.port, self.ca_file, ADMIN_TOKEN)
        wait_until(lambda: self._server_ready() or not self.server.running(), START_SECONDS,
                   "kube-apiserver", pause=0.1)
        if not self.server.running():
            raise LabError("kube-apiserver ended at its start")

    def place_options(self):
        """What is different for a server that has a node with it."""
        return ["--bind-address=127.0.0.1", "--authorization-mode=RBAC",
                # Nobody is to reach the server through its own service.
                "--advertise-address=192.0.2.1", "--endpoint-reconciler-type=none",
                f"--service-cluster-ip-range={SERVICE_RANGES}",
                # Its controller would have to make an account in every namespace first.
                "--disable-admission-plugins=ServiceAccount"]

    def _server_ready(self):
        with contextlib.suppress(OSError):
            return self.api.request("GET", "/readyz")[0] == 200
        return False

    def stop_server(self, number=signal.SIGKILL):
        """Killed by default: a clean stop waits for the watches of its clients."""
        self.server.stop(number)
        self.processes.remove(self.server)

    def restart_server(self):
        self.stop_server()
        self.start_server()

    def prepare(self):
        """The agent's account, exactly as users give it to theirs."""
        wait_until(self._namespace_there, 30, "the default namespace", pause=0.1)
        self.api.apply_file(RBAC_FILE)

    def _namespace_there(self):
        with contextlib.suppress(ApiError):
            return self.api.get("Namespace", "default") is not None
        return False

    def etcd_call(self, method, body):
        """One call of etcd's own API, through its JSON gateway."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.etcd_port}/v3/kv/{method}",
                                         json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def compact(self):
        """Makes etcd forget every revision but the newest."""
        revision = self.etcd_call("range", {"key": "AA=="})["header"]["revision"]
        self.etcd_call("compaction", {"revision": revision, "physical": True})

    def agent_token(self, **options):
        return self.api.token_for(ACCOUNT, ACCOUNT_NAMESPACE, **options)

    def client(self, token):
        """A client of the API with somebody else's rights."""
        return Api(self.port, self.ca_file, token)

    def kubeconfig(self, name="agent", token=None, token_file=None, port=None, ca_file=None,
                   client=None):
        """Writes a kubeconfig and returns its path; by default the agent's, with a fresh token.
        `client` are the paths of a certificate and its key."""
        if client is not None:
            user = [f"client-certificate: {client[0]}", f"client-key: {client[1]}"]
        elif token_file is not None:
            user = [f"tokenFile: {token_file}"]
        else:
            user = [f"token: {token or self.agent_token()}"]
        lines = [
            "apiVersion: v1", "kind: Config", "current-context: test",
            "clusters:", "- name: test", "  cluster:",
            f"    server: https://127.0.0.1:{port or self.port}",
            f"    certificate-authority: {ca_file or self.ca_file}",
            "users:", f"- name: {name}", "  user:", *(f"    {line}" for line in user),
            "contexts:", "- name: test", "  context:", "    cluster: test", f"    user: {name}",
        ]
        return self.write(f"{name}.kubeconfig", "\n".join(lines) + "\n")

    def audit(self, since=0):
        """What was asked by everybody but the administrator: audit events, oldest first."""
        path = self.directory / "audit.log"
        lines = path.read_text().splitlines() if path.exists() else []
        return [json.loads(line) for line in lines[since:]]

    def metrics(self):
        """The API server's own, as text."""
        return self.api.request("GET", "/metrics")[1].decode()

    def version(self):
        return self.api.call("GET", "/version")["gitVersion"]


def keep():
    """A cluster for trying things by hand."""
    with Cluster() as cluster:
        admin = cluster.kubeconfig("admin", token=ADMIN_TOKEN)
        agent = cluster.kubeconfig("agent", token=cluster.agent_token(seconds=86400))
        print(f"Kubernetes {cluster.version()} on https://127.0.0.1:{cluster.port}")
        print(f"administrator: KUBECONFIG={admin}")
        print(f"the agent:     KUBECONFIG={agent}", flush=True)
        try:
            while cluster.server.running() and cluster.etcd.running():
                time.sleep(0.5)
        except KeyboardInterrupt:
            print("stopping")


def main():
    parser = argparse.ArgumentParser(description=re.split(r"\n\n", __doc__)[0])
    parser.add_argument("--keep", action="store_true", required=True,
                        help="start a cluster and keep it until Ctrl-C")
    parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
    try:
        keep()
    except (LabError, build.BuildError) as error:
        sys.exit(f"cluster.py: {error}")


if __name__ == "__main__":
    main()
