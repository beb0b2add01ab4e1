#!/usr/bin/env python3
"""The image for arm64: the golden tests with its very program, and the unit tests compiled as it is,
under qemu-user. That cannot capture live: it does not know packet sockets' options."""

import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from archive import build  # noqa: E402
from checks import Checks  # noqa: E402
from lab import SOURCE_DIR, Lab, run  # noqa: E402

EMULATOR = "qemu-aarch64-static"
MAX_BYTES = 25_000_000
ELF_AARCH64 = 183
GOLDEN = ("cases", "formats")


def emulated(lab, root):
    """A program that is the image's one."""
    path = lab.directory / "vethscope"
    path.write_text(f'#!/bin/sh\nexec {EMULATOR} -L {root} {root}/usr/bin/vethscope "$@"\n')
    path.chmod(0o755)
    return path


def passes(checks, what, argv, **environment):
    done = subprocess.run(argv, env={**os.environ, **environment}, text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    checks.true(f"{what} under {EMULATOR}", done.returncode == 0, done.stdout[-4000:])
    print(*done.stdout.splitlines()[-1:])


def main():
    with Checks() as checks, Lab("arm64") as lab:
        image = build(lab.directory / "image.tar", "arm64")
        checks.equal("architecture", image.document["architecture"], "arm64")
        checks.true("size", len(image.layer) < MAX_BYTES, len(image.layer))
        print(f"image: {len(image.layer)} bytes unpacked")
        root = image.unpack(lab.directory / "root")
        program = emulated(lab, root)
        elf = (root / "usr/bin/vethscope").read_bytes()[:20]
        checks.equal("an arm64 program", int.from_bytes(elf[18:20], "little"), ELF_AARCH64)
        for name in GOLDEN:
            passes(checks, f"golden test {name}",
                   [sys.executable, SOURCE_DIR / f"tests/golden/test_{name}.py"],
                   VETHSCOPE=str(program))
        passes(checks, "unit tests", [SOURCE_DIR / ".ci/image.sh", "--unit-tests", "arm64"])


if __name__ == "__main__":
    run(main)
