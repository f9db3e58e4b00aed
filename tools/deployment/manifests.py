"""What a Kubernetes manifest names is looked up where it has to be: no word in it may mean nothing.

Secrets have the keys that `qpqctl secrets cluster`, called as the manifest calls it, makes. Arguments and environment are read
by the program's own code. Ports, probes, mounts and selectors are looked up in the manifest itself.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import click

from qpqcore.config.settings import ENV_PREFIX, ConfigError, Settings, load
from qpqserver import cluster, ctl, main, secrecy
from qpqserver.ctl.secrets import complete

if TYPE_CHECKING:
    from collections.abc import Iterator

Document = dict[str, Any]
PROGRAMS: dict[str, click.Command] = {"qpq-server": main.main, "qpqctl": ctl.main}
PAGES = frozenset({"/livez", "/readyz"})
"""What a probe may ask for (qpqcore.runtime.health)."""
IMAGE_UID = 10001
OURS = "qpq"
"""The image's name before kustomize puts the deployment's there."""
NAMING_FILES = frozenset({
    "QPQ_TLS_CERT", "QPQ_TLS_KEY", "QPQ_REDIS_CA", "QPQ_FEDERATION_CERT", "QPQ_FEDERATION_KEY", "QPQ_FEDERATION_CA",
})  # fmt: skip
"""Settings that are paths, beside those that say so."""
KINDS_WITH_PODS = {
    "Deployment": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}
GIVEN = {
    "qpq-edge": frozenset({"tls.crt", "tls.key"}),
    "qpq-federation-edge": frozenset({"tls.crt", "tls.key", "ca.crt"}),
}
"""Secrets that the operator brings (docs/operate/kubernetes.md)."""


@dataclass
class Manifests:
    """What one kustomization builds."""

    documents: list[Document]
    findings: list[str] = field(default_factory=list)

    def off(self, where: str, what: str) -> None:
        """Note something that is off."""
        self.findings.append(f"{where}: {what}")

    def of(self, kind: str) -> dict[str, Document]:
        """Return the objects of a kind by their names."""
        return {d["metadata"]["name"]: d for d in self.documents if d["kind"] == kind}

    def pods(self) -> Iterator[tuple[str, Document]]:
        """Yield each pod's template, and whose it is."""
        for document in self.documents:
            path = KINDS_WITH_PODS.get(document["kind"])
            if path:
                found = document
                for step in path:
                    found = found[step]
                yield f"{document['kind']} {document['metadata']['name']}", found


def check(documents: list[Document]) -> list[str]:
    """Return what is off in a kustomization's objects, a sentence each."""
    all_ = Manifests(documents)
    secrets = secret_keys(all_)
    for where, template in all_.pods():
        _pod(all_, where, template, secrets)
    _selectors(all_)
    _services(all_)
    _scaled(all_)
    _policies(all_)
    _rights(all_, secrets)
    return all_.findings


# --- what there is


def secret_keys(all_: Manifests) -> dict[str, frozenset[str]]:
    """Return each Secret's keys: those that the job makes, called as it is called here, and those that are given."""
    found = dict(GIVEN)
    words = [
        word for where, t in all_.pods() if where == "Job secrets" for word in t["spec"]["containers"][0]["command"]
    ]
    if not words:
        all_.off("Job secrets", "is missing: nobody makes the Secrets")
        return found
    values = dict(word[2:].split("=", 1) for word in words if word.startswith("--") and "=" in word)
    with tempfile.TemporaryDirectory(prefix="qpq-k8s-check-") as made:
        complete(Path(made), "localhost", **values)
        for folder in cluster.FOLDERS:
            path = Path(made) / folder
            if path.is_dir():
                found[cluster.PREFIX + folder] = frozenset(file.name for file in path.iterdir())
    return found


# --- pods


def _pod(all_: Manifests, where: str, template: Document, secrets: dict[str, frozenset[str]]) -> None:
    spec = template["spec"]
    volumes = {volume["name"]: volume for volume in spec.get("volumes", [])}
    owner = next((d for d in all_.documents if f"{d['kind']} {d['metadata']['name']}" == where), {})
    claims = {
        claim["metadata"]["name"]: {"claim": claim} for claim in owner.get("spec", {}).get("volumeClaimTemplates", [])
    }
    for name, volume in volumes.items():
        _volume(all_, f"{where}, volume {name}", volume, secrets)
    context = spec.get("securityContext", {})
    if not context.get("runAsNonRoot") or context.get("runAsUser") != IMAGE_UID:
        all_.off(where, f"does not run as user {IMAGE_UID}, who is not root")
    if context.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        all_.off(where, "has no seccomp profile")
    for container in [*spec.get("initContainers", []), *spec["containers"]]:
        _container(all_, f"{where}, {container['name']}", container, volumes | claims, secrets)


def _volume(all_: Manifests, where: str, volume: Document, secrets: dict[str, frozenset[str]]) -> None:
    if "secret" in volume:
        name = volume["secret"]["secretName"]
        if name not in secrets:
            all_.off(where, f"nobody makes Secret {name}")
        for item in volume["secret"].get("items", []):
            if item["key"] not in secrets.get(name, ()):
                all_.off(where, f"Secret {name} has no key {item['key']}")
        if volume["secret"].get("defaultMode", 0o644) & 0o007:
            all_.off(where, f"Secret {name} can be read by everybody in the pod")
    if "configMap" in volume:
        name, maps = volume["configMap"]["name"], all_.of("ConfigMap")
        if name not in maps:
            all_.off(where, f"there is no ConfigMap {name}")
        for item in volume["configMap"].get("items", []):
            if item["key"] not in maps.get(name, {}).get("data", {}):
                all_.off(where, f"ConfigMap {name} has no key {item['key']}")


def _container(
    all_: Manifests, where: str, container: Document, volumes: Document, secrets: dict[str, frozenset[str]]
) -> None:
    context = container.get("securityContext", {})
    if not context.get("readOnlyRootFilesystem"):
        all_.off(where, "can write its root")
    if context.get("capabilities", {}).get("drop") != ["ALL"] or context.get("capabilities", {}).get("add"):
        all_.off(where, "has capabilities")
    if context.get("allowPrivilegeEscalation", True):
        all_.off(where, "may gain privileges")
    if "memory" not in container.get("resources", {}).get("limits", {}):
        all_.off(where, "has no bound of memory")
    for mount in container.get("volumeMounts", []):
        if mount["name"] not in volumes:
            all_.off(where, f"mounts {mount['name']}, which its pod has not")
    environment = _environment(all_, where, container, secrets)
    ports = {port.get("name"): port for port in container.get("ports", [])}
    words: list[str] = container.get("command", [])
    if words and words[0] in PROGRAMS:
        _settings(all_, where, words, environment, ports)
        _files(all_, where, container, environment, volumes, secrets)
    elif words or container["image"].split(":")[0].split("/")[-1] == OURS:
        all_.off(where, f"{(words or ['nothing'])[0]} is no program of the image")
    _probes(all_, where, container, ports, ours=bool(words) and words[0] in PROGRAMS)


def _environment(
    all_: Manifests, where: str, container: Document, secrets: dict[str, frozenset[str]]
) -> dict[str, str]:
    found: dict[str, str] = {}
    maps = all_.of("ConfigMap")
    for source in container.get("envFrom", []):
        name = source["configMapRef"]["name"]
        if name not in maps:
            all_.off(where, f"there is no ConfigMap {name}")
        found |= maps.get(name, {}).get("data", {})
    for variable in container.get("env", []):
        source = variable.get("valueFrom", {})
        found[variable["name"]] = variable.get("value", "")
        if "configMapKeyRef" in source:
            values = maps.get(source["configMapKeyRef"]["name"], {}).get("data", {})
            found[variable["name"]] = values.get(source["configMapKeyRef"]["key"], "")
        for kind, there in (
            ("secretKeyRef", secrets),
            ("configMapKeyRef", {n: m.get("data", {}) for n, m in maps.items()}),
        ):
            if kind in source and source[kind]["key"] not in there.get(source[kind]["name"], ()):
                all_.off(where, f"{source[kind]['name']} has no key {source[kind]['key']}")
    return found


def _settings(
    all_: Manifests, where: str, words: list[str], environment: dict[str, str], ports: dict[str, Document]
) -> None:
    known = {ENV_PREFIX + name.upper() for name in Settings.__dataclass_fields__}
    for name in environment:
        if name not in known:
            all_.off(where, f"{name} is no setting")
    service = words[1] if words[0] == "qpq-server" else None
    try:
        _parse(PROGRAMS[words[0]], words[1:])
        settings = load(None, environment, {}, service=service)
    except click.ClickException as exc:
        all_.off(where, f"{' '.join(words)}: {exc.format_message()}")
        return
    except ConfigError as exc:
        all_.off(where, str(exc))
        return
    if service is None:
        return
    served = {"metrics": ("TCP", settings.metrics_listen), "bus": ("TCP", settings.bus_listen)}
    if service == "gateway":
        served = {"metrics": served["metrics"], "quic": ("UDP", settings.listen)}
    if service == "federation":
        served["federation"] = ("UDP", settings.federation_listen)
    for name, (protocol, address) in served.items():
        port = ports.get(name)
        if port is None:
            all_.off(where, f"has no port {name}")
        elif (port.get("protocol", "TCP"), f"0.0.0.0:{port['containerPort']}") != (protocol, address):
            all_.off(
                where,
                f"port {name} is {port['containerPort']}/{port.get('protocol')}, the program serves {address}/{protocol}",
            )


def _parse(command: click.Command, words: list[str]) -> None:
    """Let click read a command line, and its subcommands, without running it. ClickException."""
    for parameter in command.params:
        # What is mounted there is looked up by `_files`; it does not exist here.
        if isinstance(parameter.type, click.Path):
            parameter.type.exists = False
    context = command.make_context(command.name or "", list(words), resilient_parsing=False)
    if isinstance(command, click.Group):
        rest = [*context._protected_args, *context.args]  # noqa: SLF001 - click has no other way to read without running
        _, below, rest = command.resolve_command(context, rest)
        if below is not None:
            _parse(below, rest)


def _files(
    all_: Manifests, where: str, container: Document, environment: dict[str, str], volumes: Document,
    secrets: dict[str, frozenset[str]],
) -> None:  # fmt: skip
    """Look up each file that a setting names below what is mounted, and the secrets that the service needs."""
    mounted: dict[str, Any] = {}
    for mount in container.get("volumeMounts", []):
        volume = volumes.get(mount["name"], {})
        if "secret" in volume:
            items = volume["secret"].get("items")
            keys = (
                {item["path"] for item in items} if items else secrets.get(volume["secret"]["secretName"], frozenset())
            )
            mounted[mount["mountPath"]] = keys
        elif "configMap" in volume:
            mounted[mount["mountPath"]] = (
                all_.of("ConfigMap").get(volume["configMap"]["name"], {}).get("data", {}).keys()
            )
    for name, value in environment.items():
        if not (name.endswith("_FILE") or name in NAMING_FILES) or not value:
            continue
        path = PurePosixPath(value)
        if path.name not in mounted.get(str(path.parent), ()):
            all_.off(where, f"{name}: nothing brings {value}")
    words = container["command"]
    if words[0] == "qpq-server" and words[1] in secrecy.OWN:
        there = mounted.get(environment.get("QPQ_SECRETS_DIR", ""), frozenset())
        stored = environment.get("QPQ_STORE_BACKEND") == "postgres"
        needed = secrecy.needed(words[1]) - ({"db.key"} if stored else set()) | {"bus.pem", "bus.key", "bus-ca.pem"}
        if missing := sorted(needed - set(there)):
            all_.off(where, f"lacks {', '.join(missing)}")


def _probes(all_: Manifests, where: str, container: Document, ports: dict[str, Document], *, ours: bool) -> None:
    for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
        probe = container.get(kind, {})
        if "exec" in probe and "timeoutSeconds" not in probe:
            all_.off(where, f"{kind}: a program has one second, unless timeoutSeconds says more")
        asked = probe.get("httpGet") or probe.get("tcpSocket")
        if asked and isinstance(asked["port"], str) and asked["port"] not in ports:
            all_.off(where, f"{kind}: there is no port {asked['port']}")
        if ours and "httpGet" in probe and probe["httpGet"]["path"] not in PAGES:
            all_.off(where, f"{kind}: there is no page {probe['httpGet']['path']}")


# --- what points at pods


def _labels(all_: Manifests) -> list[tuple[str, dict[str, str], Document]]:
    return [(where, t.get("metadata", {}).get("labels", {}), t) for where, t in all_.pods()]


def _matching(all_: Manifests, selector: dict[str, str]) -> list[Document]:
    return [t for _, labels, t in _labels(all_) if selector.items() <= labels.items()]


def _selectors(all_: Manifests) -> None:
    for kind in ("Deployment", "StatefulSet"):
        for name, document in all_.of(kind).items():
            selector = document["spec"]["selector"]["matchLabels"]
            if not selector.items() <= document["spec"]["template"]["metadata"]["labels"].items():
                all_.off(f"{kind} {name}", "does not select its own pods")
    for name, document in all_.of("PodDisruptionBudget").items():
        if not _matching(all_, document["spec"]["selector"]["matchLabels"]):
            all_.off(f"PodDisruptionBudget {name}", "is of no pod")


def _services(all_: Manifests) -> None:
    for name, document in all_.of("Service").items():
        pods = _matching(all_, document["spec"]["selector"])
        if not pods:
            all_.off(f"Service {name}", "is of no pod")
        ports = {p.get("name"): p for t in pods for c in t["spec"]["containers"] for p in c.get("ports", [])}
        for port in document["spec"]["ports"]:
            target = ports.get(port["targetPort"])
            if pods and (target is None or target.get("protocol", "TCP") != port.get("protocol", "TCP")):
                all_.off(f"Service {name}", f"its pods have no port {port['targetPort']}/{port.get('protocol', 'TCP')}")
    _peers(all_)


def _peers(all_: Manifests) -> None:
    """Look up where services are told that the others are."""
    services = all_.of("Service")
    for name, document in all_.of("ConfigMap").items():
        for peer in filter(None, document.get("data", {}).get("QPQ_BUS_PEERS", "").split(",")):
            host, _, port = peer.partition("=")[2].rpartition(":")
            ports = [str(p["port"]) for p in services.get(host, {}).get("spec", {}).get("ports", [])]
            if port not in ports:
                all_.off(f"ConfigMap {name}", f"bus_peers: no Service serves {host}:{port}")


def _scaled(all_: Manifests) -> None:
    for name, document in all_.of("HorizontalPodAutoscaler").items():
        target = document["spec"]["scaleTargetRef"]
        there = all_.of(target["kind"]).get(target["name"])
        if there is None:
            all_.off(f"HorizontalPodAutoscaler {name}", f"there is no {target['kind']} {target['name']}")
        elif "replicas" in there["spec"]:
            all_.off(f"{target['kind']} {target['name']}", "says how many replicas; its autoscaler does")


def _policies(all_: Manifests) -> None:
    """Every pod has a policy of its own beside the one that denies all."""
    whole = [
        document["spec"]["podSelector"].get("matchLabels", {})
        for document in all_.of("NetworkPolicy").values()
        if {"Ingress", "Egress"} <= set(document["spec"]["policyTypes"])
        and "matchExpressions" not in document["spec"]["podSelector"]
    ]
    for where, labels, _ in _labels(all_):
        covering = [selector for selector in whole if selector.items() <= labels.items()]
        if {} not in covering or covering == [{}]:
            all_.off(where, "has no NetworkPolicy of its own beside the one that denies all")


def _rights(all_: Manifests, secrets: dict[str, frozenset[str]]) -> None:
    """The job may write exactly the Secrets that it makes."""
    role = all_.of("Role").get("secrets", {"rules": []})
    named = {name for rule in role["rules"] for name in rule.get("resourceNames", [])}
    made = {cluster.PREFIX + folder for folder in cluster.FOLDERS} & secrets.keys() | {
        f"{cluster.PREFIX}redis",
        f"{cluster.PREFIX}postgres",
        f"{cluster.PREFIX}migrate",
    }
    if named != made:
        all_.off(
            "Role secrets", f"names {', '.join(sorted(named ^ made))}, or does not, where the job does not, or does"
        )
