"""Messages that vanish: before their moment they are found, after it in no database, whoever has its key.

Looked through byte by byte are the decrypted pages of the sender's and the receiver's databases and logs, free pages and the words'
index included, and of the server's: for the texts there, for ciphertexts and chunks of the file here. Each search first proves
itself: before the moment everything is where it is looked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

import qpqclient
from qpqclient.blobs import SEGMENT_BYTES
from qpqclient.store import DATABASE
from tests.oracle import traces
from tools.client_drills.outcome import Outcome
from tools.client_drills.stage import server_process

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from qpqclient import Client, Conversation
    from tools.client_drills.stage import DrillServer

TIMER_SECONDS = 60
GONE_SECONDS_MAX = 1_200
"""The server looks for blobs that are over every five minutes, and packs its databases as often."""
WORDS = ("xylophone", "quartzite", "zeppelin")
STAYS = "what stays between them"
FILLERS = 150
"""Enough rows for trees to be balanced, which leaves copies of what was moved."""
FILE_BYTES = 5 * SEGMENT_BYTES
LOOK_SECONDS = 20.0
"""Who looks reads a snapshot, and is in the way of emptying a log meanwhile."""
STORE_KEY = b"vanishing".ljust(32, b".")


def client_bytes(folder: Path) -> bytes:
    """Return every byte of a client's databases as it is under the seal."""
    return b"".join(page for path in sorted(folder.glob(f"{DATABASE}*")) for page in traces.pages(path, STORE_KEY))


async def settle(*clients: Client) -> None:
    """Let everybody send all and read all."""
    for _ in range(2):
        for client in clients:
            await client.flush()
            await client.sync()


async def say_all(talk: Conversation, theirs: Conversation, path: Path, seconds: int) -> None:
    """Say much that stays, and among it what vanishes: texts, one of them edited, an answer, a reaction, a file."""
    for number in range(FILLERS):
        await (talk if number % 2 else theirs).send(f"filler {number} " + "y" * (number % 70))
        if number % (FILLERS // len(WORDS)) == 0:
            word = WORDS[min(number // (FILLERS // len(WORDS)), len(WORDS) - 1)]
            await talk.set_timer(seconds)
            message = await talk.send(f"the {word} itself")
            await talk.edit(message.id, f"the {word} edited")
            await talk.react(message.id, "👍")
            await talk.set_timer(0)
    path.write_bytes(b"what stands in the file, " * (FILE_BYTES // 25))
    await talk.set_timer(seconds)
    await talk.send_file(path)
    await talk.set_timer(0)
    await talk.send(STAYS)


def of_server(server: DrillServer, channel: bytes) -> dict[str, bytes]:
    """Return ciphertexts that are to vanish, as the server has them now: of messages with an end, and of chunks."""
    sql = "SELECT number, payload FROM log WHERE channel = ? AND kind = 0 AND payload IS NOT NULL AND expires_ms < accepted_ms + 2000000"
    found = {f"message {n}": payload[40:104] for n, payload in server.rows("delivery", sql, channel)}
    for at, data in server.rows("blob", "SELECT at, data FROM chunks"):
        found |= {
            f"chunk at {at + begin}": data[begin : begin + 64] for begin in range(0, len(data) - 64, SEGMENT_BYTES)
        }
    return found


async def gone(server: DrillServer, canaries: set[bytes], seconds_max: float) -> tuple[set[tuple[str, bytes]], float]:
    """Wait until the server holds none of these any more; return what is left, and how long it took."""
    begun_s = trio.current_time()
    while left := server.in_tables(canaries) | (server.in_pages(canaries) if server.promises_pages else set()):
        if trio.current_time() - begun_s > seconds_max:
            break
        await trio.sleep(LOOK_SECONDS)
    return left, trio.current_time() - begun_s


def judge_clients(outcome: Outcome, people: dict[str, tuple[Client, Path]]) -> None:
    """Look through the clients' databases after the moment."""
    for name, (client, folder) in people.items():
        hits = [word for word in WORDS if client.search(word)]
        outcome.expect(not hits, f"{name}'s search still finds {hits}")
        outcome.expect(client.erase(), f"{name} cannot erase")
        content = client_bytes(folder)
        left = [part for word in WORDS for part in (word, word[1:]) if part.encode() in content]
        outcome.note(
            f"{name}: bytes of decrypted pages looked through, vanished words in them", f"{len(content)}, {len(left)}"
        )
        outcome.expect(not left, f"{name}'s database still holds {left}")
        outcome.expect(b"filler 7" in content, f"{name}'s database holds nothing at all")
        outcome.expect(client.search("stays"), f"{name} lost what stays")


async def talk_and_wait(root: Path, server: DrillServer, outcome: Outcome, told: Callable[[str], None]) -> None:
    """Say it, find it, let it vanish, and look."""
    async with (
        qpqclient.open_client(root / "alice", server=server.address, store_key=STORE_KEY) as alice,
        qpqclient.open_client(root / "bob", server=server.address, store_key=STORE_KEY) as bob,
    ):
        people = {"alice": (alice, root / "alice"), "bob": (bob, root / "bob")}
        for name, (client, _) in people.items():
            await client.register(name, f"of {name}")
        talk = await alice.dm("bob")
        await settle(alice, bob)
        await say_all(talk, bob.conversation(talk.id), root / "file", TIMER_SECONDS)
        await settle(alice, bob)
        for name, (client, folder) in people.items():
            content = client_bytes(folder)
            missing = [w for w in WORDS if not client.search(w) or w.encode() not in content]
            outcome.expect(not missing, f"{name} does not find {missing} before their moment")
            outcome.note(f"{name}: words found by the search before their moment", len(WORDS) - len(missing))
        canaries = of_server(server, talk.id)
        there = {value for _, value in server.in_pages(set(canaries.values()))}
        kinds = [sum(n.startswith(kind) and v in there for n, v in canaries.items()) for kind in ("message", "chunk")]
        outcome.note("the server: ciphertexts of messages, pieces of chunks found before their moment", kinds)
        outcome.expect(all(kinds), "the server's databases are not read: nothing to vanish in them")
        told("all said")
        await trio.sleep(TIMER_SECONDS + 0.5)
        judge_clients(outcome, people)
        left, took_s = await gone(server, set(canaries.values()), GONE_SECONDS_MAX)
        names = {value: name for name, value in canaries.items()}
        where = "free pages and logs included" if server.promises_pages else "in tables"
        outcome.note(f"the server: seconds until none is left, {where}", f"{took_s:.0f}")
        if not server.promises_pages:
            stays = len(server.in_pages(set(canaries.values())))
            outcome.note("the server: left in files that no table reads, until they are used anew", stays)
        outcome.expect(not left, f"the server still holds {sorted((place, names[value]) for place, value in left)[:5]}")


async def play(root: Path, size: str, told: Callable[[str], None]) -> Outcome:
    """Play; one size."""
    del size
    outcome = Outcome("vanishing")
    async with server_process(root / "server") as server:
        await talk_and_wait(root, server, outcome, told)
    return outcome
