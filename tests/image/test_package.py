#!/usr/bin/env python3
"""The Debian package: what is in it, lintian's opinion, and a bare Debian on which it is installed,
checks its configuration and captures as a user that is not root, and is purged again. And the unit:
systemd reads it, and it lets through every system call that the agent makes."""

import os
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from checks import Checks  # noqa: E402
from lab import SOURCE_DIR, Agent, Lab, binary, command, run  # noqa: E402

UNIT = SOURCE_DIR / "deploy/systemd/vethscope.service"
BASE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache"),
                    "vethscope/image/base.tar")
CONFFILE = "/etc/vethscope/vethscope.yaml"
FILES = {CONFFILE, "/lib/systemd/system/vethscope.service", "/usr/bin/vethscope",
         "/usr/share/doc/vethscope/changelog.Debian.gz", "/usr/share/doc/vethscope/changelog.gz",
         "/usr/share/doc/vethscope/copyright",
         "/usr/share/doc/vethscope/examples/vethscope.example.yaml"}
USER = 65532
AS_USER = ("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups")
# Exposure as systemd-analyze counts it, in tenths: below 2 it says OK, beside a smiling face.
MAX_EXPOSURE = 20
REQUESTS = 5
SERVER = "http_server_request_duration_seconds_count"


def build_package():
    """Where it is; the script says it from the top of the tree."""
    return SOURCE_DIR / command(SOURCE_DIR / ".ci/deb.sh").splitlines()[-1]


def check_package(checks, package):
    listed = command("dpkg-deb", "--contents", package)
    files = {line.split()[5].lstrip(".") for line in listed.splitlines() if line[0] != "d"}
    checks.equal("files", files, FILES)
    checks.true("all are root's", all(line.split()[1] == "root/root"
                                      for line in listed.splitlines()), listed)
    fields = command("dpkg-deb", "--field", package)
    for name in ("libc6", "libcurl4", "libpcap0.8", "librdkafka1", "libcap-ng0", "libcap2-bin"):
        checks.true(f"depends on {name}", re.search(rf"^Depends: .*\b{re.escape(name)}\b", fields,
                                                    re.M), fields)
    version = command(binary(), "--version").split()[1]
    checks.true("version", f"Version: {version}-1\n" in fields, fields)
    done = subprocess.run(["lintian", "--fail-on", "error", package], text=True, check=False,
                          capture_output=True)
    checks.equal("lintian's errors", (done.returncode, re.findall("^E: .*", done.stdout, re.M)),
                 (0, []))


class Machine:
    """A bare Debian, as far as a change of root goes."""

    def __init__(self, root):
        self.root = root
        root.mkdir()
        if not BASE.exists():
            command(SOURCE_DIR / ".ci/image.sh", root.parent / "image.tar")
        command("tar", "-x", "--numeric-owner", "-C", root, "-f", BASE)
        (root / "etc/resolv.conf").write_text(pathlib.Path("/etc/resolv.conf").read_text())
        # Nothing is to start while packages are installed.
        policy = root / "usr/sbin/policy-rc.d"
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)

    def command(self, *argv):
        return command("chroot", self.root, "env", "DEBIAN_FRONTEND=noninteractive", *argv)


def check_installed(checks, lab, package):
    machine = Machine(lab.directory / "machine")
    (machine.root / "tmp/vethscope.deb").write_bytes(package.read_bytes())
    machine.command("apt-get", "update", "-q")
    machine.command("apt-get", "install", "-y", "-q", "--no-install-recommends",
                    "/tmp/vethscope.deb")
    checks.equal("capability", command("getcap", machine.root / "usr/bin/vethscope").split()[-1],
                 "cap_net_raw=p")
    checks.true("version", machine.command(*AS_USER, "vethscope", "--version")
                .startswith("vethscope "))
    machine.command(*AS_USER, "vethscope", "check-config", CONFFILE)
    check_defaults(checks, machine)
    check_capture(checks, lab, machine)
    machine.command("apt-get", "purge", "-y", "-q", "vethscope")
    left = [name for name in FILES if (machine.root / name.lstrip("/")).exists()]
    checks.equal("left behind by purge", left, [])
    checks.true("its directory too", not (machine.root / "etc/vethscope").exists())


def check_defaults(checks, machine):
    """What the example shows of use is not configured for somebody who only installed it."""
    text = (machine.root / CONFFILE.lstrip("/")).read_text()
    active = [line for line in text.splitlines() if line.strip() and
              not line.lstrip().startswith("#")]
    checks.equal("entries of lists", [line for line in active if line.lstrip()[0] == "-"], [])
    checks.true("keys", len(active) > 50, active)


def check_capture(checks, lab, machine):
    """As installed, by a user who is not root."""
    agent = Agent(lab, program=("chroot", machine.root, *AS_USER, "vethscope"),
                  arguments=("--config", CONFFILE))
    agent.wait_ready()
    server, client = lab.pod("server"), lab.pod("client")
    lab.backend(server)
    for _ in range(REQUESTS):
        checks.equal("answer", client.get(server.address, 80, "/")[0], 200)
    metrics = agent.settled(SERVER, REQUESTS)
    checks.equal("requests counted", metrics.total(SERVER, service_name=f"{server.address}:80"),
                 REQUESTS)
    checks.equal("exit status", agent.stop(), 0)


def unit_settings():
    """The list of each setting's values."""
    settings = {}
    for line in UNIT.read_text().splitlines():
        if "=" in line and line[0] not in "#[":
            name, value = line.split("=", 1)
            settings.setdefault(name, []).append(value)
    return settings


def system_calls(name):
    """Those in one of systemd's sets; a set may hold others."""
    if not name.startswith("@"):
        return {name}
    calls = set()
    for line in command("systemd-analyze", "syscall-filter", name).splitlines()[1:]:
        entry = line.strip()
        if entry and not entry.startswith("#"):
            calls |= system_calls(entry)
    return calls


def allowed_calls():
    allowed = set()
    for entry in unit_settings()["SystemCallFilter"]:
        calls = set().union(*(system_calls(name) for name in entry.lstrip("~").split()))
        allowed = allowed - calls if entry.startswith("~") else allowed | calls
    return allowed


def check_calls(checks, lab):
    """Behind its start by the kernel, every call of an agent whose exporters are on."""
    nobody = "127.0.0.1:9"
    trace = lab.directory / "trace"
    config = f"""
events:
  file: {{path: "{lab.directory}/events.pb", max_size: 64KiB}}
  http: {{url: "http://{nobody}/"}}
  kafka: {{brokers: "{nobody}"}}
otlp: {{endpoint: "http://{nobody}"}}
"""
    agent = Agent(lab, config=config, name="traced",
                  program=("strace", "-f", "-qq", "-o", trace, binary()))
    agent.wait_ready()
    server, client = lab.pod("other"), lab.pod("asking")
    lab.backend(server)
    client.get(server.address, 80, "/")
    agent.settled(SERVER, 1, service_name=f"{server.address}:80")
    # The tracer passes no signals on.
    children = command("pgrep", "-P", str(agent.child.pid)).split()
    command("kill", "-TERM", *children)
    checks.equal("exit status", agent.finish(20), 0)
    made = set(re.findall(r"^\d+ +([a-z]\w*)\(", trace.read_text(), re.M))
    checks.true("system calls were seen", {"execve", "capset", "bind", "poll"} & made, made)
    checks.equal("system calls that the unit refuses", sorted(made - allowed_calls()), [])


def check_unit(checks, lab):
    directory = lab.directory / "units"
    directory.mkdir()
    unit = directory / UNIT.name
    unit.write_text(UNIT.read_text().replace("/usr/bin/vethscope", binary()))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], text=True, check=False,
                          capture_output=True)
    checks.equal("systemd reads the unit", (done.returncode, done.stderr), (0, ""))
    done = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--no-pager",
                           f"--threshold={MAX_EXPOSURE}", unit], text=True, check=False,
                          capture_output=True)
    print(done.stdout.splitlines()[-1])
    checks.equal("exposure below the bound", done.returncode, 0)
    checks.equal("capabilities", unit_settings()["CapabilityBoundingSet"], ["CAP_NET_RAW"])


def main():
    with Checks() as checks, Lab("package") as lab:
        package = build_package()
        check_package(checks, package)
        check_unit(checks, lab)
        check_calls(checks, lab)
        check_installed(checks, lab, package)


if __name__ == "__main__":
    run(main)
