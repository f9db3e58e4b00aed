"""What one does with messages that are there: pin, mark-read, search."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qpq.commands.messages import chosen_message
from qpq.commands.naming import find, label
from qpq.commands.showing import message_line, message_value

if TYPE_CHECKING:
    from qpq.here import Here


async def pin(here: Here, index: str, remove: bool) -> None:
    """Pin a message for everybody, or take the pin out; then show what is pinned."""
    chosen = here.open
    if index:
        await chosen.pin(chosen_message(here, index, own=False).id, remove=remove)
        await here.settled()
    for pinned in chosen.pinned():
        here.tell(message_value(chosen, pinned), message_line(pinned))


async def mark_read(here: Here) -> None:
    """Mark all that has come as read, here, on one's other devices, and for the senders."""
    chosen = here.open
    count = chosen.unread
    await chosen.mark_read()
    await here.settled()
    here.tell({"conversation": chosen.id.hex(), "read": count}, f"{count} messages read")


async def search(here: Here, text: str, within: str, count: int) -> None:
    """Find messages of this device that have all the words, newest first; works offline."""
    place = await find(here.client, within, begin=False) if within else None
    for message in here.client.search(text, count=count, within=place):
        chosen = here.client.conversation(message.channel)
        here.tell(message_value(chosen, message), f"{label(chosen)} {message_line(message)}")
