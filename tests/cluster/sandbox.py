"""A machine of a test's own: its network, processes and mounts are in namespaces that end with it.

A kubelet changes sysctls, /var/lib and control groups, kube-proxy the packet filter, a runtime
starts what outlives it. Here they do all of that to a machine that is gone when the test is: every
process is killed with the first one of the process namespace, every mount and interface goes with
the last. Only control groups and a directory are left to remove, by the process outside.
"""

import contextlib
import ctypes
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from lab import LabError, command

PREFIX = "vsn"
NODE_ADDRESS = "192.0.2.10"
UPLINK = "uplink0"
CGROUPS = pathlib.Path("/sys/fs/cgroup")
_DIRECTORY = "VETHSCOPE_SANDBOX"
# What a kubelet would set for the whole machine; it finds it set.
_SYSCTLS = {"vm/overcommit_memory": "1", "vm/panic_on_oom": "0", "kernel/panic": "10",
            "kernel/panic_on_oops": "1", "kernel/keys/root_maxkeys": "1000000",
            "kernel/keys/root_maxbytes": "25000000"}
# Where kubelet, runtime and network plugins write, whatever they are told.
_REPLACED = ("/var/lib", "/var/log")
_NAMESPACES = ("--mount", "--net", "--pid", "--ipc", "--uts")
_PR_SET_PDEATHSIG = 1


def enter():
    """Starts this program again inside and ends with its status; inside, returns its directory."""
    if _DIRECTORY in os.environ:
        directory = pathlib.Path(os.environ[_DIRECTORY])
        _furnish(directory)
        return directory
    sys.exit(_outside())


def cgroup(directory):
    """The control group of that sandbox, as a path below the root of each hierarchy."""
    return f"/{directory.name}"


def _outside():
    remove_leftovers()
    directory = pathlib.Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
    directory.chmod(0o755)
    # The shell is the first process: it takes in the orphans of the others.
    child = subprocess.Popen(
        ["unshare", *_NAMESPACES, "--fork", "--kill-child", "--mount-proc",
         "sh", "-c", '"$@"; exit $?', "sh", sys.executable, *sys.argv],
        env={**os.environ, _DIRECTORY: str(directory)}, preexec_fn=_die_with_parent)
    try:
        return child.wait()
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        child.kill()
        child.wait()
        _remove(directory)


def _die_with_parent():
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _remove(directory):
    if "VETHSCOPE_KEEP_LAB" in os.environ:
        print(f"kept {directory}")
    else:
        shutil.rmtree(directory, ignore_errors=True)
    for attempt in range(100):
        if _remove_cgroups(directory.name):
            return
        # The last processes may still be on their way out.
        time.sleep(0.05 * (attempt > 0))
    raise LabError(f"the control groups of {directory.name} cannot be removed")


def _cgroup_roots(name):
    """One path for each hierarchy; with the second version there is one of them."""
    return [path for path in (CGROUPS / name, *CGROUPS.glob(f"*/{name}")) if path.is_dir()]


def _remove_cgroups(name):
    for root in _cgroup_roots(name):
        for path, _, _ in os.walk(root, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(path)
    return not _cgroup_roots(name)


def remove_leftovers():
    """Of sandboxes whose outer process was killed; nothing of them runs any more."""
    found = [*pathlib.Path(tempfile.gettempdir()).glob(f"{PREFIX}*-*"),
             *CGROUPS.glob(f"{PREFIX}*-*"), *CGROUPS.glob(f"*/{PREFIX}*-*")]
    for name in {path.name for path in found}:
        owner = re.match(rf"{PREFIX}(\d+)-", name)
        if owner and not os.path.exists(f"/proc/{owner.group(1)}"):
            _remove(pathlib.Path(tempfile.gettempdir()) / name)


def _furnish(directory):
    """Mounts, interfaces and control groups of the machine inside."""
    # A runtime wants to see mounts travel; outside nobody sees them.
    command("mount", "--make-rshared", "/")
    command("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
    for path in _REPLACED:
        own = directory / path.strip("/").replace("/", "-")
        own.mkdir()
        command("mount", "--bind", own, path)
    _hide_sysctls(directory / "sysctls")
    for parent in _cgroup_parents():
        (parent / directory.name).mkdir()
    command("ip", "link", "set", "lo", "up")
    command("ip", "link", "add", UPLINK, "type", "bridge")
    command("ip", "addr", "add", f"{NODE_ADDRESS}/24", "dev", UPLINK)
    command("ip", "link", "set", UPLINK, "up")
    command("ip", "route", "add", "default", "dev", UPLINK)
    pathlib.Path("/proc/sys/net/ipv4/ip_forward").write_text("1")


def _hide_sysctls(directory):
    directory.mkdir()
    for name, value in _SYSCTLS.items():
        path = pathlib.Path("/proc/sys") / name
        if path.exists():
            fake = directory / name.replace("/", ".")
            fake.write_text(f"{value}\n")
            command("mount", "--bind", fake, path)


def _cgroup_parents():
    """The roots of the hierarchies that are mounted with a controller."""
    if (CGROUPS / "cgroup.controllers").exists():
        return [CGROUPS]
    return [path for path in CGROUPS.iterdir()
            if (path / "cgroup.procs").exists() and path.name != "unified"
            and not path.is_symlink()]
