"""Messages: send, recv, reply, react, edit, delete, typing, typing-notify."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from qpq.commands.naming import find, label
from qpq.commands.showing import message_line, message_value
from qpq.emoji import emoji_meant
from qpq.harmless import harmless
from qpq.table.model import Face, Mistake

if TYPE_CHECKING:
    from qpq.here import Here
    from qpqclient import Conversation, Message

TEXT_BYTES_MAX = 32 * 1024
"""Of a text: half of what a message may hold (docs/spec/content.md), so that an edit or a reply with it fits as well."""


def checked(text: str) -> str:
    """Return a text that can be sent; Mistake. Half a surrogate pair, as from a broken pipe, becomes a mark."""
    if not text.strip():
        raise Mistake("nothing to send")
    whole = text.encode(errors="replace").decode()
    if len(whole.encode()) > TEXT_BYTES_MAX:
        raise Mistake(f"too long: {len(whole.encode())} bytes of at most {TEXT_BYTES_MAX}; send it as a file")
    return whole


async def say(here: Here, chosen: Conversation, text: str) -> Message:
    """Send one text; in a shell, wait until the server has it."""
    message = await chosen.send(checked(text))
    await here.settled(message)
    state = "sent" if here.face is Face.SHELL else message.state
    here.tell({"id": message.id.hex(), "conversation": chosen.id.hex(), "state": state}, f"sent to {label(chosen)}")
    return message


async def send(here: Here, conversation: str, text: str, all: bool) -> None:  # noqa: A002 - its name on the command line
    """Send a text to a conversation, or to all; `-` alone is standard input, in a shell."""
    if all:
        text = " ".join(filter(None, (conversation, text)))
    elif not conversation:
        raise Mistake("say to whom: @person or #group")
    if text == "-" and here.face is Face.SHELL:
        text = sys.stdin.read()
    text = checked(text)
    if not all:
        await say(here, await find(here.client, conversation, begin=True), text)
        return
    for chosen in here.client.conversations():
        if chosen.kind in {"direct", "group"} and chosen.active:
            await say(here, chosen, text)


async def recv(here: Here, wait: str, follow: bool) -> None:
    """Show the messages that have come since the last time."""
    from qpq.receiving import receive

    def show(chosen: Conversation, message: Message) -> None:
        prefix = f"{label(chosen)} " if chosen.kind == "group" else ""
        here.tell(message_value(chosen, message), prefix + message_line(message))

    try:
        wait_s = float("inf") if follow else float(wait)
    except ValueError:
        raise Mistake("--wait: a number of seconds is wanted") from None
    await receive(here.client, show, wait_s=wait_s, follow=follow)


def chosen_message(here: Here, number: str, *, own: bool) -> Message:
    """Return the message of a number; without one, the newest of one's own, or of the others'. Mistake."""
    if number:
        found = here.message(number, here.open)
        if own and not found.own:
            raise Mistake(f"Message {number} is {harmless(found.sender)}'s: only one's own can be changed.")
        return found
    mine = [m for m in here.open.history() if m.own is own and m.kind != "notice"]
    if not mine:
        raise Mistake("Which message? /history shows the numbers.")
    return mine[-1]


async def react(here: Here, emoji: str, index: str, remove: bool) -> None:
    """React to a message, or take the reaction back; without a number, to the newest of somebody else's.

    Mistake for what is no emoji; what is there as a reaction already can be taken back, whatever it is.
    """
    meant = emoji_meant(emoji)
    if meant is None and not remove:
        raise Mistake(f"{harmless(emoji)} is no emoji: type one, or :its_name: (Tab shows which fit)")
    emoji = meant or emoji
    message = chosen_message(here, index, own=False)
    await here.open.react(message.id, emoji, remove=remove)
    await here.settled()
    here.tell(
        {"id": message.id.hex(), "emoji": emoji, "removed": remove}, f"{harmless(emoji)} to: {harmless(message.text)}"
    )


async def reply(here: Here, index: str, text: str) -> None:
    """Answer a message."""
    to = chosen_message(here, index, own=False)
    message = await here.open.reply(to.id, checked(text))
    await here.settled(message)
    here.tell(
        {"id": message.id.hex(), "reply_to": to.id.hex(), "state": message.state}, f"answered: {harmless(to.text)}"
    )


async def edit(here: Here, index: str, text: str) -> None:
    """Replace the text of a message of one's own, for everybody."""
    message = chosen_message(here, index, own=True)
    await here.open.edit(message.id, checked(text))
    await here.settled()
    here.tell({"id": message.id.hex(), "text": text}, f"edited: {harmless(text)}")


async def delete(here: Here, index: str) -> None:
    """Delete a message of one's own, for everybody."""
    message = chosen_message(here, index, own=True)
    await here.open.delete(message.id)
    await here.settled()
    here.tell({"id": message.id.hex(), "deleted": True}, f"deleted: {harmless(message.text)}")


async def typing(here: Here) -> None:
    """Tell those who look at this moment that one is typing."""
    await here.open.typing()
    here.tell({"typing": True}, f"{label(here.open)} is told that you are typing")


def typing_notify(here: Here, switch: bool) -> None:
    """Show, or do not show, that others are typing; kept as a setting of this device."""
    from qpqclient.settings import OFF, ON, TYPING_SHOWN

    here.client.set_setting(TYPING_SHOWN, ON if switch else OFF)
    here.tell({"typing_shown": switch}, f"that others are typing is {'shown' if switch else 'not shown'}")
