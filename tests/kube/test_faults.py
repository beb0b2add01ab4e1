#!/usr/bin/env python3
"""An API server that misbehaves in every way that one can: the agent never crashes, keeps the names
that it has, says what is wrong, and within a minute after the fault is over no name is stale."""

import pathlib
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]

import certificates  # noqa: E402
import objects  # noqa: E402
from checks import Checks  # noqa: E402
from cluster import ACCOUNT, Cluster  # noqa: E402
from fault_proxy import Fault, Middle, Wire  # noqa: E402
from lab import LabError, run, wait_until  # noqa: E402
from probe import Probe  # noqa: E402

BACK_SECONDS = 60.0
# A watch that says nothing is told from a quiet one by the bookmarks, which come every minute or so.
SILENCE_SECONDS = 120.0
# The API server believes a token that it has seen for that long.
TOKEN_CACHE_SECONDS = 11.0
GARBAGE_ROUNDS = 30


class Bench:
    """The cluster, and one pod after the other by which freshness is told."""

    def __init__(self, cluster, checks):
        self.cluster = cluster
        self.api = cluster.api
        self.checks = checks
        self.count = 0
        self.current = None
        self.times = []

    def probe(self, proxy):
        """A new agent that reaches the server through a proxy, in step."""
        probe = Probe("--kubeconfig", self.cluster.kubeconfig(port=proxy.port))
        return probe.wait_synced(BACK_SECONDS)

    def move(self):
        """The address of all these tests goes to another pod; returns the new one's name."""
        self.count += 1
        if self.current is not None:
            self.api.remove(self.current)
        self.current = objects.pod(f"moving-{self.count}", ["10.1.0.99"])
        self.api.create(self.current)
        return self.current["metadata"]["name"]

    def name(self):
        return self.current["metadata"]["name"]

    def fresh(self, probe, what, seconds=BACK_SECONDS):
        """From now on it may take that long until the address has its pod's name."""
        delay = probe.wait_find("10.1.0.99", pod=self.name(), seconds=seconds + 30)
        self.checks.true(f"{what}: not stale after {seconds:.0f} s",
                         delay is not None and delay <= seconds,
                         f"{delay} {probe.find('10.1.0.99')} {probe.status()}")
        self.times.append((what, delay))
        print(f"{what}: fresh after {delay:.2f} s" if delay is not None else f"{what}: stale",
              flush=True)

    def in_step(self, probe, what, seconds=BACK_SECONDS):
        """And every kind says so."""
        end = time.monotonic() + seconds
        while not probe.synced() and time.monotonic() < end:
            time.sleep(0.05)
        self.checks.true(f"{what}: in step again", probe.synced(), probe.status())


def restarted(bench):
    """Killed, away for a while, and back."""
    with Probe("--kubeconfig", bench.cluster.kubeconfig()) as probe:
        probe.wait_synced()
        bench.move()
        bench.fresh(probe, "before the restart", 1)
        bench.cluster.stop_server()
        wait_until(lambda: not probe.synced(), 10, "the status says that the server is away")
        bench.checks.true("away: says so", any(kind["error"] for kind in probe.status().values()),
                          probe.status())
        bench.checks.equal("away: the names stay", probe.find("10.1.0.99").pod, bench.name())
        bench.cluster.start_server()
        bench.api = bench.cluster.api
        bench.move()
        bench.fresh(probe, "restarted")
        bench.in_step(probe, "restarted")


def compacted(bench):
    """What happened while the agent was cut off is in no history any more."""
    with Wire(bench.cluster.port) as wire, bench.probe(wire) as probe:
        doomed = objects.pod("doomed", ["10.1.0.98"])
        bench.api.create(doomed)
        bench.checks.true("the doomed pod is known",
                          probe.wait_find("10.1.0.98", pod="doomed") is not None)
        lists = sum(kind["lists"] for kind in probe.status().values())
        wire.refusing = True
        wire.cut()
        bench.api.delete(doomed)
        for _ in range(20):
            bench.move()
        bench.cluster.compact()
        # A server that has just started knows no more than etcd does.
        bench.cluster.restart_server()
        bench.api = bench.cluster.api
        bench.move()
        wire.heal()
        bench.fresh(probe, "compacted")
        gone = wait_until(lambda: probe.find("10.1.0.98").pod != "doomed", BACK_SECONDS,
                          "the doomed pod is forgotten")
        bench.checks.true("compacted: what was deleted meanwhile is forgotten", gone)
        bench.in_step(probe, "compacted")
        bench.checks.true("compacted: it was listed again",
                          sum(kind["lists"] for kind in probe.status().values()) > lists,
                          probe.status())
        print(f"410: {[line for line in probe.errors if '410' in line]}")
        bench.checks.true("compacted: the server said that it has forgotten",
                          any("410" in line for line in probe.errors), probe.errors)


def cut_anywhere(bench):
    """The connection breaks after any number of bytes, in frames and between them."""
    for after in (1, 3, 17, 100, 333, 1000, 3000, 10000, 40000):
        with Wire(bench.cluster.port) as wire, bench.probe(wire) as probe:
            wire.cut_after = after
            for _ in range(3):
                bench.move()
            wire.heal()
            bench.fresh(probe, f"cut after {after} bytes")
            bench.in_step(probe, f"cut after {after} bytes")


def start_silence(bench):
    """The connections stay open and say nothing any more: to the agent, a quiet cluster. Takes
    minutes, so the other cases go on meanwhile; returns what waits for its end."""
    wire = Wire(bench.cluster.port)
    probe = bench.probe(wire)
    pod = objects.pod("unheard", ["10.1.0.97"])

    def follow():
        try:
            watch_it()
        except LabError as error:
            bench.checks.true("silent connections", False, error)

    def watch_it():
        with wire, probe:
            started = time.monotonic()
            found = probe.wait_find("10.1.0.97", pod="unheard", seconds=SILENCE_SECONDS)
            bench.checks.true("silent connections: noticed", found is not None, probe.status())
            print(f"silent connections: noticed after {time.monotonic() - started:.0f} s")
            bench.in_step(probe, "silent connections")

    wire.freeze()
    bench.api.create(pod)
    # New connections work: the fault is over, only nobody told the old ones.
    thread = threading.Thread(target=follow)
    thread.start()
    return thread.join


def slow(bench):
    """A trickle: what arrives is used, nothing is lost, nobody waits for it."""
    with Wire(bench.cluster.port) as wire, bench.probe(wire) as probe:
        wire.bytes_per_second = 2000
        bench.move()
        bench.fresh(probe, "slow")
        wire.cut()
        time.sleep(3)
        started = time.monotonic()
        probe.find("10.1.0.99")
        bench.checks.true("a lookup does not wait", time.monotonic() - started < 0.2)
        wire.heal()
        bench.move()
        bench.fresh(probe, "slow, then well")


def half_answers(bench):
    """Answers that end early, as if they were whole or with the connection."""
    for then in ("cut", "end"):
        for after in (0, 1, 4, 9, 50, 400):
            what = f"half an answer, {then} after {after}"
            with Middle(bench.cluster) as middle, bench.probe(middle) as probe:
                middle.spoil(Fault("", after=after, then=then))
                bench.move()
                time.sleep(0.7)
                bench.checks.true(f"{what}: runs on", probe.running())
                middle.heal()
                middle.cut()
                bench.fresh(probe, what)
                bench.in_step(probe, what)


def garbage(bench):
    """Random bytes and flipped bits, on the wire and inside the answers."""
    with Middle(bench.cluster) as middle, bench.probe(middle) as probe:
        for number in range(GARBAGE_ROUNDS):
            then = "flip" if number % 3 else "garbage"
            middle.spoil(Fault("", after=number * number * 3, then=then))
            bench.move()
            time.sleep(0.3)
            bench.checks.true(f"garbage {number}: runs on", probe.running())
        for body in (b"\xff" * 70000, b"\0" * 70000, b"<html>log in</html>", b"{}", b"k8s\0"):
            middle.spoil(Fault("", status=200, body=body,
                               headers=[("Content-Type", "application/vnd.kubernetes.protobuf")]))
            time.sleep(0.3)
            bench.checks.true("nonsense: runs on", probe.running())
        bench.checks.true("garbage: the status says so",
                          any(kind["error"] for kind in probe.status().values()), probe.status())
        middle.heal()
        middle.cut()
        bench.move()
        bench.fresh(probe, "garbage")
        bench.in_step(probe, "garbage")
    with Wire(bench.cluster.port) as wire, bench.probe(wire) as probe:
        wire.garbage = True
        bench.move()
        time.sleep(2)
        wire.heal()
        wire.cut()
        bench.fresh(probe, "garbage on the wire")


def token_rotated(bench):
    """The token of before is worth nothing; the file has a new one, at once or later."""
    api = bench.api
    secrets = []
    for number in (1, 2):
        secrets.append(api.create({"apiVersion": "v1", "kind": "Secret", "metadata": {
            "name": f"bound-{number}", "namespace": "vethscope"}}))
    path = bench.cluster.write("rotated", bench.cluster.agent_token(bound_to=secrets[0]))
    with Wire(bench.cluster.port) as wire:
        config = bench.cluster.kubeconfig("rotating", token_file=path, port=wire.port)
        with Probe("--kubeconfig", config) as probe:
            probe.wait_synced()
            bench.cluster.write("rotated", bench.cluster.agent_token(bound_to=secrets[1]))
            for secret in secrets[:1]:
                api.delete({**secret, "kind": "Secret"})
            time.sleep(TOKEN_CACHE_SECONDS)
            wire.cut()
            bench.move()
            bench.fresh(probe, "token rotated in time", 10)
            api.delete({**secrets[1], "kind": "Secret"})
            time.sleep(TOKEN_CACHE_SECONDS)
            wire.cut()
            said = probe.wait_error("pods", "401", 30)
            print(f"401: {said}")
            bench.checks.true("401: is not in step", not probe.synced())
            bench.checks.equal("401: the names stay", probe.find("10.1.0.99").pod, bench.name())
            bench.cluster.write("rotated", bench.cluster.agent_token())
            bench.move()
            bench.fresh(probe, "token rotated late")
            bench.in_step(probe, "token rotated")


def forbidden(bench):
    """One permission is missing: the rest goes on, and the text names what is missing."""
    role = bench.api.get("ClusterRole", ACCOUNT)
    rules = role["rules"]
    reduced = [rule for rule in rules if "endpointslices" not in rule["resources"]]
    with Wire(bench.cluster.port) as wire, bench.probe(wire) as probe:
        bench.api.patch({**role, "kind": "ClusterRole"}, {"rules": reduced})
        time.sleep(1)
        wire.cut()
        said = probe.wait_error("endpointslices", "endpointslices", 30)
        print(f"403: {said}")
        bench.checks.true("403: names the permission", "discovery.k8s.io" in said
                          and ("list" in said or "watch" in said), said)
        bench.move()
        bench.fresh(probe, "forbidden elsewhere", 10)
        status = probe.status()
        bench.checks.true("403: that kind is not in step", not status["endpointslices"]["synced"])
        wait_until(lambda: all(kind["synced"] for name, kind in probe.status().items()
                               if name != "endpointslices"), 30, "the others are in step")
        requests = probe.status()["endpointslices"]["requests"]
        time.sleep(5)
        again = probe.status()["endpointslices"]["requests"] - requests
        bench.checks.true("403: it does not insist", again <= 5, f"{again} requests in 5 s")
        bench.api.patch({**role, "kind": "ClusterRole"}, {"rules": rules})
        bench.in_step(probe, "allowed again")


def told_to_wait(bench):
    """429 with Retry-After is obeyed."""
    with Middle(bench.cluster) as middle, bench.probe(middle) as probe:
        middle.requests.clear()
        middle.spoil(Fault("", status=429, headers=[("Retry-After", "3")]))
        said = probe.wait_error("pods", "429", 10)
        print(f"429: {said}")
        time.sleep(7)
        middle.heal()
        bench.move()
        bench.fresh(probe, "429")
        refused = {}
        for when, path, status in middle.requests:
            if status == 429:
                refused.setdefault(path.split("?")[0], []).append(when)
        bench.checks.true("429: somebody was refused twice",
                          any(len(times) > 1 for times in refused.values()), refused)
        for path, times in refused.items():
            gaps = [later - earlier for earlier, later in zip(times, times[1:])]
            bench.checks.true(f"429: {path} waits", all(gap >= 2.9 for gap in gaps), gaps)
        bench.in_step(probe, "429")


def foreign_answers(bench):
    """What is no answer of an API server's: of a proxy, of a login page, of something broken."""
    with Middle(bench.cluster) as elsewhere:
        away = [("Location", f"https://127.0.0.1:{elsewhere.port}/api/v1/pods")]
        for status, headers in ((500, ()), (503, ()), (404, ()), (200, ()), (406, ()), (204, ()),
                                (302, away), (307, away)):
            with Middle(bench.cluster) as middle, bench.probe(middle) as probe:
                body = b"" if status == 204 else b"no"
                middle.spoil(Fault("", status=status, headers=headers, body=body))
                time.sleep(1)
                bench.checks.true(f"{status}: says so", any(
                    kind["error"] for kind in probe.status().values()), probe.status())
                middle.heal()
                middle.cut()
                bench.move()
                bench.fresh(probe, f"answered {status}")
                bench.in_step(probe, f"answered {status}")
        # Whoever follows a redirect takes the token along.
        bench.checks.equal("redirects are not followed", elsewhere.requests, [])


def impostor(bench):
    """A server with another authority's certificate gets neither the token nor a say."""
    directory = bench.cluster.directory / "impostor"
    directory.mkdir()
    certificate = certificates.Authority(directory, "other-ca").server()
    wrong_name = bench.cluster.authority.issue("elsewhere", "/CN=elsewhere",
                                               "DNS:elsewhere.example,IP:192.0.2.1")
    for what, pair in (("another authority", certificate), ("another name", wrong_name)):
        with Middle(bench.cluster, certificate=pair) as middle, \
                Probe("--kubeconfig", bench.cluster.kubeconfig(port=middle.port)) as probe:
            said = probe.wait_error("pods", "certificate", 20)
            print(f"{what}: {said}")
            time.sleep(2)
            bench.checks.equal(f"{what}: was told nothing", middle.requests, [])
            bench.checks.true(f"{what}: not in step", not probe.synced())


def away_from_the_start(bench):
    """No server when the agent starts: it runs, and finds the server when it comes."""
    with Wire(bench.cluster.port) as wire:
        wire.refusing = True
        config = bench.cluster.kubeconfig(port=wire.port)
        with Probe("--kubeconfig", config) as probe:
            bench.checks.true("away at the start: nothing is known",
                              probe.find("10.1.0.99").answer != "known")
            time.sleep(5)
            wire.heal()
            bench.fresh(probe, "away at the start")
            bench.in_step(probe, "away at the start")
            bench.checks.equal("exit status", probe.close(), 0)


CASES = (restarted, compacted, cut_anywhere, slow, half_answers, garbage, token_rotated, forbidden,
         told_to_wait, foreign_answers, impostor, away_from_the_start)
# These take the server away from everybody.
ALONE = (restarted, compacted)


def main():
    wanted = sys.argv[1:]
    with Checks() as checks, Cluster() as cluster:
        cluster.api.create(objects.node("node-1", ["192.0.2.1"], ["10.1.0.0/16"]))
        cluster.api.create(objects.service("shop", clusterIP="10.96.10.1"))
        bench = Bench(cluster, checks)
        bench.move()
        end_silence = None
        for case in CASES:
            if wanted and case.__name__ not in wanted:
                continue
            if end_silence is None and case not in ALONE:
                end_silence = start_silence(bench)
            started = time.monotonic()
            case(bench)
            print(f"-- {case.__name__}: {time.monotonic() - started:.0f} s", flush=True)
        if end_silence is not None:
            end_silence()


if __name__ == "__main__":
    run(main)
