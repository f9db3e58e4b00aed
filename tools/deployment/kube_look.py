"""What a cluster says of the pods of QPQ, what the kernel says of their processes, and whether that is as it should be."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import trio

from tools.deployment.compose import ComposeFailed

if TYPE_CHECKING:
    from tools.deployment.kube_cluster import Cluster

NAMESPACE = "qpq"
UP_SECONDS_MAX = 900
"""From nothing to all ready, on a machine that does other things: PostgreSQL's first start and the migration among it."""
POD_LOOK_SECONDS = 1.0
JOBS = ("secrets", "migrate")
UID = 10001
SECCOMP_FILTER = "2"
PROBE = ": >/qpq-k8s-test"
"""Writes into the root of a container."""
READ_ONLY = "Read-only file system"


@dataclass(frozen=True, slots=True)
class Pod:
    """What the API server says of one."""

    name: str
    kind: str
    """Its label app.kubernetes.io/name."""
    phase: str
    leaving: bool
    ready: bool
    container: str
    """The id of its first container; "": not made yet."""
    restarts: int

    @property
    def job(self) -> bool:
        """Whether it ends when its work is done."""
        return self.kind in JOBS

    @property
    def well(self) -> bool:
        """Whether it does, or did, what it is for."""
        return self.phase == "Succeeded" if self.job else self.ready and not self.leaving


def pod(entry: dict[str, Any]) -> Pod:
    """Read what kubectl prints of a pod."""
    meta, status = entry["metadata"], entry["status"]
    first: dict[str, Any] = next(iter(status.get("containerStatuses", ())), {})
    conditions = {c["type"]: c["status"] for c in status.get("conditions", ())}
    return Pod(
        name=meta["name"], kind=meta["labels"].get("app.kubernetes.io/name", ""), phase=status.get("phase", ""),
        leaving="deletionTimestamp" in meta, ready=conditions.get("Ready") == "True",
        container=first.get("containerID", "").rpartition("/")[2], restarts=first.get("restartCount", 0),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class State:
    """What the API server says of all that is QPQ's, at one moment."""

    pods: list[Pod]
    numbers: dict[str, int]
    """How many pods of each kind there are to be: what autoscalers ask for at least, and the StatefulSets."""
    done: frozenset[str]
    """The Jobs that have completed."""
    generations: dict[str, int]
    """How often what is wanted of the Deployments and StatefulSets has changed."""


def state(entries: list[dict[str, Any]]) -> State:
    """Read what kubectl prints of pods, Jobs, autoscalers, Deployments and StatefulSets."""
    of = {kind: [e for e in entries if e["kind"] == kind] for kind in {e["kind"] for e in entries}}
    scaled = of.get("HorizontalPodAutoscaler", []), of.get("StatefulSet", [])
    return State(
        pods=[pod(e) for e in of.get("Pod", [])],
        numbers={e["metadata"]["name"]: e["spec"]["minReplicas"] for e in scaled[0]}
        | {e["metadata"]["name"]: e["spec"]["replicas"] for e in scaled[1]},
        done=frozenset(
            e["metadata"]["name"] for e in of.get("Job", [])
            if any(c["type"] == "Complete" and c["status"] == "True" for c in e["status"].get("conditions", ()))
        ),
        generations={e["metadata"]["name"]: e["metadata"]["generation"] for e in (*of.get("Deployment", []), *scaled[1])},
    )  # fmt: skip


async def seen(cluster: Cluster) -> State:
    """Ask for everything, in one call: each costs a third of a second of a core."""
    kinds = "pods,jobs,hpa,deployments,statefulsets"
    return state(json.loads(await cluster.kubectl("-n", NAMESPACE, "get", kinds, "-o", "json"))["items"])


async def pods(cluster: Cluster) -> list[Pod]:
    """Return all pods of QPQ."""
    answer = await cluster.kubectl("-n", NAMESPACE, "get", "pods", "-o", "json")
    return [pod(entry) for entry in json.loads(answer)["items"]]


def missing(found: list[Pod], numbers: dict[str, int], jobs: frozenset[str]) -> list[str]:
    """Return what is not there or not well yet, some words each; `jobs`: those that have completed."""
    off = [f"{p.name} {p.phase}{' leaving' if p.leaving else ''}" for p in found if not p.job and not p.well]
    for kind, number in numbers.items():
        well = sum(1 for p in found if p.kind == kind and p.well)
        if well < number:
            off.append(f"{kind}: {well} of {number} ready")
    return off + [f"job {name} not done" for name in JOBS if name not in jobs]


async def wait_well(cluster: Cluster, jobs: frozenset[str], seconds_max: float = UP_SECONDS_MAX) -> list[Pod]:
    """Wait until as many pods as there are to be are ready, and no other; `jobs`: done earlier. ComposeFailed says who is not."""
    until = time.monotonic() + seconds_max
    while True:
        now = await seen(cluster)
        off = missing(now.pods, now.numbers, jobs | now.done)
        if not off:
            return [p for p in now.pods if not p.job]
        if dead := cluster.dead():
            raise ComposeFailed("\n".join(f"{name} has ended: {cluster.last(name)}" for name in dead))
        if time.monotonic() > until:
            raise ComposeFailed("not well: " + ", ".join(off))
        await trio.sleep(POD_LOOK_SECONDS)


def fields(status: str) -> dict[str, str]:
    """Read /proc/PID/status."""
    return {name: " ".join(value.split()) for name, _, value in (line.partition(":") for line in status.splitlines())}


def root_options(mountinfo: str) -> list[str]:
    """Return how the root is mounted; of mounts over each other the last counts."""
    lines = [line.split() for line in mountinfo.splitlines()]
    return next((line[5].split(",") for line in reversed(lines) if line[4] == "/"), [])


def hardened(kind: str, status: str, mountinfo: str, limits: str) -> list[str]:
    """Return what a process may do that it should not, a sentence each."""
    seen = fields(status)
    ids = {seen[name] for name in ("Uid", "Gid")}
    checks = {
        "does not run as its own user": ids != {" ".join([str(UID)] * 4)},
        "has capabilities": any(int(seen[c], 16) for c in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")),
        "may gain privileges": seen["NoNewPrivs"] != "1",
        "may use every call of the kernel": seen["Seccomp"] != SECCOMP_FILTER,
        "has a root that can be written": "ro" not in root_options(mountinfo),
        "has no bound of memory": limits.strip() in {"", "max"} or int(limits) >= 2**62,
    }
    return [f"{kind} {what}" for what, bad in checks.items() if bad]


async def processes(cluster: Cluster) -> dict[str, int]:
    """Return the first process of each container, by the id that it has inside."""
    lines = (await cluster.ctr("tasks", "ls")).splitlines()[1:]
    return {words[0]: int(words[1]) for words in map(str.split, lines)}


async def memory_bound(cluster: Cluster, pid: int) -> str:
    """Return the bound of memory that the kernel holds a process to, in bytes or "max"; "": it is in no group."""
    for line in (cluster.proc(pid) / "cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        for file in (
            f"/sys/fs/cgroup/{path}/memory.max" if not names else "",
            f"/sys/fs/cgroup/memory/{path}/memory.limit_in_bytes" if "memory" in names.split(",") else "",
        ):
            if file and await trio.Path(file).exists():
                return await trio.Path(file).read_text()
    return ""


async def look(cluster: Cluster, found: list[Pod]) -> list[str]:
    """Look at the process of each pod, and try to write into each root; return what is off."""
    running, off = await processes(cluster), list[str]()
    for p in found:
        proc = cluster.proc(running[p.container])
        off += hardened(
            p.name, (proc / "status").read_text(), (proc / "mountinfo").read_text(),
            await memory_bound(cluster, running[p.container]),
        )  # fmt: skip
        try:
            await cluster.kubectl("-n", NAMESPACE, "exec", p.name, "--", "sh", "-c", PROBE)
        except ComposeFailed as exc:
            if READ_ONLY not in str(exc):
                off.append(f"{p.name}: writing into its root fails, but not for being read-only: {exc}")
        else:
            off.append(f"{p.name} has written into its root")
    return off
