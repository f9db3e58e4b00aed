"""The full-screen view without a client: scenes in, keys pressed, intents out."""

from __future__ import annotations

import asyncio

from textual import events
from textual.keys import _character_to_key

from qpq.tui.app import ChatApp
from qpq.tui.bridge import Bridge
from qpq.tui.scene import (
    Badge,
    Entry,
    Kept,
    Person,
    Place,
    Scene,
)

A, B = b"\x0a" * 16, b"\x0b" * 16
HERS = Entry(b"\x01" * 16, "bob", "09:00", "Monday", ("hello",))
MINE = Entry(b"\x02" * 16, "alice", "09:01", "", ("hi bob",), own=True, state="sent", text="hi bob")
PLACES = (Place(A, "@bob", badge=Badge.VERIFIED), Place(B, "#reading", unread=3, mentions=1))
SCENE = Scene("alice", PLACES, A, "@bob", Badge.VERIFIED, (HERS, MINE), people=(Person("bob"),), connected=True)


class Played:
    """The app, its keys, and what it wanted."""

    def __init__(self, app, pilot, bridge):
        self.app, self.pilot, self._bridge = app, pilot, bridge
        self.copied = []
        app.copy_to_clipboard = self.copied.append

    async def shown(self, *updates):
        for update in updates:
            self._bridge.give(update)
        await self.pilot.pause()

    async def press(self, *keys):
        """Press keys in one burst; a single character is itself."""
        for key in keys:
            name, char = (_character_to_key(key), key) if len(key) == 1 else (key, None)
            self.app.post_message(events.Key(name, char))
        await self.settle()

    async def settle(self):
        await self.pilot.pause()
        while self.app.waiting_keys:
            await self.pilot.pause()
        await self.pilot.pause()

    async def type(self, text):
        await self.press(*text)

    def wanted(self):
        """Return what was wanted since the last time, drafts left out."""
        found = [i for i in self._bridge._intents if not isinstance(i, Kept)]
        self._bridge._intents.clear()
        return found

    def kept(self):
        """Return the drafts that were handed over since the last time, the last of each conversation."""
        found = {i.channel: i.draft for i in self._bridge._intents if isinstance(i, Kept)}
        self._bridge._intents.clear()
        return found

    def rows(self, widget=None):
        widget = widget or self.app.screen
        return [widget.render_line(y).text for y in range(widget.size.height)]

    def screen(self):
        return "\n".join(
            "".join(segment.text for segment in strip) for strip in self.app.screen._compositor.render_strips()
        )


def play(body, *, size=(120, 30), coloured=True):
    """Play `body(played)` on a screen."""

    async def main():
        bridge = Bridge()
        app = ChatApp(bridge, theme="dark", coloured=coloured)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await body(Played(app, pilot, bridge))

    asyncio.run(main())
