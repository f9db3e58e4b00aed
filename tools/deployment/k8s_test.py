"""`make k8s-test`: a real Kubernetes of one node on this machine, `kubectl apply -k deploy/k8s`, kills and a rollout under traffic.

etcd, API server, controller-manager, scheduler, kubelet, kube-proxy and CoreDNS are built from their Go modules (once, into `.cache/kube`)
and run with containerd in namespaces of their own; people come in from outside, by the node's port of the Service. The image is built by the
Docker engine that DOCKER_HOST names. Where no registry of images is reachable, `QPQ_STANDINS=1` has tools/deployment/standins.sh make
PostgreSQL's and Redis's; an overlay changes these images' names, and nothing else. Needs root, and nothing of it is left.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio
import yaml

from tools.demo.conductor import Play, facts, play_at, settle
from tools.deployment.compose import (
    BACK_SECONDS_MAX,
    BUILD_SECONDS_MAX,
    LOOK_SECONDS,
    ROOT,
    UP_SECONDS_MAX,
    ComposeFailed,
    Deployment,
)
from tools.deployment.compose_test import SERVICES, STORES, say, standins, wait_answers
from tools.deployment.k8s_check import K8S, built
from tools.deployment.kube_build import build, lacking
from tools.deployment.kube_cluster import Cluster, lacks, running
from tools.deployment.kube_look import JOBS, NAMESPACE, Pod, look, pods, processes, seen, wait_well
from tools.deployment.kube_parts import ADDRESS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

CACHE = ROOT / ".cache/kube"
IMAGE = "qpq:local"
ROLLOUT_SECONDS_MAX = 900
"""Six Deployments of two, four at a time on two cores, on a machine that does other things."""
WAVE_SECONDS_MAX = ROLLOUT_SECONDS_MAX
"""A wave may have to wait until the rollout is through."""
EVERYBODY = ("alice", "bob", "carol")
GO_MISSING = "the programs of Kubernetes have to be built, and there is no go on the PATH (1.26 or later)"
NOT_SHOWN = (
    "a load balancer: the Service's NodePort stands in for it, and nobody moves between balancers",
    "NetworkPolicies: accepted, but this network does not enforce them (`make k8s-check` compares them with the table)",
    "autoscaling by load: without metrics-server the autoscalers keep their minReplicas",
    "a node that dies, spreading over nodes, disruption budgets in a drain: there is one node",
    "volumes that move with their pod, certificates and stores from elsewhere (overlays/production)",
)
"""Of what deploy/k8s says, what one node cannot show."""


@dataclass
class Orchestrated:
    """The cluster as what the demo's people talk to: the first process of a pod of each kind is killed."""

    cluster: Cluster
    address: str
    victims: Sequence[str]
    deaths: dict[str, float] = field(default_factory=dict)
    """Seconds from each death until the pod was ready again."""
    _next: tuple[Pod, int] | None = None
    """Who is killed next, and its process: looked up beforehand, as kubectl takes its time."""
    _fallen: tuple[Pod, float] | None = None

    async def start(self) -> None:
        """Return once clients are served; after a kill, once the kubelet has brought its victim back."""
        if self._fallen is not None:
            await self._back(*self._fallen)
            self._fallen = None
        left = [kind for kind in self.victims if kind not in self.deaths]
        if left:
            victim = next(p for p in await pods(self.cluster) if p.kind == left[0] and p.well)
            self._next = victim, (await processes(self.cluster))[victim.container]
        await wait_answers(self.address)

    async def _back(self, victim: Pod, since: float) -> None:
        until = time.monotonic() + BACK_SECONDS_MAX
        while True:
            now = next((p for p in await pods(self.cluster) if p.name == victim.name), None)
            if now is None:
                raise ComposeFailed(f"{victim.name} is gone: its container was to come back in it")
            if now.well and now.restarts > victim.restarts:
                break
            if time.monotonic() > until:
                raise ComposeFailed(f"{victim.name} did not come back: {now.phase}")
            await trio.sleep(LOOK_SECONDS)
        self.deaths[victim.kind] = time.monotonic() - since

    async def kill(self) -> float:
        """Kill the first process of a pod of the next kind with SIGKILL; return the moment."""
        assert self._next is not None
        victim, pid = self._next
        moment = time.monotonic()
        await self.cluster.within("kill", "-KILL", str(pid))
        self._fallen = victim, moment
        return moment

    async def stop(self) -> int:
        """Leave it running: it is looked at once more."""
        return 0


@dataclass
class Rollout:
    """`kubectl rollout restart` of every Deployment while everybody goes on sending."""

    cluster: Cluster
    seconds: float = 0
    waves: int = 0
    longest: float = 0
    """Seconds until a message was accepted, at most."""

    async def __call__(self, play: Play, group: str, direct: str) -> None:
        """Play it."""
        play.stage_line("kubectl rollout restart of every Deployment; everybody goes on sending")
        play.begin("rollout", group=(group, EVERYBODY), direct=(direct, ("alice", "bob")))
        talk = {"alice": [group, direct], "bob": [group, direct], "carol": [group]}
        await play.traffic("rollout 0", EVERYBODY, talk)
        await play.until_in_flight()
        began = time.monotonic()
        play.kills.append(began)
        done = trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.follow, done)
            while not done.is_set():
                await until_sent(play, f"#rollout {self.waves}")
                self.waves += 1
                await play.traffic(f"rollout {self.waves}", EVERYBODY, talk)
        self.seconds = time.monotonic() - began
        await until_sent(play, f"#rollout {self.waves}")
        await settle(play, EVERYBODY)
        self.longest = longest_wait(play)

    async def follow(self, done: trio.Event) -> None:
        """Restart, and wait until it is through."""
        await self.cluster.kubectl("-n", NAMESPACE, "rollout", "restart", "deployment")
        for name in SERVICES:
            await self.cluster.kubectl(
                "-n", NAMESPACE, "rollout", "status", f"deployment/{name}", seconds_max=ROLLOUT_SECONDS_MAX
            )
        done.set()


async def until_sent(play: Play, label: str) -> None:
    """Wait until everybody has sent all of a wave."""
    with trio.fail_after(WAVE_SECONDS_MAX):
        while not all(
            any(f["what"] == "traffic done" and f["label"] == label for f in facts(play.people[name].log))
            for name in EVERYBODY
        ):
            await trio.sleep(LOOK_SECONDS)


def longest_wait(play: Play) -> float:
    """Return how long the slowest message of this phase took to be accepted, in seconds."""
    return max((m.accepted_s - m.begun_s for m in play.sent() if m.phase == play.phase and m.accepted_s), default=0)


def images_of(documents: Iterable[dict[str, Any]]) -> set[str]:
    """Return all images that objects name."""
    found = set[str]()

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            if isinstance(value.get("image"), str):
                found.add(value["image"])
            for each in value.values():
                walk(each)
        elif isinstance(value, list):
            for each in value:
                walk(each)

    for document in documents:
        walk(document)
    return found


def overlay(folder: Path, replaced: dict[str, str]) -> str:
    """Return a kustomization of deploy/k8s with other images, each `name:tag`; `folder`: where it will be."""
    images = [
        {"name": name, "newName": image.rpartition(":")[0], "newTag": image.rpartition(":")[2]}
        for name, image in sorted(replaced.items())
    ]
    text: str = yaml.safe_dump({
        "apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization",
        "resources": [os.path.relpath(K8S, folder.resolve())], "images": images,
    })  # fmt: skip
    return text


def changed(before: dict[str, int], after: dict[str, int]) -> list[str]:
    """Return of whose pods something else is wanted than before.

    Not by what kubectl says: it calls configured what the server leaves as it was (lists that are empty, selectors of budgets).
    """
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


async def image(engine: Deployment, *, make: bool) -> dict[str, str]:
    """Build the image of QPQ; return the images of PostgreSQL and Redis that stand in, by the names in the manifests."""
    if "QPQ_STANDINS" in os.environ:
        await standins(engine.environment)
    names = ("BUILD", "RUN")
    given = {name: engine.environment.get(f"QPQ_{name}_IMAGE") or os.environ.get(f"QPQ_{name}_IMAGE") for name in names}
    if make:
        began = time.monotonic()
        words = [w for name, value in given.items() if value for w in ("--build-arg", f"{name}_IMAGE={value}")]
        await engine.call(
            "docker", "build", "-q", "-f", "deploy/Dockerfile", "-t", IMAGE, *words, ".", seconds_max=BUILD_SECONDS_MAX
        )
        say(f"image built: {time.monotonic() - began:.0f} s")
    return {s: i for s in STORES if (i := engine.environment.get(f"QPQ_{s.upper()}_IMAGE"))}


async def bring_images(cluster: Cluster, names: set[str]) -> None:
    """Have the cluster know the images; what the engine has not, it pulls."""
    for name in sorted(names):
        try:
            await cluster.runner.call("docker", "image", "inspect", name)
        except ComposeFailed:
            await cluster.runner.call("docker", "pull", name, seconds_max=UP_SECONDS_MAX)
    await cluster.images(*sorted(names))


async def apply(cluster: Cluster, folder: Path) -> list[str]:
    """Apply everything, wait until it runs, apply it again; return what is off. ComposeFailed."""
    documents, began = built(folder), time.monotonic()
    await bring_images(cluster, images_of(documents))
    say(f"images in containerd: {time.monotonic() - began:.0f} s")
    began, words = time.monotonic(), ("--warnings-as-errors", "apply", "-k", str(folder))
    lines = (await cluster.kubectl(*words)).splitlines()
    off = [] if len(lines) == len(documents) else [f"{len(documents)} objects, but {len(lines)} accepted"]
    say(f"objects accepted: {len(lines)} of {len(documents)}")
    found = await wait_well(cluster, frozenset())
    say(f"pods ready: {len(found)}, Jobs done: {', '.join(JOBS)}; {time.monotonic() - began:.0f} s")
    before = (await seen(cluster)).generations
    await cluster.kubectl(*words)
    again = changed(before, (await seen(cluster)).generations)
    say(f"applied once more: {len(again)} of {len(before)} Deployments and StatefulSets changed")
    off += [f"{name} is replaced by applying the same once more" for name in again]
    await cluster.kubectl("-n", NAMESPACE, "create", "job", "once", "--from=cronjob/renewal")
    await cluster.kubectl(
        "-n", NAMESPACE, "wait", "--for=condition=Complete", "job/once", f"--timeout={BACK_SECONDS_MAX}s"
    )
    say("the renewal of certificates runs through")
    return off


async def run(cluster: Cluster, folder: Path, root: Path, off: list[str]) -> None:
    """Play it all; add what is off, a sentence each. ComposeFailed."""
    off += await apply(cluster, folder)
    found = await wait_well(cluster, frozenset(JOBS))
    weak = await look(cluster, found)
    say(f"processes looked at: {len(found)}, findings {len(weak)}")
    off += weak
    path = "jsonpath={.spec.ports[0].nodePort}"
    port = await cluster.kubectl("-n", NAMESPACE, "get", "service", "gateway", "-o", path)
    address = f"{ADDRESS}:{port}"
    say((await cluster.runner.call(str(Path(sys.executable).with_name("qpqctl")), "test", "--server", address)).strip())
    server = Orchestrated(cluster, address, [*SERVICES, *STORES])
    rollout = Rollout(cluster)
    if await play_at(server, root, "native", rollout):
        off.append("the demo found something")
    say("ready again after: " + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in server.deaths.items()))
    say(
        f"rolled out: {len(SERVICES)} Deployments in {rollout.seconds:.0f} s, {rollout.waves + 1} waves of messages; "
        f"the slowest was accepted after {rollout.longest:.1f} s"
    )
    off += await look(cluster, await wait_well(cluster, frozenset(JOBS), BACK_SECONDS_MAX))


async def tell(cluster: Cluster) -> None:
    """Print what helps to see why it went wrong."""
    for words in (
        ("get", "all", "-o", "wide"),
        ("get", "events", "--field-selector=type=Warning", "--sort-by=.lastTimestamp"),
        ("logs", "--selector=app.kubernetes.io/part-of=qpq", "--all-containers", "--prefix", "--tail=8"),
    ):
        try:
            say("\n".join((await cluster.kubectl("-n", NAMESPACE, *words)).splitlines()[-80:]))
        except ComposeFailed as exc:
            say(str(exc))


async def perform(cache: Path, shares: int, *, make: bool) -> int:
    """Play, and undo everything; return the exit code."""
    needs = lacks()
    if lacking(cache) and shutil.which("go") is None:
        needs.append(GO_MISSING)
    for sentence in needs:
        say(f"k8s-test: {sentence}")
    if needs:
        return 2
    off: list[str] = []
    root = Path(tempfile.mkdtemp(prefix="qpq-k8s-test-"))
    try:
        if programs := lacking(cache):
            began = time.monotonic()
            say(f"building {', '.join(programs)} into {cache}: it takes a while")
            await build(cache)
            say(f"built: {time.monotonic() - began:.0f} s")
        replaced = await image(Deployment("", {}, []), make=make)
        (root / "kustomization.yaml").write_text(overlay(root, replaced))
        began = time.monotonic()
        async with running(cache, shares) as cluster:
            say(f"the cluster runs: {time.monotonic() - began:.0f} s")
            try:
                await run(cluster, root if replaced else K8S, root, off)
            except BaseException:
                with trio.CancelScope(shield=True):
                    await tell(cluster)
                raise
    except ComposeFailed as exc:
        off.append(str(exc))
    except Exception:  # noqa: BLE001 - whatever it is, it is what is off: nurseries put it into groups
        off.append(traceback.format_exc())
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return judge(off)


def judge(off: list[str], tell_: Callable[[str], None] = say) -> int:
    """Print the summary; return the exit code."""
    for sentence in off:
        tell_(f"  OFF: {sentence}")
    tell_("what one node cannot show:")
    for sentence in NOT_SHOWN:
        tell_(f"  {sentence}")
    tell_("k8s-test: " + ("something is off" if off else "nothing lost, doubled or forked; every pod came back"))
    return 1 if off else 0


async def until_told(scope: trio.CancelScope) -> None:
    """End in order when we are told to end."""
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGHUP) as signals:
        async for _ in signals:
            scope.cancel()


def main() -> int:
    """Run once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, default=CACHE, help="where Kubernetes' programs are, or are built")
    parser.add_argument("--built", action="store_true", help="take the image qpq:local as it is")
    parser.add_argument(
        "--cpu-shares",
        type=int,
        default=0,
        help="of the CPU beside others, for all pods together (cgroup v1; 1024: one process)",
    )
    arguments = parser.parse_args()

    async def play() -> int:
        code = 1
        async with trio.open_nursery() as nursery:
            nursery.start_soon(until_told, nursery.cancel_scope)
            code = await perform(arguments.cache.resolve(), arguments.cpu_shares, make=not arguments.built)
            nursery.cancel_scope.cancel()
        return code

    return trio.run(play)


if __name__ == "__main__":
    sys.exit(main())
