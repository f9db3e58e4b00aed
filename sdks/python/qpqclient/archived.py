"""What of the database stands in an archive, and how it comes back: rows of tables, checked against their columns.

Messages that have vanished meanwhile stay away; what is there already stays as it is, so that taking an archive twice, or
again after a crash, does no harm. But conversations that were joined before it came have no name, and a timer that is not
certain: names come out of any archive, timers out of those that another device has made just now. The notepad is not in it: it never leaves its device.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio

from qpqclient.errors import ArchiveDamaged
from qpqclient.notepad import NOTEPAD
from qpqclient.told import KnownFrom
from qpqcore.api.content import ChannelKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from qpqclient.archive import Row
    from qpqclient.store import Store
    from qpqcore.store.connection import Connection

ROWS_AT_ONCE = 500
"""Rows of one transaction; other tasks run between two."""
BYTES, NUMBER, TEXT, MAYBE_BYTES = (bytes,), (int,), (str,), (bytes, type(None))
TABLES: dict[str, tuple[tuple[str, tuple[type, ...]], ...]] = {
    "people": (("account", BYTES), ("name", TEXT), ("identity_key", BYTES)),
    "contacts": (("account", BYTES), ("state", TEXT), ("verified_key", BYTES)),
    "channels": (("channel", BYTES), ("kind", NUMBER), ("name", TEXT), ("timer_seconds", NUMBER)),
    "messages": (
        ("channel", BYTES), ("id", BYTES), ("sender", BYTES), ("kind", TEXT), ("text", TEXT), ("sent_ms", NUMBER),
        ("accepted_ms", NUMBER), ("log_number", NUMBER), ("state", TEXT), ("edited", NUMBER), ("reply_to", MAYBE_BYTES),
        ("file", MAYBE_BYTES), ("expires_ms", NUMBER), ("read", NUMBER),
    ),
    "reactions": (("channel", BYTES), ("id", BYTES), ("account", BYTES), ("emoji", TEXT)),
    "receipts": (("channel", BYTES), ("id", BYTES), ("account", BYTES), ("read", NUMBER)),
    "pins": (("channel", BYTES), ("id", BYTES), ("account", BYTES)),
}  # fmt: skip
"""In the order in which they are written; a later version may add tables at the end."""
CONSTANTS = {
    "people": {"device_list": "x''", "version": "0"},
    "contacts": {"announced": "x''"},
    "channels": {
        "generation": "0",
        "epoch": "0",
        "active": "0",
        "authenticator": "x''",
        "name_from": str(int(KnownFrom.ALONE)),
        "timer_from": str(int(KnownFrom.ALONE)),
    },
    "messages": {"own": "0", "shown": "1"},
}
"""Columns that are this device's own matter, as they begin."""
NUMBER_MAX = (1 << 63) - 1
_EXPIRES = [name for name, _ in TABLES["messages"]].index("expires_ms")


def rows(connection: Connection, now_ms: int, *, lasting: bool) -> Iterator[Row]:
    """Yield what goes into an archive: all that the server has and that has not vanished by `now_ms`.

    `lasting`: nothing that will vanish one day, for the archive may be kept for longer.
    """
    for table, columns in TABLES.items():
        names = ", ".join(name for name, _ in columns)
        found = connection.execute(f"SELECT {names} FROM {table} WHERE {_which(table, 1 << 62 if lasting else now_ms)}")  # noqa: S608 - fixed texts
        yield from ([table, *row] for row in found)


def _which(table: str, after_ms: int) -> str:
    if table == "messages":
        alive = f"(expires_ms = 0 OR expires_ms > {int(after_ms)})"
        return f"channel <> x'{NOTEPAD.hex()}' AND kind <> 'notice' AND log_number IS NOT NULL AND {alive}"
    if table == "channels":
        return f"channel <> x'{NOTEPAD.hex()}' AND kind <> {int(ChannelKind.SELF)} AND moved_to = x''"
    return f"channel <> x'{NOTEPAD.hex()}'" if ("channel", BYTES) in TABLES[table] else "1"


async def take(store: Store, archived: Iterable[Row], now_ms: int, *, present: bool = False) -> int:
    """Bring rows back, some in each transaction; return how many messages are new. ArchiveDamaged, DiskFull.

    `present`: another device has made the archive just now, for this one.
    """
    count = 0
    waiting: list[Row] = []
    for row in archived:
        waiting.append(row)
        if len(waiting) == ROWS_AT_ONCE:
            count += _put(store, waiting, now_ms, present=present)
            waiting = []
            await trio.lowlevel.checkpoint()
    return count + _put(store, waiting, now_ms, present=present)


def _put(store: Store, some: list[Row], now_ms: int, *, present: bool) -> int:
    fresh = 0
    with store.transaction() as db:
        later = dict(store.rows("SELECT channel, moved_to FROM channels WHERE moved_to <> x''"))
        for table, *values in some:
            columns = TABLES.get(table)
            if columns is None:
                continue
            _check(columns, values)
            while columns[0][0] == "channel" and table != "channels" and values[0] in later:
                values[0] = later[values[0]]  # written before the group went on at another home
            if table == "messages" and 0 < values[_EXPIRES] <= now_ms:
                continue
            constants = CONSTANTS.get(table, {})
            names = ", ".join([*(name for name, _ in columns), *constants])
            places = ", ".join(["?"] * len(columns) + list(constants.values()))
            done = db.execute(f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({places})", values)  # noqa: S608 - fixed texts
            if table == "channels" and not done.rowcount:
                _tell(db, values, present=present)
            if table == "messages":
                fresh += done.rowcount
                db.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", values[:2])
    return fresh


def _tell(db: Connection, values: list[Any], *, present: bool) -> None:
    """Tell a conversation that is there already what it is called, and for how long messages stay."""
    channel, _, name, timer_seconds = values
    db.execute("UPDATE channels SET name = ? WHERE channel = ? AND name = ''", (name, channel))
    if present and timer_seconds:  # 0 may be what its writer does not know either
        db.execute(
            "UPDATE channels SET timer_seconds = ? WHERE channel = ? AND timer_from <> ?",
            (timer_seconds, channel, int(KnownFrom.TOLD)),
        )


def _check(columns: tuple[tuple[str, tuple[type, ...]], ...], values: list[Any]) -> None:
    fit = len(values) == len(columns) and all(
        type(value) in kinds for value, (_, kinds) in zip(values, columns, strict=True)
    )
    if not fit or not all(0 <= value <= NUMBER_MAX for value in values if isinstance(value, int)):
        raise ArchiveDamaged("the archive has a row with other columns")
