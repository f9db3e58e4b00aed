"""What crosses between the screen and the client: updates to show, intents to carry out. All frozen.

Every string of an update is harmless already (`qpq.harmless`), but those that say otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from qpq.repl.view import Style
from qpqclient import Draft


class Badge(Enum):
    """What is known of a key."""

    NONE = ""
    """A group, a notepad: nothing to be compared."""
    UNVERIFIED = "not verified"
    VERIFIED = "verified"
    CHANGED = "KEY CHANGED"


@dataclass(frozen=True, slots=True)
class Place:
    """A conversation in the list."""

    channel: bytes
    label: str
    """@person or #group."""
    unread: int = 0
    mentions: int = 0
    badge: Badge = Badge.NONE
    muted: bool = False
    active: bool = True
    draft: bool = False
    """Whether something was typed there and not sent."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A message in the timeline."""

    id: bytes
    sender: str
    moment: str
    day: str
    """Given with the first entry of a day."""
    lines: tuple[str, ...]
    own: bool = False
    state: str = ""
    """How far one's own has come: pending, sent, delivered, read, failed."""
    edited: bool = False
    quote: str = ""
    """Of what it answers: who, and how it began."""
    reactions: tuple[tuple[str, int], ...] = ()
    notice: bool = False
    """Nobody has sent it: that a key has changed, say."""
    named: bool = False
    """Whether it names one with an @."""
    picture: bool = False
    """Whether it carries a file that says it is a picture."""
    file: bool = False
    text: str = ""
    """One's own text as it was sent, NOT harmless: for the composer, which shows nothing as it is."""


@dataclass(frozen=True, slots=True)
class Person:
    """A member of the open conversation."""

    name: str
    badge: Badge = Badge.NONE
    admin: bool = False
    devices: int = 1


@dataclass(frozen=True, slots=True)
class Scene:
    """All that the screen shows at a moment; a newer one replaces it as a whole."""

    name: str
    """One's own."""
    places: tuple[Place, ...] = ()
    open: bytes | None = None
    title: str = ""
    badge: Badge = Badge.NONE
    entries: tuple[Entry, ...] = ()
    older: bool = False
    """Whether there is more before the first entry."""
    people: tuple[Person, ...] = ()
    connected: bool = False
    logged_out: bool = False
    unsent: int = 0
    """How much of what one said the server does not have yet."""
    requests: int = 0
    draft: Draft = field(default_factory=Draft)
    """What was typed in the open conversation and not sent; its text is NOT harmless."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One line to be seen now."""

    line: str
    style: Style = Style.NOTICE


@dataclass(frozen=True, slots=True)
class Passing:
    """How far a file has come; the next one, or an empty one, replaces it."""

    line: str


@dataclass(frozen=True, slots=True)
class Result:
    """What a command had to say, in several lines."""

    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """What a command has to know; answered by `Answer` with the same number."""

    number: int
    question: str
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Returned:
    """What was typed and could not be carried out: it goes back into the composer. Its text is NOT harmless."""

    channel: bytes
    draft: Draft


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture to look at: rows of (red, green, blue)."""

    name: str
    width: int
    height: int
    pixels: bytes


@dataclass(frozen=True, slots=True)
class Ended:
    """The client's side is over."""


Update = Scene | Notice | Passing | Result | Question | Returned | Picture | Ended


@dataclass(frozen=True, slots=True)
class Open:
    """Open a conversation."""

    channel: bytes


@dataclass(frozen=True, slots=True)
class Kept:
    """Store what is in the composer (channel empty: no conversation was open)."""

    channel: bytes
    draft: Draft


@dataclass(frozen=True, slots=True)
class Line:
    """Carry out what was typed: a command, a message, an answer, an edit; in the conversation that was on the screen."""

    channel: bytes
    draft: Draft


@dataclass(frozen=True, slots=True)
class Act:
    """Run a command of the table, by its name and with what it takes."""

    channel: bytes
    name: str
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a question was answered; None: not at all."""

    number: int
    text: str | None


@dataclass(frozen=True, slots=True)
class Look:
    """Fetch a picture, to be shown in so many cells."""

    channel: bytes
    id: bytes
    columns: int
    rows: int


@dataclass(frozen=True, slots=True)
class Older:
    """Show more of what was before."""

    channel: bytes


@dataclass(frozen=True, slots=True)
class Break:
    """Break off the commands that run."""


@dataclass(frozen=True, slots=True)
class Leave:
    """End; whatever was wanted before it is done first."""


Intent = Open | Kept | Line | Act | Answer | Look | Older | Break | Leave
