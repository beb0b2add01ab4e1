"""What receivers of events do: reads them with Python's protobuf and the published .proto alone."""

import importlib
import pathlib
import subprocess
import sys

from google.protobuf.internal.decoder import _DecodeVarint32

PROTO_DIR = pathlib.Path(__file__).resolve().parents[2] / "exporters" / "proto"


def load(directory):
    """Compiles the published description and returns its module."""
    subprocess.run(["protoc", f"--proto_path={PROTO_DIR}", f"--python_out={directory}",
                    "vethscope/v1/exchange.proto"], check=True)
    sys.path.insert(0, str(directory))
    return importlib.import_module("vethscope.v1.exchange_pb2")


def split(data):
    """The messages of a file or a body as bytes; and how many bytes of a cut one are left."""
    messages, at = [], 0
    while at < len(data):
        try:
            size, start = _DecodeVarint32(data, at)
        except IndexError:
            break
        if start + size > len(data):
            break
        messages.append(data[start:start + size])
        at = start + size
    return messages, len(data) - at


def parse(module, messages):
    """Exchange objects."""
    return [module.Exchange.FromString(message) for message in messages]


def unpacked(path):
    """The bytes of an event file, plain or zstd."""
    data = path.read_bytes()
    if data[:4] != b"\x28\xb5\x2f\xfd":
        return data
    return subprocess.run(["zstd", "-dcq"], input=data, stdout=subprocess.PIPE, check=True).stdout


def of_files(module, path):
    """The events of a file and of those it was rotated into, oldest first."""
    found = []
    for name in [*sorted(path.parent.glob(path.name + ".2*")), path]:
        if name.exists():
            messages, left = split(unpacked(name))
            if left:
                raise ValueError(f"{name} ends in {left} bytes of a message")
            found += parse(module, messages)
    return found


def key(event):
    """What identifies one of our exchanges: from which side, and its target."""
    return event.side, event.target
