"""The chart, installed on a node with the image that was built here."""

import os
import pathlib

from lab import SOURCE_DIR, wait_until

CHART = SOURCE_DIR / "helm" / "vethscope"
NAME = "vethscope"
NAMESPACE = "monitoring"
DAEMONSET = "daemonset/vethscope"
IMAGE = "localhost/vethscope:dev"
IMAGE_VALUES = {"image.repository": "localhost/vethscope", "image.tag": "dev",
                 "image.pullPolicy": "Never"}


def image_archive():
    """Where .ci/image.sh has put it."""
    return pathlib.Path(os.environ.get("VETHSCOPE_IMAGE", SOURCE_DIR / "build/vethscope-image.tar"))


class Release:
    """From install to uninstall; the pod is the only one, as the node is."""

    def __init__(self, node):
        self.node = node
        node.runtime.load(image_archive())

    def install(self, **values):
        self._helm("install", "--create-namespace", values)

    def upgrade(self, **values):
        self._helm("upgrade", values)

    def _helm(self, *arguments):
        *words, values = arguments
        settings = [f"--set={key}={value}" for key, value in {**IMAGE_VALUES, **values}.items()]
        self.node.helm(*words, NAME, CHART, f"--namespace={NAMESPACE}", "--wait", "--timeout=90s",
                       *settings)

    def uninstall(self):
        self.node.helm("uninstall", NAME, f"--namespace={NAMESPACE}", "--wait", "--timeout=90s")

    def pods(self):
        """Those that are not on their way out."""
        found = self.node.get("pods", "-n", NAMESPACE, "-l",
                              f"app.kubernetes.io/instance={NAME}")["items"]
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def pod(self):
        """The name of the agent's pod, once it is ready."""
        return wait_until(self._ready_pod, 60, "an agent that is ready", pause=0.2)

    def _ready_pod(self):
        pods = self.pods()
        if len(pods) == 1 and any(condition["type"] == "Ready" and condition["status"] == "True"
                                  for condition in pods[0]["status"].get("conditions", ())):
            return pods[0]["metadata"]["name"]
        return None

    def pid(self):
        return self.node.pids(NAMESPACE, self.pod())[0]
