"""Manifests of the objects that names are made of, as small as the API server takes them."""

CONTAINER = {"name": "main", "image": "registry.example/shop:1"}


def meta(name, namespace=None, owner=None, labels=None, annotations=None):
    """`owner` is (kind, name) of the controller."""
    made = {"name": name}
    if namespace is not None:
        made["namespace"] = namespace
    if labels:
        made["labels"] = labels
    if annotations:
        made["annotations"] = annotations
    if owner is not None:
        made["ownerReferences"] = [reference(*owner)]
    return made


def reference(kind, name, controller=True):
    group = {"Job": "batch/v1", "CronJob": "batch/v1", "Node": "v1", "Rollout": "example.com/v1"}
    return {"apiVersion": group.get(kind, "apps/v1"), "kind": kind, "name": name,
            "uid": f"uid-of-{kind}-{name}", "controller": controller}


def namespace(name):
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": meta(name)}


def node(name, addresses=(), ranges=()):
    made = {"apiVersion": "v1", "kind": "Node", "metadata": meta(name), "spec": {}}
    if ranges:
        made["spec"] = {"podCIDR": ranges[0], "podCIDRs": list(ranges)}
    made["status"] = node_status(addresses)
    return made


def node_status(addresses):
    """The merge of lists of addresses goes by type, so there is one of each at most."""
    kinds = ("InternalIP", "ExternalIP")
    return {"addresses": [{"type": kind, "address": address}
                          for kind, address in zip(kinds, addresses)]}


def pod(name, addresses=(), owner=None, labels=None, annotations=None, ports=(8080,), node="node-1",
        host_network=False, phase="Running", namespace="default"):
    """Running at its addresses; without any it is one that waits for them."""
    container = dict(CONTAINER, ports=[{"containerPort": port} for port in ports])
    return {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": meta(name, namespace, owner, labels, annotations),
        "spec": {"containers": [container], "nodeName": node, "hostNetwork": host_network},
        "status": pod_status(addresses, phase if addresses else "Pending"),
    }


def pod_status(addresses, phase="Running", host="192.0.2.9"):
    """As a kubelet writes it."""
    status = {"phase": phase}
    if addresses:
        status.update(hostIP=host, hostIPs=[{"ip": host}], podIP=addresses[0],
                      podIPs=[{"ip": address} for address in addresses])
    state = {"Running": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
             "Pending": {"waiting": {"reason": "ContainerCreating"}}}
    ended = {"terminated": {"exitCode": 0, "reason": "Completed"}}
    status["containerStatuses"] = [{
        "name": CONTAINER["name"], "image": CONTAINER["image"], "imageID": "", "restartCount": 0,
        "ready": phase == "Running", "state": state.get(phase, ended)}]
    return status


def service(name, ports=(80,), namespace="default", **spec):
    """`ports` are numbers or whole entries; what else is given goes into the spec."""
    entries = [port if isinstance(port, dict)
               else {"name": f"p{port}", "port": port, "protocol": "TCP"} for port in ports]
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta(name, namespace),
            "spec": {"ports": entries, **spec}}


def endpoint_slice(name, service_name, endpoints, ports=(8080,), family="IPv4",
                   namespace="default"):
    """`endpoints` are (address, pod's name or None)."""
    made = []
    for address, pod_name in endpoints:
        entry = {"addresses": [address], "conditions": {"ready": True}}
        if pod_name is not None:
            entry["targetRef"] = {"kind": "Pod", "name": pod_name, "namespace": namespace}
        made.append(entry)
    return {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": family,
            "metadata": meta(name, namespace, labels={"kubernetes.io/service-name": service_name}),
            "endpoints": made,
            "ports": [{"name": f"p{port}", "port": port, "protocol": "TCP"} for port in ports]}


def replica_set(name, deployment=None, namespace="default"):
    """One of a Deployment, or one that nobody owns."""
    owner = ("Deployment", deployment) if deployment is not None else None
    return {"apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": meta(name, namespace, owner),
            "spec": {"replicas": 1, "selector": {"matchLabels": {"set": name}},
                     "template": {"metadata": {"labels": {"set": name}},
                                  "spec": {"containers": [CONTAINER]}}}}


def job(name, cron_job=None, namespace="default"):
    owner = ("CronJob", cron_job) if cron_job is not None else None
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta(name, namespace, owner),
            "spec": {"template": {"spec": {"containers": [CONTAINER],
                                           "restartPolicy": "Never"}}}}


def realistic_pod(number, node_name, address, namespace="default"):
    """A pod as large as they are: what charts, meshes and controllers put into one."""
    name = f"shop-frontend-{number % 97}-7d9c5b8f6d-{number:05x}"
    made = pod(name, (), owner=("ReplicaSet", f"shop-frontend-{number % 97}-7d9c5b8f6d"),
               node=node_name, namespace=namespace,
               labels={"app.kubernetes.io/name": f"shop-frontend-{number % 97}",
                       "app.kubernetes.io/instance": "shop", "app.kubernetes.io/version": "1.14.2",
                       "app.kubernetes.io/managed-by": "Helm", "helm.sh/chart": "shop-3.2.1",
                       "pod-template-hash": "7d9c5b8f6d"},
               annotations={"checksum/config": f"{number:064x}", "prometheus.io/scrape": "true",
                            "prometheus.io/port": "9090", "kubectl.kubernetes.io/restartedAt":
                            "2026-01-01T00:00:00Z"})
    resources = {"requests": {"cpu": "250m", "memory": "256Mi"}, "limits": {"memory": "512Mi"}}
    environment = [{"name": f"SHOP_SETTING_{index}", "value": f"a value of usual length, {index}"}
                   for index in range(4)]
    environment.append({"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}})
    probe = {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 10}
    mounts = [{"name": volume, "mountPath": f"/etc/{volume}", "readOnly": True}
              for volume in ("config", "secrets", "kube-api-access-x2x4z")]
    made["spec"]["containers"] = [{
        "name": CONTAINER["name"], "image": "registry.example.com/shop/frontend:1.14.2",
        "ports": [{"containerPort": 8080, "name": "http"}], "resources": resources,
        "env": environment, "volumeMounts": mounts, "livenessProbe": probe,
        "readinessProbe": probe, "securityContext": {"allowPrivilegeEscalation": False,
                                                     "readOnlyRootFilesystem": True,
                                                     "capabilities": {"drop": ["ALL"]}}}]
    made["spec"]["serviceAccountName"] = "default"
    made["spec"]["volumes"] = [
        {"name": "config", "configMap": {"name": "shop-frontend"}},
        {"name": "secrets", "secret": {"secretName": "shop-frontend"}},
        {"name": "kube-api-access-x2x4z", "projected": {"sources": [
            {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
            {"configMap": {"name": "kube-root-ca.crt",
                           "items": [{"key": "ca.crt", "path": "ca.crt"}]}}]}}]
    made["status"] = realistic_status([address])
    return made


def realistic_status(addresses, phase="Running"):
    """With the conditions and the image ids that a kubelet reports."""
    status = pod_status(addresses, phase)
    when = "2026-01-01T00:00:07Z"
    status["startTime"] = when
    status["conditions"] = [
        {"type": kind, "status": "True" if phase == "Running" else "False",
         "lastTransitionTime": when, "lastProbeTime": None}
        for kind in ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady",
                     "PodScheduled")]
    first = status["containerStatuses"][0]
    first.update(image="registry.example.com/shop/frontend:1.14.2", containerID="containerd://"
                 + "5d" * 32, imageID="registry.example.com/shop/frontend@sha256:" + "a7" * 32)
    return status


def realistic_node(number, address, ranges):
    """With the images that a kubelet lists, which are most of it."""
    made = node(f"node-{number:05d}", [address], ranges)
    made["metadata"]["labels"] = {
        "kubernetes.io/hostname": made["metadata"]["name"], "kubernetes.io/arch": "amd64",
        "kubernetes.io/os": "linux", "topology.kubernetes.io/zone": f"zone-{number % 3}",
        "node.kubernetes.io/instance-type": "m6i.2xlarge"}
    made["status"].update(
        capacity={"cpu": "8", "memory": "32Gi", "pods": "110"},
        allocatable={"cpu": "7900m", "memory": "30Gi", "pods": "110"},
        images=[{"names": [f"registry.example.com/shop/image-{index}@sha256:" + "b3" * 32,
                           f"registry.example.com/shop/image-{index}:1.{index}"],
                 "sizeBytes": 123456789 + index} for index in range(50)],
        nodeInfo={key: "a version 1.34.4" for key in (
            "architecture", "bootID", "containerRuntimeVersion", "kernelVersion",
            "kubeProxyVersion", "kubeletVersion", "machineID", "operatingSystem", "osImage",
            "systemUUID")},
        conditions=heartbeat(0))
    return made


def heartbeat(second):
    """A node's conditions, as its kubelet writes them every five minutes."""
    when = f"2026-01-01T00:{second // 60:02d}:{second % 60:02d}Z"
    return [{"type": kind, "status": "False" if kind != "Ready" else "True",
             "reason": "KubeletHasSufficient", "message": "kubelet has sufficient of it",
             "lastHeartbeatTime": when, "lastTransitionTime": "2026-01-01T00:00:00Z"}
            for kind in ("MemoryPressure", "DiskPressure", "PIDPressure", "Ready")]
