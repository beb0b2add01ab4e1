#!/usr/bin/env python3
"""Builds the programs of a real cluster from the modules that go.mod pins, once.

    build.py [PROGRAM ...]      by default all of the tests', and what else they take from modules
    build.py --check            whether they are there or could be built here

They are kept under ${XDG_CACHE_HOME:-~/.cache}/vethscope, in a directory named by their version, and
printed as one path a line. Needs Go and, the first time, its module proxy and some minutes.
"""

import fcntl
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
# Prometheus says so in its go.mod; the others take an older one.
OLDEST_GO = (1, 25)
KUBERNETES = "k8s.io/kubernetes"
ETCD = "go.etcd.io/etcd/server/v3"
HELM = "helm.sh/helm/v3"
PROMETHEUS = "github.com/prometheus/prometheus"
OPERATOR = "github.com/prometheus-operator/prometheus-operator"
# Where else than in Kubernetes a program comes from: its module and its package.
ELSEWHERE = {"etcd": (ETCD, ETCD), "helm": (HELM, f"{HELM}/cmd/helm"),
             "prometheus": (PROMETHEUS, f"{PROMETHEUS}/cmd/prometheus")}
# Where a module is pinned, and how its directory in the cache is called.
PINNED_IN = {KUBERNETES: HERE, ETCD: HERE, HELM: HERE / "helm",
             PROMETHEUS: HERE / "prometheus", OPERATOR: HERE / "operator"}
CACHE_NAMES = {KUBERNETES: "kubernetes", ETCD: "etcd", HELM: "helm", PROMETHEUS: "prometheus",
               OPERATOR: "prometheus-operator"}
# Of the many ways in which Prometheus finds targets, the one that is needed.
TAGS = {PROMETHEUS: ["-tags", "remove_all_sd,enable_kubernetes_sd"]}
SERVER_PROGRAMS = ("etcd", "kube-apiserver")
NODE_PROGRAMS = (*SERVER_PROGRAMS, "kube-controller-manager", "kube-scheduler", "kubelet",
                 "kube-proxy", "kubectl", "helm", "prometheus")
# The operator's kinds that the chart makes objects of.
MONITORING_KINDS = ("podmonitors", "servicemonitors", "prometheusrules")


class BuildError(Exception):
    """Says what is missing, in words for the person who ran the build."""


def cache_dir():
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base) / "vethscope"


def module_of(program):
    return ELSEWHERE.get(program, (KUBERNETES,))[0]


def package_of(program):
    return ELSEWHERE[program][1] if program in ELSEWHERE else f"{KUBERNETES}/cmd/{program}"


def pinned_version(module):
    """The version of the module as its go.mod pins it, read without Go."""
    path = PINNED_IN[module] / "go.mod"
    match = re.search(rf"^(?:require)?\s*{re.escape(module)} (v[0-9.]+)", path.read_text(), re.MULTILINE)
    if not match:
        raise BuildError(f"{path} does not pin {module}")
    return match.group(1)


def module_dir(module):
    return cache_dir() / f"{CACHE_NAMES[module]}-{pinned_version(module)}"


def program_path(program):
    """Where the program is once it is built."""
    return module_dir(module_of(program)) / program


def require_go():
    wanted = ".".join(map(str, OLDEST_GO))
    if not shutil.which("go"):
        raise BuildError(f"Go {wanted} or later is needed to build Kubernetes; `go` was not found")
    # GOTOOLCHAIN=local: the version that is here, not one that would be fetched.
    text = subprocess.run(["go", "env", "GOVERSION"], check=True, capture_output=True, text=True,
                          env={**os.environ, "GOTOOLCHAIN": "local"}, cwd="/").stdout.strip()
    match = re.match(r"go(\d+)\.(\d+)", text)
    if not match or tuple(map(int, match.groups())) < OLDEST_GO:
        raise BuildError(f"Go {wanted} or later is needed to build Kubernetes; this is {text}")


def linker_flags(module):
    """Without them Kubernetes is v0.0.0, which clients and feature gates take literally."""
    if module not in (KUBERNETES, HELM):
        return "-s -w"
    version = pinned_version(KUBERNETES)
    major, minor, _ = version.lstrip("v").split(".")
    if module == HELM:
        # For which Kubernetes it makes templates when it asks none.
        settings = [f"-X {HELM}/pkg/{package}.k8sVersion{part}={value}"
                    for package in ("chartutil", "lint/rules")
                    for part, value in (("Major", major), ("Minor", minor))]
        return " ".join(["-s -w", *settings])
    values = {"gitVersion": version, "gitMajor": major, "gitMinor": minor,
              "gitTreeState": "clean", "buildDate": "1970-01-01T00:00:00Z"}
    settings = [f"-X {package}.{name}={value}" for name, value in values.items()
                for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")]
    return " ".join(["-s -w", *settings])


def build(module, programs):
    """Builds a module's programs at once, as they share most packages, and moves each into place
    whole, so a broken build leaves nothing that looks whole."""
    target = module_dir(module)
    target.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    names = " ".join(programs)
    print(f"building {names} {pinned_version(module)}; this happens once", file=sys.stderr,
          flush=True)
    with tempfile.TemporaryDirectory(prefix=".build-", dir=target) as partial:
        try:
            # Two compilers at a time: some packages take a gigabyte each.
            subprocess.run(["nice", "-n", "10", "go", "build", "-p", "2", "-trimpath",
                            "-mod=readonly", *TAGS.get(module, ()),
                            "-ldflags", linker_flags(module),
                            "-o", output_of(partial, programs), *map(package_of, programs)],
                           check=True, cwd=PINNED_IN[module], stdout=sys.stderr,
                           env={**os.environ, "CGO_ENABLED": "0", "GOWORK": "off"})
        except subprocess.CalledProcessError as error:
            raise BuildError(f"go could not build {names}") from error
        for program in programs:
            (pathlib.Path(partial) / program).rename(target / program)
    print(f"built {names} in {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)


def output_of(directory, programs):
    """A file for one program, as etcd's package is not called as it is; else the directory."""
    return f"{directory}/{programs[0] if len(programs) == 1 else ''}"


def monitoring_kinds():
    """The definitions of the Prometheus operator's kinds, as files."""
    target = module_dir(OPERATOR)
    if not target.exists():
        require_go()
        asked = ["go", "mod", "download", "-json", OPERATOR]
        answer = subprocess.run(asked, cwd=PINNED_IN[OPERATOR], stdout=subprocess.PIPE, text=True,
                                check=False, env={**os.environ, "GOWORK": "off"}).stdout
        folder = json.loads(answer or "{}").get("Dir")
        if folder is None:
            raise BuildError(f"go could not get {OPERATOR}")
        partial = target.with_name(f".{target.name}.{os.getpid()}")
        partial.mkdir(parents=True)
        for kind in MONITORING_KINDS:
            name = f"monitoring.coreos.com_{kind}.yaml"
            shutil.copyfile(f"{folder}/example/prometheus-operator-crd/{name}", partial / name)
        partial.rename(target)
    return sorted(target.glob("*.yaml"))


def ensure(programs=SERVER_PROGRAMS):
    """Builds what is not there yet; returns {program: path}. Several callers wait for one build."""
    paths = {program: program_path(program) for program in programs}
    if all(path.exists() for path in paths.values()):
        return paths
    require_go()
    cache_dir().mkdir(parents=True, exist_ok=True)
    with open(cache_dir() / "kube-build.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for module in PINNED_IN:
            missing = [program for program, path in paths.items()
                       if module_of(program) == module and not path.exists()]
            if missing:
                build(module, missing)
    return paths


def check():
    """Complains where a program of the tests is neither there nor could be built."""
    if not all(program_path(program).exists() for program in NODE_PROGRAMS):
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
    if sys.argv[1:]:
        return report(lambda: print(*ensure(sys.argv[1:]).values(), sep="\n"))
    return report(lambda: print(*ensure(NODE_PROGRAMS).values(), *monitoring_kinds(), sep="\n"))


if __name__ == "__main__":
    sys.exit(main())
