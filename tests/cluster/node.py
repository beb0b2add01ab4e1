#!/usr/bin/env python3
"""A real Kubernetes node, alone in its cluster, for as long as a test lasts.

etcd, API server, controller manager, scheduler, kubelet and kube-proxy are Kubernetes' own;
containerd, runc and the network plugins are the distribution's. All of it lives in a sandbox, so it
may only be used behind sandbox.enter().

    node.py --keep [COMMAND ...]   a shell (or that command) on such a node; its end ends the node
"""

import argparse
import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "kube"), str(HERE.parent / "support")]

import build  # noqa: E402
import certificates  # noqa: E402
import sandbox  # noqa: E402
from cluster import ADMIN_TOKEN, Cluster  # noqa: E402
from lab import LabError, Process, command, run, wait_until  # noqa: E402
from runtime import POD_RANGE, Runtime  # noqa: E402

NAME = "node-1"
ADDRESS = sandbox.NODE_ADDRESS
SERVICE_RANGE = "10.96.0.0/16"
POD_RANGES = "10.244.0.0/16"
READY_SECONDS = 120
TOKENS = {user: f"the-token-of-{user.replace(':', '-')}" for user in (
    "system:kube-controller-manager", "system:kube-scheduler", "system:kube-proxy",
    f"system:node:{NAME}")}


class Node(Cluster):
    """From `with` to its end. runtime: containerd; kubectl(): its output."""

    programs_needed = build.NODE_PROGRAMS
    server_names = f"{certificates.SERVER_NAMES},IP:{ADDRESS}"
    users = ((ADMIN_TOKEN, "admin", "system:masters"),
             *((token, user, "system:nodes" if ":node:" in user else "system:components")
               for user, token in TOKENS.items()))

    def __init__(self, directory, network="bridge"):
        # What a test puts aside goes with the sandbox, however it ends.
        tempfile.tempdir = str(directory)
        super().__init__()
        self.sandbox = directory
        self.network = network
        self.runtime = None
        self.admin = None

    def place_options(self):
        return ["--bind-address=0.0.0.0", f"--advertise-address={ADDRESS}",
                "--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
                f"--service-cluster-ip-range={SERVICE_RANGE}", "--allow-privileged"]

    def prepare(self):
        self.admin = self.kubeconfig("admin", token=ADMIN_TOKEN)
        self.runtime = Runtime(self, self.sandbox / "containerd", self.network)
        self._start_controllers()
        self._start_kubelet()
        self._start_proxy()
        wait_until(self._is_ready, READY_SECONDS, "a node that is ready", pause=0.25)
        wait_until(self._has_account, 30, "the default service account", pause=0.1)

    def _access(self, user):
        return self.kubeconfig(user.replace(":", "-"), token=TOKENS[user])

    def _start(self, name, *options):
        return Process(self, name, [self.programs[name], *options])

    def _start_controllers(self):
        self._start(
            "kube-controller-manager",
            f"--kubeconfig={self._access('system:kube-controller-manager')}",
            f"--service-account-private-key-file={self.directory / 'accounts.key'}",
            f"--root-ca-file={self.ca_file}", "--leader-elect=false",
            "--use-service-account-credentials",
            "--allocate-node-cidrs", f"--cluster-cidr={POD_RANGES}", "--node-monitor-period=500ms")
        self._start("kube-scheduler", f"--kubeconfig={self._access('system:kube-scheduler')}",
                    "--leader-elect=false")

    def _start_kubelet(self):
        config = {
            "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
            # The API server asks it for logs; nobody else is on this machine.
            "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
            "authorization": {"mode": "AlwaysAllow"},
            "containerRuntimeEndpoint": f"unix://{self.runtime.socket}",
            "cgroupDriver": "cgroupfs", "cgroupRoot": sandbox.cgroup(self.sandbox),
            "failCgroupV1": False, "failSwapOn": False, "makeIPTablesUtilChains": False,
            "volumePluginDir": str(self.sandbox / "volume-plugins"),
            # A full disk of the machine is not the test's matter.
            "evictionHard": {"nodefs.available": "0%", "imagefs.available": "0%"},
            "imageGCHighThresholdPercent": 100, "localStorageCapacityIsolation": False,
            # No DNS here: pods find services by their environment.
            "resolvConf": "", "clusterDNS": [],
        }
        path = self.write("kubelet.json", json.dumps(config))
        self.kubelet = self._start(
            "kubelet", f"--config={path}", f"--kubeconfig={self._access(f'system:node:{NAME}')}",
            f"--hostname-override={NAME}", f"--node-ip={ADDRESS}")

    def _start_proxy(self):
        config = {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration",
            "clientConnection": {"kubeconfig": str(self._access("system:kube-proxy"))},
            "mode": "nftables", "clusterCIDR": POD_RANGES, "hostnameOverride": NAME,
            # Those are the whole machine's.
            "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s",
                          "tcpCloseWaitTimeout": "0s"},
        }
        self._start("kube-proxy", f"--config={self.write('kube-proxy.json', json.dumps(config))}")

    def _is_ready(self):
        for process in self.processes:
            if not process.running():
                raise LabError(f"{process.name} ended at its start")
        with contextlib.suppress(LabError):
            node = self.get("node", NAME)
            conditions = {entry["type"]: entry["status"] for entry in node["status"]["conditions"]}
            return conditions["Ready"] == "True" and not node["spec"].get("taints")
        return False

    def _has_account(self):
        with contextlib.suppress(LabError):
            return self.kubectl("get", "serviceaccount", "default", "-o", "name") != ""
        return False

    def kubectl(self, *arguments, **options):
        """As the administrator; options are subprocess.run's."""
        return command(self.programs["kubectl"], f"--kubeconfig={self.admin}", *arguments,
                       **options)

    def get(self, *arguments):
        """Objects as JSON."""
        return json.loads(self.kubectl("get", "-o", "json", *arguments))

    def helm(self, *arguments):
        home = self.directory / "helm"
        environment = {**os.environ, "HELM_CACHE_HOME": home, "HELM_CONFIG_HOME": home,
                       "HELM_DATA_HOME": home}
        return command(self.programs["helm"], f"--kubeconfig={self.admin}", *arguments,
                       env=environment)

    def apply(self, *manifests):
        return self.kubectl("apply", "-f", "-", input=json.dumps(
            {"apiVersion": "v1", "kind": "List", "items": list(manifests)}))

    def rolled_out(self, what, seconds=60, namespace="default"):
        """Waits until a Deployment or a DaemonSet runs as it was last described."""
        self.kubectl("rollout", "status", what, f"--namespace={namespace}",
                     f"--timeout={seconds}s")

    def pids(self, namespace, pod):
        """The processes of a pod's containers, as this machine numbers them."""
        found = self.get("pod", "-n", namespace, pod)
        ids = [status["containerID"].split("//")[1]
               for status in found["status"]["containerStatuses"] if "running" in status["state"]]
        tasks = dict(line.split()[:2] for line in self.runtime.ctr("tasks", "ls").splitlines()[1:])
        return [int(tasks[name]) for name in ids]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--keep", action="store_true", required=True, help="keep a node")
    parser.add_argument("--network", choices=("bridge", "ptp"), default="bridge")
    parser.add_argument("command", nargs="*", default=["bash"])
    options = parser.parse_args()
    with Node(sandbox.enter(), options.network) as node:
        programs = {path.parent for path in node.programs.values()}
        path = ":".join([*map(str, programs), os.environ["PATH"]])
        print(f"Kubernetes {node.version()}; KUBECONFIG={node.admin}", flush=True)
        return subprocess.run(options.command, check=False, env={
            **os.environ, "PATH": path, "KUBECONFIG": str(node.admin),
            "CONTAINERD_ADDRESS": str(node.runtime.socket),
            "CONTAINERD_NAMESPACE": "k8s.io"}).returncode


if __name__ == "__main__":
    run(main)
