"""Writes through a store as it is shipped and says, in the same folder, what has been acknowledged. Run under recorder.c.

The key is made as at a first start: what is written is as durable as what it is read with.
"""

from __future__ import annotations

import hashlib
import os
import sys
from dataclasses import replace
from pathlib import Path

import trio

from qpqclient.store import Store, open_key
from qpqcore.runtime import secrets
from qpqcore.store.database import open_database
from qpqcore.store.migrations import migrations_of
from qpqdelivery.store import Birth, Bounds, Commit, Member, Message, NextState
from qpqdelivery.store_sqlite import SqliteStore

CHANNEL = b"c" * 16 + b"localhost"
NOW_MS = 10**12
WRITERS = 8
BOUNDS = Bounds(
    mailbox_entries_max=10**6,
    mailbox_bytes_max=10**9,
    fetch_entries_max=256,
    fetch_bytes_max=10**6,
    past_epochs=5,
    seen_step_ms=1_000,
)
LARGE = replace(BOUNDS, told_at_once_max=1)
"""Two people are a large group then: their mailboxes are filled after the acknowledgement."""


def payload(number: int) -> bytes:
    """Return the content of one write."""
    return b"%06d" % number + hashlib.sha512(b"%d" % number).digest() * 4


def state(epoch: int) -> NextState:
    return NextState(
        epoch=epoch, policy=b"p", snapshot=b"s" * 500, tree_hash=b"%d" % epoch, tree=b"t" * 500, group_info=b"i"
    )


async def serve(folder: Path, count: int, *, safe: bool, bounds: Bounds = BOUNDS) -> None:
    """Enqueue `count` messages, eight at a time; each acknowledgement is written down when it is there.

    Of a large group mailboxes are filled beside that.
    """
    acks = os.open(folder / "acks", os.O_WRONLY | os.O_CREAT, 0o600)
    key = secrets.database_key(folder, "")
    (folder / "opened.key").write_bytes(key)
    async with open_database(folder / "delivery.db", key, migrations_of("qpqdelivery")) as database:
        if not safe:
            await database.write(lambda c: None)
            database._writer.execute("PRAGMA synchronous = OFF")
        store = SqliteStore(database, bounds)
        for name in (b"alice", b"bob"):
            await store.open_mailbox(name, name, NOW_MS)
        first = Commit(
            channel=CHANNEL, generation=1, epoch=0, proposals_version=0, payload=b"first", hash=b"first", now_ms=NOW_MS,
            after=state(1), write_key=b"w", added=[Member(b"bob", b"bob")], removed=[], welcomes=[],
        )  # fmt: skip
        await store.create(
            Birth(
                channel=CHANNEL,
                generation=1,
                birth_hash=b"birth",
                creator=Member(b"alice", b"alice"),
                state=state(0),
                write_key=b"w",
                first=first,
                now_ms=NOW_MS,
            )  # fmt: skip
        )
        numbers = iter(range(count))

        async def work() -> None:
            for number in numbers:
                data = payload(number)
                message = Message(
                    channel=CHANNEL, generation=1, epoch=1, payload=data, hash=hashlib.sha256(data).digest(), device=b"alice",
                    now_ms=NOW_MS, expires_ms=NOW_MS * 2,
                )  # fmt: skip
                (answer,) = await store.enqueue([message])
                assert not isinstance(answer, Exception)
                os.write(acks, b"%06d" % number)
                while bounds is LARGE and await store.fill() is not None:
                    pass

        async with trio.open_nursery() as nursery:
            for _ in range(WRITERS):
                nursery.start_soon(work)


def keep(folder: Path, count: int, *, safe: bool) -> None:
    """Store `count` values as the client stores a message with its position."""
    acks = os.open(folder / "acks", os.O_WRONLY | os.O_CREAT, 0o600)
    key = open_key(folder, "password")
    (folder / "opened.key").write_bytes(key)
    store = Store(folder, key)
    if not safe:
        store.db.execute("PRAGMA synchronous = OFF")
    for number in range(count):
        with store.transaction():
            store.put({f"message {number:06d}": payload(number)})
            store.put_number("position", number + 1)
        os.write(acks, b"%06d" % number)
    store.close()


def make(folder: Path, count: int) -> None:
    """Make `count` secrets as a server does at its first start."""
    acks = os.open(folder / "acks", os.O_WRONLY | os.O_CREAT, 0o600)
    for number in range(count):
        secrets.kept(folder, f"secret-{number}", lambda: payload(number))
        os.write(acks, b"%06d" % number)


if __name__ == "__main__":
    what, where, how_many, how = sys.argv[1:]
    if what in {"server", "large"}:
        bounds = LARGE if what == "large" else BOUNDS
        trio.run(lambda: serve(Path(where), int(how_many), safe=how == "safe", bounds=bounds))
    elif what == "secrets":
        make(Path(where), int(how_many))
    else:
        keep(Path(where), int(how_many), safe=how == "safe")
