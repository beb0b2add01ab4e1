"""containerd and the network plugins of a node, with all of their files in one directory."""

import contextlib
import json

import images
from lab import LabError, Process, command, wait_until

POD_RANGE = "10.244.0.0/24"
PLUGIN_DIR = "/usr/lib/cni"
PAUSE = "localhost/vethscope-test/pause:1"
START_SECONDS = 30

_CONFIG = """
version = 2
root = "{directory}/root"
state = "{directory}/state"
# It would make a directory in /opt.
disabled_plugins = ["io.containerd.internal.v1.opt"]
[grpc]
  address = "{directory}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  disable_apparmor = true
  tolerate_missing_hugetlb_controller = true
  # Where root may not lower it, no pod would start.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{plugins}"
    conf_dir = "{directory}/net.d"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
"""
_ADDRESSES = {"type": "host-local", "ranges": [[{"subnet": POD_RANGE}]],
              "routes": [{"dst": "0.0.0.0/0"}]}
# How pods are joined to the node; no address is rewritten, as nothing leaves the machine.
NETWORKS = {
    "bridge": {"type": "bridge", "bridge": "cni0", "isGateway": True, "hairpinMode": True,
               "ipam": _ADDRESSES},
    "ptp": {"type": "ptp", "ipam": _ADDRESSES},
}


class Runtime:
    """Runs as a process of the node; what it starts ends with the sandbox."""

    def __init__(self, node, directory, network):
        self.directory = directory
        self.socket = directory / "containerd.sock"
        (directory / "net.d").mkdir(parents=True)
        plugins = {"cniVersion": "0.4.0", "name": "pods", "plugins": [NETWORKS[network]]}
        (directory / "net.d" / "10-pods.conflist").write_text(json.dumps(plugins))
        config = directory / "config.toml"
        config.write_text(_CONFIG.format(directory=directory, pause=PAUSE, plugins=PLUGIN_DIR))
        self.process = Process(node, "containerd", ["containerd", "--config", config])
        wait_until(lambda: self._answers() or not self.process.running(), START_SECONDS,
                   "containerd", pause=0.1)
        archive = directory / "pause.tar"
        images.write_archive(archive, PAUSE, images.shop_program(), ["pause"])
        self.load(archive)

    def _answers(self):
        with contextlib.suppress(LabError):
            return self.ctr("version") != ""
        return False

    def ctr(self, *arguments):
        return command("ctr", "--address", self.socket, "--namespace", "k8s.io", *arguments)

    def load(self, archive):
        """Makes an archive's images known, under the names they have in it."""
        self.ctr("images", "import", archive)
