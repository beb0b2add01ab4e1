"""A small client of the Kubernetes API in JSON: what a test writes, it writes through this."""

import http.client
import json
import ssl
import threading
import time

# kind: (path of the group, plural, belongs to a namespace)
RESOURCES = {
    "Namespace": ("/api/v1", "namespaces", False),
    "Node": ("/api/v1", "nodes", False),
    "Pod": ("/api/v1", "pods", True),
    "Service": ("/api/v1", "services", True),
    "ServiceAccount": ("/api/v1", "serviceaccounts", True),
    "Secret": ("/api/v1", "secrets", True),
    "EndpointSlice": ("/apis/discovery.k8s.io/v1", "endpointslices", True),
    "Deployment": ("/apis/apps/v1", "deployments", True),
    "ReplicaSet": ("/apis/apps/v1", "replicasets", True),
    "StatefulSet": ("/apis/apps/v1", "statefulsets", True),
    "DaemonSet": ("/apis/apps/v1", "daemonsets", True),
    "Job": ("/apis/batch/v1", "jobs", True),
    "CronJob": ("/apis/batch/v1", "cronjobs", True),
    "ClusterRole": ("/apis/rbac.authorization.k8s.io/v1", "clusterroles", False),
    "ClusterRoleBinding": ("/apis/rbac.authorization.k8s.io/v1", "clusterrolebindings", False),
}
MERGE_PATCH = "application/merge-patch+json"
TIMEOUT = 30


class ApiError(Exception):
    """The API server said no."""

    def __init__(self, status, message):
        super().__init__(f"{status}: {message}")
        self.status = status


def collection(kind, namespace=None):
    """The path under which objects of this kind are listed and created."""
    group, plural, namespaced = RESOURCES[kind]
    if namespaced and namespace is not None:
        return f"{group}/namespaces/{namespace}/{plural}"
    return f"{group}/{plural}"


def path_of(manifest):
    """The path of one object, from its manifest."""
    meta = manifest["metadata"]
    return f"{collection(manifest['kind'], meta.get('namespace'))}/{meta['name']}"


class Api:
    """One connection a thread, made anew when the server has closed it."""

    def __init__(self, port, authority, token):
        self.port = port
        self.token = token
        self.context = ssl.create_default_context(cafile=str(authority))
        self.local = threading.local()

    def request(self, method, path, body=None, content_type="application/json"):
        """Returns the status and the body's bytes."""
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = content_type
            body = body if isinstance(body, (bytes, str)) else json.dumps(body)
        for last in (False, True):
            connection = getattr(self.local, "connection", None)
            if connection is None:
                connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=TIMEOUT,
                                                         context=self.context)
                self.local.connection = connection
            try:
                connection.request(method, path, body, headers)
                response = connection.getresponse()
                return response.status, response.read()
            except (OSError, http.client.HTTPException):
                connection.close()
                self.local.connection = None
                if last:
                    raise
        raise AssertionError("unreachable")

    def call(self, method, path, body=None, content_type="application/json"):
        """The answer's object; raises ApiError where it is a refusal."""
        status, text = self.request(method, path, body, content_type)
        answer = json.loads(text) if text.startswith(b"{") else {"message": text.decode()}
        if status >= 300:
            raise ApiError(status, answer.get("message", ""))
        return answer

    def get(self, kind, name, namespace=None):
        return self.call("GET", f"{collection(kind, namespace)}/{name}")

    def list(self, kind, namespace=None):
        return self.call("GET", collection(kind, namespace)).get("items", [])

    def create(self, manifest):
        """Creates it, its status too where the manifest has one: nobody else would write that."""
        where = collection(manifest["kind"], manifest["metadata"].get("namespace"))
        made = self.call("POST", where, manifest)
        if "status" in manifest:
            made = self.set_status(manifest, manifest["status"])
        return made

    def set_status(self, manifest, status):
        """As a kubelet or a controller does."""
        return self.call("PATCH", path_of(manifest) + "/status", {"status": status}, MERGE_PATCH)

    def patch(self, manifest, change):
        return self.call("PATCH", path_of(manifest), change, MERGE_PATCH)

    def delete(self, manifest, grace=0):
        """Without grace a pod is gone at once, as when its kubelet has confirmed it."""
        return self.call("DELETE", path_of(manifest), {"gracePeriodSeconds": grace})

    def remove(self, manifest):
        """As delete; it may be gone already."""
        try:
            self.delete(manifest)
        except ApiError as error:
            if error.status != 404:
                raise

    def apply_file(self, path):
        """Every document of a YAML file; the server reads YAML itself. What is there stays."""
        for document in path.read_text().split("\n---\n"):
            lines = [line for line in document.splitlines() if not line.startswith("#")]
            kind = next(line.split()[1] for line in lines if line.startswith("kind:"))
            namespace = next((line.split()[1] for line in lines
                              if line.startswith("  namespace:")), None)
            status, text = self.request("POST", collection(kind, namespace), "\n".join(lines),
                                        "application/yaml")
            if status >= 300 and status != 409:
                raise ApiError(status, text.decode())

    def token_for(self, account, namespace, bound_to=None, seconds=3600):
        """A token of a service account, as the kubelet asks for one. It dies with the secret that
        it is bound to."""
        spec = {"expirationSeconds": seconds}
        if bound_to is not None:
            spec["boundObjectRef"] = {"kind": "Secret", "apiVersion": "v1",
                                      "name": bound_to["metadata"]["name"],
                                      "uid": bound_to["metadata"]["uid"]}
        path = f"{collection('ServiceAccount', namespace)}/{account}/token"
        answer = self.call("POST", path, {"apiVersion": "authentication.k8s.io/v1",
                                          "kind": "TokenRequest", "spec": spec})
        return answer["status"]["token"]

    def wait_until_gone(self, manifest, seconds=10):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.request("GET", path_of(manifest))[0] == 404:
                return
            time.sleep(0.05)
        raise ApiError(0, f"{path_of(manifest)} is still there after {seconds} s")
