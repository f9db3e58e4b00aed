"""Three domains' servers as processes of their own, each behind relays that can be cut, and people as processes too."""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio

from qpqcore.net import authority
from qpqcore.runtime.clock import now_ms
from tools.demo.conductor import Play
from tools.demo.processes import PersonProcess, ServerProcess, free_port
from tools.domains.relay import Relay
from tools.domains.scaled import FEDERATION, ScaledDomain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tools.demo.checker import Sent, Shown
    from tools.demo.processes import Server
    from tools.rolling.stage import Stage

DOMAINS = ("a.example", "b.example", "c.example")
PEOPLE = {
    "alice": "a.example", "bob": "b.example", "carol": "c.example", "dave": "a.example", "erin": "b.example",
}  # fmt: skip
QUIET_SECONDS_MAX = 300
"""After the last fault all has to be everywhere within so long."""
LOOK_SECONDS = 0.3


def full(name: str) -> str:
    """Return name@domain of a person."""
    return f"{name}@{PEOPLE[name]}"


@dataclass
class World(Play):
    """The state of one performance over several domains."""

    servers: dict[str, Server] = field(default_factory=dict)
    relays: dict[tuple[str, str], Relay] = field(default_factory=dict)
    """From one domain to another."""
    cuts: int = 0
    """How often a domain was cut off from the others."""

    async def enter(self, name: str) -> PersonProcess:
        """Start a person's process at the person's own server."""
        server = self.servers[PEOPLE[name]]
        person = self.people.get(name) or PersonProcess(name, self.root, server.address, self.engine, self.seen)
        self.people[name] = person
        await self.nursery.start(person.run)
        return person

    async def cut(self, domain: str, *, cut: bool = True) -> None:
        """Cut a domain off from the other domains, or join it again; its own people still reach it."""
        for ends, relay in self.relays.items():
            if domain in ends:
                relay.is_cut = cut
        await trio.lowlevel.checkpoint()

    async def transcripts(self) -> tuple[dict[str, list[Shown]], dict[str, dict[str, Any]]]:
        """Return what each device shows, senders by their bare names, and each group's state."""
        from tools.demo.checker import Shown

        shown: dict[str, list[Shown]] = {}
        groups: dict[str, dict[str, Any]] = {}
        for name, person in self.people.items():
            answer = await person.order("transcript")
            shown[name] = [
                Shown(s["id"], s["conversation"], s["sender"].partition("@")[0], s["text"]) for s in answer["shown"]
            ]
            for conversation, state in answer["groups"].items():
                if state["active"]:
                    groups.setdefault(conversation, {})[name] = (state["epoch"], state["authenticator"])
        return shown, groups

    async def close(self) -> None:
        """End everybody, then the servers."""
        for person in self.people.values():
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                await person.stop()
        for server in self.servers.values():
            await server.stop()

    async def quieten(self) -> None:
        """Wait until everybody shows what was accepted for them, and all groups agree; or give up waiting."""
        for person in self.people.values():
            await person.order("settle")
        until_s = trio.current_time() + QUIET_SECONDS_MAX
        while trio.current_time() < until_s:  # an order is never given up half-way: its answer would be the next one's
            shown, groups = await self.transcripts()
            if not _lacking(self, self.sent(shown), shown) and _agree(groups):
                return
            await trio.sleep(LOOK_SECONDS)


def _lacking(world: World, sent: list[Sent], shown: dict[str, list[Shown]]) -> bool:
    has = {name: {s.ident for s in transcript} for name, transcript in shown.items()}
    return any(m.ident not in has[name] for m in sent for name in world.audience[m.phase, m.conversation])


def _agree(groups: dict[str, dict[str, Any]]) -> bool:
    return all(len(set(states.values())) == 1 for states in groups.values())


def found(root: Path, engine: str, nursery: trio.Nursery, place: Stage | None = None) -> World:
    """Make the servers' settings and certificates; nothing runs yet. With `place` the first domain is in its scaled form there."""
    now = datetime.fromtimestamp(now_ms() / 1000, UTC)
    authority.make_ca(root / "certificates", now)
    inner = {domain: [free_port()] for domain in DOMAINS}
    if place is not None:
        inner[DOMAINS[0]] = [free_port() for one in place.everyone if one.service == FEDERATION]
    relays = {
        (one, other): Relay(free_port(), *inner[other]) for one in DOMAINS for other in DOMAINS if one != other
    }  # fmt: skip
    servers: dict[str, Server] = {}
    for domain in DOMAINS:
        authority.issue_domain(root / "certificates", domain, now)
        given = settings_of(root / "certificates" / domain, relays)
        if place is not None and domain == DOMAINS[0]:
            servers[domain] = ScaledDomain(place, given | {"quic_engine": engine}, inner[domain])
        else:
            servers[domain] = embedded(root / domain, given, inner[domain][0], engine)
    world = World(root, servers[DOMAINS[0]], engine, nursery)
    world.servers, world.relays = servers, relays
    return world


def settings_of(own: Path, relays: Mapping[tuple[str, str], Relay]) -> dict[str, str]:
    """Return a domain's settings, by the folder of its certificate."""
    peers = {other: relay.port for (one, other), relay in relays.items() if one == own.name}
    return {
        "federation_domain": own.name, "federation_peers": ",".join(f"{d}=127.0.0.1:{p}" for d, p in peers.items()),
        "federation_ca": str(own / authority.PEER_CA), "federation_cert": str(own / authority.PEER_CERT),
        "federation_key": str(own / authority.PEER_KEY),
    }  # fmt: skip


def embedded(folder: Path, given: Mapping[str, str], port: int, engine: str) -> ServerProcess:
    """Make a domain's server of one process."""
    folder.mkdir()
    settings = {**given, "federation_listen": f"127.0.0.1:{port}"}
    lines = ["federation_enabled = true", *(f'{name} = "{value}"' for name, value in settings.items())]
    (folder / "server.toml").write_text("\n".join(lines) + "\n")
    program = str(Path(sys.executable).with_name("qpq-server"))
    return ServerProcess(folder, free_port(), engine, (program, "--config", str(folder / "server.toml")))
