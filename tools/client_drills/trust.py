"""A server that swaps keys, a transcript that is tampered with, a note to oneself: typed errors, named links, no packet.

`qpq` as processes against a server process whose own databases are edited while it stands still, as its operator could.
"""

from __future__ import annotations

import json
import subprocess
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import trio

import qpqclient
from qpqclient import transcript
from qpqcore.crypto.identity import generate_key
from tests.support import terminals
from tools.client_drills.outcome import Outcome
from tools.client_drills.stage import LOOK_SECONDS, QPQ, environment, qpq, run_qpq, server_process
from tools.demo.processes import ServerProcess, free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from tools.client_drills.stage import DrillServer

PATIENCE_SECONDS = 300
FILE_PASSWORD = "of the transcript"  # noqa: S105 - a drill's
QUIET_SECONDS = 1.5
QUIET_TRIES = 8
"""A ping that keeps the connection alive may fall into a try; what a note sent would fall into each."""
HEAD_BYTES = len(transcript.MAGIC) + transcript.SALT_BYTES


# --- a swapped key


def swap_key(server: DrillServer, name: str) -> None:
    """Let the server name another identity key for somebody."""
    _, public = generate_key(b"mallory".ljust(32, b"."))
    server.rows("keystore", "UPDATE accounts SET identity_key = ?, device_list = x'' WHERE name = ?", public, name)


async def swapped(root: Path, server: DrillServer, outcome: Outcome) -> None:
    """Compare numbers with somebody; then the server names another key."""
    alice = environment(root, server.address, "alice")
    await qpq(alice, "verify", "bob", "yes")
    before = json.loads((await qpq(alice, "--json", "members", "@bob")).splitlines()[-1])
    outcome.expect(before["verified"], "bob is not verified before")
    await trio.to_thread.run_sync(at_terminal, alice, ("/dm bob",), ("…(verified) @bob>…",))
    await server.kill()
    swap_key(server, "bob")
    await server.start()
    done = await run_qpq(alice, "--json", "verify", "bob")
    error = json.loads(done.stderr or b"{}").get("error")
    outcome.note("the server names another key: exit code, error", f"{done.returncode}, {error}")
    outcome.expect((done.returncode, error) == (qpqclient.IdentityChanged.exit_code, "identityChanged"), f"{done}")
    shown = [json.loads(line) for line in (await qpq(alice, "--json", "members", "@bob")).splitlines()]
    marks = {m["name"]: m["verified"] for m in shown}
    outcome.note("the badge after it", f"verified: {marks['bob']}")
    outcome.expect(not marks["bob"], "the badge has not fallen")
    wanted = ("…(KEY CHANGED) @bob>…", "…the server names another key for bob…")
    await trio.to_thread.run_sync(at_terminal, alice, ("/dm bob", "/history 3"), wanted)
    outcome.note("the REPL shows", "(KEY CHANGED) @bob>, and the notice in the timeline")


def at_terminal(told: dict[str, str], lines: tuple[str, ...], wanted: tuple[str, ...]) -> None:
    """Type lines into a REPL in a terminal and wait until it shows something."""
    terminals.PATIENCE_SECONDS = PATIENCE_SECONDS
    with terminals.terminals() as open_:
        repl = open_([*QPQ, "repl"], told)
        repl.sees("you are alice…")
        repl.type(*lines)
        for line in wanted:
            repl.sees(line)
        repl.type("/quit")
        repl.ends()


async def another_server(root: Path, server: DrillServer, outcome: Outcome) -> None:
    """Put another server in its place: its key is not the pinned one."""
    await server.kill()
    impostor = ServerProcess(root / "impostor", 0, "native")
    impostor.address = server.address
    await impostor.start()
    done = await run_qpq(environment(root, server.address, "alice"), "--json", "list")
    await impostor.kill()
    error = json.loads(done.stderr or b"{}").get("error")
    outcome.note("another server in its place: exit code, error", f"{done.returncode}, {error}")
    outcome.expect((done.returncode, error) == (qpqclient.KeyChanged.exit_code, "serverKeyChanged"), f"{done}")
    await server.start()


# --- transcripts


def records(data: bytes) -> list[bytes]:
    """Return a transcript's records."""
    found, rest = [], data[HEAD_BYTES:]
    while rest:
        size = 4 + int.from_bytes(rest[:4], "big") + transcript.HASH_BYTES
        found.append(rest[:size])
        rest = rest[size:]
    return found


def flipped(data: bytes, at: int) -> bytes:
    """Return bytes with one bit changed."""
    changed = bytearray(data)
    changed[at] ^= 1
    return bytes(changed)


def tamperings(data: bytes) -> list[tuple[str, int, bytes]]:
    """Return ten ways to change a transcript: what, the link that has to be named, the content."""
    head, r = data[:HEAD_BYTES], records(data)
    join = b"".join
    return [
        ("another version", 0, flipped(data, len(transcript.MAGIC) - 1)),
        ("another salt", 1, flipped(data, HEAD_BYTES - 1)),
        ("a bit of a message", 4, head + join([*r[:3], flipped(r[3], 9), *r[4:]])),
        ("a hash", 4, head + join([*r[:3], flipped(r[3], -1), *r[4:]])),
        ("a length", 3, head + join([*r[:2], flipped(r[2], 0), *r[3:]])),
        ("a message taken out", 3, head + join([*r[:2], *r[3:]])),
        ("two messages exchanged", 3, head + join([*r[:2], r[3], r[2], *r[4:]])),
        ("a message twice", 4, head + join([*r[:3], r[2], *r[3:]])),
        ("the end cut off", len(r), head + join(r[:-1])),
        ("something behind the end", len(r) + 1, data + r[-1]),
    ]


async def tampered(root: Path, server: DrillServer, outcome: Outcome) -> None:
    """Export a conversation, and change the file in ten ways."""
    told = {**environment(root, server.address, "alice"), "QPQ_TRANSCRIPT_PASSWORD": FILE_PASSWORD}
    path = root / "talk.transcript"
    await qpq(told, "export-transcript", "@bob", str(path))
    await qpq(told, "verify-transcript", str(path))
    data, named = path.read_bytes(), []
    for what, link, changed in tamperings(data):
        path.write_bytes(changed)
        done = await run_qpq(told, "verify-transcript", str(path))
        right = done.returncode == qpqclient.TranscriptBroken.exit_code and f"link {link}:".encode() in done.stderr
        outcome.expect(right, f"{what}: {done.returncode} {done.stderr.decode()!r}, not link {link}")
        named += [link] if right else []
    outcome.note("tamperings of a transcript, each named by its first broken link", f"{len(named)}: {named}")


# --- the notepad


class Counter:
    """A relay between a client and the server that counts the client's datagrams."""

    def __init__(self, server: str) -> None:
        host, _, port = server.rpartition(":")
        self._server, self.sent = (host, int(port)), 0
        self.address = f"127.0.0.1:{free_port()}"

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Pass datagrams on, for ever; one client."""
        with trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM) as front:
            await front.bind(("127.0.0.1", int(self.address.rpartition(":")[2])))
            with trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM) as back:
                await back.connect(self._server)
                task_status.started()
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._down, front, back)
                    while True:
                        data, self._client = await front.recvfrom(65_536)
                        self.sent += 1
                        await back.send(data)

    async def _down(self, front: trio.socket.SocketType, back: trio.socket.SocketType) -> None:
        while True:
            await front.sendto(await back.recv(65_536), self._client)


@asynccontextmanager
async def chat(told: dict[str, str]) -> AsyncIterator[Callable[[str, str], Awaitable[None]]]:
    """Yield a function that types a line into a REPL behind a pipe and waits until a line with something is shown."""
    command = [*QPQ, "repl"]
    process = await trio.lowlevel.open_process(
        command, env=told, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert process.stdin is not None
    assert process.stdout is not None
    shown = b""

    async def type_(line: str, wanted: str) -> None:
        nonlocal shown
        assert process.stdin is not None
        assert process.stdout is not None
        if line:
            await process.stdin.send_all(line.encode() + b"\n")
        with trio.fail_after(PATIENCE_SECONDS):
            while wanted.encode() not in shown:
                shown += await process.stdout.receive_some(65_536)
        shown = shown.partition(wanted.encode())[2] if wanted else shown

    try:
        yield type_
    finally:
        process.kill()
        await process.wait()


async def notes(root: Path, server: DrillServer, outcome: Outcome) -> None:
    """Write notes to oneself in a REPL, and count what leaves."""
    counter = Counter(server.address)
    async with trio.open_nursery() as nursery:
        await nursery.start(counter.run)
        async with chat(environment(root, counter.address, "alice")) as type_:
            await type_("", "you are alice")
            await type_("/dm alice", "talking with @alice")
            counts = []
            for number in range(QUIET_TRIES):
                await trio.sleep(QUIET_SECONDS)
                before = counter.sent
                await type_(f"note {number}", "")
                await type_("/history 1", f"note {number}")
                await trio.sleep(QUIET_SECONDS)
                counts.append(counter.sent - before)
                if not counts[-1]:
                    break
            total = counter.sent
            await type_("/dm bob", "talking with @bob")
            await type_("to somebody else", "")
            with trio.move_on_after(PATIENCE_SECONDS):
                while counter.sent == total:
                    await trio.sleep(LOOK_SECONDS)
            outcome.expect(counter.sent > total, "nothing is counted at all")
        nursery.cancel_scope.cancel()
    outcome.note("`/dm alice` as alice, a note, /history: datagrams", counts[-1])
    outcome.expect(not counts[-1], f"notes send packets: {counts}")


async def play(root: Path, size: str, told: Callable[[str], None]) -> Outcome:
    """Play all of it; one size."""
    del size
    outcome = Outcome("trust")
    async with server_process(root / "server") as server:
        alice, bob = (environment(root, server.address, name) for name in ("alice", "bob"))
        for person in (alice, bob):
            await qpq(person, "register")
        for text in ("first", "second", "third"):
            await qpq(alice, "dm", "bob", text)
        await qpq(bob, "recv", "--wait", "60")
        for part in (tampered, notes, swapped, another_server):
            await part(root, server, outcome)
            told(f"{part.__name__}: {outcome.figures[-1]}")
    return outcome
