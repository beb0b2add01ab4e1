"""A node and its pods, made of network namespaces: for the live tests and the demo.

The node is a namespace of its own with a bridge in it, so nothing of the machine that runs the
tests is seen or touched (the demo's node is the machine itself). A pod is one more namespace whose
veth ends on that bridge, as a container runtime makes it. Everything goes away when the `with`
block ends, also on Ctrl-C and SIGTERM; what a killed run left behind is removed by the next one.
"""

import contextlib
import ctypes
import http.client
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import prometheus_text

SOURCE_DIR = pathlib.Path(__file__).resolve().parents[2]
SUPPORT_DIR = SOURCE_DIR / "tests" / "support"
PREFIX = "vst"
METRICS_PORT = 9990
# tcpdump hands over a block of its ring after at most one second.
TCPDUMP_BLOCK_SECONDS = 1.2

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000


class LabError(Exception):
    """The lab itself does not work; says nothing about vethscope."""


def command(*argv, **options):
    """Runs a command to its end and returns its output; fails loudly."""
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          check=False, **options)
    if done.returncode != 0:
        raise LabError(f"{' '.join(map(str, argv))}: {done.stderr.strip()}")
    return done.stdout


def wait_until(condition, seconds, what, pause=0.02):
    """Polls until `condition()` is true and returns what it returned."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise LabError(f"{what}: not within {seconds} s")
        time.sleep(pause)


def binary():
    """The vethscope under test."""
    return os.environ.get("VETHSCOPE", str(SOURCE_DIR / "build/release/agent/vethscope"))


def run(main):
    """Runs a test's main function as root, so that every way out of it cleans up."""
    if os.geteuid() != 0:
        # What was built for this user is not in root's cache.
        os.environ.setdefault("XDG_CACHE_HOME", str(pathlib.Path.home() / ".cache"))
        keep = [f"{key}={os.environ[key]}" for key in (
            "VETHSCOPE", "VETHSCOPE_IMAGE", "PATH", "XDG_CACHE_HOME", "ASAN_OPTIONS",
            "UBSAN_OPTIONS") if key in os.environ]
        # Root's byte code must not lie in a user's tree.
        keep.append("PYTHONDONTWRITEBYTECODE=1")
        os.execvp("sudo", ["sudo", "env", *keep, sys.executable, *sys.argv])

    def interrupted(number, _frame):
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        sys.exit(128 + number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    sys.stdout.reconfigure(line_buffering=True)
    try:
        sys.exit(main() or 0)
    except LabError as failure:
        sys.exit(f"the lab failed: {failure}")
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


class Host:
    """The namespace in which this program runs."""

    name = None
    enter_command = ()

    def ip(self, *arguments):
        """ip(8) in this namespace."""
        return command("ip", *arguments)

    @contextlib.contextmanager
    def inside(self):
        """The calling thread is in this namespace; sockets made here stay in it."""
        yield

    def get(self, address, port, target, method="GET", timeout=10):
        """One HTTP request from here; returns status and body."""
        connection = http.client.HTTPConnection(address, port, timeout=timeout)
        with self.inside():
            connection.connect()
        with contextlib.closing(connection):
            connection.request(method, target)
            response = connection.getresponse()
            return response.status, response.read()

    def peer_place(self):
        """For `ip link add ... peer name X`: where X is to be."""
        return ("netns", str(os.getpid()))

    def delete(self):
        """Nothing to do."""


class Namespace(Host):
    """A network namespace of its own, by its name."""

    def __init__(self, name):
        self.name = name
        self.path = f"/run/netns/{name}"
        self.enter_command = ("ip", "netns", "exec", name)
        command("ip", "netns", "add", name)
        self.ip("link", "set", "lo", "up")

    def ip(self, *arguments):
        return command("ip", "-n", self.name, *arguments)

    @contextlib.contextmanager
    def inside(self):
        with open("/proc/thread-self/ns/net", "rb") as home, open(self.path, "rb") as there:
            _enter(there)
            try:
                yield
            finally:
                _enter(home)

    def peer_place(self):
        return ("netns", self.name)

    def delete(self):
        delete_namespace(self.name)


def delete_namespace(name):
    """With every process that is still in it: a killed server leaves its workers behind."""
    left = subprocess.run(["ip", "netns", "pids", name], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True, check=False)
    for process in left.stdout.split():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(process), signal.SIGKILL)
    subprocess.run(["ip", "netns", "del", name], stderr=subprocess.DEVNULL, check=False)


def _enter(namespace):
    if _libc.setns(namespace.fileno(), _CLONE_NEWNET) != 0:
        raise LabError(f"setns: {os.strerror(ctypes.get_errno())}")


class Pod(Namespace):
    """A namespace whose eth0 is the far end of a veth on the node's bridge."""

    def __init__(self, lab, name, index):
        super().__init__(f"{lab.prefix}-{name}")
        self.lab = lab
        self.short_name = name
        self.address = f"10.77.{index >> 8}.{index & 255}"
        self.address6 = f"fd77::{index:x}"
        self.interface = f"{lab.link_prefix}{index}-{name}"[:15]

    def link(self, order="peer"):
        """Makes the veth. Runtimes differ in the order: `peer` creates the pod's end in the pod at
        once, `move` creates both on the node and moves one, `pod` starts from inside the pod."""
        node = self.lab.node
        if order == "peer":
            node.ip("link", "add", self.interface, "type", "veth", "peer", "name", "eth0",
                    "netns", self.name)
        elif order == "move":
            inner = f"t{self.interface}"[:15]
            node.ip("link", "add", self.interface, "type", "veth", "peer", "name", inner)
            node.ip("link", "set", inner, "netns", self.name, "name", "eth0")
        elif order == "pod":
            self.ip("link", "add", "eth0", "type", "veth", "peer", "name", self.interface,
                    *node.peer_place())
        else:
            raise LabError(f"no such order: {order}")
        self.ip("addr", "add", f"{self.address}/16", "dev", "eth0")
        self.ip("-6", "addr", "add", f"{self.address6}/64", "dev", "eth0", "nodad")
        node.ip("link", "set", self.interface, "master", self.lab.bridge, "up")
        self.ip("link", "set", "eth0", "up")
        return self

    def unlink(self):
        """The node's end goes, and with it the pod's."""
        self.lab.node.ip("link", "del", self.interface)


class Process:
    """A child with its output in a file; ends with the lab at the latest."""

    def __init__(self, lab, name, argv, namespace=None, environment=None):
        self.name = name
        self.output = lab.directory / f"{name}.out"
        self.errors = lab.directory / f"{name}.err"
        enter = namespace.enter_command if namespace is not None else ()
        prefix = [*enter, "setpriv", "--pdeathsig", "KILL"]
        with open(self.output, "wb") as output, open(self.errors, "wb") as errors:
            self.child = subprocess.Popen(
                [*prefix, *map(str, argv)], stdin=subprocess.DEVNULL, stdout=output, stderr=errors,
                env={**os.environ, **(environment or {})},
                start_new_session=True)  # a terminal's Ctrl-C is for the lab, which ends them
        lab.processes.append(self)

    def running(self):
        return self.child.poll() is None

    def stderr(self):
        return self.errors.read_text(errors="replace")

    def stdout(self):
        return self.output.read_text(errors="replace")

    def stop(self, number=signal.SIGTERM, timeout=20):
        """Asks, waits, insists; returns the exit status."""
        if self.running():
            self.child.send_signal(number)
        try:
            return self.child.wait(timeout)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            raise LabError(f"{self.name} did not stop within {timeout} s of signal {number}") \
                from None

    def finish(self, timeout):
        """Waits for its own end; returns the exit status."""
        try:
            return self.child.wait(timeout)
        except subprocess.TimeoutExpired:
            raise LabError(f"{self.name} was not done within {timeout} s") from None

    def discard(self):
        if self.running():
            self.child.kill()
        self.child.wait()


class Agent(Process):
    """vethscope run, on the node."""

    def __init__(self, lab, arguments=(), config=None, name="vethscope", namespace=None,
                 program=()):
        self.home = namespace or lab.node
        argv = [*(program or (binary(),)), "run", "--listen", f"127.0.0.1:{METRICS_PORT}"]
        if config is not None:
            path = lab.directory / f"{name}.yaml"
            path.write_text(config)
            argv += ["--config", path]
        super().__init__(lab, name, [*argv, *arguments], self.home)

    def page(self, target):
        return self.home.get("127.0.0.1", METRICS_PORT, target)

    def _ready(self):
        if not self.running():
            raise LabError(f"{self.name} ended early: {self.stderr().strip()}")
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.page("/readyz")[0] == 200
        return False

    def wait_ready(self, seconds=20):
        wait_until(self._ready, seconds, f"/readyz of {self.name}", pause=0.01)
        return self

    def metrics(self):
        status, body = self.page("/metrics")
        if status != 200:
            raise LabError(f"/metrics answered {status}")
        return prometheus_text.parse(body.decode())

    def settled(self, family, wanted, seconds=10, **labels):
        """Scrapes until the sum reaches `wanted` or the time is over; returns the last scrape."""
        end = time.monotonic() + seconds
        while True:
            metrics = self.metrics()
            if metrics.total(family, **labels) >= wanted or time.monotonic() > end:
                return metrics
            time.sleep(0.1)


class Capture(Process):
    """tcpdump to a file, every byte of every packet, nanoseconds."""

    def __init__(self, lab, namespace, interface, path, expression="tcp"):
        self.path = path
        super().__init__(lab, f"tcpdump-{interface}", [
            "tcpdump", "-i", interface, "-n", "-s", "0", "-B", "131072", "-Z", "root",
            "--time-stamp-precision=nano", "-w", path, expression], namespace)
        wait_until(lambda: "listening on" in self.stderr(), 10, "tcpdump")

    def close(self):
        """Waits out the ring's block timeout, stops, and returns how many packets were lost."""
        time.sleep(TCPDUMP_BLOCK_SECONDS)
        self.stop(signal.SIGINT)
        dropped = re.search(r"(\d+) packets dropped by kernel", self.stderr())
        if dropped is None:
            raise LabError(f"tcpdump: {self.stderr().strip()}")
        return int(dropped.group(1))


class Lab:
    """The node, its pods and every process, from `with` to its end."""

    link_prefix = "v"
    bridge = "bridge"

    def __init__(self, name):
        self.prefix = f"{PREFIX}{os.getpid()}-{name}"[:60]
        self.directory = None
        self.node = None
        self.pods = []
        self.processes = []

    def make_node(self):
        return Namespace(f"{self.prefix}-node")

    def __enter__(self):
        remove_leftovers()
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix=f"{self.prefix}-"))
        self.directory.chmod(0o755)
        try:
            self.node = self.make_node()
            self.node.ip("link", "add", self.bridge, "type", "bridge", "stp_state", "0",
                         "forward_delay", "0")
            self.node.ip("link", "set", self.bridge, "up")
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind, _value, _traceback):
        if kind is not None and issubclass(kind, Exception):
            self.print_logs()
        self.close()

    def close(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        for process in reversed(self.processes):
            process.discard()
        for namespace in [*self.pods, self.node]:
            if namespace is not None:
                namespace.delete()
        if "VETHSCOPE_KEEP_LAB" in os.environ:
            print(f"kept {self.directory}")
        else:
            shutil.rmtree(self.directory, ignore_errors=True)

    def print_logs(self):
        for process in self.processes:
            lines = process.stderr().splitlines()[-15:]
            if lines:
                print(f"--- standard error of {process.name}:", *lines, sep="\n    ")

    def pod(self, name, order="peer", link=True):
        """A pod, linked to the bridge unless the test wants to do that later."""
        pod = Pod(self, name, len(self.pods) + 2)
        self.pods.append(pod)
        return pod.link(order) if link else pod

    def agent(self, *arguments, config=None, name="vethscope"):
        """vethscope on the node, ready."""
        return Agent(self, arguments, config, name).wait_ready()

    def capture(self, interface, name="capture.pcap", expression="tcp"):
        """tcpdump on an interface of the node, listening."""
        return Capture(self, self.node, interface, self.directory / name, expression)

    def process(self, name, argv, namespace=None):
        return Process(self, name, argv, namespace)

    def serve(self, name, argv, pod, port=80):
        """A server in a pod, accepting connections."""
        process = Process(self, name, argv, pod)
        wait_until(lambda: _accepts(process, pod, port), 10, f"{name} on port {port}")
        return process

    def backend(self, pod, port=80):
        """The server of backend.py: waits where its request's path says."""
        return self.serve(f"backend-{pod.short_name}",
                          [sys.executable, SUPPORT_DIR / "backend.py", str(port)], pod, port)


def _accepts(process, pod, port):
    """Whether somebody listens; by the socket table, as a connection would be traffic."""
    if not process.running():
        raise LabError(f"{process.name} ended early: {process.stderr().strip()}")
    return command(*pod.enter_command, "ss", "-Hltn", f"sport = :{port}").strip() != ""


def remove_leftovers():
    """Namespaces and directories whose lab was killed."""
    for name in command("ip", "netns", "list").splitlines():
        _remove_dead(name.split()[0], delete_namespace)
    for path in pathlib.Path(tempfile.gettempdir()).glob(f"{PREFIX}*-*"):
        _remove_dead(path.name, lambda _name, path=path: shutil.rmtree(path, ignore_errors=True))


def _remove_dead(name, remove):
    owner = re.match(rf"{PREFIX}(\d+)-", name)
    if owner and not os.path.exists(f"/proc/{owner.group(1)}"):
        remove(name)
