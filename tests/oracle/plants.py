"""Faults, planted one at a time into the running system: in the server's stores, its logic, its bus, and in the client.

Each is a context manager over the play. `expected` is the rule that names it: the promise that it breaks.
"""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from unittest import mock

import trio

from qpqblob.store_sqlite import SqliteStore as BlobStore
from qpqclient import account as client_account
from qpqclient import content as client_content
from qpqclient import inbox as client_inbox
from qpqclient import outbox as client_outbox
from qpqclient.core import Core
from qpqclient.groups import Groups
from qpqclient.inbox import POSITION, Inbox
from qpqclient.outbox import Outbox
from qpqclient.people import People
from qpqclient.upkeep import Upkeep
from qpqcore.api import delivery as api
from qpqcore.api import keystore as keystore_api
from qpqcore.api.delivery import Entry, EntryKind
from qpqcore.bus.local import LocalBus
from qpqcore.bus.notices import REVOKED, LocalNotices
from qpqcore.crypto.identity import DeviceList
from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.wire.envelope import BusReply
from qpqdelivery import sqlite_channels, store_sqlite
from qpqdelivery.handshakes import Handshakes
from qpqdelivery.service import Delivery
from qpqdelivery.store import Accepted
from qpqgateway import rules as gateway_rules
from qpqgateway.peer import Peers
from qpqkeystore.service import Keystore
from qpqkeystore.store_sqlite import SqliteStore as KeyStore
from qpqserver.embedded import beside

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MESSAGE, COMMIT, PROPOSAL, WELCOME = (
    int(k) for k in (EntryKind.MESSAGE, EntryKind.COMMIT, EntryKind.PROPOSAL, EntryKind.WELCOME)
)
KINDS = {"message": MESSAGE, "commit": COMMIT, "proposal": PROPOSAL, "welcome": WELCOME}


@dataclass(frozen=True)
class Plant:
    """One fault."""

    name: str
    expected: str
    switch: Callable[[Any], Any]
    """Play -> a context manager in which the fault is there."""


PLANTS: list[Plant] = []


def plant(name: str, expected: str) -> Callable[..., Any]:
    """Enter a fault: a generator function over the play, with one yield."""

    def enter(work: Any) -> Any:
        PLANTS.append(Plant(name, expected, contextmanager(work)))
        return work

    return enter


@contextmanager
def mailboxes_are_read() -> Iterator[None]:
    """Let no message be told whole to who listens: what is wrong in a mailbox would not be seen."""
    with mock.patch.object(LocalNotices, "has_listener", return_value=False):
        yield


def patched(name: str, expected: str, owner: Any, attribute: str, *, read: bool = False) -> Callable[..., Any]:
    """Enter a fault that replaces a function: the decorated one is given the original and returns the bad one."""

    def enter(make: Any) -> Any:
        def work(play: Any) -> Any:
            with (
                mailboxes_are_read() if read else nullcontext(),
                mock.patch.object(owner, attribute, make(getattr(owner, attribute))),
            ):
                yield

        PLANTS.append(Plant(name, expected, contextmanager(work)))
        return make

    return enter


def sql(name: str, expected: str, service: str, *statements: str) -> None:
    """Enter a fault of a store: triggers in its database."""

    def work(play: Any) -> Any:
        with beside(play.server.settings, service, read_only=False) as connection:
            for statement in statements:
                connection.execute(statement)
        with mailboxes_are_read():
            yield

    PLANTS.append(Plant(name, expected, contextmanager(work)))


# --- the store of delivery

GONE = "DELETE FROM entries WHERE device = NEW.device AND number = NEW.number"
HERE = "device = NEW.device AND number = NEW.number"
BACK = (
    "UPDATE mailboxes SET last = last - 1, entries = entries - 1, bytes = bytes - NEW.bytes WHERE device = NEW.device"
)


def on_entry(when: str, *then: str) -> str:
    """Return a trigger on new mailbox entries."""
    return f"CREATE TRIGGER planted AFTER INSERT ON entries WHEN {when} BEGIN {'; '.join(then)}; END"


LOST_AS = {"message": "lost", "commit": "disagreement", "proposal": "resurrected", "welcome": "stuck"}
for kind, number in KINDS.items():
    some = f"NEW.kind = {number}" + (" AND NEW.log_number % 3 = 0" if kind == "message" else "")
    sql(f"store: a {kind} leaves a hole in the mailbox", "mailbox", "delivery", on_entry(some, GONE))
    sql(f"store: a {kind} is left out of the mailbox", LOST_AS[kind], "delivery", on_entry(some, GONE, BACK))
    sql(
        f"store: a {kind} lies in the mailbox twice", "handed_twice", "delivery",
        on_entry(
            some + " AND NEW.log_number < 10",
            "UPDATE mailboxes SET last = last + 1 WHERE device = NEW.device",
            "INSERT INTO entries SELECT device, number + 1, kind, channel, generation, epoch, log_number, accepted_ms, "
            f"expires_ms, bytes, payload, tree_hash FROM entries WHERE {HERE}",
        ),
    )  # fmt: skip
    if kind in {"proposal", "welcome"}:
        continue  # a proposal is passed over there; a Welcome makes devices try for ever, which takes long to show
    sql(
        f"store: a {kind} lies in somebody else's mailbox too", "outsider" if kind == "message" else "handed_twice", "delivery",
        on_entry(
            some + " AND NEW.log_number < 8",
            "UPDATE mailboxes SET last = last + 1 WHERE device <> NEW.device",
            "INSERT OR IGNORE INTO entries SELECT m.device, m.last, e.kind, e.channel, e.generation, e.epoch, e.log_number, "
            "e.accepted_ms, e.expires_ms, e.bytes, e.payload, e.tree_hash FROM entries e, mailboxes m WHERE "
            "e.device = NEW.device AND e.number = NEW.number AND m.device <> NEW.device",
        ),
    )  # fmt: skip
for column in ("epoch = epoch + 1", "generation = generation + 1", "log_number = log_number - 1", "channel = x'00'"):
    for kind in ("message", "commit"):
        some = f"NEW.kind = {KINDS[kind]} AND NEW.log_number > 3 AND NEW.log_number % 3 = 0"
        sql(
            f"store: a {kind}'s entry says another {column.split()[0]}",
        "rewritten" if column[0] != "c" else "lost", "delivery",
            on_entry(some, f"UPDATE entries SET {column} WHERE {HERE}"),
        )  # fmt: skip
for kind in ("message", "commit"):
    sql(
        f"store: a {kind}'s last byte is lost in the log", "rewritten", "delivery",
        f"CREATE TRIGGER planted AFTER INSERT ON log WHEN NEW.kind = {KINDS[kind]} AND NEW.number % 2 = 1 BEGIN "
        "UPDATE log SET payload = CAST(substr(payload, 1, length(payload) - 1) || x'00' AS BLOB) "
        "WHERE channel = NEW.channel AND number = NEW.number; END",
    )  # fmt: skip
sql(
    "store: a message is written over the one before", "rewritten", "delivery",
    "CREATE TRIGGER planted AFTER INSERT ON log WHEN NEW.kind = 0 AND NEW.number % 4 = 0 BEGIN UPDATE log SET payload = "
    "NEW.payload WHERE channel = NEW.channel AND number = NEW.number - 1 AND kind = 0; END",
)  # fmt: skip
sql(
    "store: messages expire at once", "lost", "delivery",
    on_entry("NEW.kind = 0 AND NEW.log_number % 3 = 0", f"UPDATE entries SET expires_ms = 1 WHERE {HERE}"),
)  # fmt: skip
sql(
    "store: the log forgets before mailboxes are read", "lost", "delivery",
    "CREATE TRIGGER planted AFTER INSERT ON log WHEN NEW.kind = 0 AND NEW.number % 5 = 0 BEGIN UPDATE log SET payload = NULL "
    "WHERE channel = NEW.channel AND number = NEW.number; END",
)  # fmt: skip
sql(
    "store: what was acknowledged takes the rest with it", "mailbox", "delivery",
    "CREATE TRIGGER planted AFTER UPDATE OF last ON mailboxes WHEN NEW.last % 7 = 0 BEGIN DELETE FROM entries "
    "WHERE device = NEW.device; END",
)  # fmt: skip
sql(
    "store: who was removed stays a member", "outsider", "delivery",
    "CREATE TRIGGER planted AFTER UPDATE OF removed_epoch ON leaves WHEN NEW.removed_epoch IS NOT NULL BEGIN UPDATE leaves "
    "SET removed_epoch = NULL WHERE channel = NEW.channel AND device = NEW.device AND added_epoch = NEW.added_epoch; END",
)  # fmt: skip
sql(
    "store: who is added has always been a member", "stuck", "delivery",
    "CREATE TRIGGER planted AFTER INSERT ON leaves WHEN NEW.added_epoch > 1 BEGIN UPDATE leaves SET added_epoch = 0 "
    "WHERE channel = NEW.channel AND device = NEW.device AND added_epoch = NEW.added_epoch; END",
)  # fmt: skip
sql(
    "store: a member is not written down", "stuck", "delivery",
    "CREATE TRIGGER planted AFTER INSERT ON leaves WHEN NEW.added_epoch = 1 BEGIN DELETE FROM leaves WHERE "
    "channel = NEW.channel AND device = NEW.device AND rowid IS NULL; UPDATE leaves SET removed_epoch = 1 WHERE "
    "channel = NEW.channel AND device = (SELECT min(device) FROM leaves WHERE channel = NEW.channel); END",
)  # fmt: skip
sql(
    "store: mailboxes are cut off without need", "mailbox", "delivery",
    "CREATE TRIGGER planted AFTER UPDATE OF last ON mailboxes WHEN NEW.last % 6 = 0 BEGIN UPDATE mailboxes SET "
    "last = last + 2 WHERE device = NEW.device; END",
)  # fmt: skip
sql(
    "store: a device's mailbox is gone", "stuck", "delivery",
    "CREATE TRIGGER planted AFTER UPDATE OF last ON mailboxes WHEN NEW.last = 9 BEGIN DELETE FROM mailboxes WHERE "
    "device = NEW.device; END",
)  # fmt: skip

# --- the other stores

sql(
    "store: jobs of a deletion are forgotten", "resurrected", "auth",
    "CREATE TRIGGER planted BEFORE INSERT ON jobs BEGIN SELECT RAISE(IGNORE); END",
)  # fmt: skip
sql(
    "store: a KeyPackage stays after it is handed out", "key_reused", "keystore",
    "CREATE TRIGGER planted BEFORE DELETE ON packages BEGIN SELECT RAISE(IGNORE); END",
)  # fmt: skip
sql(
    "store: KeyPackages are not stored", "stuck", "keystore",
    "DELETE FROM packages", "CREATE TRIGGER planted BEFORE INSERT ON packages BEGIN SELECT RAISE(IGNORE); END",
)  # fmt: skip


@patched("store: a blob's chunk has a flipped byte", "stuck", BlobStore, "chunk")
def _(chunk):
    async def bad(self, blob, offset, bytes_max):
        data = await chunk(self, blob, offset, bytes_max)
        return data[:-1] + bytes([data[-1] ^ 1])

    return bad


@patched("store: a blob ends early", "stuck", BlobStore, "chunk")
def _(chunk):
    async def bad(self, blob, offset, bytes_max):
        return (await chunk(self, blob, offset, bytes_max))[: max(0, 1000 - offset)]

    return bad


@patched("store: a KeyPackage is handed out as the last resort is", "key_reused", KeyStore, "_take_one")
def _(take_one):
    first: dict[bytes, Any] = {}

    def bad(c, account, device, suites, now_ms):
        return first.setdefault(device, take_one(c, account, device, suites, now_ms))

    return staticmethod(bad)


# --- what fetch hands out


def fetched(name: str, expected: str) -> Callable[..., Any]:
    """Enter a fault that changes what a device fetches: the decorated function is given the entries."""

    def enter(change: Any) -> Any:
        def make(fetch):
            async def bad(self, device, after, entries_max, *, payloads, now_ms):
                found = await fetch(self, device, after, entries_max, payloads=payloads, now_ms=now_ms)
                if found is None or not payloads:
                    return found
                return change(list(found[0])), found[1]

            return bad

        return patched(name, expected, store_sqlite.SqliteStore, "fetch", read=True)(make)

    return enter


def some(entries, kind=EntryKind.MESSAGE, every=3):
    return [e for e in entries if e.kind is kind and e.log_number % every == 0]


@fetched("fetch: the first entry is skipped", "mailbox")
def _(entries):
    return entries[1:] if len(entries) > 1 else entries


@fetched("fetch: the newest entry comes first", "mailbox")
def _(entries):
    return entries[::-1]


@fetched("fetch: some messages are shown as expired", "lost")
def _(entries):
    return [replace(e, kind=EntryKind.EXPIRED, payload=b"") if e in some(entries) else e for e in entries]


@fetched("fetch: some messages are empty", "rewritten")
def _(entries):
    return [replace(e, payload=b"") if e in some(entries) else e for e in entries]


@fetched("fetch: neighbours are exchanged", "rewritten")
def _(entries):
    if len(entries) > 1 and entries[0].kind is entries[1].kind is EntryKind.MESSAGE:
        a, b = entries[:2]
        return [replace(b, number=a.number), replace(a, number=b.number), *entries[2:]]
    changed = [replace(e, log_number=e.log_number + 1) if e in some(entries, every=4) else e for e in entries]
    return changed


@fetched("fetch: commits are shown as messages", "stuck")
def _(entries):
    return [
        replace(e, kind=EntryKind.MESSAGE) if e.kind is EntryKind.COMMIT and e.log_number > 1 else e for e in entries
    ]


@fetched("fetch: everything is shown as expired", "lost")
def _(entries):
    return [replace(e, kind=EntryKind.EXPIRED) if e.number > 6 else e for e in entries]


@fetched("fetch: messages are told to be of an hour later", "lingering")
def _(entries):
    return [replace(e, accepted_ms=e.accepted_ms + 3_600_000) if e.kind is EntryKind.MESSAGE else e for e in entries]


@fetched("fetch: entries are numbered from one again", "mailbox")
def _(entries):
    return [replace(e, number=e.number + 1) if e.number > 8 else e for e in entries]


# --- delivery's logic


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
            if answers and isinstance(answers[0], tuple) and answers[0][0].log_number % 6 == 0:
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

    with mock.patch.object(LocalBus, "call", forgetful), mock.patch.object(sqlite_channels, "found", lambda *a: None):
        yield


ENQUEUE = next(
    n for n, m in __import__("qpqcore.api.methods", fromlist=["METHODS"]).METHODS.items() if m.name == "enqueue"
)


def audience(name: str, expected: str, query: str) -> None:
    """Enter a fault of who gets a message."""

    def make(_original):
        def bad(c, m, generation):
            rows = c.execute(query, {"channel": m.channel, "generation": generation, "epoch": m.epoch})
            found = [r[0] for r in rows]
            return [*found, *([m.device] if m.device and m.device not in found else [])]

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
        return first.setdefault(params.channel, await fetch(self, call, params))

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


# --- keystore, auth, gateway


@patched("keystore: two device lists of one version", "list_went_back", Keystore, "resolve_user")
def _(resolve):
    count = iter(range(10**6))

    async def bad(self, call, params):
        found = await resolve(self, call, params)
        if found.device_list and next(count) % 2:
            other = replace(DeviceList.from_bytes(found.device_list), signature=b"s" * 64)
            return replace(found, device_list=other.to_bytes())
        return found

    return bad


@patched("keystore: nobody is to be found", "stuck", Keystore, "resolve_user")
def _(resolve):
    async def bad(self, call, params):
        await trio.lowlevel.checkpoint()
        raise Refusal(ErrorCode.NOT_FOUND)

    return bad


@patched("keystore: somebody else's keys", "stuck", Keystore, "fetch_key_package")
def _(fetch):
    async def bad(self, call, params):
        found = await fetch(self, call, params)
        accounts = found.accounts
        if len(accounts) > 1:
            swapped = [replace(a, packages=b.packages) for a, b in zip(accounts, accounts[::-1], strict=True)]
            return keystore_api.FetchKeyPackageResult(accounts=tuple(swapped))
        return found

    return bad


@patched("gateway: a revocation does not end connections", "served_after", Peers, "revoke")
def _(revoke):
    return lambda self, what, ident: None


@patched("bus: a message is told with the one before it in its place", "lost", Delivery, "_taken")
def _(taken):
    before = {}

    def bad(self, message, accepted, arrivals):
        payload, before[message.channel] = before.get(message.channel, message.payload), message.payload
        return taken(self, replace(message, payload=payload), accepted, arrivals)

    return bad


@patched("gateway: what is told is passed on past a hole", "mailbox", gateway_rules, "following")
def _(following):
    def bad(position, told):
        entries = [Entry.from_bytes(data) for data in told if data]
        return tuple(sorted((e for e in entries if e.number > position), key=lambda e: e.number)), True

    return bad


@patched("bus: revocations are lost", "served_after", LocalNotices, "publish")
def _(publish):
    def bad(self, topic, payload=b""):
        if topic != REVOKED:
            publish(self, topic, payload)

    return bad


# --- the bus


def on_bus(name: str, expected: str) -> Callable[..., Any]:
    """Enter a fault of the bus: the decorated coroutine function is given the real call and the envelope."""
    return patched(name, expected, LocalBus, "call")


@on_bus("bus: answers are exchanged between calls of one method", "rewritten")
def _(call):
    last: dict[int, Any] = {}

    async def bad(self, envelope):
        reply = await call(self, envelope)
        if envelope.method == ENQUEUE and reply.code == 0:
            reply, last[ENQUEUE] = last.get(ENQUEUE, reply), reply
        return reply

    return bad


@on_bus("bus: somebody else's assertion is put in", "stuck")
def _(call):
    last = []

    async def bad(self, envelope):
        if envelope.assertion:
            last.append(envelope.assertion)
        if envelope.assertion and len(last) > 60 and len(last) % 3 == 0:
            envelope = replace(envelope, assertion=last[0])
        return await call(self, envelope)

    return bad


for method in ("fetch", "submitCommit", "fetchKeyPackage", "fetchTree", "ack"):

    def _make(name):
        from qpqcore.api.methods import METHODS

        number = next(n for n, m in METHODS.items() if m.name == name)

        def make(call):
            count = iter(range(10**6))

            async def bad(self, envelope):
                if envelope.method == number and next(count) > 2:
                    await trio.lowlevel.checkpoint()
                    return BusReply(code=int(ErrorCode.FORBIDDEN), detail="planted")
                return await call(self, envelope)

            return bad

        return make

    on_bus(f"bus: {method} is refused after a while", "stuck")(_make(method))


# --- the client


@patched("client: a message is passed over and acknowledged", "lost", Inbox, "_message")
def _(message):
    def bad(self, entry):
        return self._pass_over(entry) if entry.log_number % 4 == 0 else message(self, entry)

    return bad


@patched("client: acknowledged before it is stored", "lost", Core, "_take")
def _(take):
    async def bad(self, entries):
        if entries:
            await self.call(api.AckParams(up_to=entries[-1].number), api.AckResult)
        kept = [e for e in entries if e.kind is not EntryKind.MESSAGE or e.number % 5]
        await take(self, tuple(kept))
        if entries and self.inbox.position < entries[-1].number:
            with self.store.transaction():
                self.store.put_number(POSITION, entries[-1].number)

    return bad


def on_add(name: str, expected: str) -> Callable[..., Any]:
    """Enter a fault of how a message is stored for showing."""
    return patched(name, expected, client_content, "add_message")


@on_add("client: a message is shown twice", "invented")
def _(add):
    def bad(store, channel, sender, content, **more):
        again = replace(content, id=bytes(15) + content.id[:1])
        if not more["own"] and content.id[0] % 2:
            add(store, channel, sender, again, **more)
        return add(store, channel, sender, content, **more)

    return bad


@on_add("client: a message is shown as another text", "invented")
def _(add):
    def bad(store, channel, sender, content, **more):
        if content.which == "text" and not more["own"]:
            content = replace(content, text=content.text[::-1])
        return add(store, channel, sender, content, **more)

    return bad


@on_add("client: a message is shown as its reader's", "invented")
def _(add):
    def bad(store, channel, sender, content, **more):
        return add(store, channel, sender if more["own"] else store.get("account"), content, **more)

    return bad


@on_add("client: a message is shown in another conversation", "invented")
def _(add):
    def bad(store, channel, sender, content, **more):
        channels = [r[0] for r in store.rows("SELECT channel FROM channels ORDER BY channel")]
        return add(
            store, channel if more["own"] else channels[0 if channels[0] != channel else -1], sender, content, **more
        )

    return bad


@on_add("client: messages are shown in another order", "order")
def _(add):
    def bad(store, channel, sender, content, **more):
        if more["log_number"]:
            more["log_number"] ^= 1
        return add(store, channel, sender, content, **more)

    return bad


@on_add("client: a message is not stored", "lost")
def _(add):
    def bad(store, channel, sender, content, **more):
        return content.id[0] % 3 == 0 or add(store, channel, sender, content, **more)

    return bad


@patched("client: a person is told twice", "doubled", Core, "tell")
def _(tell):
    def bad(self, event):
        tell(self, event)
        if type(event).__name__ == "MessageReceived":
            tell(self, event)

    return bad


@patched("client: a reaction tells of the message again", "doubled", client_content, "MessageChanged")
def _(changed):
    from qpqclient.model import MessageStored

    return MessageStored


@patched("client: what vanishes stays", "lingering", client_content, "expiry")
def _(expiry):
    return lambda content, accepted_ms: 0


@patched("client: what vanishes does so at once", "lost", client_content, "expiry")
def _(expiry):
    def bad(content, accepted_ms):
        return accepted_ms + 1

    return bad


@patched("client: one's own message vanishes by another clock", "lingering", client_outbox, "expiry")
def _(expiry):
    return lambda content, accepted_ms: expiry(content, accepted_ms + 3_600_000)


def on_action(name: str, expected: str) -> Callable[..., Any]:
    """Enter a fault of how a content changes others."""
    return patched(name, expected, client_content, "apply_action")


@on_action("client: a deletion is passed over", "lingering")
def _(act):
    return lambda store, channel, sender, content: (
        [] if content.which == "delete" else act(store, channel, sender, content)
    )


@on_action("client: a reaction deletes", "lost")
def _(act):
    def bad(store, channel, sender, content):
        if content.which == "reaction":
            store.db.execute("DELETE FROM messages WHERE channel = ? AND id = ?", (channel, content.reaction.to))
        return act(store, channel, sender, content)

    return bad


@on_action("client: a reaction edits", "invented")
def _(act):
    def bad(store, channel, sender, content):
        if content.which == "reaction":
            store.db.execute(
                "UPDATE messages SET text = '!' WHERE channel = ? AND id = ?", (channel, content.reaction.to)
            )
        return act(store, channel, sender, content)

    return bad


@patched("client: a message is called sent and was not", "unsent", Outbox, "_deliver")
def _(deliver):
    count = iter(range(10**6))

    async def bad(self, row):
        if next(count) % 6 == 5:
            await trio.lowlevel.checkpoint()
            self._done(row, api.EnqueueResult(log_number=9_999, accepted_ms=self._core.now_ms()))
            return
        await deliver(self, row)

    return bad


@patched("client: a refused message is forgotten", "unsent", Outbox, "_deliver")
def _(deliver):
    count = iter(range(10**6))

    async def bad(self, row):
        if next(count) % 6 == 5:
            await trio.lowlevel.checkpoint()
            with self._store.transaction() as db:
                db.execute("DELETE FROM outbox WHERE number = ?", (row[0],))
                db.execute("DELETE FROM messages WHERE id = ?", (row[2],))
            return
        await deliver(self, row)

    return bad


@patched("client: a message is encrypted anew when no answer comes", "sent_twice", Outbox, "_done")
def _(done):
    seen = set()

    def bad(self, row, answer):
        number, _, ident, *_ = row
        if ident in seen or answer.log_number % 4:
            done(self, row, answer)
        else:
            seen.add(ident)
            self._store.db.execute("UPDATE outbox SET payload = NULL WHERE number = ?", (number,))

    return bad


@patched("client: the outbox is empty after a restart", "unsent", Core, "run")
def _(run):
    async def bad(self):
        self.store.db.execute("DELETE FROM messages WHERE state = 'pending'")
        self.store.db.execute("DELETE FROM outbox")
        await run(self)

    return bad


@patched("client: the outbox is stuck", "stuck", Outbox, "send_next")
def _(send):
    count = iter(range(10**6))

    async def bad(self):
        if next(count) > 25:
            await trio.sleep(1)
            return False
        return await send(self)

    return bad


@patched("client: a commit is merged before the server has it", "forked", Groups, "next_write_key")
def _(key):
    def bad(self, channel, generation, pending, entries=None, tree=b""):
        from qpqclient.groups import write_key

        group = self.load(channel)
        group.apply(pending)
        with self._store.transaction():
            self.save(channel, group)
            self.save_members(channel, group)
        return write_key(group, channel, generation)

    return bad


@patched("client: commits are passed over", "stuck", Inbox, "_commit")
def _(commit):
    def bad(self, entry):
        return self._pass_over(entry) if entry.log_number % 2 else commit(self, entry)

    return bad


@patched("client: proposals are passed over", "resurrected", Upkeep, "_proposed")
def _(proposed):
    return lambda self: []


@patched("client: a group that cannot be followed is left alone", "disagreement", Upkeep, "_rejoin")
def _(rejoin):
    async def bad(self):
        await trio.lowlevel.checkpoint()
        self._store.db.execute("DELETE FROM rejoins")

    return bad


@patched("client: a gap is passed over", "disagreement", Inbox, "_gap")
def _(gap):
    return lambda self, entry: self._pass_over(entry)


@patched("client: a Welcome is passed over", "disagreement", Inbox, "_welcome")
def _(welcome):
    async def bad(self, entry):
        await trio.lowlevel.checkpoint()
        self._pass_over(entry)

    return bad


@patched("client: who is removed stays", "disagreement", Groups, "leave")
def _(leave):
    return lambda self, channel: None


@patched("client: members are written down wrongly", "disagreement", Groups, "save_members")
def _(save):
    def bad(self, channel, group):
        save(self, channel, group)
        self._store.db.execute("DELETE FROM leaves WHERE channel = ? AND leaf = 0", (channel,))

    return bad


@patched("client: the position runs ahead", "mailbox", Inbox, "_message")
def _(message):
    def bad(self, entry):
        message(self, entry)
        if entry.log_number % 5 == 0:
            with self._store.transaction():
                self._store.put_number(POSITION, entry.number + 1)

    return bad


@patched("client: an entry that cannot be read ends the client", "broke", client_inbox, "read_leaf")
def _(read):
    count = iter(range(10**6))

    def bad(credential, key):
        if next(count) == 12:
            raise RuntimeError("planted")
        return read(credential, key)

    return bad


@patched("client: a label is sent as it is", "readable", client_account, "seal_label")
def _(seal):
    return lambda root_key, device, label: label.encode()


@patched("client: a stranger's device list is believed", "stuck", People, "pin")
def _(pin):
    def bad(self, account, device_list):
        raise Refusal(ErrorCode.CREDENTIAL_INVALID)

    return bad
