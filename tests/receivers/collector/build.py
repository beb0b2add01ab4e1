#!/usr/bin/env python3
"""Builds the OpenTelemetry Collector of the tests with its official builder, once.

    build.py        prints the program's path

It is kept under ${XDG_CACHE_HOME:-~/.cache}/vethscope, in a directory named by its version and by
what it is made of. Needs Go and, the first time, its module proxy and some minutes.
"""

import contextlib
import fcntl
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
MANIFEST = HERE / "builder.yaml"
BUILDER = "go.opentelemetry.io/collector/cmd/builder"
# The Collector's own go.mod asks for it.
OLDEST_GO = (1, 25)


class BuildError(Exception):
    """Says what is missing, in words for the person who ran the build."""


def cache_dir():
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base) / "vethscope"


def version():
    found = re.search(r"^  version: ([0-9.]+)$", MANIFEST.read_text(), re.MULTILINE)
    if not found:
        raise BuildError(f"{MANIFEST} names no version")
    return found.group(1)


def home():
    recipe = hashlib.sha256(MANIFEST.read_bytes()).hexdigest()[:12]
    return cache_dir() / f"otelcol-v{version()}-{recipe}"


def program():
    """Where the Collector is once it is built."""
    return home() / "otelcol"


def require_go():
    wanted = ".".join(map(str, OLDEST_GO))
    if not shutil.which("go"):
        raise BuildError(f"Go {wanted} or later is needed to build the Collector; `go` was not found")
    text = run("go", "env", "GOVERSION").strip()
    found = re.match(r"go(\d+)\.(\d+)", text)
    if not found or tuple(map(int, found.groups())) < OLDEST_GO:
        raise BuildError(f"Go {wanted} or later is needed to build the Collector; this is {text}")


def run(*argv, **more):
    """A command with few demands on the machine, and its output."""
    environment = {**os.environ, "GOTOOLCHAIN": "local", "CGO_ENABLED": "0",
                   "GOFLAGS": "-p=2 -trimpath -buildvcs=false", **more}
    done = subprocess.run(["nice", "-n", "10", *map(str, argv)], cwd="/", check=False, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
    if done.returncode != 0:
        raise BuildError(f"{' '.join(map(str, argv))} failed:\n{done.stderr[-3000:]}")
    return done.stdout


@contextlib.contextmanager
def alone():
    """One build at a time, whoever asks."""
    cache_dir().mkdir(parents=True, exist_ok=True)
    with open(cache_dir() / "otelcol-build.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def build():
    """The program's path; builds it where it is missing."""
    with alone():
        if program().exists():
            return program()
        require_go()
        work = home() / "work"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        print(f"building the Collector v{version()} in {home()}", file=sys.stderr)
        run("go", "install", f"{BUILDER}@v{version()}", GOBIN=str(work))
        manifest = work / "builder.yaml"
        manifest.write_text(MANIFEST.read_text().replace("OUTPUT", str(work / "source")))
        run(work / "builder", "--config", manifest)
        os.replace(work / "source" / "otelcol", program())
        shutil.rmtree(work)
        return program()


if __name__ == "__main__":
    try:
        print(build())
    except BuildError as failure:
        sys.exit(f"build.py: {failure}")
