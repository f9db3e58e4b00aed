"""Where a command runs: whose client, in which conversation, and how it speaks to whoever gave it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from qpq.table.model import Face, Mistake

if TYPE_CHECKING:
    from qpq.profile import Profile
    from qpqclient import Client, Conversation, Message

ID_CHARS_MIN = 6
"""Of an id's beginning: fewer may be a number."""


class Listener(Protocol):
    """Whoever gave a command."""

    def tell(self, value: dict[str, Any], *lines: str) -> None:
        """Take one result: a value for programs, lines for people."""

    async def ask(self, question: str) -> str:
        """Return the answer to a question; Mistake where nobody can be asked."""

    async def ask_secret(self, question: str) -> str:
        """Return the answer to a question whose answer is not shown; Mistake likewise."""

    def progress(self, what: str, done_bytes: int, total_bytes: int) -> None:
        """Take how far a file has come."""


@dataclass(slots=True)
class Here:
    """What a command works with."""

    profile: Profile
    listener: Listener
    face: Face
    client: Client = field(init=False)
    """There but for commands that need nothing."""
    conversation: Conversation | None = None
    """The open one."""
    unopened: list[bytes] = field(default_factory=list)
    """Groups that this person was added to while the chat runs, and has not looked at yet; the newest is last."""
    numbers: dict[bytes, list[bytes]] = field(default_factory=dict)
    """For each conversation the messages that have a number here, 1 first; see `number`."""

    def tell(self, value: dict[str, Any], *lines: str) -> None:
        """Give one result."""
        self.listener.tell(value, *lines)

    @property
    def open(self) -> Conversation:
        """The open conversation; Mistake when there is none."""
        if self.conversation is None:
            raise Mistake(
                "No conversation is open: /dm NAME begins one, /switch @NAME or #GROUP opens one, /list shows all."
            )
        return self.conversation

    async def settled(self, message: Message | None = None) -> None:
        """Wait until the server has what was sent, where the process ends after the command; Refused if not `message`."""
        if self.face is Face.SHELL:
            await self.client.flush()
            if message is not None:
                await self.client.wait_sent(message.id)

    def number(self, message: Message, conversation: Conversation) -> int:
        """Return a message's number.

        Numbers count from the oldest message, and stay while this process runs, whatever comes or is deleted: `/delete 3`
        means what stood beside the 3.
        """
        known = self._numbered(conversation)
        if message.id not in known:
            known = self._renumber(conversation)
        return known.index(message.id) + 1

    def message(self, index: str, conversation: Conversation) -> Message:
        """Return the message of a number (`-1`: the last), or of an id's beginning; Mistake."""
        known = self._renumber(conversation)
        if index.lstrip("-").isdecimal() and index.isascii() and len(index) < ID_CHARS_MIN + 1:
            place = int(index)
            ident = known[place - 1 if place > 0 else place] if place and -len(known) <= place <= len(known) else None
            idents = [ident] if ident is not None else []
        else:
            idents = [i for i in known if len(index) >= ID_CHARS_MIN and i.hex().startswith(index.lower())]
        found = conversation.message(idents[0]) if len(idents) == 1 else None
        if found is None:
            raise Mistake(f"There is no message {index} here: the numbers are those of /history, 1 to {len(known)}.")
        return found

    def _numbered(self, conversation: Conversation) -> list[bytes]:
        return self.numbers.get(conversation.id) or self._renumber(conversation)

    def _renumber(self, conversation: Conversation) -> list[bytes]:
        known = self.numbers.setdefault(conversation.id, [])
        there = set(known)
        known.extend(i for i in conversation.idents() if i not in there)
        return known
