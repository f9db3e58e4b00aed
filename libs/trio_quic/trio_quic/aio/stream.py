"""One stream of the aioquic engine: bytes that wait to be consumed, and cutting them into frames.

The same rules as the native engine's `stream.rs`: at most one frame with the application, its whole length reserved
from the connection's budget before any of it is taken from the window.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

HEAD_BYTES: Final = 4
"""A frame's length, little endian."""


class Progress(Enum):
    """What cutting came to."""

    BLOCKED = auto()
    NO_BUDGET = auto()
    FRAME = auto()
    ENDED = auto()
    TRUNCATED = auto()
    OVERSIZED = auto()


@dataclass(slots=True)
class Total:
    """Bytes that all connections hold together: frames partly here or with the application, and those waiting to be
    sent.
    """

    bytes_max: int
    held: int = 0

    def is_spent(self, more: int) -> bool:
        """Whether so many more are too many."""
        return self.held + more > self.bytes_max


@dataclass(slots=True)
class Queued:
    """Bytes of one connection that wait to be handed to aioquic; part of the total."""

    total: Total
    held: int = 0

    def add(self, amount: int) -> None:
        """More wait, or fewer."""
        self.held += amount
        self.total.held += amount


@dataclass(slots=True)
class Budget:
    """Bytes of frames that are partly here or with the application; part of the total."""

    held_max: int
    total: Total
    held: int = 0

    def take(self, amount: int) -> bool:
        """Reserves; a single frame always fits."""
        if self.held and (self.held + amount > self.held_max or self.total.is_spent(amount)):
            return False
        self.add(amount)
        return True

    def add(self, amount: int) -> None:
        """More are held, or fewer."""
        self.held += amount
        self.total.held += amount


@dataclass(slots=True)
class Stream:
    """State of one stream; `inbound`: the peer opened it."""

    framed: bool
    inbound: bool
    arrived: bytearray = field(default_factory=bytearray)
    """Delivered by aioquic, not consumed: the peer has no credit for it yet."""
    ended: bool = False
    """The peer's end has arrived behind `arrived`."""
    need: int | None = None
    body: bytearray = field(default_factory=bytearray)
    held: int = 0
    delivered: bool = False
    unanswered: bool = False
    """A call whose answer has not begun."""
    any_frame: bool = False
    receive_done: bool = False
    send_done: bool = False
    timed_phase: str = ""
    pending: deque[bytes] = field(default_factory=deque)
    pending_fin: bool = False
    wants_writable: bool = False
    reset_code: int | None = None

    @property
    def phase(self) -> str:
        """Which part of a frame is awaited."""
        return "head" if self.need is None else "body"

    def answer_begins(self) -> bool:
        """Whether the answer to a call has begun, or none is wanted any more; once."""
        begins = self.unanswered and (self.delivered or self.receive_done)
        self.unanswered = self.unanswered and not begins
        return begins

    @property
    def pending_bytes(self) -> int:
        """Bytes not handed to aioquic yet."""
        return sum(map(len, self.pending))

    def give_back(self, budget: Budget) -> None:
        """Gives the budget back that this stream holds."""
        budget.add(-self.held)
        self.held = 0

    def take(self, amount: int) -> bytes:
        """Consumes from the front of what arrived."""
        taken = bytes(self.arrived[:amount])
        del self.arrived[: len(taken)]
        return taken

    def cut(self, frame_max: int, budget: Budget) -> tuple[Progress, bytes, int]:
        """(progress, the frame, bytes consumed): goes on up to the end of one frame."""
        consumed = 0
        if self.need is None and len(self.arrived) >= HEAD_BYTES:
            self.need = int.from_bytes(self.take(HEAD_BYTES), "little")
            consumed = HEAD_BYTES
            if self.need > frame_max:
                return Progress.OVERSIZED, b"", consumed
        if self.need is None:
            if not self.ended:
                return Progress.BLOCKED, b"", consumed
            clean = not self.arrived and (self.any_frame or not self.inbound)
            return (Progress.ENDED if clean else Progress.TRUNCATED), b"", consumed
        if not self.held and self.need:
            if not budget.take(self.need):
                return Progress.NO_BUDGET, b"", consumed
            self.held = self.need
        piece = self.take(self.need - len(self.body))
        self.body += piece
        consumed += len(piece)
        if len(self.body) < self.need:
            return (Progress.TRUNCATED if self.ended else Progress.BLOCKED), b"", consumed
        frame, self.body, self.need = bytes(self.body), bytearray(), None
        self.timed_phase, self.any_frame = "", True
        return Progress.FRAME, frame, consumed


def framed(data: bytes) -> bytes:
    """A frame as it goes on the wire."""
    return len(data).to_bytes(HEAD_BYTES, "little") + data
