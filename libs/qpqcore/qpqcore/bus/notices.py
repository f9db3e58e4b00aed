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

MAILBOX = b"m"
"""How a mailbox's topic begins."""
REVOKED = b"revoked"
"""Payload: one byte (REVOKED_SESSION, REVOKED_DEVICE, REVOKED_ACCOUNT), then the id."""
REVOKED_SESSION, REVOKED_DEVICE, REVOKED_ACCOUNT = 0, 1, 2


def mailbox_topic(device: bytes) -> bytes:
    """Return the topic that says: there is something new in the device's mailbox; payload: the encoded Entry, or empty."""
    return MAILBOX + device


def signal_topic(device: bytes) -> bytes:
    """Return the topic of signals to a device; payload: an encoded SubscribeEventSignal."""
    return b"s" + device


def stock_topic(device: bytes) -> bytes:
    """Return the topic of low KeyPackage stock; payload: an encoded SubscribeEventLowStock."""
    return b"k" + device


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


class Notices(Protocol):
    """Publishes to whoever listens at this moment."""

    @property
    def lossless(self) -> bool:
        """Whether every notice reaches its listeners, so that looking without one finds nothing."""

    def publish(self, topic: bytes, payload: bytes = b"") -> None:
        """Tell all subscribers of `topic`; never blocks, never fails."""

    def subscribe(self, *topics: bytes) -> AbstractContextManager[Subscription]:
        """Listen to the topics until the block is left."""

    def has_listener(self, topic: bytes) -> bool:
        """Tell whether anybody may listen to `topic`: what nobody hears need not be made."""


class LocalNotices:
    """Notices within one process: none is lost on its way."""

    lossless = True

    def __init__(self) -> None:
        self._subscribers: dict[bytes, dict[Subscription, None]] = {}

    def publish(self, topic: bytes, payload: bytes = b"") -> None:
        """Tell all subscribers of `topic`."""
        for subscription in self._subscribers.get(topic, ()):
            subscription.put_nowait(topic, payload)

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
