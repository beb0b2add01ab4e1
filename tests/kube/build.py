#!/usr/bin/env python3
"""Builds the programs of a real cluster from the modules that go.mod pins, once.

    build.py [PROGRAM ...]      by default those of the tests: etcd kube-apiserver
    build.py --check            whether they are there or could be built here

They are kept under ${XDG_CACHE_HOME:-~/.cache}/vethscope, in a directory named by their version, and
printed as one path a line. Needs Go and, the first time, its module proxy and some minutes.
"""

import fcntl
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
# Kubernetes says so in its go.mod, and go.mod here repeats it.
OLDEST_GO = (1, 24)
KUBERNETES = "k8s.io/kubernetes"
ETCD = "go.etcd.io/etcd/server/v3"
PACKAGES = {"etcd": ETCD}
DEFAULT_PROGRAMS = ("etcd", "kube-apiserver")


class BuildError(Exception):
    """Says what is missing, in words for the person who ran the build."""


def cache_dir():
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base) / "vethscope"


def module_of(program):
    return ETCD if program == "etcd" else KUBERNETES


def pinned_versions():
    """The versions of the two modules as go.mod pins them, read without Go."""
    text = (HERE / "go.mod").read_text()
    found = {}
    for module in (KUBERNETES, ETCD):
        match = re.search(rf"^\s*{re.escape(module)} (v[0-9.]+)", text, re.MULTILINE)
        if not match:
            raise BuildError(f"{HERE / 'go.mod'} does not pin {module}")
        found[module] = match.group(1)
    return found


def program_path(program):
    """Where the program is once it is built."""
    module = module_of(program)
    name = "etcd" if module == ETCD else "kubernetes"
    return cache_dir() / f"{name}-{pinned_versions()[module]}" / program


def require_go():
    wanted = ".".join(map(str, OLDEST_GO))
    if not shutil.which("go"):
        raise BuildError(f"Go {wanted} or later is needed to build the API server; `go` was not found")
    # GOTOOLCHAIN=local: the version that is here, not one that would be fetched.
    text = subprocess.run(["go", "env", "GOVERSION"], check=True, capture_output=True, text=True,
                          env={**os.environ, "GOTOOLCHAIN": "local"}, cwd="/").stdout.strip()
    match = re.match(r"go(\d+)\.(\d+)", text)
    if not match or tuple(map(int, match.groups())) < OLDEST_GO:
        raise BuildError(f"Go {wanted} or later is needed to build the API server; this is {text}")


def linker_flags(program):
    """Without them the API server is v0.0.0, which clients and feature gates take literally."""
    if program == "etcd":
        return "-s -w"
    version = pinned_versions()[KUBERNETES]
    major, minor, _ = version.lstrip("v").split(".")
    values = {"gitVersion": version, "gitMajor": major, "gitMinor": minor,
              "gitTreeState": "clean", "buildDate": "1970-01-01T00:00:00Z"}
    settings = [f"-X {package}.{name}={value}" for name, value in values.items()
                for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")]
    return " ".join(["-s -w", *settings])


def build(program):
    """Builds into place in one step, so a broken build leaves nothing that looks whole."""
    path = program_path(program)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{program}.{os.getpid()}")
    package = PACKAGES.get(program, f"{KUBERNETES}/cmd/{program}")
    started = time.monotonic()
    print(f"building {program} {pinned_versions()[module_of(program)]}; this happens once",
          file=sys.stderr, flush=True)
    try:
        # Two compilers at a time: some packages take a gigabyte each.
        subprocess.run(["nice", "-n", "10", "go", "build", "-p", "2", "-trimpath", "-mod=readonly",
                        "-ldflags", linker_flags(program), "-o", partial, package],
                       check=True, cwd=HERE, stdout=sys.stderr,
                       env={**os.environ, "CGO_ENABLED": "0", "GOWORK": "off"})
        partial.rename(path)
    except subprocess.CalledProcessError as error:
        raise BuildError(f"go could not build {program}") from error
    finally:
        partial.unlink(missing_ok=True)
    print(f"built {program} in {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)


def ensure(programs=DEFAULT_PROGRAMS):
    """Builds what is not there yet; returns {program: path}. Several callers wait for one build."""
    paths = {program: program_path(program) for program in programs}
    if all(path.exists() for path in paths.values()):
        return paths
    require_go()
    cache_dir().mkdir(parents=True, exist_ok=True)
    with open(cache_dir() / "kube-build.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for program, path in paths.items():
            if not path.exists():
                build(program)
    return paths


def check():
    """Complains where the default programs are neither there nor could be built."""
    if not all(program_path(program).exists() for program in DEFAULT_PROGRAMS):
        require_go()


def report(action):
    """The exit status of doing that."""
    try:
        action()
    except BuildError as error:
        print(f"build.py: {error}", file=sys.stderr)
        return 1
    return 0


def main():
    if sys.argv[1:] == ["--check"]:
        return report(check)
    if any(argument.startswith("-") for argument in sys.argv[1:]):
        print(__doc__.strip(), file=sys.stderr)
        return 0 if sys.argv[1] in ("-h", "--help") else 2
    return report(lambda: print(*ensure(sys.argv[1:] or DEFAULT_PROGRAMS).values(), sep="\n"))


if __name__ == "__main__":
    sys.exit(main())
