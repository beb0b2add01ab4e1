#!/usr/bin/env python3
"""The chart and a real API server: installed, upgraded and uninstalled by helm; the sidecar added as
the notes say; and which Pod Security level admits which of the modes."""

import json
import subprocess
import sys

import chart
import yaml
from checks import Checks
from cluster import ADMIN_TOKEN, Cluster
from lab import LabError

# The server has plain manifests in the one that is called like the chart.
NAMESPACE = "observability"
LEVEL = "pod-security.kubernetes.io/enforce"
BASELINE = chart.CHART / "ci" / "sidecar-only-values.yaml"


class Tools:
    """helm and kubectl, as the administrator."""

    def __init__(self, cluster):
        self.config = cluster.kubeconfig("admin", token=ADMIN_TOKEN)

    def kubectl(self, *arguments, given=None):
        return self._run(chart.program("kubectl"), f"--kubeconfig={self.config}", *arguments,
                         given=given)

    def helm(self, *arguments):
        return self._run(chart.program("helm"), f"--kubeconfig={self.config}",
                         f"--namespace={NAMESPACE}", *arguments)

    @staticmethod
    def _run(*words, given=None):
        status, output, errors = chart.run(*words, input=given)
        if status != 0:
            raise LabError(f"{words}: {errors}")
        return output

    def get(self, *arguments):
        return json.loads(self.kubectl("get", *arguments, "--output=json"))


def template_of(tools):
    """The pod template of the DaemonSet."""
    found = tools.get("daemonset", "-n", NAMESPACE, chart.RELEASE)
    return found["spec"]["template"]


def objects(tools):
    """Everything with the release's label, whatever its kind."""
    kinds = tools.kubectl("api-resources", "--verbs=list", "--output=name").split()
    return sorted(tools.kubectl("get", ",".join(kinds), "-A", "--output=name", "--ignore-not-found",
                                "-l", f"app.kubernetes.io/instance={chart.RELEASE}").split())


def check_release(checks, tools):
    notes = tools.helm("install", chart.RELEASE, chart.CHART, "--create-namespace")
    checks.true("the notes tell the next command",
                f"kubectl -n {NAMESPACE} rollout status daemonset/vethscope" in notes, notes)
    first = template_of(tools)
    tools.helm("upgrade", chart.RELEASE, chart.CHART, "--set", "commonLabels.team=web",
               "--set", "scrape.annotations=true", "--reuse-values")
    tools.helm("upgrade", chart.RELEASE, chart.CHART, "--reset-values")
    checks.equal("the same values roll nothing", template_of(tools), first)
    tools.helm("upgrade", chart.RELEASE, chart.CHART, "--set", "config.log.level=debug")
    changed = template_of(tools)
    checks.true("another configuration rolls the pods", changed["metadata"]["annotations"]
                ["checksum/config"] != first["metadata"]["annotations"]["checksum/config"])
    config = tools.get("configmap", "-n", NAMESPACE, chart.RELEASE)["data"]["vethscope.yaml"]
    checks.equal("and is there", yaml.safe_load(config)["log"], {"level": "debug"})
    try:
        tools.helm("upgrade", chart.RELEASE, chart.CHART, "--set", "config.log.level=loud")
        checks.true("a wrong value is refused", False)
    except LabError as error:
        checks.true("a wrong value is refused", "'/config/log/level'" in str(error), error)
    checks.equal("and changes nothing", template_of(tools), changed)
    checks.true("objects", len(objects(tools)) >= 5, objects(tools))
    tools.helm("uninstall", chart.RELEASE)
    checks.equal("objects behind uninstall", objects(tools), [])


def admitted(tools, namespace, template):
    """What the API server says to a pod of a template; "" where it takes it."""
    pod = {"apiVersion": "v1", "kind": "Pod",
           "metadata": {"name": "try", "namespace": namespace,
                        "labels": template["metadata"]["labels"]},
           "spec": template["spec"]}
    try:
        tools.kubectl("create", "--dry-run=server", "-f", "-", given=json.dumps(pod))
        return ""
    except LabError as error:
        return str(error)


def levels(tools, namespace, template):
    """Which levels admit it."""
    found = []
    for level in ("privileged", "baseline", "restricted"):
        tools.kubectl("label", "--overwrite", "namespace", namespace, f"{LEVEL}={level}")
        if not admitted(tools, namespace, template):
            found.append(level)
    tools.kubectl("label", "namespace", namespace, f"{LEVEL}-")
    return found


def patched(tools, *values):
    """The shop's Deployment with the sidecar, added by the command of the notes."""
    tools.kubectl("apply", "-f", chart.MANIFESTS / "overlays" / "sidecar-example" / "shop.yaml",
                  "-n", NAMESPACE)
    notes = tools.helm("install", chart.RELEASE, chart.CHART, *values)
    command = notes[notes.index(f"kubectl -n {NAMESPACE} patch"):].split("\n\n")[0]
    command = command.replace("NAME", "orders").replace(
        "kubectl ", f"{chart.program('kubectl')} --kubeconfig={tools.config} ")
    subprocess.run(["sh", "-c", command], check=True, capture_output=True)
    template = tools.get("deployment", "-n", NAMESPACE, "orders")["spec"]["template"]
    tools.helm("uninstall", chart.RELEASE)
    tools.kubectl("delete", "deployment", "orders", "-n", NAMESPACE)
    return template


def check_levels(checks, tools):
    """What docs/kubernetes.md says of each mode."""
    agents = next(document for (kind, _, _), document in chart.rendered().items()
                  if kind == "DaemonSet")["spec"]["template"]
    agents["spec"]["serviceAccountName"] = "default"
    checks.equal("levels that admit the agents", levels(tools, NAMESPACE, agents),
                 ["privileged"])
    native = patched(tools, "--set", "sidecar.enabled=true,daemonset.enabled=false")
    checks.equal("containers", [item["name"] for item in native["spec"]["containers"]], ["orders"])
    checks.equal("sidecars", [(item["name"], item["restartPolicy"])
                              for item in native["spec"]["initContainers"]],
                 [("vethscope", "Always")])
    checks.equal("levels that admit the sidecar", levels(tools, NAMESPACE, native),
                 ["privileged"])
    plain = patched(tools, "--values", BASELINE)
    checks.equal("containers with one more",
                 sorted(item["name"] for item in plain["spec"]["containers"]),
                 ["orders", "vethscope"])
    checks.equal("levels that admit a sidecar with the runtime's NET_RAW",
                 levels(tools, NAMESPACE, plain), ["privileged", "baseline"])


def main():
    with Checks() as checks, Cluster() as cluster:
        tools = Tools(cluster)
        check_release(checks, tools)
        check_levels(checks, tools)


if __name__ == "__main__":
    sys.exit(main())
