#!/usr/bin/env python3
"""The chart on a real node: what its container may do, what its account may ask, that every variant
of it is taken by the API server, and that nothing stays when it is uninstalled."""

import contextlib
import json
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "kube"), str(HERE.parent / "support")]

import build  # noqa: E402
import sandbox  # noqa: E402
from checks import Checks  # noqa: E402
from lab import LabError, SOURCE_DIR, run, wait_until  # noqa: E402
from node import NAME as NODE_NAME, Node  # noqa: E402
from release import CHART, NAME, NAMESPACE, Release  # noqa: E402

NET_RAW = 1 << 13
# What the account may read, and no more: group, resources.
READABLE = {("", "pods"), ("", "services"), ("", "nodes"), ("", "namespaces"),
            ("discovery.k8s.io", "endpointslices"), ("apps", "replicasets"), ("batch", "jobs")}


def container_spec(node, pod):
    """As the runtime was told to start it."""
    status = node.get("pod", "-n", NAMESPACE, pod)["status"]["containerStatuses"][0]
    name = status["containerID"].split("//")[1]
    return json.loads(node.runtime.ctr("containers", "info", name))["Spec"]


def process_status(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: value.strip() for key, value in (line.split(":", 1) for line in lines)}


def container(node, release, checks):
    spec = container_spec(node, release.pod())
    sets = spec["process"].get("capabilities", {})
    checks.equal("capabilities of the container", {name for names in sets.values()
                                                   for name in names}, {"CAP_NET_RAW"})
    checks.true("no new privileges", spec["process"]["noNewPrivileges"])
    checks.true("a root that is only read", spec["root"]["readonly"])
    checks.true("a seccomp profile", "seccomp" in spec["linux"])
    status = process_status(release.pid())
    print(", ".join(f"{key} {status[key]}" for key in status if key.startswith("Cap")))
    for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        checks.equal(f"{kind} of the process", int(status[kind], 16), 0)
    checks.equal("CapBnd beyond the container's", int(status["CapBnd"], 16) & ~NET_RAW, 0)
    checks.equal("users of the process", set(status["Uid"].split()), {"65532"})
    checks.equal("groups of the process", set(status["Gid"].split()), {"65532"})
    checks.equal("seccomp of the process", status["Seccomp"], "2")
    checks.equal("NoNewPrivs of the process", status["NoNewPrivs"], "1")
    mounts = pathlib.Path(f"/proc/{release.pid()}/mountinfo").read_text().splitlines()
    root = next(line.split() for line in mounts if line.split()[4] == "/")
    checks.true("the root as it is mounted", "ro" in root[5].split(","), root)


def rules(node, account):
    """What an account may do: {(verb, group, resource or URL)}."""
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview",
              "spec": {"namespace": NAMESPACE}}
    token = node.api.token_for(account, NAMESPACE)
    status = node.client(token).call(
        "POST", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", review)["status"]
    found = {(verb, "url", url) for rule in status["nonResourceRules"]
             for verb in rule["verbs"] for url in rule["nonResourceURLs"]}
    found |= {(verb, group, resource) for rule in status["resourceRules"]
              for verb in rule["verbs"] for group in rule["apiGroups"]
              for resource in rule["resources"]}
    return found


def account(node, release, checks):
    """Beyond what any account may do, and that is asking for the API's description."""
    name = node.get("pod", "-n", NAMESPACE, release.pod())["spec"]["serviceAccountName"]
    node.kubectl("create", "serviceaccount", "nobody", f"--namespace={NAMESPACE}")
    wanted = {(verb, *what) for what in READABLE for verb in ("get", "list", "watch")}
    checks.equal("rights of the account beyond everybody's",
                 rules(node, name) - rules(node, "nobody"), wanted)
    listed = node.kubectl("auth", "can-i", "--list", f"--namespace={NAMESPACE}",
                          f"--as=system:serviceaccount:{NAMESPACE}:{name}")
    writing = [line for line in listed.splitlines()
               if re.search(r"\b(create|update|patch|delete|\*)\b", line)
               and "selfsubject" not in line]
    checks.equal("lines of `kubectl auth can-i --list` about writing", writing, [])
    node.kubectl("delete", "serviceaccount", "nobody", f"--namespace={NAMESPACE}")


def is_taken(node, checks, what, make):
    """`make` gives the manifests; the server says whether it would have them."""
    try:
        text = make()
        # A dry run makes no namespace that the rest could be in.
        for name in set(re.findall(r"^ +namespace: (\S+)$", text, re.MULTILINE)):
            node.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        node.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", input=text)
        checks.true(what, True)
    except LabError as error:
        checks.true(what, False, error)


def variants(node, checks):
    for path in build.monitoring_kinds():
        node.kubectl("create", "-f", str(path))
    files = sorted((CHART / "ci").glob("*.yaml"))
    checks.true("there are variants of the values", files)
    for path in files:
        is_taken(node, checks, f"the chart with {path.name}", lambda path=path: node.helm(
            "template", "variant", CHART, f"--namespace={NAMESPACE}", f"--values={path}"))
    overlays = sorted(path.parent for path in
                      (SOURCE_DIR / "deploy/kubernetes").rglob("kustomization.yaml")
                      if "kind: Component" not in path.read_text())
    checks.true("there are plain manifests", overlays)
    for path in overlays:
        is_taken(node, checks, f"manifests of {path.relative_to(SOURCE_DIR)}",
                 lambda path=path: node.kubectl("kustomize", str(path)))


def leftovers(node):
    """Objects of any kind with the release's label."""
    kinds = node.kubectl("api-resources", "--verbs=list", "-o", "name").split()
    found = node.kubectl("get", ",".join(kinds), "-A", "-o", "name", "--ignore-not-found",
                         "-l", f"app.kubernetes.io/instance={NAME}")
    return found.split()


def uninstalled(node, release, checks):
    """The label finds the objects while they are there, and nothing behind."""
    checks.true("objects with the release's label", len(leftovers(node)) >= 5, leftovers(node))
    release.uninstall()
    # helm does not wait for what its objects own.
    with contextlib.suppress(LabError):
        wait_until(lambda: not leftovers(node), 30, "the agent's pod to end", pause=0.5)
    checks.equal("objects behind uninstall", leftovers(node), [])
    checks.equal("what is left in its namespace", node.kubectl(
        "get", "all,secrets", f"--namespace={NAMESPACE}", "-o", "name").split(), [])
    packet_sockets = pathlib.Path("/proc/net/packet").read_text().splitlines()[1:]
    checks.equal("packet sockets on the node", packet_sockets, [])


def main():
    with Checks() as checks, Node(sandbox.enter()) as node:
        release = Release(node)
        release.install()
        checks.equal("the agent's node", node.get("pod", "-n", NAMESPACE, release.pod())
                     ["spec"]["nodeName"], NODE_NAME)
        container(node, release, checks)
        account(node, release, checks)
        node.helm("test", NAME, f"--namespace={NAMESPACE}")
        variants(node, checks)
        uninstalled(node, release, checks)


if __name__ == "__main__":
    run(main)
