"""`make compose-test`: build the image, bring all of compose.yaml up, enter from outside, kill each container under traffic.

Where no registry of images is reachable, `QPQ_STANDINS=1` has tools/deployment/standins.sh make what stands in for it: the
real PostgreSQL, Redis and Prometheus; compose.yaml is the same but for the images' names.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio

from qpqclient import QpqError, ping
from tools.demo.conductor import play_at
from tools.demo.processes import free_port
from tools.deployment.compose import (
    BACK_SECONDS_MAX,
    BUILD_SECONDS_MAX,
    LOOK_SECONDS,
    ROOT,
    UP_SECONDS_MAX,
    ComposeFailed,
    Container,
    Deployment,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

PROJECT = "qpq-compose-test"
STORES = ("postgres", "redis")
SERVICES = ("gateway", "auth", "keystore", "delivery", "blob", "federation")
OBSERVERS = ("prometheus", "grafana", "collector")
TARGETS_SECONDS_MAX = 120
ANSWER_SECONDS_MAX = 10
NO_ROOT = frozenset({"", "0", "root", "0:0"})


def say(text: str) -> None:
    """Tell how far it is."""
    print(text, flush=True)  # noqa: T201 - the tool's purpose


@dataclass
class Composed:
    """The deployment as what the demo's people talk to; its containers are the victims."""

    deployment: Deployment
    address: str
    victims: Sequence[str]
    deaths: dict[str, float] = field(default_factory=dict)
    """Seconds from each container's death until it was well again."""
    _next: list[Container] = field(default_factory=list)
    _fallen: tuple[Container, float] | None = None

    async def start(self) -> None:
        """Return once clients are served; after a kill, once the policy has brought its victim back."""
        if self._fallen is not None:
            await self._back(*self._fallen)
            self._fallen = None
        else:
            found = await self.deployment.wait_well()
            self._next = [found[name] for name in self.victims]
        await wait_answers(self.address)

    async def _back(self, victim: Container, since: float) -> None:
        until = time.monotonic() + BACK_SECONDS_MAX
        while True:
            now = (await self.deployment.containers())[victim.service]
            if now.well and now.pid != victim.pid:
                break
            if time.monotonic() > until:
                raise ComposeFailed(f"{victim.service} did not come back: {now.status} {now.health}")
            await trio.sleep(LOOK_SECONDS)
        if now.ident != victim.ident:
            raise ComposeFailed(f"{victim.service} is another container: it was not the policy that brought it back")
        self.deaths[victim.service] = time.monotonic() - since

    async def kill(self) -> float:
        """Kill the next container."""
        victim = self._next.pop(0)
        moment = await self.deployment.kill(victim)
        self._fallen = victim, moment
        return moment

    async def stop(self) -> int:
        """Leave it running: it is looked at once more."""
        return 0


async def wait_answers(address: str) -> None:
    """Return once a server answers clients there."""
    with trio.fail_after(BACK_SECONDS_MAX):
        while not await answers(address):
            await trio.sleep(LOOK_SECONDS)


async def answers(address: str) -> bool:
    """Tell whether the server answers that it is well."""
    try:
        return (await ping(address)).status == "ok"
    except QpqError:
        return False


def hardened(entries: list[dict[str, Any]]) -> list[str]:
    """Return what is not as it should be with the containers, a sentence each."""
    off = []
    for entry in entries:
        service = entry["Config"]["Labels"]["com.docker.compose.service"]
        host = entry["HostConfig"]
        checks = {
            "runs as root": entry["Config"]["User"] in NO_ROOT,
            "can write its root": not host["ReadonlyRootfs"],
            "has capabilities": host["CapDrop"] != ["ALL"] or bool(host["CapAdd"]),
            "may gain privileges": not any(o.startswith("no-new-privileges") for o in host["SecurityOpt"] or ()),
            "has no bound of memory": not host["Memory"],
            "has no bound of processes": not host["PidsLimit"],
        }
        off += [f"{service} {what}" for what, bad in checks.items() if bad]
    return off


async def targets_up(port: int) -> list[str]:
    """Wait until Prometheus has all its targets up; return their addresses. ComposeFailed."""
    url = f"http://127.0.0.1:{port}/api/v1/targets?state=active"

    def ask() -> Any:
        with urllib.request.urlopen(url, timeout=ANSWER_SECONDS_MAX) as answer:
            return json.load(answer)

    until = time.monotonic() + TARGETS_SECONDS_MAX
    while True:
        try:
            targets = (await trio.to_thread.run_sync(ask))["data"]["activeTargets"]
        except (OSError, ValueError):
            targets = []
        down = [f"{t['scrapeUrl']} {t['health']} {t['lastError']}" for t in targets if t["health"] != "up"]
        if targets and not down:
            return sorted(t["scrapeUrl"] for t in targets)
        if time.monotonic() > until:
            raise ComposeFailed("targets: " + ("; ".join(down) or "none"))
        await trio.sleep(LOOK_SECONDS)


def published(name: str, port: int) -> str:
    """Return what compose.yaml is told of a port: nothing of a test is reached from elsewhere."""
    return f"127.0.0.1:{port}" if name == "QPQ_PORT" else str(port)


async def standins(environment: dict[str, str]) -> None:
    """Have the images made that stand in for a registry's."""
    say("making the images that stand in for a registry's")
    done = await trio.run_process([str(ROOT / "tools/deployment/standins.sh")], capture_stdout=True)
    for line in done.stdout.decode().split():
        name, _, image = line.partition("=")
        environment[name] = image


async def run(deployment: Deployment, root: Path, ports: dict[str, int], *, build: bool) -> list[str]:
    """Play it all; return what is off, a sentence each. ComposeFailed."""
    off, began = list[str](), time.monotonic()
    if build:
        await deployment.compose("build", seconds_max=BUILD_SECONDS_MAX)
    size = int(await deployment.call("docker", "image", "inspect", "-f", "{{.Size}}", "qpq:local"))
    say(f"image: {size / 1e6:.0f} MB with its base, {time.monotonic() - began:.0f} s")

    began = time.monotonic()
    observers = [
        o for o in OBSERVERS if "QPQ_STANDINS" not in os.environ or f"QPQ_{o.upper()}_IMAGE" in deployment.environment
    ]
    await deployment.compose("up", "-d", *SERVICES, "renewal", *observers, seconds_max=UP_SECONDS_MAX)
    found = await deployment.wait_well()
    say(f"up: {len(found)} containers, {time.monotonic() - began:.0f} s")
    if absent := set(OBSERVERS) - set(observers):
        say(f"no stand-in for {', '.join(sorted(absent))}: not started")
    off += hardened(await deployment.raw())

    address = f"127.0.0.1:{ports['QPQ_PORT']}"
    say((await deployment.call(str(Path(sys.executable).with_name("qpqctl")), "test", "--server", address)).strip())
    if "prometheus" in observers:
        up = await targets_up(ports["QPQ_PROMETHEUS_PORT"])
        say(f"targets up: {len(up)}")

    composed = Composed(deployment, address, [*SERVICES, *STORES, "renewal", *observers])
    if await play_at(composed, root, "native"):
        off.append("the demo found something")
    say("back after: " + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in composed.deaths.items()))
    await deployment.wait_well(BACK_SECONDS_MAX)
    if "prometheus" in observers:
        say(f"targets up again: {len(await targets_up(ports['QPQ_PROMETHEUS_PORT']))}")
    return off


async def perform(*, keep: bool, build: bool) -> int:
    """Play and clear away; return the exit code."""
    ports = {name: free_port() for name in ("QPQ_PORT", "QPQ_PROMETHEUS_PORT", "QPQ_GRAFANA_PORT")}
    deployment = Deployment(PROJECT, {name: published(name, port) for name, port in ports.items()})
    root = Path(tempfile.mkdtemp(prefix="qpq-compose-"))
    off: list[str] = []
    try:
        if "QPQ_STANDINS" in os.environ:
            await standins(deployment.environment)
        off = await run(deployment, root, ports, build=build)
    except ComposeFailed as exc:
        off.append(str(exc))
        with trio.CancelScope(shield=True):
            say(await deployment.compose("logs", "--no-color", "--tail=40"))
    finally:
        if not keep:
            with trio.CancelScope(shield=True):
                await deployment.compose("down", "--volumes", "--timeout", "20")
            shutil.rmtree(root)
    for sentence in off:
        say(f"  OFF: {sentence}")
    say(
        "compose-test: " + ("something is off" if off else "nothing lost, doubled or forked; every container came back")
    )
    return 1 if off else 0


def main() -> int:
    """Run once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave the deployment running")
    parser.add_argument("--built", action="store_true", help="take the image qpq:local as it is")
    arguments = parser.parse_args()

    async def play() -> int:
        return await perform(keep=arguments.keep, build=not arguments.built)

    return trio.run(play)


if __name__ == "__main__":
    sys.exit(main())
