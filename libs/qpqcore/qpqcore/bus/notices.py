"""Notices: "look now", and what is never stored. Losing one costs time, never a message.

Topics are byte strings; the functions below make them. A subscriber that does not look keeps the
newest PENDING_MAX payloads only; who listens to REVOKED the newest REVOCATIONS_MAX.
"""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import trio

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

PENDING_MAX = 64
REVOCATIONS_MAX = 32_768
"""More than a gateway has calls at once: each tells one, and none may be pushed out by others of the same moment."""
CARRIED_BYTES_MAX = 32 * 1024
"""Of mailbox entries that wait for one subscriber; past it they are read from the mailbox."""

MAILBOX, SIGNAL, STOCK = b"m", b"s", b"k"
"""How the topics of a device begin: its mailbox's, its signals', its stock's."""
REVOKED = b"revoked"
"""Payload: `revocation`."""
REVOKED_SESSION, REVOKED_DEVICE, REVOKED_ACCOUNT = 0, 1, 2
TIME_BYTES = 8


def revocation(kind: int, ident: bytes, now_ms: int) -> bytes:
    """Return the payload of REVOKED: one byte (REVOKED_SESSION and so on), the time, the id."""
    return bytes([kind]) + now_ms.to_bytes(TIME_BYTES, "big") + ident


def read_revocation(payload: bytes) -> tuple[int, bytes, int]:
    """Return the kind, the id and the time of a revocation."""
    return payload[0], payload[1 + TIME_BYTES :], int.from_bytes(payload[1 : 1 + TIME_BYTES], "big")


def mailbox_topic(device: bytes) -> bytes:
    """Return the topic that says: there is something new in the device's mailbox; payload: the encoded Entry, or empty."""
    return MAILBOX + device


def signal_topic(device: bytes) -> bytes:
    """Return the topic of signals to a device; payload: an encoded SubscribeEventSignal."""
    return SIGNAL + device


def stock_topic(device: bytes) -> bytes:
    """Return the topic of low KeyPackage stock; payload: an encoded SubscribeEventLowStock."""
    return STOCK + device


class Subscription:
    """What has been published since the last look."""

    def __init__(self, pending_max: int) -> None:
        self._pending: deque[tuple[bytes, bytes]] = deque(maxlen=pending_max)
        self._event = trio.Event()
        self._carried_bytes = 0

    def put_nowait(self, topic: bytes, payload: bytes = b"") -> None:
        """Add a notice and wake the waiter."""
        if topic.startswith(MAILBOX) and payload:
            self._carried_bytes += len(payload)
            if self._carried_bytes > CARRIED_BYTES_MAX:
                payload = b""
        self._pending.append((topic, payload))
        self._event.set()

    def receive_nowait(self) -> list[tuple[bytes, bytes]]:
        """Take all that has come, as (topic, payload)."""
        found = list(self._pending)
        self._pending.clear()
        self._carried_bytes = 0
        self._event = trio.Event()
        return found

    async def wait(self) -> None:
        """Wait until there is something to take."""
        await self._event.wait()


WAKE_UP_LATENCY = "From when a message was accepted until a waiter was handed it, by the clocks of both."


class WakeUps:
    """How waiters came to look: told in this process, told by another one, or by themselves and finding something."""

    __slots__ = ("fallback", "local", "remote")

    def __init__(self) -> None:
        self.local = self.remote = self.fallback = 0

    def reading(self) -> tuple[str, str, str, dict[str, float]]:
        """Return them as `qpqcore.obs.metrics` reads them."""
        paths: dict[str, float] = {"local": self.local, "redis": self.remote, "fallback": self.fallback}
        return (
            "qpq_wakeups_total",
            "Waiters told to look, or that looked by themselves and found something.",
            "path",
            paths,
        )


class Notices(Protocol):
    """Publishes to whoever listens at this moment."""

    wake_ups: WakeUps

    @property
    def lossless(self) -> bool:
        """Whether every notice reaches its listeners, so that looking without one finds nothing."""

    def publish(self, topic: bytes, payload: bytes = b"") -> None:
        """Tell all subscribers of `topic`; never blocks, never fails."""

    def subscribe(self, *topics: bytes) -> AbstractContextManager[Subscription]:
        """Listen to the topics until the block is left."""

    def has_listener(self, topic: bytes) -> bool:
        """Tell whether a payload is worth making: where this says no, an empty notice does, and says "look"."""


class LocalNotices:
    """Notices within one process: none is lost on its way."""

    lossless = True

    def __init__(self) -> None:
        self.wake_ups = WakeUps()
        self._subscribers: dict[bytes, dict[Subscription, None]] = {}

    def publish(self, topic: bytes, payload: bytes = b"") -> None:
        """Tell all subscribers of `topic`."""
        self.wake_ups.local += self.tell(topic, payload)

    def tell(self, topic: bytes, payload: bytes) -> int:
        """Tell all subscribers of `topic`; return how many there are."""
        subscribers = self._subscribers.get(topic, ())
        for subscription in subscribers:
            subscription.put_nowait(topic, payload)
        return len(subscribers)

    @contextmanager
    def subscribe(self, *topics: bytes) -> Iterator[Subscription]:
        """Listen to the topics until the block is left."""
        subscription = Subscription(REVOCATIONS_MAX if REVOKED in topics else PENDING_MAX)
        for topic in topics:
            self._subscribers.setdefault(topic, {})[subscription] = None
        try:
            yield subscription
        finally:
            for topic in topics:
                listeners = self._subscribers[topic]
                del listeners[subscription]
                if not listeners:
                    del self._subscribers[topic]

    def has_listener(self, topic: bytes) -> bool:
        """Tell whether anybody listens to `topic`."""
        return topic in self._subscribers
