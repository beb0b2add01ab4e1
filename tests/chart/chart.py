"""The chart and the manifests as programs render them."""

import contextlib
import pathlib
import subprocess
import sys
import tempfile

import yaml

HERE = pathlib.Path(__file__).resolve().parent
SOURCE_DIR = HERE.parents[1]
sys.path[:0] = [str(SOURCE_DIR / "tests" / "kube"), str(SOURCE_DIR / "tests" / "support")]

import build  # noqa: E402
from lab import binary  # noqa: E402

CHART = SOURCE_DIR / "helm" / "vethscope"
MANIFESTS = SOURCE_DIR / "deploy" / "kubernetes"
RELEASE = NAMESPACE = "vethscope"
# helm knows a version of its own when no server tells one.
KUBERNETES = build.pinned_version(build.KUBERNETES).lstrip("v")


def run(*command, **options):
    """Status, output and errors of a command."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          check=False, **options)
    return done.returncode, done.stdout, done.stderr


def program(name):
    return build.ensure((name,))[name]


def helm(*arguments):
    return run(program("helm"), *arguments)


def template(*arguments):
    """Status, output and errors of `helm template`."""
    return helm("template", RELEASE, CHART, "--namespace", NAMESPACE, "--kube-version", KUBERNETES,
                *arguments)


def documents(text):
    """By kind, namespace and name."""
    found = [document for document in yaml.safe_load_all(text) if document]
    return {(document["kind"], document["metadata"].get("namespace"), document["metadata"]["name"]):
            document for document in found}


def rendered(*arguments):
    status, output, errors = template(*arguments)
    if status != 0:
        raise ValueError(errors)
    return documents(output)


def kustomized(path):
    status, output, errors = run(program("kubectl"), "kustomize", path)
    if status != 0:
        raise ValueError(errors)
    return documents(output)


def variants():
    """The files of values for every way to install it."""
    return sorted((CHART / "ci").glob("*-values.yaml"))


@contextlib.contextmanager
def values_file(values):
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump(values, file)
        file.flush()
        yield file.name


def check_config(text):
    """What the program says of a configuration; "" where it is right."""
    status, _, errors = run(binary(), "check-config", "-", input=text)
    return errors if status else ""
