#!/usr/bin/env python3
"""The image: what is in it and what is not, the same bytes from the same sources, and a container
of it as Kubernetes starts one, which counts a pod's requests with one privilege and then none."""

import json
import pathlib
import platform
import re
import stat
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from archive import build  # noqa: E402
from checks import Checks  # noqa: E402
from lab import METRICS_PORT, Agent, Lab, Process, command, run  # noqa: E402

ARCH = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
MAX_BYTES = 25_000_000
USER = 65532
REQUESTS = 7
SERVER = "http_server_request_duration_seconds_count"
NET_RAW = "CAP_NET_RAW"
SETS = ("bounding", "effective", "permitted", "inheritable")
SECONDS = 20
FAILED = 1


def check_labels(checks, image):
    checks.equal("tag", image.tags, ["localhost/vethscope:dev"])
    checks.equal("user", image.config["User"], f"{USER}:{USER}")
    checks.equal("command", (image.config["Entrypoint"], image.config["Cmd"]),
                 (["/usr/bin/vethscope"], ["run"]))
    checks.equal("port", list(image.config["ExposedPorts"]), [f"{METRICS_PORT}/tcp"])
    labels = image.config["Labels"]
    for name in ("title", "description", "licenses", "version", "revision"):
        checks.true(f"label {name}", labels.get(f"org.opencontainers.image.{name}"), labels)
    checks.equal("architecture", image.document["architecture"], ARCH)
    checks.equal("layers", len(image.layers), 1)
    checks.true("size", len(image.layer) < MAX_BYTES, len(image.layer))
    print(f"image: {len(image.layer)} bytes unpacked")


def check_contents(checks, root):
    """One program, its libraries, certificates, and papers."""
    programs = sorted(str(path.relative_to(root)) for path in (root / "usr/bin").iterdir())
    checks.equal("programs", programs, ["usr/bin/vethscope"])
    checks.equal("capability", command("getcap", root / "usr/bin/vethscope").split()[-1],
                 "cap_net_raw=p")
    for path in root.rglob("*"):
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            checks.true(f"{path}: leads somewhere",
                        (root / str(path.readlink()).lstrip("/")).exists() or path.exists())
            continue
        checks.equal(f"{path}: for all to read, for nobody to write",
                     mode & 0o7022, 0)
    checks.true("certificates",
                (root / "etc/ssl/certs/ca-certificates.crt").stat().st_size > 100_000)
    checks.true("the user has a name", f"vethscope:x:{USER}:{USER}:" in
                (root / "etc/passwd").read_text())
    records = {path.name for path in (root / "var/lib/dpkg/status.d").iterdir()}
    papers = {path.parent.name for path in root.glob("usr/share/doc/*/copyright")}
    checks.equal("each package has its copyright file", papers, records | {"vethscope"})
    for record in sorted(records):
        text = (root / "var/lib/dpkg/status.d" / record).read_text()
        checks.true(f"record of {record}", re.search(r"^Version: \S", text, re.M), text)
    # Where it was built is nobody's business, and would differ from machine to machine.
    checks.true("no path of the build", b"/src/agent" not in
                (root / "usr/bin/vethscope").read_bytes())


def bundle(directory, image, root, namespace, capabilities=(NET_RAW,)):
    """runc's, as a container runtime makes it of a pod that asks for all restrictions."""
    mounts = [{"destination": "/proc", "type": "proc", "source": "proc"},
              {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"}]
    spec = {
        "ociVersion": "1.0.2",
        "root": {"path": str(root), "readonly": True},
        "process": {
            "user": dict(zip(("uid", "gid"), map(int, image.config["User"].split(":")))),
            "args": [*image.config["Entrypoint"], *image.config["Cmd"]],
            "env": image.config["Env"], "cwd": "/", "noNewPrivileges": True,
            "capabilities": {name: list(capabilities) for name in SETS}},
        "mounts": mounts,
        "linux": {"namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "ipc"},
                                 {"type": "network", "path": f"/run/netns/{namespace.name}"}]}}
    directory.mkdir()
    (directory / "config.json").write_text(json.dumps(spec))
    return directory


class Container(Process):
    """A container of the image in a network namespace. It is asked as the agent on the node is."""

    page, metrics, settled, wait_ready, _ready = (
        Agent.page, Agent.metrics, Agent.settled, Agent.wait_ready, Agent._ready)

    def __init__(self, lab, name, bundle_directory):
        self.home = lab.node
        self.state = lab.directory / "runc"
        self.identity = f"{lab.prefix}-{name}"
        super().__init__(lab, name, ["runc", "--root", self.state, "run", "--bundle",
                                     bundle_directory, self.identity])

    def processes(self):
        listed = command("runc", "--root", self.state, "ps", "--format", "json", self.identity)
        return json.loads(listed)

    def discard(self):
        subprocess.run(["runc", "--root", self.state, "delete", "--force", self.identity],
                       check=False, capture_output=True)
        super().discard()


def check_threads(checks, container):
    pids = container.processes()
    checks.equal("processes in the container", len(pids), 1)
    tasks = list(pathlib.Path(f"/proc/{pids[0]}/task").glob("*/status"))
    checks.true("threads", len(tasks) > 1, tasks)
    for task in tasks:
        status = task.read_text()
        for name in ("Inh", "Prm", "Eff", "Amb"):
            checks.equal(f"Cap{name} of a thread",
                         re.search(rf"Cap{name}:\s+(\w+)", status)[1], "0" * 16)
        checks.equal("bounding set", int(re.search(r"CapBnd:\s+(\w+)", status)[1], 16), 1 << 13)
        checks.true("no_new_privs", re.search(r"NoNewPrivs:\s+1", status), status)
        checks.true("uid", re.search(rf"Uid:\s+{USER}\s+{USER}\s+{USER}", status), status)


def check_container(checks, lab, image, root):
    container = Container(lab, "agent", bundle(lab.directory / "bundle", image, root, lab.node))
    container.wait_ready()
    check_threads(checks, container)
    server, client = lab.pod("server"), lab.pod("client")
    lab.backend(server)
    for _ in range(REQUESTS):
        checks.equal("answer", client.get(server.address, 80, "/")[0], 200)
    metrics = container.settled(SERVER, REQUESTS)
    checks.equal("requests counted", metrics.total(SERVER, service_name=f"{server.address}:80"),
                 REQUESTS)
    checks.equal("exit status", container.stop(), 0)


def check_refusal(checks, lab, image, root):
    """Without the capability it starts, and says so: `+ep` would fail at exec, without a word."""
    container = Container(lab, "refused", bundle(lab.directory / "refused", image, root, lab.node,
                                                 capabilities=()))
    checks.equal("without NET_RAW: exit status", container.finish(SECONDS), FAILED)
    checks.true("without NET_RAW: says who gives it",
                "capabilities.add: [NET_RAW]" in container.stderr(), container.stderr())


def check_reproducible(checks, lab, image):
    """A second time, nothing kept of the first."""
    again = build(lab.directory / "again.tar", ARCH, VETHSCOPE_IMAGE_OPTIONS="--no-cache")
    checks.equal("the same layer", again.digests, image.digests)
    checks.equal("the same configuration", again.document, image.document)


def main():
    with Checks() as checks, Lab("image") as lab:
        image = build(lab.directory / "image.tar", ARCH)
        root = image.unpack(lab.directory / "root")
        check_labels(checks, image)
        check_contents(checks, root)
        check_container(checks, lab, image, root)
        check_refusal(checks, lab, image, root)
        check_reproducible(checks, lab, image)


if __name__ == "__main__":
    run(main)
