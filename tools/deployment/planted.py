"""Faults that `make k8s-check` plants into what deploy/k8s builds: each has to be found, or the check is worth nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from tools.deployment.manifests import Manifests

Document = dict[str, Any]


def pod(all_: Manifests, kind: str, name: str) -> Document:
    """Return a pod's specification."""
    found: Document = all_.of(kind)[name]["spec"]["template"]["spec"]
    return found


def first(all_: Manifests, kind: str, name: str) -> Document:
    """Return its first container."""
    found: Document = pod(all_, kind, name)["containers"][0]
    return found


def variable(all_: Manifests, name: str, key: str, value: str) -> None:
    """Give a Deployment's variable another value."""
    for entry in first(all_, "Deployment", name)["env"]:
        if entry["name"] == key:
            entry["value"] = value


def drop(all_: Manifests, kind: str, name: str) -> None:
    """Take an object out."""
    all_.documents.remove(all_.of(kind)[name])


def settings(all_: Manifests, key: str, value: str) -> None:
    """Give a common setting another value."""
    next(iter(d for n, d in all_.of("ConfigMap").items() if n.startswith("qpq-settings")))["data"][key] = value


FAULTS: dict[str, tuple[Callable[[Manifests], object], str]] = {
    "a Secret that nobody makes": (
        lambda a: pod(a, "Deployment", "auth")["volumes"][-1]["secret"].update(secretName="qpq-oauth"),
        "nobody makes Secret qpq-oauth",
    ),
    "another service's Secret": (
        lambda a: next(v for v in pod(a, "Deployment", "auth")["volumes"] if "secret" in v)["secret"].update(
            secretName="qpq-blob"
        ),
        "lacks assert.account.auth.auth",
    ),
    "a key that the Secret has not": (
        lambda a: variable(a, "delivery", "QPQ_DATABASE_URL_FILE", "/secrets/database_url"),
        "nothing brings /secrets/database_url",
    ),
    "a ConfigMap that is not there": (
        lambda a: first(a, "Deployment", "blob")["envFrom"][0]["configMapRef"].update(name="qpq-setings"),
        "there is no ConfigMap qpq-setings",
    ),
    "a key that the ConfigMap has not": (
        lambda a: first(a, "Job", "secrets")["env"][0]["valueFrom"]["configMapKeyRef"].update(key="QPQ_DOMAIN"),
        "has no key QPQ_DOMAIN",
    ),
    "a setting that the program does not know": (
        lambda a: settings(a, "QPQ_BUS_PEER", "auth=auth:7400"),
        "QPQ_BUS_PEER is no setting",
    ),
    "a value that the program refuses": (
        lambda a: settings(a, "QPQ_REGISTRATION", "everybody"),
        "registration is one of",
    ),
    "a service that the program has not": (
        lambda a: first(a, "Deployment", "keystore").update(command=["qpq-server", "keystroe"]),
        "'keystroe' is not one of",
    ),
    "an option that the tool has not": (
        lambda a: first(a, "Job", "migrate")["command"].append("--yes"),
        "No such option",
    ),
    "a program that the image has not": (
        lambda a: first(a, "Deployment", "federation").update(command=["qpqd", "federation"]),
        "qpqd is no program of the image",
    ),
    "a probe of a page that is not there": (
        lambda a: first(a, "Deployment", "auth")["readinessProbe"]["httpGet"].update(path="/ready"),
        "there is no page /ready",
    ),
    "a probe of a port that is not there": (
        lambda a: first(a, "Deployment", "auth")["livenessProbe"]["httpGet"].update(port="http"),
        "there is no port http",
    ),
    "a probe whose program has one second": (
        lambda a: first(a, "StatefulSet", "postgres")["readinessProbe"].pop("timeoutSeconds"),
        "a program has one second",
    ),
    "a Service of a port that is not there": (
        lambda a: a.of("Service")["delivery"]["spec"]["ports"][0].update(targetPort="buss"),
        "its pods have no port buss/TCP",
    ),
    "QUIC over TCP": (
        lambda a: a.of("Service")["gateway"]["spec"]["ports"][0].update(protocol="TCP"),
        "its pods have no port quic/TCP",
    ),
    "a port that the program does not serve": (
        lambda a: next(p for p in first(a, "Deployment", "gateway")["ports"] if p["name"] == "quic").update(
            containerPort=7001
        ),
        "the program serves 0.0.0.0:7000/UDP",
    ),
    "other domains over TCP": (
        lambda a: a.of("Service")["federation-edge"]["spec"]["ports"][0].update(protocol="TCP"),
        "its pods have no port federation/TCP",
    ),
    "another port for other domains than the program serves": (
        lambda a: settings(a, "QPQ_FEDERATION_LISTEN", "0.0.0.0:7002"),
        "the program serves 0.0.0.0:7002/UDP",
    ),
    "other domains without a certificate to show them": (
        lambda a: settings(a, "QPQ_FEDERATION_ENABLED", "true"),
        "federation_enabled needs federation_cert",
    ),
    "a Service of no pod": (
        lambda a: a.of("Service")["blob"]["spec"]["selector"].update({"app.kubernetes.io/name": "blobs"}),
        "is of no pod",
    ),
    "a neighbour where nobody is": (
        lambda a: settings(
            a, "QPQ_BUS_PEERS", "auth=auth:7400,keystore=keystore:7400,delivery=delivery:7401,blob=blob:7400"
        ),
        "no Service serves delivery:7401",
    ),
    "a container that can write its root": (
        lambda a: first(a, "Deployment", "gateway")["securityContext"].update(readOnlyRootFilesystem=False),
        "can write its root",
    ),
    "a container with a capability": (
        lambda a: first(a, "Deployment", "gateway")["securityContext"]["capabilities"].update(add=["NET_BIND_SERVICE"]),
        "has capabilities",
    ),
    "a pod that runs as root": (
        lambda a: pod(a, "Deployment", "auth")["securityContext"].update(runAsUser=0),
        "does not run as user 10001",
    ),
    "a mount of nothing": (
        lambda a: first(a, "Deployment", "auth")["volumeMounts"][0].update(name="dat"),
        "mounts dat, which its pod has not",
    ),
    "a pod without a NetworkPolicy": (
        lambda a: drop(a, "NetworkPolicy", "keystore"),
        "has no NetworkPolicy of its own",
    ),
    "replicas beside an autoscaler": (
        lambda a: a.of("Deployment")["auth"]["spec"].update(replicas=2),
        "its autoscaler does",
    ),
    "a Secret that the job may not write": (
        lambda a: a.of("Role")["secrets"]["rules"][1]["resourceNames"].remove("qpq-blob"),
        "qpq-blob",
    ),
    "a field that Kubernetes does not know": (
        lambda a: pod(a, "Deployment", "auth").update(automountServiceAcountToken=False),
        "automountServiceAcountToken",
    ),
    "a word where a number belongs": (
        lambda a: a.of("HorizontalPodAutoscaler")["auth"]["spec"].update(maxReplicas="six"),
        "'six' is not of type",
    ),
}
"""What is planted, how, and what the check has to say."""
