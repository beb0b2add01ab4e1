"""The clients: each runs a plan against one server, in its own pod, to the end. A client that can
check that every answer belongs to its request does; all fail loudly."""

import json
import signal
import subprocess
import sys

from kinds import IN_VAIN, KINDS
from lab import LabError, wait_until
from servers import HERE, PROGRAMS

SECONDS = 60
WRK_THREADS = 3
WRK_BATCH = 4
AB_PARALLEL = 2


class Run:
    """One client against one server."""

    def __init__(self, lab, cell):
        self.lab = lab
        self.pod = cell.client_pod
        self.client = cell.client
        self.address = cell.server.pod.address
        self.name = f"{cell.client}-{cell.server.name}".replace(" ", "-")
        self.plan = cell.plan

    def file(self, suffix, text):
        """A file of this run."""
        path = self.lab.directory / f"{self.name}{suffix}"
        path.write_text(text)
        return path

    def plan_file(self):
        """The plan, for the clients that read one."""
        return self.file(".json", json.dumps([request.as_json() for request in self.plan]))

    def finish(self, argv, suffix=""):
        """Runs a program of this client to its good end; returns its output."""
        process = self.lab.process(self.name + suffix, argv, self.pod)
        status = process.finish(SECONDS)
        if status != 0:
            raise LabError(f"{self.name}: status {status}: {process.stderr().strip()[-2000:]}")
        return process.stdout()


# ---- curl ----

CURL_FRAMES = {"length": [], "chunked": ['header = "Transfer-Encoding: chunked"'], "": []}


def curl_request(run, request):
    """One transfer of a curl configuration file."""
    about = request.about
    lines = [f'url = "http://{run.address}{request.target}"', 'output = "/dev/null"', "silent",
             "show-error", f"max-time = {SECONDS}",
             r'write-out = "%{http_code} %header{x-request-id} %{size_download}\n"']
    lines += ["head"] if about.method == "HEAD" else [f'request = "{about.method}"']
    lines += CURL_FRAMES[about.body]
    if about.body:
        lines.append(f'data-binary = "@{run.lab.directory}/upload-{request.upload_bytes}"')
    if about.version == "1.0":
        lines.append("http1.0")
    fields = dict(about.fields)
    if about.expect:
        fields["Expect"] = "100-continue"
    if about.close:
        fields["Connection"] = "close"
    return lines + [f'header = "{name}: {value}"' for name, value in fields.items()]


def run_curl(run):
    for request in run.plan:
        path = run.lab.directory / f"upload-{request.upload_bytes}"
        if not path.exists():
            path.write_bytes(b"u" * request.upload_bytes)
    transfers = ["\n".join(curl_request(run, request)) for request in run.plan]
    config = run.file(".curl", "\nnext\n".join(transfers))
    output = run.finish(["curl", "-K", config])
    answers = [line.split(" ") for line in output.splitlines()]
    if len(answers) != len(run.plan):
        raise LabError(f"{run.name}: {len(answers)} answers to {len(run.plan)} requests")
    for request, answer in zip(run.plan, answers, strict=True):
        wanted = [str(request.about.status), str(request.id)]
        size = request.answer_bytes
        if request.kind in IN_VAIN and answer[0] == "000":
            continue  # the reset that follows an early answer may overtake it
        if answer[:2] != wanted or size is not None and int(answer[2]) != size:
            raise LabError(f"{run.name}: {request}: answered with {answer}")


# ---- wrk ----

def lua(value):
    """A value of a plan as Lua's source."""
    if isinstance(value, (list, tuple)):
        return "{" + ", ".join(map(lua, value)) + "}"
    if value is None:
        return "false"
    return json.dumps(value)


def http_text(request, host):
    """The bytes of a request, for a client that sends what it is given."""
    about = request.about
    fields = {"Host": host, **about.fields}
    body = "u" * request.upload_bytes
    if about.close:
        fields["Connection"] = "close"
    if about.body == "length":
        fields["Content-Length"] = len(body)
    elif about.body == "chunked":
        fields["Transfer-Encoding"] = "chunked"
        body = f"{len(body):x}\r\n{body}\r\n0\r\n\r\n"
    lines = [f"{about.method} {request.target} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in fields.items()]
    return "\r\n".join([*lines, "", body])


def wrk_request(request, host):
    """As wrk.lua takes it."""
    return [http_text(request, host), str(request.id), request.about.status, request.answer_bytes]


def run_wrk(run):
    """Stops it as soon as every thread has all of its answers."""
    size = WRK_BATCH if "pipelining" in run.client else 1
    requests = [wrk_request(request, run.address) for request in run.plan]
    batches = [requests[at:at + size] for at in range(0, len(requests), size)]
    threads = [batches[number::WRK_THREADS] for number in range(WRK_THREADS)]
    plan = run.file(".lua", f"return {lua(threads)}\n")
    process = run.lab.process(run.name, [
        "wrk", f"-t{WRK_THREADS}", f"-c{WRK_THREADS}", f"-d{SECONDS}s", "-s", HERE / "wrk.lua",
        f"http://{run.address}/", "--", plan], run.pod)
    wait_until(lambda: process.stderr().count("finished\n") == WRK_THREADS
               or not process.running(), SECONDS, f"{run.name} finished")
    process.stop(signal.SIGINT)
    wrong = process.stderr().replace("finished\n", "").strip()
    if wrong or process.stderr().count("finished\n") != WRK_THREADS:
        raise LabError(f"{run.name}: {wrong or 'not finished'}\n{process.stdout()}")


# ---- ab ----

def ab_arguments(run, request, number):
    about = request.about
    arguments = ["-q", "-n", request.times, "-c", AB_PARALLEL, "-s", SECONDS]
    arguments += ["-k"] if "keep-alive" in run.client else []
    arguments += ["-i"] if about.method == "HEAD" else []
    if about.body:
        upload = run.file(f"-{number}.upload", "u" * request.upload_bytes)
        arguments += ["-u" if about.method == "PUT" else "-p", upload]
    for name, value in about.fields.items():
        arguments += ["-H", f"{name}: {value}"]
    return arguments


def run_ab(run):
    for number, request in enumerate(run.plan):
        output = run.finish(["ab", *ab_arguments(run, request, number),
                             f"http://{run.address}{request.target}"], f"-{number}")
        if f"Complete requests:      {request.times}\n" not in output:
            raise LabError(f"{run.name}: {KINDS[request.kind]}:\n{output}")


# ---- those that read the plan themselves ----

def python_with_requests():
    """This Python or the distribution's, whichever has the requests package."""
    for program in (sys.executable, "/usr/bin/python3"):
        tried = subprocess.run([program, "-c", "import requests"], stderr=subprocess.DEVNULL,
                               check=False)
        if tried.returncode == 0:
            return program
    return None


def run_requests(run):
    run.finish([python_with_requests(), HERE / "python_client.py", run.address, run.plan_file()])


def run_go(run):
    run.finish([PROGRAMS / "go_client", run.address, run.plan_file()])


def run_node(run):
    run.finish(["node", HERE / "node_client.js", run.address, "80", run.plan_file()])


RUNS = {"curl": run_curl, "wrk": run_wrk, "wrk pipelining": run_wrk, "ab": run_ab,
        "ab keep-alive": run_ab, "requests": run_requests, "go": run_go, "node": run_node}


def run(lab, cell):
    """Runs a cell's plan; raises LabError unless every answer came."""
    RUNS[cell.client](Run(lab, cell))
