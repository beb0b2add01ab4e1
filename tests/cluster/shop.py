"""Four services and their customers on a node, and what each of them wrote into its access log."""

import collections
import json

import images
from lab import wait_until

NAMESPACE = "shop"
IMAGE = "localhost/vethscope-test/shop:1"
PORT = 8080
# deployment: (its service, how many pods)
SERVICES = {"catalogue": ("catalogue-api", 2), "cart": ("cart-api", 1),
            "payment": ("payment-api", 1), "front": ("front-web", 2)}
# Asked by the kubelet, which keeps no log.
PROBE_ROUTE = "/ready"
JOB_SECONDS = 120
DEPLOYMENTS = {service: deployment for deployment, (service, _) in SERVICES.items()}


def _request(entry):
    """Without a response there is no status."""
    return entry["method"], entry["route"], str(entry["status"] or "")


class Shop:
    """Its logs are files of the node, so they outlive their pods."""

    def __init__(self, node):
        self.node = node
        self.logs = node.sandbox / "access-logs"
        self.logs.mkdir(mode=0o777)
        self.logs.chmod(0o777)
        archive = node.sandbox / "shop.tar"
        images.write_archive(archive, IMAGE, images.shop_program())
        node.runtime.load(archive)
        node.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
                   *(_service(name, deployment)
                     for deployment, (name, _) in SERVICES.items()))

    def open(self):
        """Services first: a pod finds those that were there before it."""
        self.node.apply(*(self._deployment(name, "serve", count)
                          for name, (_, count) in SERVICES.items()))
        for name in SERVICES:
            self.rolled_out(name)

    def rolled_out(self, name):
        self.node.rolled_out(f"deployment/{name}", namespace=NAMESPACE)

    def scale(self, name, count):
        self.node.kubectl("scale", "-n", NAMESPACE, f"deployment/{name}", f"--replicas={count}")
        self.rolled_out(name)

    def roll(self, name):
        self.node.kubectl("rollout", "restart", "-n", NAMESPACE, f"deployment/{name}")
        self.rolled_out(name)

    def send(self, name, requests):
        """A job with that many requests; returns when they are answered."""
        environment = {"REQUESTS": str(requests), "PAUSE": "2ms"}
        self.node.apply({
            "apiVersion": "batch/v1", "kind": "Job",
            "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": {"backoffLimit": 0, "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"restartPolicy": "Never",
                         **self._pod(name, "load", environment)}}}})
        self.node.kubectl("wait", "-n", NAMESPACE, "--for=condition=complete", f"job/{name}",
                          f"--timeout={JOB_SECONDS}s")

    def customers(self, name="customers"):
        """Some who come until they are sent home."""
        self.node.apply(self._deployment(name, "load", 1, {"PAUSE": "20ms"}))
        self.rolled_out(name)

    def send_home(self, name="customers"):
        self.node.kubectl("delete", "-n", NAMESPACE, f"deployment/{name}")
        wait_until(lambda: not self.pods(name), 60, "customers to leave", pause=0.2)

    def pods(self, name):
        return self.node.get("pods", "-n", NAMESPACE, "-l", f"app={name}")["items"]

    def entries(self):
        """(workload, entry) of everything that was logged, probes left out."""
        for path in self.logs.iterdir():
            workload = path.name.split(".")[0]
            for line in path.read_text().splitlines():
                entry = json.loads(line)
                if entry["route"] != PROBE_ROUTE:
                    yield workload, entry

    def served(self):
        """{(workload, method, route, status): requests} by the servers' own words. Of requests that
        a server closed the connection on, only their clients know."""
        found = collections.Counter()
        for workload, entry in self.entries():
            if entry["side"] == "client" and entry.get("retried"):
                found[DEPLOYMENTS[entry["service"]], *_request(entry)] += 1
            elif entry["side"] == "server":
                found[workload, *_request(entry)] += 1
        return found

    def asked(self):
        """{(workload, service, method, route, status): requests} by the clients' own words."""
        return collections.Counter((workload, entry["service"], *_request(entry))
                                   for workload, entry in self.entries()
                                   if entry["side"] == "client")

    def errors(self):
        return [entry for _, entry in self.entries() if entry.get("error")]

    def _pod(self, name, command, environment):
        pod_name = {"fieldRef": {"fieldPath": "metadata.name"}}
        container = {
            "name": "main", "image": IMAGE, "imagePullPolicy": "Never", "args": [command],
            "env": [{"name": "POD", "valueFrom": pod_name}, {"name": "LOG_DIR", "value": "/logs"},
                    {"name": "NAME", "value": name},
                    *({"name": key, "value": value} for key, value in environment.items())],
            "volumeMounts": [{"name": "logs", "mountPath": "/logs"}],
        }
        if command == "serve":
            container["readinessProbe"] = {"httpGet": {"path": PROBE_ROUTE, "port": PORT},
                                           "periodSeconds": 1}
        return {"containers": [container], "automountServiceAccountToken": False,
                "dnsPolicy": "Default",
                "volumes": [{"name": "logs", "hostPath": {"path": str(self.logs)}}]}

    def _deployment(self, name, command, count, environment=None):
        labels = {"app": name}
        return {"apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": {"name": name, "namespace": NAMESPACE},
                "spec": {"replicas": count, "selector": {"matchLabels": labels},
                         "template": {"metadata": {"labels": labels},
                                      "spec": self._pod(name, command, environment or {})}}}


def _service(name, deployment):
    return {"apiVersion": "v1", "kind": "Service",
            "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": {"selector": {"app": deployment}, "ports": [{"port": 80, "targetPort": PORT}]}}
