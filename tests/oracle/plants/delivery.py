"""Faults of delivery's logic."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from unittest import mock

import trio

from qpqcore.api import delivery as api
from qpqcore.api.delivery import EntryKind
from qpqcore.bus.local import LocalBus
from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.wire.envelope import BusReply
from qpqdelivery import sqlite_channels, store_sqlite
from qpqdelivery.handshakes import Handshakes
from qpqdelivery.service import Delivery
from qpqdelivery.store import Accepted
from qpqserver.embedded import beside
from tests.oracle.plants.base import ENQUEUE, patched, plant


@patched("delivery: a message is acknowledged and not written", "lost", store_sqlite.SqliteStore, "enqueue")
def _(enqueue):
    count = iter(range(10**6))

    async def bad(self, messages):
        if next(count) % 5 == 4:
            await trio.lowlevel.checkpoint()
            return [(Accepted(10_000 + m.now_ms % 1000, m.now_ms, m.epoch, duplicate=False), []) for m in messages]
        return await enqueue(self, messages)

    return bad


@patched("delivery: a message is acknowledged before it is written", "lost", store_sqlite.SqliteStore, "enqueue")
def _(enqueue):
    async def bad(self, messages):
        answers = await enqueue(self, messages)
        for m in messages:
            if answers and isinstance(answers[0], tuple) and answers[0][0].log_number % 5 == 0:
                await self._db.write(
                    lambda c, m=m: (
                        c.execute("DELETE FROM entries WHERE channel = ? AND log_number = ?", (m.channel, answers[0][0].log_number)),
                        c.execute("UPDATE mailboxes SET last = last - 1 WHERE NOT EXISTS (SELECT 1 FROM entries e "
                                  "WHERE e.device = mailboxes.device AND e.number = mailboxes.last) AND last > acked"),
                    )
                )  # fmt: skip
        return [(a[0], []) if isinstance(a, tuple) else a for a in answers]

    return bad


@patched("delivery: a commit is acknowledged and not written", "stuck", store_sqlite.SqliteStore, "accept_commit")
def _(accept):
    async def bad(self, commit):
        await trio.lowlevel.checkpoint()
        return Accepted(1, commit.now_ms, commit.epoch + 1, duplicate=False), []

    return bad


@patched("delivery: a proposal is acknowledged and not written", "stuck", store_sqlite.SqliteStore, "accept_proposal")
def _(accept):
    async def bad(self, offer):
        await trio.lowlevel.checkpoint()
        return Accepted(1, offer.now_ms, offer.epoch, duplicate=False), []

    return bad


@plant("delivery: a message that comes again is taken again", "taken_twice")
def _(play):
    with beside(play.server.settings, "delivery", read_only=False) as connection:
        connection.execute("DROP INDEX log_by_hash")
    lost = set()
    call = LocalBus.call

    async def forgetful(self, envelope):
        reply = await call(self, envelope)
        if envelope.method == ENQUEUE and envelope.body not in lost and reply.code == 0 and len(lost) < 6:
            lost.add(envelope.body)
            return BusReply(code=int(ErrorCode.UNAVAILABLE), detail="the answer is lost")
        return reply

    blind = mock.patch.multiple(sqlite_channels, found=lambda *_: None, _advance_ratchet=lambda *_: None)
    with mock.patch.object(LocalBus, "call", forgetful), blind:
        yield


def audience(name: str, expected: str, query: str) -> None:
    """Enter a fault of who gets a message."""

    def make(_original):
        def bad(c, values):
            found = [r[0] for r in c.execute(query, values)]
            return [*found, *([values["device"]] if values["device"] and values["device"] not in found else [])]

        return bad

    patched(name, expected, sqlite_channels, "_audience")(make)


audience(
    "delivery: a message goes to the members of now", "outsider",
    "SELECT DISTINCT device FROM leaves WHERE channel = :channel AND generation = :generation",
)  # fmt: skip
audience(
    "delivery: a message goes to everybody", "outsider", "SELECT device FROM mailboxes",
)  # fmt: skip
audience(
    "delivery: a message misses a member", "lost",
    "SELECT DISTINCT device FROM leaves WHERE channel = :channel AND generation = :generation AND removed_epoch IS NULL AND "
    "device <> (SELECT max(device) FROM leaves WHERE channel = :channel AND removed_epoch IS NULL)",
)  # fmt: skip
audience(
    "delivery: a message goes to the founders only", "lost",
    "SELECT DISTINCT device FROM leaves WHERE channel = :channel AND generation = :generation AND added_epoch = 0",
)  # fmt: skip
audience(
    "delivery: a message goes to who was removed", "outsider",
    "SELECT DISTINCT device FROM leaves WHERE channel = :channel AND generation = :generation AND added_epoch <= :epoch",
)  # fmt: skip


@patched("delivery: the committer does not get its commit", "stuck", sqlite_channels, "deliver")
def _(deliver):
    def bad(c, bounds, devices, ref):
        devices = list(devices)
        return deliver(c, bounds, devices[1:] if ref.kind is EntryKind.COMMIT and ref.log_number > 2 else devices, ref)

    return bad


@patched("delivery: nobody is told of a commit", "stuck", sqlite_channels, "deliver")
def _(deliver):
    def bad(c, bounds, devices, ref):
        return deliver(c, bounds, [] if ref.kind is EntryKind.COMMIT and ref.log_number % 2 == 0 else devices, ref)

    return bad


@patched("delivery: fan-out comes too late, for those who are members then", "lost", sqlite_channels, "deliver")
def _(deliver):
    waiting = []

    def bad(c, bounds, devices, ref):
        if ref.kind is EntryKind.MESSAGE and ref.log_number % 3 == 0:
            waiting.append((list(devices)[1:], ref))
            return []
        return deliver(c, bounds, devices, ref)

    return bad


@patched("delivery: an old generation's messages are taken", "stuck", store_sqlite.SqliteStore, "channel")
def _(channel):
    async def bad(self, ident):
        found = await channel(self, ident)
        return replace(found, epoch=found.epoch + 1) if found is not None and found.epoch > 4 else found

    return bad


@patched("delivery: a revoked device's removal is not proposed", "resurrected", Delivery, "_remove")
def _(remove):
    async def bad(self, device, now_ms):
        await trio.lowlevel.checkpoint()
        return 0

    return bad


@patched("delivery: a deleted account stays in its groups", "resurrected", Delivery, "purge_account")
def _(purge):
    async def bad(self, call, params):
        await trio.lowlevel.checkpoint()
        return api.PurgeDeliveryResult()

    return bad


@patched("delivery: GroupInfo is that of another epoch", "stuck", Delivery, "fetch_group_info")
def _(fetch):
    first: dict[bytes, Any] = {}

    async def bad(self, call, params):
        now = await fetch(self, call, params)
        then = first.setdefault(params.channel, now)
        # It claims to be of now: one that says of when it is shows a server that was put back, which clients repair.
        return replace(then, generation=now.generation, epoch=now.epoch)

    return bad


@patched("delivery: trees are not to be had", "disagreement", Delivery, "fetch_tree")
def _(fetch):
    async def bad(self, call, params):
        await trio.lowlevel.checkpoint()
        raise Refusal(ErrorCode.TREE_UNKNOWN)

    return bad


@patched("delivery: a deserted channel stays", "stuck", Handshakes, "self_remove")
def _(remove):
    async def bad(self, call, params):
        await trio.lowlevel.checkpoint()
        return Accepted(1, call.now_ms, params.epoch, duplicate=False), []

    return bad


@patched("delivery: collecting ends in an error", "broke", Delivery, "sweep")
def _(sweep):
    async def bad(self, now_ms):
        await trio.sleep(5)
        raise RuntimeError("planted")

    return bad
