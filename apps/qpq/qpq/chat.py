"""A plain chat in one conversation: lines in are sent, messages are shown as they come.

For pipes and for `qpq dm NAME`: every line is a message here, whatever it begins with; the REPL has commands. A line is
stored before it is sent, so what was typed survives a server that is away.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import trio

from qpq.commands.naming import label
from qpq.commands.showing import message_line
from qpq.receiving import show_unread

if TYPE_CHECKING:
    from qpq.here import Here
    from qpqclient import Conversation, Message

LINE_CHARS_MAX = 8_000
"""A longer line, from a pipe, is sent in several messages."""


async def chat(here: Here, chosen: Conversation) -> None:
    """Chat until the input ends."""
    here.tell({"chat": chosen.id.hex(), "with": chosen.name}, f"chatting with {label(chosen)}; end with Ctrl-D")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(show_arrivals, here)
        await send_lines(chosen)
        await here.client.flush()
        nursery.cancel_scope.cancel()


async def show_arrivals(here: Here) -> None:
    """Show messages of all conversations as they come."""

    def show(conversation: Conversation, message: Message) -> None:
        prefix = "" if conversation.kind == "direct" else f"{label(conversation)} "
        here.tell({"sender": message.sender, "text": message.text}, prefix + message_line(message))

    show_unread(here.client, show)
    async for _ in here.client.events():
        show_unread(here.client, show)


async def send_lines(chosen: Conversation) -> None:
    """Send each line of standard input; empty lines are nothing."""
    while True:
        line = await trio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True)
        if not line:
            return
        text = line.rstrip("\r\n").encode(errors="replace").decode()
        if text.strip():
            for begin in range(0, len(text), LINE_CHARS_MAX):
                await chosen.send(text[begin : begin + LINE_CHARS_MAX])
