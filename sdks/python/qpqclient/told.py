"""What a conversation is called and how long messages stay: how it is told to who comes, and how it is known (docs/spec/content.md)."""

from __future__ import annotations

import enum
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from qpqclient.model import Event, GroupChanged
from qpqcore.api.content import ContentSettings
from qpqcore.groups.policy import Right

if TYPE_CHECKING:
    from collections.abc import Callable

    from qpqclient.store import Store
    from qpqcore.api.content import Content
    from qpqcore.api.delivery import Entry

T = TypeVar("T", str, int)

NAME_CHARS_MAX = 256
"""Of a conversation: what is longer is cut."""


class KnownFrom(enum.IntEnum):
    """How the name of a conversation, or its timer, is known here."""

    TOLD = 0
    """It was set, or told by who may."""
    INVITED = 1
    """Who has invited this device will tell it, once."""
    ALONE = 2
    """This device has joined by itself, and goes by others' messages."""


def settings_of(store: Store, channel: bytes) -> ContentSettings:
    """Return what there is to be told to who comes."""
    ((name, name_from, timer_seconds, timer_from),) = _known(store, channel)
    certain = name_from == timer_from == KnownFrom.TOLD
    return ContentSettings(name=name, timer_seconds=timer_seconds, certain=certain)


def _known(store: Store, channel: bytes) -> list[tuple[str, int, int, int]]:
    return store.rows("SELECT name, name_from, timer_seconds, timer_from FROM channels WHERE channel = ?", channel)


def learn(
    store: Store, channel: bytes, sender: bytes, content: Content, entry: Entry, may: Callable[[Right], bool]
) -> list[Event]:
    """Learn name and timer of a conversation that was joined, where they are not certain yet: who adds people tells them; else
    the timer is that of the last message under one from who may set it. What stands in an earlier channel tells nothing.
    """
    told, after_seconds = content.settings, content.expires_after_seconds
    if channel != entry.channel or not (told or after_seconds) or not (known := _known(store, channel)):
        return []
    name, name_from, timer_seconds, timer_from = known[0]
    own = sender == store.get("account")
    if told is not None:
        by_host = KnownFrom.INVITED in (name_from, timer_from) and _has_invited(store, channel, sender)
        heard = partial(_heard, certain=told.certain, by_host=by_host)
        fresh = (
            *heard(name, name_from, told.name[:NAME_CHARS_MAX] or name, trusted=own or may(Right.RENAME)),
            *heard(timer_seconds, timer_from, told.timer_seconds, trusted=own or may(Right.TIMER)),
        )
    elif timer_from != KnownFrom.TOLD and (own or may(Right.TIMER)):
        fresh = (name, name_from, after_seconds, timer_from)
    else:
        return []
    if fresh != known[0]:
        store.db.execute(
            "UPDATE channels SET name = ?, name_from = ?, timer_seconds = ?, timer_from = ? WHERE channel = ?",
            (*fresh, channel),
        )
    return [GroupChanged(channel, active=True)] if (fresh[0], fresh[2]) != (name, timer_seconds) else []


def _heard(known: T, known_from: int, told: T, *, certain: bool, trusted: bool, by_host: bool) -> tuple[T, int]:
    """Return a name, or a timer, once it was told, and how it is known then.

    What its teller is not certain of fills a gap; the word of who has invited this device counts once.
    """
    is_hosts = by_host and known_from == KnownFrom.INVITED
    if known_from == KnownFrom.TOLD or not (trusted or is_hosts):
        return known, known_from
    if certain:
        return told, KnownFrom.TOLD
    return known or told, KnownFrom.ALONE if is_hosts else known_from


def _has_invited(store: Store, channel: bytes, account: bytes) -> bool:
    """Whether a member is who has invited this device."""
    return bool(
        store.rows(
            "SELECT 1 FROM channels c JOIN leaves l ON l.channel = c.channel AND l.identity_key = c.brought_by "
            "WHERE c.channel = ? AND l.account = ? LIMIT 1",
            channel, account,
        )
    )  # fmt: skip
