#!/usr/bin/env python3
"""Images of one static program, written without any tool, as there is no registry to get others from.

    images.py      builds the program once, and prints where it is
"""

import hashlib
import io
import json
import os
import pathlib
import subprocess
import sys
import tarfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "kube"))

import build  # noqa: E402

SHOP_SOURCE = HERE / "shop"
USER = "65534:65534"


def shop_program():
    """Where shop/ is built; a change of its source makes another program of it."""
    sources = sorted([*SHOP_SOURCE.glob("*.go"), SHOP_SOURCE / "go.mod"])
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]
    program = build.cache_dir() / "shop" / digest / "shop"
    if not program.exists():
        build.require_go()
        program.parent.mkdir(parents=True, exist_ok=True)
        partial = program.with_name(f".shop.{os.getpid()}")
        subprocess.run(["nice", "-n", "10", "go", "build", "-p", "2", "-trimpath",
                        "-buildvcs=false", "-o", partial,
                        "."], check=True, cwd=SHOP_SOURCE, stdout=sys.stderr,
                       env={**os.environ, "CGO_ENABLED": "0", "GOWORK": "off"})
        partial.rename(program)
    return program


def write_archive(path, name, program, arguments=()):
    """An archive as `docker save` writes it, with the program as everything the image has."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as files:
        entry = tarfile.TarInfo(program.name)
        entry.mode = 0o755
        entry.size = program.stat().st_size
        with open(program, "rb") as source:
            files.addfile(entry, source)
    digest = hashlib.sha256(layer.getvalue()).hexdigest()
    config = {
        "architecture": "amd64" if os.uname().machine == "x86_64" else "arm64", "os": "linux",
        "config": {"Entrypoint": [f"/{program.name}", *arguments], "User": USER},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    with tarfile.open(path, "w") as archive:
        _add(archive, "config.json", json.dumps(config).encode())
        _add(archive, "layer.tar", layer.getvalue())
        _add(archive, "manifest.json", json.dumps(manifest).encode())


def _add(archive, name, data):
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    archive.addfile(entry, io.BytesIO(data))


if __name__ == "__main__":
    print(shop_program())
