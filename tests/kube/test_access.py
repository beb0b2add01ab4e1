#!/usr/bin/env python3
"""What the agent asks for, and by which right: no more than deploy/kubernetes/base/rbac.yaml grants;
with a token, a certificate, a service account; of the whole cluster or of one node."""

import collections
import concurrent.futures
import os
import pathlib
import sys
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]

import objects  # noqa: E402
from checks import Checks  # noqa: E402
from cluster import ACCOUNT, ACCOUNT_NAMESPACE, Cluster  # noqa: E402
from fault_proxy import Fault, Middle  # noqa: E402
from lab import run  # noqa: E402
from probe import Probe  # noqa: E402

WATCHED = {("", "pods"), ("", "services"), ("", "nodes"), ("", "namespaces"),
           ("discovery.k8s.io", "endpointslices"), ("apps", "replicasets"), ("batch", "jobs")}
# A page has 500.
PAGED_PODS = 620
READING = {"get", "list", "watch"}
# What Kubernetes lets every account ask about itself.
ABOUT_ITSELF = {("authorization.k8s.io", "selfsubjectaccessreviews"),
                ("authorization.k8s.io", "selfsubjectrulesreviews"),
                ("authentication.k8s.io", "selfsubjectreviews")}
USER = f"system:serviceaccount:{ACCOUNT_NAMESPACE}:{ACCOUNT}"
ACCOUNT_DIRECTORY = "/run/secrets/kubernetes.io/serviceaccount"
# Its own /run, with the service account's files where a kubelet puts them.
IN_A_POD = ("unshare", "-m", "sh", "-ec", f"""
mount -t tmpfs none /run
mkdir -p {ACCOUNT_DIRECTORY}
printf %s "$TOKEN" >{ACCOUNT_DIRECTORY}/token
cp "$CA_FILE" {ACCOUNT_DIRECTORY}/ca.crt
printf vethscope >{ACCOUNT_DIRECTORY}/namespace
exec "$@"
""", "in-a-pod")


def make_objects(api):
    for number in (1, 2):
        api.create(objects.node(f"node-{number}", [f"192.0.2.{number}"], [f"10.{number}.0.0/16"]))
    api.create(objects.pod("here", ["10.1.0.5"], node="node-1", owner=("DaemonSet", "here-set")))
    api.create(objects.pod("there", ["10.2.0.5"], node="node-2", owner=("DaemonSet", "there-set")))
    api.create(objects.pod("alone", ["10.2.0.6"], node="node-2"))
    api.create(objects.service("far", clusterIP="10.96.20.1"))
    api.create(objects.endpoint_slice("far-1", "far", [("10.2.0.5", "there")]))


def granted(cluster, checks):
    """What the API server itself says that the account may do."""
    account = cluster.client(cluster.agent_token())
    answer = account.call("POST", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews",
                          {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview",
                           "spec": {"namespace": "kube-system"}})
    verbs = collections.defaultdict(set)
    for rule in answer["status"]["resourceRules"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                verbs[group, resource] |= set(rule["verbs"])
    for own in ABOUT_ITSELF:
        verbs.pop(own, None)
    checks.equal("the resources that it may read", set(verbs), WATCHED)
    checks.true("and it may do nothing but read", all(found == READING for found in verbs.values()),
                dict(verbs))
    for path in ("/api/v1/secrets", "/api/v1/configmaps", "/apis/apps/v1/deployments"):
        checks.equal(f"GET {path}", account.request("GET", path)[0], 403)


def asked(cluster, since):
    """(verb, group, resource, selector) of every request of the agent since then."""
    found = []
    for event in cluster.audit(since):
        if event["user"]["username"] != USER or event["stage"] == "ResponseComplete" \
                and event["verb"] == "watch":
            continue
        reference = event.get("objectRef", {})
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(event["requestURI"]).query)
        found.append((event["verb"], reference.get("apiGroup", ""), reference.get("resource"),
                      query.get("fieldSelector", [""])[0]))
    return found


def follow_cluster(cluster, checks):
    """Scope cluster: everybody is known, and everything asked for is granted."""
    since = len(cluster.audit())
    with Probe("--kubeconfig", cluster.kubeconfig(), "--node", "node-1") as probe:
        probe.wait_synced()
        checks.equal("this node's pod", probe.find("10.1.0.5").pod, "here")
        checks.equal("another node's pod", probe.find("10.2.0.6").pod, "alone")
    requests = asked(cluster, since)
    checks.true("it asked", requests)
    checks.equal("what was asked for", {(group, name) for _, group, name, _ in requests}, WATCHED)
    checks.true("how it was asked", {verb for verb, *_ in requests} <= READING, requests)
    refused = [event["requestURI"] for event in cluster.audit(since)
               if event["user"]["username"] == USER
               and event.get("responseStatus", {}).get("code", 200) >= 400]
    checks.equal("requests that were refused", refused, [])


def follow_node(cluster, checks, arguments, what):
    """Scope node: only this node's pods are asked for; others by the slices they are in."""
    since = len(cluster.audit())
    with Probe("--kubeconfig", cluster.kubeconfig(), "--node-only", *arguments) as probe:
        probe.wait_synced()
        checks.equal(f"{what}: this node's pod", probe.find("10.1.0.5").pod, "here")
        there = probe.find("10.2.0.5", 8080)
        checks.equal(f"{what}: another node's pod that backs a service",
                     (there.answer, there.called), ("known", "far"))
        checks.true(f"{what}: another node's pod that backs none is not known",
                    probe.find("10.2.0.6").answer != "known", probe.find("10.2.0.6"))
        checks.equal(f"{what}: services", probe.find("10.96.20.1", 80).called, "far")
    selectors = {selector for _, _, name, selector in asked(cluster, since) if name == "pods"}
    checks.equal(f"{what}: which pods were asked for", selectors,
                 {"spec.nodeName=node-1,status.phase!=Succeeded,status.phase!=Failed"})


def metadata_only(cluster, checks):
    """Of replica sets and jobs only the metadata is asked for; of everything protobuf first."""
    with Middle(cluster) as middle:
        with Probe("--kubeconfig", cluster.kubeconfig(port=middle.port)) as probe:
            probe.wait_synced()
            checks.equal("through HTTP/1.1", probe.find("10.1.0.5").pod, "here")
        for path, headers in middle.headers:
            accept = headers.get("Accept", "")
            name = urllib.parse.urlsplit(path).path.rsplit("/", 1)[-1]
            checks.true(f"{name}: protobuf", "application/vnd.kubernetes.protobuf" in accept, accept)
            checks.equal(f"{name}: metadata only", "PartialObjectMetadata" in accept,
                         name in ("replicasets", "jobs", "namespaces"))
            checks.true(f"{name}: says who asks", "vethscope" in headers.get("User-Agent", ""),
                        headers.get("User-Agent"))


def in_pages(cluster, checks):
    """A server that streams no lists, as older ones, and more pods than a page has."""
    with concurrent.futures.ThreadPoolExecutor(4) as workers:
        list(workers.map(cluster.api.create, (
            objects.pod(f"many-{number}", [f"10.1.{10 + number // 250}.{number % 250 + 1}"])
            for number in range(PAGED_PODS))))
    with Middle(cluster) as middle:
        middle.faults = [Fault("sendInitialEvents", status=422)]
        with Probe("--kubeconfig", cluster.kubeconfig(port=middle.port)) as probe:
            probe.wait_synced()
            status = probe.status()
            checks.equal("in pages: pods", status["pods"]["objects"], PAGED_PODS + 3)
            known = sum(probe.find(f"10.1.{10 + number // 250}.{number % 250 + 1}").pod
                        == f"many-{number}" for number in range(PAGED_PODS))
            checks.equal("in pages: pods that have their names", known, PAGED_PODS)
            checks.true("in pages: no failure",
                        all(kind["failures"] == 0 for kind in status.values()), status)
            late = objects.pod("late", ["10.1.99.1"])
            cluster.api.create(late)
            checks.true("in pages, then watched",
                        probe.wait_find("10.1.99.1", pod="late", seconds=2) is not None)
            cluster.api.delete(late)
        pages = [path for _, path, status in middle.requests
                 if path.startswith("/api/v1/pods?") and "limit=" in path and status == 200]
        checks.true("in pages: more than one", len(pages) > 1, pages)


def other_identities(cluster, checks):
    """A client certificate, a token in a file, and the service account of a pod."""
    cluster.api.create({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
        "metadata": {"name": "by-certificate"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
                    "name": ACCOUNT},
        "subjects": [{"kind": "User", "name": "observer", "apiGroup": "rbac.authorization.k8s.io"}],
    })
    certificate = cluster.authority.issue("observer", "/CN=observer")
    token_file = cluster.write("token", cluster.agent_token() + "\n")
    ways = {
        "a certificate": cluster.kubeconfig("observer", client=certificate),
        "a token's file": cluster.kubeconfig("filed", token_file=token_file),
    }
    for what, path in ways.items():
        with Probe("--kubeconfig", path) as probe:
            probe.wait_synced()
            checks.equal(f"{what}: a pod", probe.find("10.2.0.6").pod, "alone")
    with Probe(environment={"KUBECONFIG": str(ways["a token's file"])}) as probe:
        probe.wait_synced()
        checks.equal("KUBECONFIG: a pod", probe.find("10.2.0.6").pod, "alone")
    environment = {"TOKEN": cluster.agent_token(), "CA_FILE": str(cluster.ca_file),
                   "KUBERNETES_SERVICE_HOST": "127.0.0.1",
                   "KUBERNETES_SERVICE_PORT": str(cluster.port)}
    with Probe("--in-cluster", prefix=IN_A_POD, environment=environment) as probe:
        probe.wait_synced()
        checks.equal("in a pod: another pod", probe.find("10.2.0.6").pod, "alone")


def refused_at_start(cluster, checks):
    """What cannot work is said at once, in one line that names the cause."""
    good = cluster.kubeconfig("good").read_text()
    cases = {
        "plugin": (good.replace("    token: ", "    exec: {command: login}\n    tokenfile: "),
                   "exec"),
        "context": (good.replace("current-context: test", "current-context: other"), "other"),
        "not-yaml": ("{", ""),
        "no-authority": (good.replace(str(cluster.ca_file), "/nowhere/ca.crt"), "/nowhere/ca.crt"),
    }
    for name, (text, said) in cases.items():
        path = cluster.write(f"{name}.kubeconfig", text)
        with Probe("--kubeconfig", path, expect_start=False) as probe:
            checks.true(f"{name}: refused", not probe.started, probe.errors)
            checks.equal(f"{name}: lines", len(probe.errors), 1)
            checks.true(f"{name}: the cause is said", said in "".join(probe.errors), probe.errors)
            print(f"{name}: {probe.errors}")
    with Probe("--kubeconfig", "/nowhere/config", expect_start=False) as probe:
        checks.true("no such file", not probe.started and "/nowhere/config" in probe.errors[0],
                    probe.errors)
    environment = {key: "" for key in ("KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT")}
    with Probe("--in-cluster", environment=environment, expect_start=False) as probe:
        checks.true("not in a cluster", not probe.started, probe.errors)


def main():
    os.environ.pop("KUBECONFIG", None)
    with Checks() as checks, Cluster() as cluster:
        make_objects(cluster.api)
        granted(cluster, checks)
        follow_cluster(cluster, checks)
        follow_node(cluster, checks, ("--node", "node-1"), "by the node's name")
        follow_node(cluster, checks, ("--own", "198.51.100.1", "--own", "192.0.2.1"),
                    "by the node's address")
        metadata_only(cluster, checks)
        in_pages(cluster, checks)
        other_identities(cluster, checks)
        refused_at_start(cluster, checks)


if __name__ == "__main__":
    run(main)
