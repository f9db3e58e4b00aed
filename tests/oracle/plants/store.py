"""Faults of the stores: triggers in their databases, and functions that store something else."""

from __future__ import annotations

from typing import Any

from qpqblob.store_sqlite import SqliteStore as BlobStore
from qpqkeystore.store_sqlite import SqliteStore as KeyStore
from tests.oracle.plants.base import KINDS, patched, sql

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
            f"{some} AND NEW.log_number < {40 if kind == 'proposal' else 10}",
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
ELSEWHERE = {"message": "lost", "commit": "stuck"}
"""What becomes of an entry that says a channel that nobody knows: who misses a commit cannot follow."""
for column in ("epoch = epoch + 1", "generation = generation + 1", "log_number = log_number - 1", "channel = x'00'"):
    for kind in ("message", "commit"):
        some = f"NEW.kind = {KINDS[kind]} AND NEW.log_number > 3 AND NEW.log_number % 3 = 0"
        sql(
            f"store: a {kind}'s entry says another {column.split()[0]}",
            "rewritten" if column[0] != "c" else ELSEWHERE[kind], "delivery",
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
