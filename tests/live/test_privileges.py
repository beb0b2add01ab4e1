#!/usr/bin/env python3
"""With every exporter on, no thread of the running agent has a capability in any set, whoever
started it, and it still sees pods that come later. Started without what it needs it says what."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from checks import Checks  # noqa: E402
from lab import Agent, Lab, binary, command, run, wait_until  # noqa: E402

USER = 65532
AS_USER = ("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups")
AMBIENT = (*AS_USER, "--inh-caps=+net_raw", "--ambient-caps=+net_raw",
           "--bounding-set=-all,+net_raw")
NET_RAW = 1 << 13
SETS = ("CapInh", "CapPrm", "CapEff", "CapAmb")
PODS = 3
# Workers, delivery, the server, and the threads of each of the exporters, librdkafka's among them.
THREADS_AT_LEAST = 8
FAILED = 1
SECONDS = 20
# Nobody listens there: the exporters' threads live all the same.
NOBODY = "127.0.0.1:9"
KUBECONFIG = f"""apiVersion: v1
kind: Config
current-context: c
contexts: [{{name: c, context: {{cluster: c, user: u}}}}]
clusters: [{{name: c, cluster: {{server: "http://{NOBODY}"}}}}]
users: [{{name: u, user: {{token: t}}}}]
"""


def config_of(directory):
    (directory / "kubeconfig").write_text(KUBECONFIG)
    return f"""
capture: {{workers: 2}}
kubernetes: {{enabled: true, kubeconfig: "{directory}/kubeconfig"}}
otlp: {{endpoint: "http://{NOBODY}"}}
events:
  file: {{path: "{directory}/events.pb"}}
  http: {{url: "http://{NOBODY}/"}}
  kafka: {{brokers: "{NOBODY}"}}
"""


def threads(pid):
    """One dictionary of /proc's status for each."""
    found = []
    for path in pathlib.Path(f"/proc/{pid}/task").glob("*/status"):
        found.append(dict(line.split(":\t", 1) for line in path.read_text().splitlines()
                          if ":\t" in line))
    return found


def check_threads(checks, how, agent, uid, bounding):
    wait_until(lambda: len(threads(agent.child.pid)) >= THREADS_AT_LEAST, SECONDS, "the threads")
    for thread in threads(agent.child.pid):
        name = f"{how}, thread {thread['Name']}"
        checks.equal(f"{name}: capabilities", {key: int(thread[key], 16) for key in SETS},
                     dict.fromkeys(SETS, 0))
        checks.equal(f"{name}: bounding set", int(thread["CapBnd"], 16), bounding)
        checks.equal(f"{name}: no_new_privs", thread["NoNewPrivs"], "1")
        checks.equal(f"{name}: uids", set(thread["Uid"].split()), {str(uid)})


def ask_new_pods(checks, how, lab, number):
    """Veths made after everything was given up."""
    client = lab.pod(f"c{number}")
    for pod_number in range(PODS):
        pod = lab.pod(f"s{number}{pod_number}")
        lab.backend(pod)
        checks.equal(f"{how}: answer", client.get(pod.address, 80, "/")[0], 200)


def check_start(checks, lab, how, program, uid, bounding, number):
    directory = lab.directory / f"home{number}"
    directory.mkdir()
    os.chown(directory, uid, uid)
    agent = Agent(lab, config=config_of(directory), name=f"agent{number}", program=program)
    agent.wait_ready()
    check_threads(checks, how, agent, uid, bounding)
    ask_new_pods(checks, how, lab, number)
    # The kernel keeps such a process's directories in /proc from others; it sees its own.
    checks.true(f"{how}: counts its descriptors",
                agent.metrics().total("process_open_fds") > 0)
    checks.equal(f"{how}: exit status", agent.stop(), 0)
    # Each was seen on both pods' veths. By the log, as metrics wait for names meanwhile.
    exchanges = re.search(r'msg="stopped" exchanges=(\d+) ', agent.stderr())
    checks.equal(f"{how}: exchanges of new pods", exchanges and int(exchanges[1]), 2 * PODS)
    checks.true(f"{how}: the events were written",
                (directory / "events.pb").stat().st_size > 0)


def bounding_set():
    return int(re.search(r"CapBnd:\t(\w+)", pathlib.Path("/proc/self/status").read_text())[1], 16)


def check_refusals(checks, lab, plain, granted):
    """One line each, of what is missing and who can give it."""
    nosuid = lab.directory / "nosuid"
    nosuid.mkdir()
    mounted = ("unshare", "--mount", "sh", "-c",
               'mount --bind "$1" "$2" && mount -o remount,bind,nosuid "$2" && shift 2 && exec "$@"',
               "sh", granted.parent, nosuid)
    twice = (*AS_USER, "setpriv", "--no-new-privs")
    for what, argv, expected in (
            ("nothing given", (*AS_USER, plain), f"setcap cap_net_raw\\+p {plain}$"),
            ("not in the bounding set", (*AS_USER, "--bounding-set=-net_raw", granted),
             r"bounding set.*securityContext\.capabilities\.add: \[NET_RAW\].*--cap-add NET_RAW"),
            ("no_new_privs", (*twice, granted), "no_new_privs is set"),
            ("nosuid", (*mounted, *AS_USER, nosuid / granted.name), "mounted nosuid")):
        done = subprocess.run([*lab.node.enter_command, *map(str, argv), "run"], text=True,
                              capture_output=True, timeout=SECONDS, check=False)
        checks.equal(f"{what}: exit status", done.returncode, FAILED)
        checks.true(f"{what}: one line", re.fullmatch(
            f"vethscope run: started without CAP_NET_RAW: .*{expected}.*", done.stderr.strip()),
            done.stderr)


def main():
    with Checks() as checks, Lab("privileges") as lab:
        programs = lab.directory / "programs"
        programs.mkdir()
        plain = pathlib.Path(shutil.copy(binary(), programs / "plain"))
        granted = pathlib.Path(shutil.copy(binary(), programs / "granted"))
        command("setcap", "cap_net_raw+p", granted)
        check_start(checks, lab, "root", (plain,), 0, 0, 0)
        check_start(checks, lab, "file capability", (*AS_USER, granted), USER, bounding_set(), 1)
        check_start(checks, lab, "ambient", (*AMBIENT, plain), USER, NET_RAW, 2)
        check_refusals(checks, lab, plain, granted)


if __name__ == "__main__":
    run(main)
