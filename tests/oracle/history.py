"""What a history is made of: each value is one thing that one device saw, in the order in which it saw it.

Ids are bytes, times are seconds of one clock for all devices. A history can be written as JSON lines and read back, so
that devices may be processes of their own.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any


@dataclass(frozen=True, slots=True)
class Queued:
    """A person was told that a message is stored and on its way."""

    device: str
    channel: bytes
    id: bytes
    sender: str
    text: str
    expires_after_s: int = 0


@dataclass(frozen=True, slots=True)
class Started:
    """A device's process began, at this place of its mailbox: of what came before, one note may be missing.

    A kill between the storing of an entry and the note of it takes the note with it, and there is one such entry at
    most. Only processes that can die between two instructions note this.
    """

    device: str
    position: int


@dataclass(frozen=True, slots=True)
class Answered:
    """The server took a message: its answer is here."""

    device: str
    channel: bytes
    generation: int
    epoch: int
    id: bytes
    """Of the content, as a message or as what changes one."""
    payload: bytes
    """SHA-256."""
    log_number: int
    accepted_ms: int
    sealed: bool = False
    """Nobody's to the server: signed with the epoch's write key."""


@dataclass(frozen=True, slots=True)
class Given:
    """A message was given up: the person was told that it failed."""

    device: str
    channel: bytes
    id: bytes


@dataclass(frozen=True, slots=True)
class Took:
    """A device took an entry from its mailbox."""

    device: str
    number: int
    kind: str
    channel: bytes
    generation: int
    epoch: int
    log_number: int
    payload: bytes
    """SHA-256."""


@dataclass(frozen=True, slots=True)
class Entered:
    """A device is in an epoch, with these devices."""

    device: str
    channel: bytes
    generation: int
    epoch: int
    authenticator: bytes
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Committed:
    """The server took a commit: its answer is here."""

    device: str
    channel: bytes
    generation: int
    epoch: int
    """The epoch that the commit ends."""
    commit: bytes
    """SHA-256."""
    log_number: int


@dataclass(frozen=True, slots=True)
class Told:
    """A person was told of a new message."""

    device: str
    channel: bytes
    id: bytes


@dataclass(frozen=True, slots=True)
class Shown:
    """A message in a device's history, at the end."""

    device: str
    channel: bytes
    id: bytes
    sender: str
    text: str
    state: str
    log_number: int | None


@dataclass(frozen=True, slots=True)
class Ended:
    """A device's group at the end."""

    device: str
    channel: bytes
    generation: int
    epoch: int
    authenticator: bytes
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Waits:
    """What a device had not finished at the end, although it had time and a connection."""

    device: str
    what: str


@dataclass(frozen=True, slots=True)
class Drawn:
    """A device was given a KeyPackage to add somebody with."""

    device: str
    package: bytes
    """SHA-256."""
    last_resort: bool
    request: bytes
    """The call's idempotency key: a repeated call gets the same package."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A device was shown a device list."""

    device: str
    account: bytes
    version: int
    list: bytes
    """SHA-256."""


@dataclass(frozen=True, slots=True)
class Served:
    """A call of a device with a session was answered; `ok`: not refused."""

    device: str
    method: str
    begun_s: float
    ok: bool


@dataclass(frozen=True, slots=True)
class CutOff:
    """Somebody was told that a device, or with an account all of its devices, is cut off."""

    devices: tuple[str, ...]
    answered_s: float


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A file was sent."""

    device: str
    id: bytes
    content: bytes
    """SHA-256."""


@dataclass(frozen=True, slots=True)
class Downloaded:
    """A file was saved."""

    device: str
    id: bytes
    content: bytes
    """SHA-256."""


@dataclass(frozen=True, slots=True)
class Deleted:
    """A person deleted a message of their own everywhere."""

    device: str
    channel: bytes
    id: bytes
    by: bytes
    """The content that says so."""


@dataclass(frozen=True, slots=True)
class Edited:
    """A person gave a message of their own another text."""

    device: str
    channel: bytes
    id: bytes
    text: str


@dataclass(frozen=True, slots=True)
class Restored:
    """A device's folder was put back to an older copy."""

    device: str


@dataclass(frozen=True, slots=True)
class Sighted:
    """A plaintext was found where only ciphertext may be."""

    where: str
    what: str


@dataclass(frozen=True, slots=True)
class Broke:
    """A process ended by an error that nobody expected."""

    process: str
    error: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The run is over: the wall clock says so, in milliseconds since 1970."""

    now_ms: int
    active: tuple[str, ...] = field(default=())
    """Devices that were running, connected and logged in: what the end asks of devices is asked of these."""


KINDS = {
    kind.__name__: kind
    for kind in (
        Queued, Started, Answered, Given, Took, Entered, Committed, Told, Shown, Ended, Waits, Drawn, Listed, Served, CutOff,
        Uploaded, Downloaded, Deleted, Restored, Sighted, Broke, Finished,
    )
}  # fmt: skip


def to_line(noted: Any) -> str:
    """Return a value as one line of JSON."""
    values = {k: v.hex() if isinstance(v, bytes) else v for k, v in asdict(noted).items()}
    return json.dumps({"is": type(noted).__name__, **values}, sort_keys=True)


def from_line(line: str) -> Any:
    """Return the value of a line."""
    values = json.loads(line)
    kind = KINDS[values.pop("is")]
    for name in fields(kind):
        if name.type == "bytes":
            values[name.name] = bytes.fromhex(values[name.name])
        elif str(name.type).startswith("tuple"):
            values[name.name] = tuple(values[name.name])
    return kind(**values)
