"""A deployment under Docker: the clone's own compose.yaml, in a project of its own, and what can be read of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio

ROOT = Path(__file__).parents[2]
UP_SECONDS_MAX = 600
"""From nothing to all healthy: PostgreSQL's first start among it."""
BACK_SECONDS_MAX = 180
LOOK_SECONDS = 0.25
BUILD_SECONDS_MAX = 3_600
COMMAND_SECONDS_MAX = 300
JOBS = frozenset({"secrets", "migrate"})
"""Their containers end."""


class ComposeFailed(Exception):
    """A command of Docker's has failed; the text has its last lines."""


def compose_command() -> list[str]:
    """Return how Compose is called here: version 2, or Debian's 1.29."""
    second = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)  # noqa: S607 - from the PATH
    return ["docker", "compose"] if second.returncode == 0 else ["docker-compose"]


@dataclass(frozen=True, slots=True)
class Container:
    """What the engine says of one."""

    ident: str
    service: str
    status: str
    health: str
    """"": it has no health check."""
    pid: int
    restarts: int
    exit_code: int

    @property
    def well(self) -> bool:
        """Whether it does what it is for."""
        return self.status == "running" and self.health in {"", "healthy"}


@dataclass
class Deployment:
    """One project."""

    project: str
    environment: dict[str, str]
    """Beside this process's own: ports and images."""
    command: list[str] = field(default_factory=compose_command)

    async def compose(self, *words: str, seconds_max: float = COMMAND_SECONDS_MAX) -> str:
        """Give a command to Compose; return what it prints. ComposeFailed."""
        return await self.call(*self.command, "-p", self.project, *words, seconds_max=seconds_max)

    async def call(self, *words: str, seconds_max: float = COMMAND_SECONDS_MAX) -> str:
        """Run a program in the clone's root; return what it prints. ComposeFailed."""
        with trio.fail_after(seconds_max):
            done = await trio.run_process(
                list(words), cwd=ROOT, env={**os.environ, **self.environment}, check=False, capture_stdout=True,
                capture_stderr=True,
            )  # fmt: skip
        if done.returncode:
            tail = (done.stdout + done.stderr).decode(errors="replace").splitlines()[-25:]
            raise ComposeFailed("\n".join([f"{' '.join(words)}: {done.returncode}", *tail]))
        return done.stdout.decode()

    async def raw(self) -> list[dict[str, Any]]:
        """Return what the engine says of all containers of the project."""
        label = f"label=com.docker.compose.project={self.project}"
        idents = (await self.call("docker", "ps", "-a", "-q", "--filter", label)).split()
        return json.loads(await self.call("docker", "inspect", *idents)) if idents else []

    async def containers(self) -> dict[str, Container]:
        """Return the containers by their services' names."""
        found = {}
        for entry in await self.raw():
            state, service = entry["State"], entry["Config"]["Labels"]["com.docker.compose.service"]
            found[service] = Container(
                ident=entry["Id"], service=service, status=state["Status"],
                health=state.get("Health", {}).get("Status", ""), pid=state["Pid"],
                restarts=entry["RestartCount"], exit_code=state["ExitCode"],
            )  # fmt: skip
        return found

    async def wait_well(self, seconds_max: float = UP_SECONDS_MAX) -> dict[str, Container]:
        """Wait until jobs have ended with 0 and all else is healthy. ComposeFailed says who is not."""
        until = time.monotonic() + seconds_max
        while True:
            found = await self.containers()
            off = [
                c for c in found.values() if (c.status != "exited" or c.exit_code if c.service in JOBS else not c.well)
            ]
            if found and not off:
                return found
            if time.monotonic() > until:
                raise ComposeFailed("not well: " + ", ".join(f"{c.service} {c.status} {c.health}" for c in off))
            await trio.sleep(LOOK_SECONDS)

    async def kill(self, container: Container) -> float:
        """Kill a container's first process with SIGKILL; return the moment, in seconds of the monotonic clock.

        By its process: a `docker kill` counts as an operator's wish, after which the policy restarts nothing.
        """
        if is_of(container.pid, container.ident):
            moment = time.monotonic()
            os.kill(container.pid, signal.SIGKILL)
            return moment
        script = f"import os; os.kill({container.pid}, 9)"
        image = self.environment.get("QPQ_IMAGE", "qpq:local")
        moment = time.monotonic()
        await self.call(
            "docker", "run", "--rm", "--pid=host", "--privileged", "--user=0", image, "python3", "-c", script
        )
        return moment


def is_of(pid: int, container: str) -> bool:
    """Tell whether a process that we see, and may kill, is a container's: the engine may be on another machine."""
    try:
        seen = Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8")
        os.kill(pid, 0)
    except OSError:
        return False
    return container in seen
