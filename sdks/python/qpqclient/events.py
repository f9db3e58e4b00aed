"""What happens, told to whoever listens; a listener that nobody holds any more is forgotten by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import trio

if TYPE_CHECKING:
    from qpqclient.model import Event

EVENTS_MAX = 1_000
"""Events that wait for one listener; a slower one misses some, and nothing is lost: the history has all."""


class Events:
    """An endless async iterator over what happens from when it was made."""

    def __init__(self) -> None:
        self._send, self._receive = trio.open_memory_channel["Event"](EVENTS_MAX)

    def __aiter__(self) -> Events:
        return self

    async def __anext__(self) -> Event:
        return await self._receive.receive()

    def put(self, event: Event) -> None:
        """Add an event, unless too many wait."""
        try:
            self._send.send_nowait(event)
        except trio.WouldBlock:
            return


class Listeners:
    """All who listen."""

    def __init__(self) -> None:
        self._all: WeakKeyDictionary[Events, None] = WeakKeyDictionary()

    def add(self) -> Events:
        """Begin to listen."""
        events = Events()
        self._all[events] = None
        return events

    def tell(self, event: Event) -> None:
        """Tell all."""
        for events in list(self._all):
            events.put(event)
