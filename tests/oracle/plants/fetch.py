"""Faults of what fetch hands out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qpqcore.api.delivery import EntryKind
from qpqdelivery import store_sqlite
from tests.oracle.plants.base import patched

if TYPE_CHECKING:
    from collections.abc import Callable


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
