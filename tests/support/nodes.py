"""Delivery's store on PostgreSQL and on the stand-in for Citus, as one process opens it; who owns what there; who talks."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace

import trio

from qpqcore.api.delivery import EntryKind
from qpqcore.model.errors import Refusal
from qpqcore.store.postgres.bridge import open_postgres
from qpqcore.store.postgres.schemas import schema_of
from qpqdelivery.store import Member
from qpqdelivery.store_postgres import PostgresStore
from tests.support import citus
from tests.support.channels import ALICE, BOUNDS, birth, box, message, put
from tests.support.citus import WORKERS, ask

SCHEMA = schema_of("delivery")
WIDE = replace(
    BOUNDS, mailbox_entries_max=100_000, mailbox_bytes_max=10**9, fetch_entries_max=1_000, fetch_bytes_max=10**9
)
PATIENCE_SECONDS = 60
LOG, HEADS, ENTRIES, MAILBOXES = (f"qpq_delivery.{table}" for table in ("log", "heads", "entries", "mailboxes"))


@asynccontextmanager
async def opened(url, bounds=WIDE):
    """Open the store as one process does."""
    async with open_postgres(url, SCHEMA) as found:
        yield PostgresStore(found, bounds)


async def outbox(store):
    return await store._db.read(lambda c: c.fetchval("SELECT count(*) FROM outbox"))


async def cleared(store):
    """Wait until the outbox is empty: it is cleared beside the answers, or with the next batch."""
    with trio.fail_after(PATIENCE_SECONDS):
        while await outbox(store):
            pass


async def all_of(store, person):
    return [(e.number, e.kind, e.log_number, e.payload) for e in (await box(store, person))[0]]


def owner(url, table, value):
    return ask(url, citus.OWNER, table, value)[0][0]


def other(address):
    return next(worker for worker in WORKERS if worker != address)


def written_by(url, table):
    return {row[0] for row in ask(url, citus.BY, table)}


def forget_writes(url):
    ask(url, "TRUNCATE stand_in.writes")


def one_at(url, address, table, names):
    return next(name for name in names if owner(url, table, name) == address)


def channels_at(url, address, count):
    found = [b"%016d" % n + b"localhost" for n in range(40)]
    return [c for c in found if owner(url, HEADS, c) == address][:count]


def people_at(url, address, count):
    found = [Member(b"person %d" % n, b"account %d" % n) for n in range(40)]
    return [m for m in found if owner(url, MAILBOXES, m.device) == address][:count]


def born(channel, members):
    made = birth(first=tuple(members))
    return replace(made, channel=channel, first=replace(made.first, channel=channel))


async def until(is_so):
    """Wait for what another thread, or PostgreSQL, does."""
    with trio.fail_after(PATIENCE_SECONDS):
        while not is_so():
            await trio.sleep(0.01)


async def read_map(store):
    await store._db.call(store._db.nodes._read_map)


async def texts_of(store, person):
    return [e[3] for e in await all_of(store, person) if e[1] is EntryKind.MESSAGE]


class Talk:
    """Who says one thing after the other, until it is over."""

    def __init__(self, store):
        self._store = store
        self.taken = []
        """The texts that were acknowledged."""
        self.refused = []
        """The codes of what was refused; the same message came again, so that it is there once."""
        self.is_over = False

    async def __call__(self, name, sender=ALICE):
        n = 0
        while not self.is_over:
            text = b"%s %d" % (name, n)
            try:
                (answer,) = await put(self._store, message(text, sender=sender))
            except Refusal as no:
                self.refused.append(no.code)
                await trio.sleep(no.retry_after_ms / 1000)
                continue
            assert not isinstance(answer, Refusal)
            self.taken.append(text)
            n += 1

    async def more(self, count):
        """Wait until so many more are acknowledged."""
        wanted = len(self.taken) + count
        await until(lambda: len(self.taken) >= wanted)
