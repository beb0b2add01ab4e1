"""An image built by .ci/image.sh, taken apart."""

import json
import os
import subprocess
import tarfile

from lab import SOURCE_DIR, LabError, command


def build(path, arch, **environment):
    """.ci/image.sh, which says why it failed."""
    done = subprocess.run([SOURCE_DIR / ".ci/image.sh", path, arch], text=True, check=False,
                          env={**os.environ, **environment}, capture_output=True)
    if done.returncode != 0:
        raise LabError(f"image.sh: {done.stderr[-4000:]}")
    return Image(path)


class Image:
    """Its configuration and the members of its one layer."""

    def __init__(self, path):
        with tarfile.open(path) as archive:
            manifest = json.load(archive.extractfile("manifest.json"))[0]
            self.tags = manifest["RepoTags"]
            self.layers = manifest["Layers"]
            self.document = json.load(archive.extractfile(manifest["Config"]))
            self.layer = archive.extractfile(self.layers[0]).read()
        self.config = self.document["config"]
        self.digests = self.document["rootfs"]["diff_ids"]

    def unpack(self, directory):
        """The container's root, capabilities included."""
        directory.mkdir()
        tar = directory.parent / f"{directory.name}.tar"
        tar.write_bytes(self.layer)
        command("tar", "-x", "--numeric-owner", "--xattrs", "--xattrs-include=*", "-C", directory,
                "-f", tar)
        return directory
