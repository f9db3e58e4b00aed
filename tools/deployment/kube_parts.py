"""What each part of a one-node Kubernetes is told: arguments and files, as text. Nothing is done here.

All of it lives in namespaces of its own (kube_cluster.py). A pair of interfaces leads out of them to the machine, and no route further: what
comes in comes by it, as from outside.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

NODE = "node1"
OUTSIDE = "198.18.77.1"
"""The machine's end of the pair: RFC 2544's network, for tests alone."""
ADDRESS = "198.18.77.2"
"""The node's."""
PODS = "10.244.0.0/24"
SERVICES = "10.96.0.0/16"
NAMES = "10.96.0.10"
"""CoreDNS's service."""
API_PORT = 6443
INTERFACE = "qpqk-out"
"""The machine's end; one at a time."""
CGROUP = "qpq-kube"
STORAGE_GIB = 20
"""What deploy/k8s/stores asks for."""
PAUSE_IMAGE = "qpq-kube/pause:local"
COREDNS_IMAGE = "qpq-kube/coredns:local"
CNI_FOLDERS = (Path("/usr/lib/cni"), Path("/opt/cni/bin"))
"""Where Debian's containernetworking-plugins are, and others'."""
CNI_PLUGINS = ("ptp", "host-local", "loopback")
COREFILE = """\
.:53 {
    errors
    health
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        pods insecure
        ttl 30
    }
    cache 30
}
"""
"""As kubeadm writes it, but nobody outside is asked."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Where things are."""

    programs: Path
    """What kube_build.py has built."""
    work: Path
    """Everything that is written; it goes at the end."""
    plugins: Path
    """CNI's."""

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return self.work / "kubeconfig"

    @property
    def containerd(self) -> Path:
        """The socket of containerd."""
        return self.work / "containerd.sock"

    def arguments(self) -> dict[str, list[str]]:
        """Return how each part is called, in the order in which they are started."""
        work, made = self.work, self.work / "certs"
        local = ["--leader-elect=false", "--bind-address=127.0.0.1", f"--kubeconfig={self.kubeconfig}"]
        etcd = "http://127.0.0.1:2379"
        return {
            "etcd": [
                f"--data-dir={work / 'etcd'}", "--unsafe-no-fsync", f"--listen-client-urls={etcd}",
                f"--advertise-client-urls={etcd}", "--listen-peer-urls=http://127.0.0.1:2380",
                "--initial-advertise-peer-urls=http://127.0.0.1:2380", "--initial-cluster=default=http://127.0.0.1:2380",
            ],
            "kube-apiserver": [
                f"--etcd-servers={etcd}", "--bind-address=0.0.0.0", f"--advertise-address={ADDRESS}",
                f"--secure-port={API_PORT}", f"--cert-dir={made}", f"--service-cluster-ip-range={SERVICES}",
                "--authorization-mode=Node,RBAC", f"--token-auth-file={made / 'tokens.csv'}",
                "--service-account-issuer=https://kubernetes.default.svc", f"--service-account-key-file={made / 'sa.key'}",
                f"--service-account-signing-key-file={made / 'sa.key'}", "--kubelet-preferred-address-types=InternalIP",
            ],
            "kube-controller-manager": [
                *local, f"--service-account-private-key-file={made / 'sa.key'}",
                f"--root-ca-file={made / 'apiserver.crt'}",
            ],
            "kube-scheduler": local,
            "containerd": ["--config", str(work / "containerd.toml")],
            "kubelet": [
                f"--kubeconfig={self.kubeconfig}", f"--config={work / 'kubelet.yaml'}", f"--root-dir={work / 'kubelet'}",
                f"--cert-dir={work / 'kubelet-certs'}", f"--hostname-override={NODE}", f"--node-ip={ADDRESS}",
            ],
            "kube-proxy": ["--config", str(work / "proxy.yaml")],
        }  # fmt: skip

    def files(self, token: str) -> dict[str, str]:
        """Return what the parts read, by the paths in `work`; `token`: the administrator's."""
        return {
            "certs/tokens.csv": f"{token},admin,1,system:masters\n",
            "kubeconfig": yaml.safe_dump(self.access(token)),
            "containerd.toml": self.runtime(),
            "cni/10-pods.conflist": json.dumps(network()),
            "kubelet.yaml": yaml.safe_dump(self.kubelet()),
            "proxy.yaml": yaml.safe_dump(self.proxy()),
            "resolv.conf": "",
            "cluster.yaml": yaml.safe_dump_all([*self.storage(), *names()]),
        }

    def access(self, token: str) -> dict[str, Any]:
        """Return the kubeconfig."""
        server = {
            "server": f"https://{ADDRESS}:{API_PORT}",
            "certificate-authority": f"{self.work}/certs/apiserver.crt",
        }
        return {
            "apiVersion": "v1", "kind": "Config", "current-context": "here",
            "clusters": [{"name": "here", "cluster": server}],
            "users": [{"name": "admin", "user": {"token": token}}],
            "contexts": [{"name": "here", "context": {"cluster": "here", "user": "admin"}}],
        }  # fmt: skip

    def runtime(self) -> str:
        """Return containerd's configuration."""
        cri = 'plugins."io.containerd.grpc.v1.cri"'
        return "\n".join([
            "version = 2", f'root = "{self.work}/containerd"', f'state = "{self.work}/containerd-state"',
            "[grpc]", f'address = "{self.containerd}"',
            f"[{cri}]", f'sandbox_image = "docker.io/{PAUSE_IMAGE}"', "restrict_oom_score_adj = true",
            f"[{cri}.containerd.runtimes.runc]", 'runtime_type = "io.containerd.runc.v2"',
            f"[{cri}.cni]", f'bin_dir = "{self.plugins}"', f'conf_dir = "{self.work}/cni"', "",
        ])  # fmt: skip

    def kubelet(self) -> dict[str, Any]:
        """Return the kubelet's configuration."""
        return {
            "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
            "containerRuntimeEndpoint": f"unix://{self.containerd}",
            # A machine that still has cgroup v1, or swap, may run the test too.
            "cgroupDriver": "cgroupfs", "cgroupRoot": f"/{CGROUP}", "failCgroupV1": False, "failSwapOn": False,
            "enforceNodeAllocatable": [], "oomScoreAdj": 0,
            # Nobody but the API server can reach it.
            "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
            "authorization": {"mode": "AlwaysAllow"},
            "address": ADDRESS, "readOnlyPort": 0,
            "clusterDNS": [NAMES], "clusterDomain": "cluster.local", "resolvConf": f"{self.work}/resolv.conf",
            "podLogsDir": f"{self.work}/logs", "volumePluginDir": f"{self.work}/volume-plugins",
            # A full disk or a busy machine is not what is tried.
            "evictionHard": dict.fromkeys(
                ("memory.available", "nodefs.available", "imagefs.available", "nodefs.inodesFree"), "0%"
            ),
            "imageGCHighThresholdPercent": 100,
        }  # fmt: skip

    def proxy(self) -> dict[str, Any]:
        """Return kube-proxy's configuration: it leaves the machine's limits of connections alone."""
        return {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration", "mode": "iptables",
            "clientConnection": {"kubeconfig": str(self.kubeconfig)}, "clusterCIDR": PODS, "hostnameOverride": NODE,
            "nodePortAddresses": [f"{ADDRESS}/32"], "oomScoreAdj": 0,
            "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        }  # fmt: skip

    def storage(self) -> list[dict[str, Any]]:
        """Return a default StorageClass, and the one volume of it."""
        here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [NODE]}
        return [
            {
                "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "provisioner": "kubernetes.io/no-provisioner",
                "metadata": {"name": "here", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
                "volumeBindingMode": "WaitForFirstConsumer",
            },
            {
                "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "volume"},
                "spec": {
                    "capacity": {"storage": f"{STORAGE_GIB}Gi"}, "accessModes": ["ReadWriteOnce"],
                    "storageClassName": "here", "local": {"path": f"{self.work}/volume"},
                    "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
                },
            },
        ]  # fmt: skip


def network() -> dict[str, Any]:
    """Return CNI's configuration: a routed pair for each pod, so that all between pods passes the node's rules."""
    addresses = {"type": "host-local", "ranges": [[{"subnet": PODS}]], "routes": [{"dst": "0.0.0.0/0"}]}
    return {"cniVersion": "0.4.0", "name": "pods", "plugins": [{"type": "ptp", "ipMasq": True, "ipam": addresses}]}


def names() -> list[dict[str, Any]]:
    """Return CoreDNS as clusters have it: what the NetworkPolicies call kube-dns."""
    group, meta = "rbac.authorization.k8s.io", {"name": "coredns", "namespace": "kube-system"}
    labels = {"k8s-app": "kube-dns"}
    reads = [
        {"apiGroups": [""], "resources": ["endpoints", "services", "pods", "namespaces"], "verbs": ["list", "watch"]},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
    ]
    container = {
        "name": "coredns", "image": COREDNS_IMAGE, "imagePullPolicy": "IfNotPresent",
        "args": ["-conf", "/etc/coredns/Corefile"], "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181}},
        "volumeMounts": [{"name": "config", "mountPath": "/etc/coredns"}],
    }  # fmt: skip
    pod = {
        "serviceAccountName": "coredns", "dnsPolicy": "Default", "containers": [container],
        "volumes": [{"name": "config", "configMap": {"name": "coredns"}}],
    }  # fmt: skip
    ports = [{"name": p.lower(), "port": 53, "protocol": p} for p in ("UDP", "TCP")]
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta},
        {"apiVersion": f"{group}/v1", "kind": "ClusterRole", "metadata": {"name": "coredns"}, "rules": reads},
        {
            "apiVersion": f"{group}/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "coredns"},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "coredns"},
            "subjects": [{"kind": "ServiceAccount", **meta}],
        },
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"Corefile": COREFILE}},
        {
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta,
            "spec": {
                "replicas": 1, "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": pod},
            },
        },
        {
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "kube-dns", "namespace": "kube-system"},
            "spec": {"clusterIP": NAMES, "selector": labels, "ports": ports},
        },
    ]  # fmt: skip
