"""A device that can be lost: linked, revoked, all lost and restored, the password changed; each device a process with its own folder.

The server's own dump is searched at the end, decrypted with its keys: no key, password or text of any device is in it.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import trio

from qpqcore.api.delivery import EntryKind
from tests.oracle import traces
from tools.client_drills.outcome import Outcome
from tools.client_drills.stage import server_process
from tools.demo.processes import PersonProcess, stage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tools.client_drills.stage import DrillServer

PASSWORD, ANOTHER = "the first password of alice", "another password of alice"
MODULE = "tools.client_drills.device"
MESSAGE = int(EntryKind.MESSAGE)
AFTER = ("not for the revoked one", "nor this")
TOLD_SECONDS_MAX = 60.0
"""By then a device that was cut off has no leaf any more."""


@dataclass
class Play:
    """The state of the drill."""

    root: Path
    server: DrillServer
    nursery: trio.Nursery
    outcome: Outcome
    told: Callable[[str], None]
    devices: dict[str, PersonProcess] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    talk: str = ""

    async def start(self, name: str) -> PersonProcess:
        """Start a device's process."""
        device = PersonProcess(name, self.root, self.server.address, "native", lambda *_: None, MODULE)
        await self.nursery.start(device.run)
        self.devices[name] = device
        return device

    async def order(self, name: str, do: str, /, **more: Any) -> Any:
        """Give a device an order."""
        return await self.devices[name].order(do, **more)

    async def known(self, name: str) -> str:
        """Note a device's id and secrets; return the id."""
        self.ids[name] = (await self.order(name, "who_am_i"))["device"]
        self.secrets |= {f"{name}: {k}": v for k, v in (await self.order(name, "secrets")).items()}
        return self.ids[name]

    async def says(self, name: str, text: str, *hearers: str) -> None:
        """Let somebody say something, and the others hear it."""
        await self.order(name, "say", conversation=self.talk, text=text, phase="drill")
        for hearer in hearers:
            with trio.fail_after(TOLD_SECONDS_MAX):
                while text not in await self.texts(hearer):
                    await trio.sleep(0.05)

    async def texts(self, name: str, **more: Any) -> list[str]:
        """Return what a device shows."""
        return list((await self.order(name, "texts", conversation=self.talk, **more))["texts"])

    def name_of(self, device: str) -> str:
        """Return which device an id is."""
        return next((name for name, ident in self.ids.items() if ident == device), "nobody known")


async def be_linked(p: Play) -> None:
    """Let the third device wait until it was linked."""
    await p.order("alice/3", "be_linked", name="alice")


async def two_and_a_third(p: Play) -> None:
    """Two devices by password, then a third by its code: it has the history."""
    for name in ("alice/1", "bob"):
        await p.start(name)
        await p.order(name, "register", password=PASSWORD if name != "bob" else "of bob")
    await p.start("alice/2")
    await p.order("alice/2", "login", password=PASSWORD)
    p.talk = (await p.order("alice/1", "dm", **{"with": "bob"}))["conversation"]
    for name in ("alice/1", "alice/2", "bob"):
        await p.known(name)
    await p.order("alice/2", "await", conversation=p.talk, members=2)
    await p.says("alice/1", "before the third device", "alice/2", "bob")
    await p.start("alice/3")
    code = (await p.order("alice/3", "link_code"))["code"]
    async with trio.open_nursery() as both:
        both.start_soon(be_linked, p)
        await p.order("alice/1", "link_device", code=code, label="the third")
    await p.known("alice/3")
    there = await p.texts("alice/3")
    p.outcome.note("the third device, linked by its code, shows what was said before it", there)
    p.outcome.expect(there == ["before the third device"], f"the third device shows {there}")
    await p.says("bob", "to all three", "alice/1", "alice/2", "alice/3")
    p.told("three devices")


async def revoked(p: Play) -> None:
    """One is cut off, and given the ciphertexts that came after."""
    had = (await p.order("alice/2", "await", conversation=p.talk, members=2))["epoch"]
    raw: dict[int, dict[str, Any]] = {}
    at = (await p.order("alice/1", "revoke", device=p.ids["alice/2"]))["at"]
    gone = await p.order("bob", "await_gone", conversation=p.talk, device=p.ids["alice/2"])
    p.outcome.note(
        "revoked: its leaf was removed by, after", f"{p.name_of(gone['by'])}, {gone['at'] - at:.1f} s",
    )  # fmt: skip
    raw |= log_of(p)
    await p.says("bob", AFTER[0], "alice/1", "alice/3")
    raw |= log_of(p)
    await p.says("alice/3", AFTER[1], "bob")
    raw |= log_of(p)
    # A message of the epoch that it was in it may read; the commit that ends that is the last that it can follow.
    since = [e for _, e in sorted(raw.items()) if e["epoch"] > had or (e["epoch"] == had and e["kind"] != MESSAGE)]
    fed = await p.order("alice/2", "feed", entries=since)
    shown = await p.texts("alice/2", offline=True)
    p.outcome.note("revoked, fed the raw messages since: with the keys that it had", ", ".join(fed["stubborn"]))
    p.outcome.note("following the log to its own removal", ", ".join(fed["obedient"]))
    messages = [*fed["stubborn"], *(o for o in fed["obedient"] if o.startswith("message"))]
    p.outcome.expect(len(fed["stubborn"]) >= len(AFTER), "the revoked device was fed nothing")
    p.outcome.expect(not any("read" in o for o in messages), f"the revoked device reads: {fed}")
    p.outcome.expect(not set(AFTER) & set(shown), f"the revoked device shows {shown}")
    try:
        await p.order("alice/2", "devices")
        p.outcome.expect(holds=False, otherwise="the revoked device still has a session")
    except RuntimeError as exc:
        p.outcome.note("revoked, it asks the server", str(exc).rpartition(": ")[0].rpartition(": ")[2] or str(exc))
    p.told("one revoked")


async def all_lost(p: Play) -> None:
    """Every device is gone; name and password bring the account back in an empty folder, the code the history."""
    code = (await p.order("alice/1", "backup"))["code"]
    expected = await p.texts("alice/1")
    for name in ("alice/1", "alice/2", "alice/3"):
        p.secrets |= {f"{name}: {k}": v for k, v in (await p.order(name, "secrets")).items()}
        await p.devices[name].kill()
        shutil.rmtree(p.devices[name].folder)
    await p.start("alice/4")
    back = (await p.order("alice/4", "login", password=PASSWORD))["conversations"]
    p.outcome.expect(p.talk in back, "the conversation did not come back by the password")
    await p.known("alice/4")
    for name in ("alice/1", "alice/3"):
        at = (await p.order("alice/4", "revoke", device=p.ids[name]))["at"]
        gone = await p.order("bob", "await_gone", conversation=p.talk, device=p.ids[name])
        p.outcome.note(
            f"all lost: the leaf of {name} was removed by, after", f"{p.name_of(gone['by'])}, {gone['at'] - at:.1f} s"
        )
    left = (await p.order("bob", "members", conversation=p.talk))["devices"]
    p.outcome.expect(left == sorted([p.ids["bob"], p.ids["alice/4"]]), f"leaves left: {list(map(p.name_of, left))}")
    await p.says("bob", "welcome back", "alice/4")
    count = (await p.order("alice/4", "restore", code=code))["messages"]
    shown = await p.texts("alice/4")
    p.outcome.note("all lost, restored by the password in an empty folder; by the code came back", f"{count} messages")
    p.outcome.expect(shown == [*expected, "welcome back"], f"restored: {shown}, not {expected}")
    p.told("all lost and restored")


async def password_changed(p: Play) -> None:
    """The password is changed: the old one is refused, the new one opens the account."""
    await p.order("alice/4", "change_password", password=ANOTHER)
    await p.start("alice/5")
    try:
        await p.order("alice/5", "login", password=PASSWORD)
        p.outcome.expect(holds=False, otherwise="the old password opens the account")
    except RuntimeError as exc:
        p.outcome.note("changed password: the old one", str(exc).split(": ")[2])
        p.outcome.expect("loginFailed" in str(exc), f"the old password: {exc}")
    found = await p.order("alice/5", "login", password=ANOTHER)
    p.outcome.expect(p.talk in found["conversations"], "the new password does not open the account")
    await p.known("alice/5")


def dump_searched(p: Play) -> None:
    """Look for what no server may have: in each table, each decrypted page, each byte of each file."""
    texts = {"a text": "before the third device", "another": AFTER[0]}
    canaries = {name: bytes.fromhex(value) for name, value in p.secrets.items()}
    canaries |= {name: text.encode() for name, text in texts.items()}
    canaries |= {"password": PASSWORD.encode(), "the new password": ANOTHER.encode()}
    wanted = set(canaries.values())
    hits = {place for look in (p.server.in_tables, p.server.in_pages) for place in look(wanted)}
    hits |= traces.in_files(p.server.folder, wanted)
    own = {bytes.fromhex(p.ids["bob"])}
    p.outcome.expect(p.server.in_pages(own), "the search of the dump finds nothing at all")
    names = {value: name for name, value in canaries.items()}
    p.outcome.note("secrets and texts looked for in a dump of the server, found", f"{len(wanted)}, {len(hits)}")
    for place, value in sorted(hits):
        p.outcome.findings.append(f"the server's {place} holds {names[value]}")


def log_of(p: Play) -> dict[int, dict[str, Any]]:
    """Return the conversation's log as it lies in the server's database: number -> entry; what all have read is gone from it."""
    rows = p.server.rows(
        "delivery",
        "SELECT number, kind, generation, epoch, payload, accepted_ms FROM log "
        "WHERE channel = ? AND payload IS NOT NULL ORDER BY number",
        bytes.fromhex(p.talk),
    )
    return {
        n: {"number": n, "kind": k, "generation": g, "epoch": e, "payload": raw.hex(), "accepted_ms": at, "channel": p.talk}
        for n, k, g, e, raw, at in rows
    }  # fmt: skip


async def play(root: Path, size: str, told: Callable[[str], None]) -> Outcome:
    """Play all of it; one size."""
    del size
    outcome = Outcome("devices")
    async with stage() as nursery, server_process(root / "server") as server:
        p = Play(root, server, nursery, outcome, told)
        for part in (two_and_a_third, revoked, all_lost, password_changed):
            await part(p)
        for name in ("alice/4", "alice/5", "bob"):
            await p.devices[name].stop()
        await server.stop()
        await trio.to_thread.run_sync(dump_searched, p)
    return outcome
