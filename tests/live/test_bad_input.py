#!/usr/bin/env python3
"""What cannot be done is said in one clear line, with the exit status that scripts rely on: 1 when
the work failed, 2 for wrong usage or configuration. Nothing that was readable is kept back."""

import gzip
import os
import pathlib
import re
import socket
import stat
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from checks import Checks  # noqa: E402
from lab import METRICS_PORT, Lab, binary, run  # noqa: E402

FAILED, USAGE = 1, 2
SECONDS = 20
EXCHANGES = 40
AS_NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
WITHOUT_RAW = ("setpriv", "--bounding-set=-net_raw", "--inh-caps=-all")


def start(argv, **options):
    return subprocess.run(list(map(str, argv)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=SECONDS, check=False,
                          **options)


def refuse(checks, what, status, pattern, *arguments, prefix=(), namespace=None):
    """The command ends with this status, one line that fits the pattern, and no other output."""
    enter = namespace.enter_command if namespace is not None else ()
    try:
        done = start([*enter, *prefix, binary(), *arguments])
    except subprocess.TimeoutExpired:
        checks.true(what, False, "it went on running")
        return
    checks.equal(f"{what}: exit status ({done.stderr.strip()})", done.returncode, status)
    lines = done.stderr.splitlines()
    checks.equal(f"{what}: lines on standard error", (len(lines), lines), (1, lines))
    checks.true(f"{what}: says /{pattern}/", re.search(pattern, done.stderr), done.stderr)
    checks.equal(f"{what}: standard output", done.stdout, "")


def make_capture(lab):
    """A capture of some requests on one connection after the other."""
    server, client = lab.pod("server"), lab.pod("client")
    lab.backend(server)
    capture = lab.capture(server.interface)
    for _ in range(EXCHANGES):
        client.get(server.address, 80, "/")
    capture.close()
    return capture.path


def write(directory, name, content, mode=0o644):
    path = directory / name
    path.write_bytes(content)
    path.chmod(mode)
    return path


def check_files(checks, directory, whole):
    """Files from which nothing can be read."""
    secret = write(directory, "secret.pcap", whole, 0o600)
    cases = [
        ("missing file", "gone.pcap: No such file", directory / "gone.pcap"),
        ("empty file", "empty.pcap: is empty", write(directory, "empty.pcap", b"")),
        ("text", "text.pcap: is no pcap", write(directory, "text.pcap", b"hello\n" * 100)),
        ("noise", "noise.pcap: is no pcap", write(directory, "noise.pcap", b"\x13\x37" * 400)),
        ("cut in the file header", "head.pcap: truncated",
         write(directory, "head.pcap", whole[:16])),
        ("a directory", "Is a directory", directory),
    ]
    for what, pattern, path in cases:
        for output in ("table", "json", "prometheus"):
            refuse(checks, f"{what} as {output}", FAILED, pattern, "read", "--output", output, path)
    refuse(checks, "no permission to read", FAILED, "secret.pcap: Permission denied", "read", secret,
           prefix=AS_NOBODY)


def check_partial(checks, directory, whole):
    """What is broken later is reported up to there, and then the exit status is 1."""
    damaged = bytearray(whole)
    damaged[len(whole) // 2:len(whole) // 2 + 64] = b"\xff" * 64
    cases = [
        ("cut in the middle", "truncated", write(directory, "cut.pcap", whole[:-len(whole) // 3])),
        ("cut by one byte", "truncated", write(directory, "one.pcap", whole[:-1])),
        ("gzip cut in the middle", "truncated",
         write(directory, "cut.pcap.gz", gzip.compress(whole)[:-2000])),
        ("damaged in the middle", "damaged", write(directory, "damaged.pcap", bytes(damaged))),
    ]
    for what, pattern, path in cases:
        done = start([binary(), "read", "--output", "json", path])
        checks.equal(f"{what}: exit status", done.returncode, FAILED)
        lines = [line for line in done.stderr.splitlines() if f"{path}: {pattern}" in line]
        checks.equal(f"{what}: says so once", len(lines), 1)
        complete = done.stdout.count('"outcome":"complete"')
        checks.true(f"{what}: what was readable", 10 <= complete <= EXCHANGES, complete)
    good = write(directory, "good.pcap", whole)
    done = start([binary(), "read", "--output", "json", directory / "gone.pcap", good])
    checks.equal("one of two files is missing", done.returncode, FAILED)
    done = start([binary(), "read", "--output", "json", good])
    checks.equal("a good file", (done.returncode, done.stdout.count('"outcome":"complete"')),
                 (0, EXCHANGES))


def check_full_disk(checks, good):
    """Output that cannot be written is no success."""
    with open("/dev/full", "wb") as full:
        reads = [["read", "--output", output, str(good)] for output in
                 ("table", "json", "prometheus", "events")]
        for arguments in [*reads, ["--version"], ["--help"]]:
            done = subprocess.run([binary(), *arguments], stdout=full, stdin=subprocess.DEVNULL,
                                  stderr=subprocess.PIPE, text=True, timeout=SECONDS, check=False)
            checks.equal(f"full disk, {arguments}", done.returncode, FAILED)
            checks.true(f"full disk, {arguments}: says so", "No space" in done.stderr, done.stderr)


def check_usage(checks, good):
    refuse(checks, "no such command", USAGE, "frobnicate", "frobnicate")
    refuse(checks, "no command", USAGE, "command|[Uu]sage")
    refuse(checks, "no file", USAGE, "FILE|file", "read")
    refuse(checks, "standard input twice", USAGE, "standard input", "read", "-", good, "-")
    refuse(checks, "no such output", USAGE, "xml", "read", "--output", "xml", good)
    refuse(checks, "no such option", USAGE, "--colour", "read", "--colour", good)
    refuse(checks, "no such option, named after its command", USAGE, "^vethscope read: ", "read",
           "--colour", good)
    refuse(checks, "no value", USAGE, "--output", "read", good, "--output")
    refuse(checks, "no port", USAGE, "99999", "read", "--server-port", "99999", good)
    refuse(checks, "no side", USAGE, "middle", "read", "--side", "middle", good)
    refuse(checks, "wrong filter for files", USAGE, "filter|syntax", "read", "--filter", "tcp prot",
           good)
    refuse(checks, "no configuration to check", USAGE, "FILE|file", "check-config")
    refuse(checks, "two configurations to check", USAGE, "extra|one|unexpected|operand",
           "check-config", good, good)
    refuse(checks, "run takes no file", USAGE, "extra|unexpected|argument|operand", "run", "extra")


# What is wrong, where, and what the line says.
WRONG_CONFIGURATIONS = [
    ("captur:\n  workers: 2\n", "1:1", "captur.*capture"),
    ("capture:\n  worker: 2\n", "2:3", "worker.*workers"),
    ("capture:\n  workers: 2\n  workers: 3\n", "3:3", "workers"),
    ("capture:\n  workers: many\n", "2:12", "capture.workers.*many"),
    ("capture:\n  workers: 0\n", "2:12", "range"),
    ("capture:\n  workers: 65\n", "2:12", "range"),
    ("capture:\n  workers: [1]\n", "2:12", "capture.workers"),
    ("capture:\n  workers:\n", r"2:\d+", "no value"),
    ("capture:\n  vantage: moon\n", "2:12", "auto, node or pod"),
    ("capture:\n  ring_size: 32MB\n", "2:14", "32MiB"),
    ("capture:\n  ring_size: 2GiB\n", "2:14", "range"),
    ("capture:\n  block_timeout: 5\n", "2:18", "duration"),
    ("capture:\n  interfaces: eth0\n", "2:15", "capture.interfaces"),
    ("capture:\n  interfaces: [eth0, averyverylongname]\n", "2:22", "interface"),
    ("capture:\n  filter: 'tcp prot 80'\n", r"2:\d+", "capture.filter"),
    ("capture: 7\n", "1:10", "mapping"),
    ("routes:\n  patterns: [users]\n", "2:14", "begin with /"),
    ("routes:\n  patterns: ['/a/x{id}']\n", "2:14", "placeholder"),
    ("names:\n  - address: 10.0.0.300\n    service: a\n", "2:14", "10.0.0.300"),
    ("names:\n  - address: 10.0.0.1/8\n    service: a\n", "2:14", "prefix"),
    ("names:\n  - address: 10.0.0.1\n", r"2:\d+", "service"),
    ("names:\n  - {address: 10.0.0.1, service: a}\n  - {address: 10.0.0.1, service: b}\n",
     r"3:\d+", "in front of it"),
    ("metrics:\n  listen: 9990\n", "2:11", "listen"),
    ("metrics:\n  duration_buckets: [1, 0.5]\n", "2:25", "not above"),
    ("metrics:\n  duration_buckets: []\n", "2:21", "duration_buckets"),
    ("metrics:\n  body_sizes: maybe\n", "2:15", "false or true"),
    ("memory:\n  limit: 1MiB\n", "2:10", "range"),
    ("log:\n  level: loud\n", "2:10", "error, warn, info or debug"),
    ("rules:\n  - action: forbid\n", "2:13", "include or exclude"),
    ("capture:\n\tworkers: 2\n", r"2:\d+", "."),
    ("capture: {workers: 2\n", r"\d+:\d+", "."),
    ("- capture\n", "1:1", "mapping"),
    ("capture:\n  filter: \"\\0\"\n", r"2:\d+", "control"),
    ("capture: &a {workers: 2}\ntcp: *a\n", r"2:\d+", "."),
    ("a: 1\n---\nb: 2\n", r"\d+:\d+", "."),
]


def check_configurations(checks, directory, namespace):
    for number, (text, place, pattern) in enumerate(WRONG_CONFIGURATIONS):
        path = write(directory, f"wrong{number}.yaml", text.encode())
        where = rf"^{re.escape(str(path))}:{place}: .*(?:{pattern})"
        refuse(checks, f"check-config {text!r}", USAGE, where, "check-config", path)
        refuse(checks, f"run with {text!r}", USAGE, where, "run", "--config", path,
               namespace=namespace)
    for what, path, pattern in (
            ("missing", directory / "gone.yaml", "gone.yaml.*No such file"),
            ("directory", directory, "directory")):
        refuse(checks, f"{what} configuration", USAGE, pattern, "check-config", path)
        refuse(checks, f"run with a {what} configuration", USAGE, pattern, "run", "--config", path,
               namespace=namespace)
    good = write(directory, "good.yaml", b"capture:\n  workers: 2\n")
    done = start([binary(), "check-config", good])
    checks.equal("a good configuration", (done.returncode, done.stderr), (0, ""))
    done = start([binary(), "check-config", write(directory, "empty.yaml", b"")])
    checks.equal("an empty configuration", (done.returncode, done.stderr), (0, ""))


def check_run(checks, lab):
    """Start-up faults of the agent."""
    node = lab.node
    refuse(checks, "no such interface", FAILED, "nosuch0.*[Nn]o such (?:interface|device)|"
           "interface.*nosuch0", "run", "--interface", "nosuch0", namespace=node)
    refuse(checks, "no permission to capture", FAILED, "CAP_NET_RAW", "run", prefix=AS_NOBODY,
           namespace=node)
    refuse(checks, "a capability missing", FAILED, "CAP_NET_RAW", "run", prefix=WITHOUT_RAW,
           namespace=node)
    for name in ("", "two words", "a/b", "averyverylongname"):
        refuse(checks, f"interface {name!r}", USAGE, "^vethscope run: --interface", "run",
               "--interface", name, namespace=node)
    refuse(checks, "wrong filter", USAGE, "filter|syntax", "run", "--filter", "tcp prot",
           namespace=node)
    refuse(checks, "a filter for another link layer", USAGE, "vlan 5", "run", "--filter", "vlan 5",
           namespace=node)
    for listen in ("9990", "127.0.0.1", "127.0.0.1:99999", "localhost:9990", "[::1:9990"):
        refuse(checks, f"listen on {listen}", USAGE, re.escape(listen), "run", "--listen", listen,
               namespace=node)
    refuse(checks, "an address of another host", FAILED, "192.0.2.1:9990", "run", "--listen",
           "192.0.2.1:9990", namespace=node)
    for name, section in (("events", 'events: {{http: {{url: "{}"}}}}'),
                          ("otlp", 'otlp: {{endpoint: "{}"}}')):
        path = write(lab.directory, f"{name}.yaml", section.format(
            "http://user:s3cret@host:99999/").encode())
        refuse(checks, f"{name}: an URL with a password", USAGE, r"^(?!.*s3cret).*URL", "run",
               "--config", path, namespace=node)
    with node.inside(), socket.create_server(("127.0.0.1", METRICS_PORT)):
        refuse(checks, "port in use", FAILED, rf"127.0.0.1:{METRICS_PORT}.*(?:in use)", "run",
               "--listen", f"127.0.0.1:{METRICS_PORT}", namespace=node)
        # By then the exporters run already, and they look at the workers.
        done = start([*node.enter_command, "env", "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:9",
                      binary(), "run", "--listen", f"127.0.0.1:{METRICS_PORT}"])
        checks.equal("port in use, with an exporter", done.returncode, FAILED)
        checks.true("port in use, with an exporter: says so", "in use" in done.stderr, done.stderr)


def check_help(checks):
    for arguments in (["--help"], ["--version"], *([command, "--help"] for command in (
            "run", "read", "check-config"))):
        done = start([binary(), *arguments])
        checks.equal(f"{arguments}: exit status and errors", (done.returncode, done.stderr), (0, ""))
        checks.true(f"{arguments}: says something", done.stdout.strip() != "")


def main():
    with Checks() as checks, Lab("bad") as lab:
        for parent in (lab.directory, pathlib.Path(binary())):
            checks.true(f"{parent} is readable to others",
                        os.stat(parent).st_mode & stat.S_IROTH, oct(os.stat(parent).st_mode))
        capture = make_capture(lab)
        whole = capture.read_bytes()
        check_files(checks, lab.directory, whole)
        check_partial(checks, lab.directory, whole)
        check_full_disk(checks, capture)
        check_usage(checks, capture)
        check_configurations(checks, lab.directory, lab.node)
        check_run(checks, lab)
        check_help(checks)


if __name__ == "__main__":
    run(main)
