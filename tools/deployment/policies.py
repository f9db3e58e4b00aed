"""`python -m tools.deployment.policies [--check]`: write the NetworkPolicies from the table of who may call whom.

Everything is denied first. Then: the bus's table (qpqcore.bus.allowed), who has a store, who has Redis, clients to the
gateway, other domains and federation, name resolution, and probes' port for whoever scrapes it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import yaml

from qpqcore.api.methods import SERVICES
from qpqcore.bus.allowed import MAY_CALL, may_call_of
from qpqserver.secrecy import OWN
from qpqserver.sharing import SEAL
from qpqserver.stores import SERVICES as STORED

K8S = Path(__file__).parents[2] / "deploy" / "k8s"
BUS, METRICS, QUIC, FEDERATION, POSTGRES, REDIS, DNS, API = 7400, 9090, 7000, 7001, 5432, 6379, 53, (443, 6443)
MONITORING = {"namespaceSelector": {"matchLabels": {"qpq.example/monitoring": "true"}}}
"""Label a namespace so, and what runs in it may read /metrics."""
ELSEWHERE = "10.0.0.0/8"
NAMES = {
    "to": [
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
            "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
        }
    ],
    "ports": [{"port": DNS, "protocol": "UDP"}, {"port": DNS, "protocol": "TCP"}],
}
HEAD = (
    "# Written by tools/deployment/policies.py from the table of who may call whom: `make regenerate`, not by hand.\n"
)

Rule = dict[str, Any]


def pods(*names: str) -> list[Rule]:
    """Return peers by their names."""
    return [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": name}}} for name in sorted(names)]


def tcp(*ports: int) -> list[Rule]:
    """Return TCP ports."""
    return [{"port": port, "protocol": "TCP"} for port in ports]


def policy(name: str, ingress: list[Rule], egress: list[Rule]) -> dict[str, Any]:
    """Return the policy of one kind of pod."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name},
        "spec": {
            "podSelector": {"matchLabels": {"app.kubernetes.io/name": name}},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": ingress,
            "egress": egress,
        },
    }


def of_service(name: str) -> dict[str, Any]:
    """Return a service's policy: its callers in, whom it calls out. Its stores are added beside (`to_stores`)."""
    ingress: list[Rule] = [{"from": [MONITORING], "ports": tcp(METRICS)}]
    if name == "gateway":
        ingress.append({"ports": [{"port": QUIC, "protocol": "UDP"}]})
    if MAY_CALL.get(name):
        ingress.append({"from": pods(*MAY_CALL[name]), "ports": tcp(BUS)})
    egress: list[Rule] = [NAMES]
    if called := may_call_of(name):
        egress.append({"to": pods(*called), "ports": tcp(BUS)})
    if name == "federation":
        # Other domains, wherever they are: who they are is proved by certificates. One at another port needs a rule of its own.
        outside: Rule = {"ports": [{"port": FEDERATION, "protocol": "UDP"}]}
        ingress.append(outside)
        egress.append(outside)
    return policy(name, ingress, egress)


def using() -> dict[str, tuple[str, ...]]:
    """Return who uses PostgreSQL and who uses Redis."""
    return {
        "postgres": (*STORED, "migrate"),
        "redis": tuple(service for service, secrets in OWN.items() if SEAL in secrets),
    }


def to_store(store: str, to: list[Rule], port: int) -> dict[str, Any]:
    """Return what lets the users of a store out to it."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": f"to-{store}"},
        "spec": {
            "podSelector": {
                "matchExpressions": [
                    {"key": "app.kubernetes.io/name", "operator": "In", "values": sorted(using()[store])}
                ]
            },
            "policyTypes": ["Egress"],
            "egress": [{"to": to, "ports": tcp(port)}],
        },
    }


def base() -> list[dict[str, Any]]:
    """Return the policies of every cluster."""
    nothing: dict[str, Any] = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "nothing-else"},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
    }
    jobs = [
        policy("migrate", [], [NAMES]),
        # The address of the API server is the cluster's affair.
        policy("secrets", [], [NAMES, {"ports": tcp(*API)}]),
    ]
    return [nothing, *map(of_service, sorted(SERVICES.values())), *jobs]


def stores() -> list[dict[str, Any]]:
    """Return the policies of PostgreSQL and Redis in the cluster."""
    found = []
    for store, port in (("postgres", POSTGRES), ("redis", REDIS)):
        found.append(policy(store, [{"from": pods(*using()[store]), "ports": tcp(port)}], []))
        found.append(to_store(store, pods(store), port))
    return found


def external() -> list[dict[str, Any]]:
    """Return the policies of a cluster whose stores lie elsewhere: in a private network, until one says where."""
    to: list[Rule] = [{"ipBlock": {"cidr": ELSEWHERE}}]
    return [to_store("postgres", to, POSTGRES), to_store("redis", to, REDIS)]


FILES = {
    K8S / "base" / "network-policies.yaml": base,
    K8S / "stores" / "network-policies.yaml": stores,
    K8S / "overlays" / "production" / "network-policies.yaml": external,
}


class Plain(yaml.SafeDumper):  # type: ignore[misc]  # it has no stubs
    """Writes a value that stands twice twice."""

    def ignore_aliases(self, data: Any) -> bool:
        """Name nothing."""
        return True


def text(documents: list[dict[str, Any]]) -> str:
    """Return a file's text."""
    return HEAD + str(yaml.dump_all(documents, Dumper=Plain, sort_keys=False, explicit_start=True))


def main() -> int:
    """Write, or check."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; 1 if something would be written")
    only_check = parser.parse_args().check
    off = [path for path, made in FILES.items() if path.read_text(encoding="utf-8") != text(made())]
    for path in off:
        if only_check:
            print(f"{path.name} of {path.parent.name} is not what the table says: make regenerate", file=sys.stderr)  # noqa: T201 - the tool's purpose
        else:
            path.write_text(text(FILES[path]()), encoding="utf-8")
    return 1 if off and only_check else 0


if __name__ == "__main__":
    sys.exit(main())
