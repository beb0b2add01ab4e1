"""The agent's directory seen from outside: a program that answers who is behind an address."""

import collections
import os
import pathlib
import subprocess
import threading
import time

from lab import LabError

Name = collections.namedtuple(
    "Name", "answer namespace service called_namespace called kind pod node")
PAUSE = 0.005


class Probe:
    """kube_dump, from `with` to its end. `errors` are the lines that it reported."""

    def __init__(self, *arguments, prefix=(), environment=None, expect_start=True):
        program = os.environ.get("KUBE_DUMP")
        if program is None:
            root = pathlib.Path(__file__).resolve().parents[2]
            program = root / "build" / "release" / "tests" / "kube" / "kube_dump"
        self.errors = []
        self.child = subprocess.Popen(
            [*prefix, str(program), *map(str, arguments)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1,
            env={**os.environ, **(environment or {})})
        self.reader = threading.Thread(target=self._read_errors, daemon=True)
        self.reader.start()
        self.started = self.child.stdout.readline().strip() == "ready"
        if not self.started:
            self.child.wait()
            self.reader.join()
            if expect_start:
                raise LabError(f"kube_dump did not start: {self.errors}")

    def _read_errors(self):
        for line in self.child.stderr:
            self.errors.append(line.rstrip("\n"))

    def __enter__(self):
        return self

    def __exit__(self, kind, *_exception):
        status = self.close()
        # A sanitizer's report at the end is one too.
        if kind is None and self.started and status != 0:
            raise LabError(f"kube_dump ended with {status}: {self.errors[-40:]}")

    def close(self):
        """Ends it; returns its exit status, and complains where it would not end."""
        if self.child.poll() is None:
            self.child.stdin.close()
            try:
                self.child.wait(5)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
                raise LabError("kube_dump did not end within 5 s") from None
        self.reader.join()
        self.child.stdout.close()
        self.child.stderr.close()
        return self.child.returncode

    def running(self):
        return self.child.poll() is None

    def _ask(self, line):
        self.child.stdin.write(line + "\n")
        self.child.stdin.flush()
        answer = self.child.stdout.readline()
        if not answer:
            self.child.wait()
            self.reader.join()
            raise LabError(f"kube_dump ended with {self.child.returncode}: {self.errors[-20:]}")
        return answer.rstrip("\n")

    def find(self, address, port=0):
        """Who this is, now."""
        return Name(*self._ask(f"{address} {port}").split("\t"))

    def published(self):
        return int(self._ask("version"))

    def status(self):
        """{kind: {field: number or text}}"""
        found = {}
        line = self._ask("status")
        while line != ".":
            fields = dict(field.split("=", 1) for field in line.split("\t"))
            kind = fields.pop("kind")
            found[kind] = {key: value if key == "error" else int(value)
                           for key, value in fields.items()}
            line = self.child.stdout.readline().rstrip("\n")
        return found

    def synced(self):
        """Whether every kind that is asked for is in step."""
        return all(kind["synced"] for kind in self.status().values())

    def wait_synced(self, seconds=30):
        self._wait(self.synced, seconds, lambda: f"not in step: {self.status()}")
        return self

    def wait_error(self, kind, text, seconds=30):
        """Until the status of this kind says so; returns the whole text."""
        self._wait(lambda: text in self.status()[kind]["error"], seconds,
                   lambda: f"{kind} does not say {text!r} but {self.status()[kind]}")
        return self.status()[kind]["error"]

    def wait_find(self, address, port=0, seconds=10, **wanted):
        """Until that is who it is; returns after how many seconds, or None and leaves it so."""
        started = time.monotonic()
        while True:
            found = self.find(address, port)._asdict()
            if all(found[key] == value for key, value in wanted.items()):
                return time.monotonic() - started
            if time.monotonic() - started > seconds:
                return None
            time.sleep(PAUSE)

    def _wait(self, condition, seconds, complaint):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise LabError(f"after {seconds} s {complaint()}; {self.errors[-10:]}")
            time.sleep(0.02)

    def resident_bytes(self):
        """Of the whole program, now."""
        with open(f"/proc/{self.child.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
