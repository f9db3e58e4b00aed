"""What was typed and is not done, as it is stored: lines whose commands run or wait, then what is in the composer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from qpq.tui.typed import joined
from qpqclient import Draft, QpqError

if TYPE_CHECKING:
    from collections.abc import Callable

    from qpq.tui.scene import Kept, Line
    from qpqclient import Client


class Unsent:
    """The drafts of one client, each stored as soon as it changes.

    One that cannot be stored (the disk is full, say) is kept here, said by `say`, and stored with its next change.
    """

    def __init__(self, client: Client, say: Callable[[str], object]) -> None:
        self._client, self._say = client, say
        self._typed: dict[bytes, Draft] = {}
        """What is in the composer, for each conversation that was open."""
        self._carried: list[Line] = []
        """Lines that take time, in their order; the session bounds them."""

    def typed(self, kept: Kept) -> None:
        """Take what is in the composer."""
        self._typed[kept.channel] = kept.draft
        self._store(kept.channel)

    def carry(self, line: Line) -> None:
        """Keep a line that takes time."""
        if self._typed.get(line.channel) == line.draft:
            self._typed[line.channel] = Draft()
        self._carried.append(line)
        self._store(line.channel)

    def done_with(self, line: Line) -> None:
        """Forget a line, unless something else is typed by now."""
        if line in self._carried:
            self._carried.remove(line)
        elif self._typed.get(line.channel) == line.draft:
            self._typed[line.channel] = Draft()
        self._store(line.channel)

    def give_back(self, line: Line) -> None:
        """Have a line stand before what was typed since."""
        typed = self._typed.get(line.channel, Draft())
        if typed != line.draft:
            self._typed[line.channel] = joined(line.draft, typed)
        if line in self._carried:
            self._carried.remove(line)
        self._store(line.channel)

    def _store(self, channel: bytes) -> None:
        if not self._client.known:  # the account was deleted
            return
        draft = self._typed.get(channel, Draft())
        lines = [line.draft.text for line in self._carried if line.channel == channel]
        whole = "\n".join([*lines, draft.text]) if draft.text else "\n".join(lines)
        try:
            self._client.set_draft(channel, replace(draft, text=whole))
        except QpqError as exc:
            self._say(str(exc))
