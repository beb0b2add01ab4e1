#!/usr/bin/env python3
"""The chart in every variant: linted, rendered, its configuration read by the program; wrong values
refused in words; and the plain manifests, which say the same."""

import copy
import pathlib
import re
import sys
import tarfile
import tempfile

import chart
import generate
import values_table
import yaml
from checks import Checks

# What helm alone says of itself.
HELM_LABELS = {"helm.sh/chart", "app.kubernetes.io/version", "app.kubernetes.io/managed-by"}
EXAMPLE = chart.SOURCE_DIR / "deploy" / "vethscope.example.yaml"
# Values and what of the refusal a person has to read.
WRONG = [
    ({"image": {"tga": "1"}}, "'/image': additional properties 'tga' not allowed"),
    ({"image": {"repository": "vethscope:1.0"}}, "'/image/repository'"),
    ({"image": {"digest": "sha256:12"}}, "'/image/digest'"),
    ({"image": {"pullPolicy": "Sometimes"}},
     "'/image/pullPolicy': value must be one of 'IfNotPresent', 'Always', 'Never'"),
    ({"port": 80}, "'/port': minimum: got 80, want 1,024"),
    ({"port": "9990"}, "'/port': got string, want integer"),
    ({"daemonSet": {}}, "additional properties 'daemonSet' not allowed"),
    ({"daemonset": {"updateStrategy": {"rollingUpdate": {"maxSurge": 1}}}}, "'maxSurge'"),
    ({"daemonset": {"updateStrategy": {"rollingUpdate": {"maxUnavailable": "10"}}}},
     "'/daemonset/updateStrategy/rollingUpdate/maxUnavailable'"),
    ({"daemonset": {"resources": {"limits": {"memory": "1 GB"}}}},
     "'/daemonset/resources/limits/memory'"),
    ({"daemonset": {"tolerations": [{"key": "a", "operator": "Is"}]}},
     "'/daemonset/tolerations/0/operator': value must be one of 'Exists', 'Equal'"),
    ({"daemonset": {"extraEnv": [{"value": "x"}]}}, "missing property 'name'"),
    ({"daemonset": {"securityContext": {"capabilites": {}}}}, "'capabilites'"),
    ({"daemonset": {"livenessProbe": {"periodSeconds": 0}}}, "want 1"),
    ({"commonLabels": {"team": 1}}, "'/commonLabels/team': got number, want string"),
    ({"config": {"capture": {"ringsize": "32MiB"}}},
     "'/config/capture': additional properties 'ringsize' not allowed"),
    ({"config": {"capture": {"ring_size": "32MB"}}}, "'/config/capture/ring_size': '32MB'"),
    ({"config": {"capture": {"vantage": "outside"}}},
     "value must be one of 'auto', 'node', 'pod'"),
    ({"config": {"metrics": {"listen": ":9991"}}},
     "'/config/metrics': additional properties 'listen' not allowed"),
    ({"config": {"kubernetes": {"scope": "all"}}}, "value must be one of 'cluster', 'node'"),
    ({"config": {"kubernetes": {"ranges": ["everything"]}}}, "'/config/kubernetes/ranges/0'"),
    ({"config": {"tcp": {"flow_idle_timeout": 300}}}, "got number, want string"),
    ({"config": {"names": [{"address": "10.0.0.1"}]}}, "missing property 'service'"),
    ({"config": {"rules": [{"action": "drop"}]}}, "value must be one of 'include', 'exclude'"),
    ({"config": {"otlp": {"traces": {"ratio": 2}}}}, "maximum: got 2, want 1"),
    ({"config": {"log": {"level": "trace"}}}, "value must be one of 'error'"),
    ({"podMonitor": {"interval": "15"}}, "'/podMonitor/interval'"),
    ({"podMonitor": {"enabled": True}, "serviceMonitor": {"enabled": True}},
     "one of the two, or every agent is scraped twice"),
    ({"sidecar": {"namespaces": ["Shop"]}}, "'/sidecar/namespaces/0'"),
    ({"sidecar": {"interfaces": []}}, "'/sidecar/interfaces'"),
    ({"sidecar": {"networkPolicy": {"ports": ["http"]}}}, "got string, want integer"),
    ({"prometheusRule": {"errorBudget": 99.9}}, "maximum: got 99.9, want 0.05"),
    ({"prometheusRule": {"disabled": ["ObserverDown"]}}, "value must be one of 'Vethscope"),
    ({"prometheusRule": {"runbookUrl": "runbooks.md"}}, "'/prometheusRule/runbookUrl'"),
]


def configurations(documents):
    """Every file of the program in ConfigMaps, by the ConfigMap's name and namespace."""
    return {f"{namespace}/{name}": document["data"]["vethscope.yaml"]
            for (kind, namespace, name), document in documents.items()
            if kind == "ConfigMap" and "vethscope.yaml" in document["data"]}


def check_variants(checks):
    for path in chart.variants():
        status, output, errors = chart.helm("lint", "--strict", chart.CHART, "--kube-version",
                                            chart.KUBERNETES, "--values", path)
        checks.true(f"lint with {path.name}", status == 0, output + errors)
        documents = chart.rendered("--values", path)
        files = configurations(documents)
        checks.true(f"{path.name} has a configuration", files)
        for name, text in files.items():
            checks.equal(f"{path.name}: check-config of {name}", chart.check_config(text), "")
        check_monitors(checks, path.name, documents)
        check_workload(checks, path.name, documents)


def check_monitors(checks, name, documents):
    """Annotations and monitors: never both."""
    kinds = {kind for kind, _, _ in documents}
    agents = [document for (kind, _, _), document in documents.items() if kind == "DaemonSet"]
    for agent in agents:
        annotations = agent["spec"]["template"]["metadata"]["annotations"]
        both = "prometheus.io/scrape" in annotations and kinds & {"PodMonitor", "ServiceMonitor"}
        checks.true(f"{name}: scraped once", not both)
    if "ServiceMonitor" in kinds:
        checks.true(f"{name}: its Service", "Service" in kinds)


def check_workload(checks, name, documents):
    """What the pods may, whatever else is chosen."""
    for (kind, _, _), document in documents.items():
        if kind != "DaemonSet":
            continue
        pod = document["spec"]["template"]["spec"]
        container = pod["containers"][0]
        checks.equal(f"{name}: capabilities", container["securityContext"]["capabilities"],
                     {"drop": ["ALL"], "add": ["NET_RAW"]})
        checks.true(f"{name}: not root", pod["securityContext"]["runAsNonRoot"])
        checks.true(f"{name}: no escalation",
                    container["securityContext"]["allowPrivilegeEscalation"] is False)
        token = pod["automountServiceAccountToken"]
        roles = [key for key in documents if key[0] == "ClusterRole"]
        checks.true(f"{name}: rights only with a token", token or not roles)


def check_wrong_values(checks):
    for values, words in WRONG:
        with chart.values_file(values) as path:
            status, _, errors = chart.template("--values", path)
        checks.true(f"refused: {values}", status != 0 and words in errors, errors)


def check_emptied_config(checks):
    """`config:` of which every line is a comment is none, not a mistake."""
    with chart.values_file({"config": None, "sidecar": {"enabled": True}}) as emptied, \
            chart.values_file({"sidecar": {"enabled": True}}) as without:
        checks.equal("an emptied config", chart.template("--values", emptied),
                     chart.template("--values", without))


def check_old_cluster(checks):
    """What an older API server does not know is refused before it is asked; the rest is not."""
    old = ("--kube-version", "1.28.9")
    sidecar = ("--set", "sidecar.enabled=true")
    checks.equal("agents on an old cluster", chart.template(*old)[0], 0)
    status, _, errors = chart.template(*old, *sidecar)
    checks.true("a sidecar proper there", status != 0 and "Kubernetes 1.29" in errors, errors)
    checks.equal("a container there",
                 chart.template(*old, *sidecar, "--set", "sidecar.native=false")[0], 0)
    status, _, errors = chart.template("--kube-version", "1.20.0")
    checks.true("a cluster without endpoint slices", status != 0 and "1.21" in errors, errors)


def check_example(checks):
    """The example holds every key of the program: the schema takes them all, the port but one."""
    values = {"config": yaml.safe_load(EXAMPLE.read_text())}
    del values["config"]["metrics"]["listen"]
    with chart.values_file(values) as path:
        documents = chart.rendered("--values", path)
    for name, text in configurations(documents).items():
        checks.equal(f"the example's {name}", chart.check_config(text), "")
        wanted = yaml.safe_load(EXAMPLE.read_text())
        wanted["metrics"]["listen"] = ":9990"
        checks.equal("the example as it was given", yaml.safe_load(text), wanted)


def plain(document):
    """Without what tells nothing of how it runs: helm's own labels, how its configuration's changes
    are told, and the order of what has none."""
    document = copy.deepcopy(document)
    places = [document["metadata"]]
    if document["kind"] == "DaemonSet":
        template = document["spec"]["template"]
        places.append(template["metadata"])
        template["metadata"]["annotations"].pop("checksum/config", None)
        for volume in template["spec"]["volumes"]:
            volume["configMap"]["name"] = re.sub(r"-[a-z0-9]{10}$", "", volume["configMap"]["name"])
    for place in places:
        place["labels"] = {key: value for key, value in place.get("labels", {}).items()
                           if key not in HELM_LABELS}
    if "vethscope.yaml" in document.get("data", {}):
        document["data"]["vethscope.yaml"] = yaml.safe_load(document["data"]["vethscope.yaml"])
    document["metadata"]["name"] = re.sub(r"-[a-z0-9]{10}$", "", document["metadata"]["name"])
    return document


def by_place(documents):
    found = map(plain, documents.values())
    return {(document["kind"], document["metadata"].get("namespace"), document["metadata"]["name"]):
            document for document in found}


def check_base(checks):
    """The base is the chart with its defaults, and the namespace."""
    ours = by_place(chart.kustomized(chart.MANIFESTS / "base"))
    theirs = by_place(chart.rendered("--set", "tests.enabled=false"))
    namespace = ours.pop(("Namespace", None, "vethscope"))
    checks.equal("the namespace's level",
                 namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"],
                 "privileged")
    checks.equal("objects of both", sorted(ours, key=str), sorted(theirs, key=str))
    for key in ours.keys() & theirs.keys():
        checks.equal(f"{key} of both", ours[key], theirs[key])


def check_sidecar(checks):
    """The component's patch is the chart's."""
    documents = chart.rendered("--set", "sidecar.enabled=true")
    config = documents[("ConfigMap", "vethscope", "vethscope-sidecar")]["data"]
    theirs = yaml.safe_load(config["patch.yaml"])["spec"]["template"]
    component = chart.MANIFESTS / "components" / "sidecar"
    ours = yaml.safe_load((component / "patch.yaml").read_text())["spec"]["template"]
    ours["spec"]["initContainers"][0]["image"] = theirs["spec"]["initContainers"][0]["image"]
    checks.equal("the sidecar's patch", ours, theirs)
    checks.equal("the sidecar's configuration",
                 yaml.safe_load((component / "vethscope.yaml").read_text()),
                 yaml.safe_load(config["vethscope.yaml"]))


def check_patch(checks):
    """The notes' command: the chart's patch, given to kubectl, makes of a Deployment what the
    component makes of it."""
    example = chart.MANIFESTS / "overlays" / "sidecar-example"
    documents = chart.rendered("--set", "sidecar.enabled=true")
    patch = documents[("ConfigMap", "vethscope", "vethscope-sidecar")]["data"]["patch.yaml"]
    status, output, errors = chart.run(
        chart.program("kubectl"), "patch", "--local", "--filename", example / "shop.yaml",
        "--patch", patch, "--output", "yaml")
    if checks.equal("kubectl patch", (status, errors), (0, "")):
        patched = yaml.safe_load(output)
        component = chart.kustomized(example)[("Deployment", "shop", "orders")]
        del component["metadata"]["namespace"]
        volume = component["spec"]["template"]["spec"]["volumes"][0]
        volume["configMap"]["name"] = re.sub(r"-[a-z0-9]{10}$", "", volume["configMap"]["name"])
        checks.equal("patched by either", patched, component)


def check_overlays(checks):
    for path in sorted((chart.MANIFESTS / "overlays").iterdir()):
        documents = chart.kustomized(path)
        for name, text in configurations(documents).items():
            checks.equal(f"{path.name}: check-config of {name}", chart.check_config(text), "")
        images = re.findall(r"'image': '([^']*)'", str(documents))
        checks.true(f"{path.name}: an image of vethscope",
                    any(image.startswith("ghcr.io/vethscope/vethscope:") for image in images))
    shop = chart.kustomized(chart.MANIFESTS / "overlays" / "sidecar-example")
    pod = shop[("Deployment", "shop", "orders")]["spec"]["template"]["spec"]
    checks.equal("the pod keeps its containers", [item["name"] for item in pod["containers"]],
                 ["orders"])
    checks.equal("and has the sidecar", [item["name"] for item in pod["initContainers"]],
                 ["vethscope"])


def check_package(checks):
    """A packaged chart holds everything that the directory gives."""
    with tempfile.TemporaryDirectory() as directory:
        status, _, errors = chart.helm("package", chart.CHART, "--destination", directory)
        checks.equal("helm package", (status, errors), (0, ""))
        path = next(pathlib.Path(directory).glob("*.tgz"))
        with tarfile.open(path) as package:
            names = {name.split("/", 1)[1] for name in package.getnames()}
        arguments = ("template", chart.RELEASE, "--namespace", chart.NAMESPACE, "--kube-version",
                     chart.KUBERNETES, "--values", chart.CHART / "ci" / "servicemonitor-values.yaml")
        checks.equal("the same objects", chart.helm(*arguments[:2], path, *arguments[2:])[1],
                     chart.helm(*arguments[:2], chart.CHART, *arguments[2:])[1])
    checks.true("README and schema", {"README.md", "values.schema.json"} <= names, names)
    checks.true("no values of tests", not any(name.startswith("ci/") for name in names), names)


def check_versions(checks):
    """One version in all places."""
    project = re.search(r"VERSION ([0-9.]+) LANG",
                        (chart.SOURCE_DIR / "CMakeLists.txt").read_text())[1]
    described = yaml.safe_load((chart.CHART / "Chart.yaml").read_text())
    checks.equal("appVersion", described["appVersion"], project)
    for path in ("base", "components/sidecar"):
        kustomization = yaml.safe_load(
            (chart.MANIFESTS / path / "kustomization.yaml").read_text())
        checks.equal(f"{path}: tag", kustomization["images"][0]["newTag"], project)


def check_generated(checks):
    for path in generate.outdated():
        checks.true(f"{path} is what tests/chart/generate.py writes", False)
    checks.equal("values that nothing is said of",
                 values_table.undescribed((chart.CHART / "values.yaml").read_text()), [])


def main():
    with Checks() as checks:
        check_generated(checks)
        check_package(checks)
        check_versions(checks)
        check_variants(checks)
        check_example(checks)
        check_wrong_values(checks)
        check_emptied_config(checks)
        check_old_cluster(checks)
        check_base(checks)
        check_sidecar(checks)
        check_patch(checks)
        check_overlays(checks)


if __name__ == "__main__":
    sys.exit(main())
