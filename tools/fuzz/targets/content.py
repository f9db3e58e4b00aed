"""What stands inside the ciphertext: a member is a stranger too, once it goes bad."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import cache
from typing import TYPE_CHECKING

from qpqclient.content import apply_content, new_content, shown_text
from qpqclient.store import Store
from qpqcore.api.content import (
    Content,
    ContentEdit,
    ContentFile,
    ContentPin,
    ContentProfile,
    ContentReaction,
    ContentReceipt,
    ContentReceiptKind,
    ContentReply,
    ContentSettings,
    Signal,
)
from qpqcore.api.delivery import Entry, EntryKind
from qpqcore.model.errors import Refusal
from qpqcore.store.connection import connect
from qpqcore.store.migrations import migrate, migrations_of
from tools.fuzz.target import Target, demand

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW_MS = 1_800_000_000_000
CHANNEL, SENDER, OTHER = b"c" * 16 + b"localhost", b"a" * 16 + b"localhost", b"b" * 16 + b"localhost"
KNOWN = b"i" * 16
"""Id of a message that the store has."""
ENTRY = Entry(
    number=7, kind=EntryKind.MESSAGE, channel=CHANNEL, generation=1, epoch=3, log_number=9, accepted_ms=NOW_MS
)


OTHERS = b"o" * 16


class _InMemory(Store):
    """The client's store over a database in memory: what `apply_content` sees of it is the database."""

    def __init__(self) -> None:
        self.db = connect(None, b"k" * 32, shared_name="fuzz-content")
        migrate(self.db, migrations_of("qpqclient"), None)
        self.db.execute(
            "INSERT INTO channels (channel, generation, epoch, kind, name, timer_seconds, active, authenticator) "
            "VALUES (?, 1, 3, 1, 'club', 0, 1, X'')",
            (CHANNEL,),
        )
        self.put({"account": SENDER})
        known = Content(version=1, id=KNOWN, sent_ms=NOW_MS, text="known", which="text")
        apply_content(self, CHANNEL, SENDER, known, ENTRY)
        apply_content(self, CHANNEL, OTHER, replace(known, id=OTHERS), ENTRY)


@cache
def _store() -> Store:
    return _InMemory()


def content(data: bytes) -> None:
    """Read a content, show it, and apply it to a store that is put back afterwards: nothing of it may end the client."""
    read = Content.from_bytes(data)
    demand(Content.from_bytes(read.to_bytes()) == read, "a content is written differently than read")
    shown_text(read)
    db = _store().db
    for sender in (SENDER, OTHER):
        db.execute("BEGIN")
        try:
            apply_content(_store(), CHANNEL, sender, read, ENTRY)
            demand(not apply_content(_store(), CHANNEL, sender, read, ENTRY), "a repeat has an effect")
        finally:
            db.execute("ROLLBACK")


def signal(data: bytes) -> None:
    """Read what a signal carries."""
    read = Signal.from_bytes(data)
    demand(Signal.from_bytes(read.to_bytes()) == read, "a signal is written differently than read")


def _content_seeds() -> Iterator[tuple[str, bytes]]:
    parts: dict[str, dict[str, object]] = {
        "text": {"text": "a text"}, "reply": {"reply": ContentReply(to=KNOWN, text="yes")},
        "reaction": {"reaction": ContentReaction(to=KNOWN, emoji="+")},
        "edit": {"edit": ContentEdit(to=KNOWN, text="better")}, "delete": {"delete": KNOWN},
        "receipt": {"receipt": ContentReceipt(ids=(KNOWN, b"j" * 16), kind=ContentReceiptKind.READ)},
        "file": {"file": ContentFile(blob=b"b" * 41, secret=b"s" * 16, key=b"k" * 32, total_bytes=9, name="n", mime="m")},
        "pin": {"pin": ContentPin(to=KNOWN)}, "timer": {"timer": 3_600}, "rename": {"rename": "new name"},
        "profile": {"profile": ContentProfile(display_name="Alice")}, "cutShort": {"cut_short": b"d" * 25},
        "selfState": {"self_state": b"state"},
        "settings": {"settings": ContentSettings(name="club", timer_seconds=60, certain=True)},
    }  # fmt: skip
    assert {part for values in parts.values() for part in values} < {f.name for f in fields(Content)}
    for which, values in parts.items():
        yield which, new_content(NOW_MS, which, expires_after_seconds=60, fallback="[?]", **values).to_bytes()


TARGETS = (
    Target(
        name="content", what="the content format, applied to a client's store", run=content, errors=(Refusal,), native=True,
        seeds=_content_seeds,
    ),
    Target(
        name="signal", what="signals", run=signal, errors=(Refusal,), native=True,
        seeds=lambda: [("typing", Signal(typing=True, which="typing").to_bytes())],
    ),
)  # fmt: skip
