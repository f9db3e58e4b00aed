"""What a conversation is called and how long messages stay: how it is told to who comes, and how it is known (docs/spec/content.md)."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from qpqclient.model import Event, GroupChanged
from qpqcore.api.content import ContentSettings
from qpqcore.groups.policy import Right

if TYPE_CHECKING:
    from collections.abc import Callable

    from qpqclient.store import Store
    from qpqcore.api.content import Content
    from qpqcore.api.delivery import Entry

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


@dataclass(frozen=True, slots=True)
class _Settings:
    """What a conversation is called here, for how long messages stay, and how that is known."""

    name: str
    name_from: int
    timer_seconds: int
    timer_from: int


def _settings(store: Store, channel: bytes) -> _Settings | None:
    rows = store.rows("SELECT name, name_from, timer_seconds, timer_from FROM channels WHERE channel = ?", channel)
    return _Settings(*rows[0]) if rows else None


def settings_of(store: Store, channel: bytes) -> ContentSettings:
    """Return what there is to be told to who comes."""
    known = _settings(store, channel) or _Settings("", KnownFrom.ALONE, 0, KnownFrom.ALONE)
    certain = known.name_from == known.timer_from == KnownFrom.TOLD
    return ContentSettings(name=known.name, timer_seconds=known.timer_seconds, certain=certain)


def learn(
    store: Store, channel: bytes, sender: bytes, content: Content, entry: Entry, may: Callable[[Right], bool]
) -> list[Event]:
    """Learn name and timer of a conversation that was joined, where they are not certain yet: who adds people tells them; else
    the timer is that of the last message under one from who may set it. What stands in an earlier channel tells nothing.
    """
    if channel != entry.channel or not (content.settings or content.expires_after_seconds):
        return []
    known = _settings(store, channel)
    if known is None:
        return []
    own = sender == store.get("account")
    if content.settings is not None:
        by_host = KnownFrom.INVITED in (known.name_from, known.timer_from) and _has_invited(store, channel, sender)
        fresh = _told(
            known, content.settings, renames=own or may(Right.RENAME), times=own or may(Right.TIMER), by_host=by_host
        )
    elif known.timer_from != KnownFrom.TOLD and (own or may(Right.TIMER)):
        fresh = replace(known, timer_seconds=content.expires_after_seconds)
    else:
        return []
    store.db.execute(
        "UPDATE channels SET name = ?, name_from = ?, timer_seconds = ?, timer_from = ? WHERE channel = ?",
        (fresh.name, fresh.name_from, fresh.timer_seconds, fresh.timer_from, channel),
    )
    is_news = (fresh.name, fresh.timer_seconds) != (known.name, known.timer_seconds)
    return [GroupChanged(channel, active=True)] if is_news else []


def _told(known: _Settings, told: ContentSettings, *, renames: bool, times: bool, by_host: bool) -> _Settings:
    """Return what is known once it was told. What its teller is not certain of fills gaps; the host's word counts once."""
    name, timer_seconds = told.name[:NAME_CHARS_MAX], told.timer_seconds
    fresh = known
    if known.name_from != KnownFrom.TOLD and (renames or (by_host and known.name_from == KnownFrom.INVITED)):
        name = name if name and (told.certain or not known.name) else known.name
        fresh = replace(fresh, name=name, name_from=KnownFrom.TOLD if told.certain else known.name_from)
    if known.timer_from != KnownFrom.TOLD and (times or (by_host and known.timer_from == KnownFrom.INVITED)):
        timer_seconds = timer_seconds if told.certain or timer_seconds else known.timer_seconds
        fresh = replace(
            fresh, timer_seconds=timer_seconds, timer_from=KnownFrom.TOLD if told.certain else known.timer_from
        )
    if by_host:
        fresh = replace(fresh, name_from=_once(fresh.name_from), timer_from=_once(fresh.timer_from))
    return fresh


def _once(known_from: int) -> int:
    return KnownFrom.ALONE if known_from == KnownFrom.INVITED else known_from


def _has_invited(store: Store, channel: bytes, account: bytes) -> bool:
    """Whether a member is who has invited this device."""
    return bool(
        store.rows(
            "SELECT 1 FROM channels c JOIN leaves l ON l.channel = c.channel AND l.identity_key = c.brought_by "
            "WHERE c.channel = ? AND l.account = ? LIMIT 1",
            channel, account,
        )
    )  # fmt: skip
