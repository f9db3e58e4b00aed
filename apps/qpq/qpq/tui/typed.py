"""What is in the composer, and in which conversation: each change is handed to the client to be stored, at once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from qpq.tui.scene import Kept
from qpqclient import Draft

if TYPE_CHECKING:
    from qpq.tui.bridge import Bridge
    from qpq.tui.composer import Composer
    from qpq.tui.scene import Entry, Returned, Scene

NOWHERE = b""
"""In the place of a channel while no conversation is open."""


class Typed:
    """The drafts of one screen. `channel` is where the next line goes: the conversation that was asked for last."""

    def __init__(self, bridge: Bridge, composer: Composer) -> None:
        self._bridge, self._composer = bridge, composer
        self.channel = NOWHERE
        self._drafts: dict[bytes, Draft] = {}
        """As they are, newer than what the client has; of conversations that were open here."""
        self._aside: dict[bytes, Draft] = {}
        """What was in the composer when an edit began."""
        self._stored: set[bytes] = set()
        """The conversations of which it is known what the client had stored at the start."""
        self._wanted: bytes | None = None

    @property
    def draft(self) -> Draft:
        """What is in the composer, as it was last kept."""
        return self._drafts.get(self.channel, Draft())

    def keep(self) -> Draft:
        """Take note of what is in the composer now, and have it stored if it has changed."""
        draft = replace(self.draft, text=self._composer.text)
        if draft != self.draft:
            self._set(draft)
        return self.draft

    def _set(self, draft: Draft) -> None:
        self._drafts[self.channel] = draft
        # A full queue refuses: then it is in the composer, and goes with the next keystroke.
        self._bridge.ask(Kept(self.channel, draft))

    def _put(self, draft: Draft) -> None:
        """Change what is in the composer."""
        if draft != self.draft:
            self._set(draft)
        self._composer.put(draft.text)

    def meant(self) -> None:
        """Empty the composer: its line is on its way, and the client empties what it has stored once it is done.

        After an edit, what was typed before it comes back.
        """
        self._drafts[self.channel] = Draft()
        self._put(self._aside.pop(self.channel, Draft()))

    def go(self, channel: bytes) -> None:
        """Change to another conversation, which was asked for."""
        self.keep()
        self.channel = self._wanted = channel
        self._composer.put(self.draft.text)

    def follow(self, scene: Scene) -> bool | None:
        """Take in which conversation is open; None: it is not the one that was asked for, which will come."""
        there = scene.open or NOWHERE
        if self._wanted is not None and there != self._wanted:
            return None
        self._wanted = None
        self.keep()
        if there != self.channel:
            self._travel(there, scene.draft)
            return True
        if self.channel not in self._stored:
            self._stored.add(self.channel)
            self._put(joined(scene.draft, self.draft))
        return False

    def _travel(self, channel: bytes, stored: Draft) -> None:
        """Go where a command led, and take along what was typed after it."""
        typed = self.draft.text
        if typed:
            self._set(Draft())
        known = self._drafts.get(channel, stored)
        self.channel = channel
        self._stored.add(channel)
        self._drafts[channel] = known
        self._put(joined(known, Draft(typed)))
        self._composer.put(self.draft.text)

    def put_back(self, returned: Returned) -> None:
        """Put a line back that could not be carried out, before what was typed since."""
        if returned.channel == self.channel:
            self.keep()
            self._put(joined(returned.draft, self.draft))
        else:
            here, self.channel = self.channel, returned.channel
            self._set(joined(returned.draft, self.draft))
            self.channel = here

    # --- what it is about

    def reply(self, entry: Entry) -> None:
        """Answer a message with what is typed."""
        self.keep()
        self._set(Draft(self.draft.text, reply_to=entry.id))

    def edit(self, entry: Entry) -> None:
        """Change a message of one's own; what was typed comes back afterwards."""
        if self.keep().edit_of is None:
            self._aside[self.channel] = self.draft
        slash = "/" if entry.text.lstrip().startswith("/") else ""
        self._put(Draft(slash + entry.text.lstrip() if slash else entry.text, edit_of=entry.id))

    def about_nothing(self) -> None:
        """Give up an answer or an edit."""
        self.keep()
        if self.draft.edit_of is not None:
            self._put(self._aside.pop(self.channel, Draft()))
        elif self.draft.reply_to is not None:
            self._set(Draft(self.draft.text))


def joined(first: Draft, then: Draft) -> Draft:
    """Return two drafts as one."""
    if not then.text:
        return first
    return replace(first, text=f"{first.text}\n{then.text}") if first.text else then
