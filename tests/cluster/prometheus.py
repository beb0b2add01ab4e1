"""A real Prometheus beside the cluster, which finds what it scrapes by asking the API server."""

import contextlib
import http.client
import json
import urllib.parse
import urllib.request

from cluster import ADMIN_TOKEN
from lab import Process, wait_until

PORT = 9090
INTERVAL_SECONDS = 1
# The pods that say so themselves, as every Prometheus in a cluster is told to find them.
_CONFIG = """
global: {{scrape_interval: {interval}s, scrape_timeout: {interval}s}}
scrape_configs:
- job_name: pods
  kubernetes_sd_configs:
  - role: pod
    api_server: https://127.0.0.1:{port}
    tls_config: {{ca_file: {authority}}}
    authorization: {{credentials: {token}}}
  relabel_configs:
  - source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_scrape]
    action: keep
    regex: "true"
  # One target a pod, whatever ports it names.
  - source_labels: [__meta_kubernetes_pod_ip, __meta_kubernetes_pod_annotation_prometheus_io_port]
    regex: (.+);(.+)
    replacement: $1:$2
    target_label: __address__
  - source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_path]
    regex: (.+)
    target_label: __metrics_path__
  - source_labels: [__meta_kubernetes_pod_name]
    target_label: pod
"""


class Prometheus:
    """Runs as a process of the node."""

    def __init__(self, node):
        config = node.write("prometheus.yaml", _CONFIG.format(
            interval=INTERVAL_SECONDS, port=node.port, authority=node.ca_file, token=ADMIN_TOKEN))
        self.process = Process(node, "prometheus", [
            node.programs["prometheus"], f"--config.file={config}", f"--storage.tsdb.path={node.directory / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{PORT}"])
        wait_until(self._is_ready, 30, "Prometheus", pause=0.1)

    def _is_ready(self):
        with contextlib.suppress(OSError, http.client.HTTPException):
            with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/-/ready", timeout=5) as answer:
                return answer.status == 200
        return False

    def query(self, expression):
        """An instant vector, as [(labels, value)]."""
        query = urllib.parse.urlencode({"query": expression})
        with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/api/v1/query?{query}",
                                    timeout=10) as answer:
            result = json.load(answer)["data"]["result"]
        return [(entry["metric"], float(entry["value"][1])) for entry in result]

    def by(self, family, *labels, where=""):
        """{values of the labels: sum}, zeros left out."""
        rows = self.query(f"sum by ({', '.join(labels)}) ({family}{{{where}}})")
        return {tuple(found.get(label, "") for label in labels): value
                for found, value in rows if value}

    def scrapes(self, pod):
        """Whether this pod's last scrape went well."""
        return any(value == 1 for _, value in self.query(f'up{{pod="{pod}"}}'))
