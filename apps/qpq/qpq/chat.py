"""A plain chat in one conversation: lines in are sent, messages are shown as they come.

The full REPL is another program's work; this one is for two terminals and for pipes. A line is
stored before it is sent, so what was typed survives a server that is away.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import trio

from qpq.commands.naming import label
from qpq.commands.showing import message_line
from qpq.output import emit
from qpq.receiving import show_unread

if TYPE_CHECKING:
    from qpq.profile import Profile
    from qpqclient import Client, Conversation

LINE_CHARS_MAX = 8_000
"""A longer line, from a pipe, is sent in several messages."""


async def chat(profile: Profile, client: Client, chosen: Conversation) -> None:
    """Chat until the input ends."""
    emit(
        {"chat": chosen.id.hex(), "with": chosen.name},
        f"chatting with {label(chosen)}; end with Ctrl-D",
        as_json=profile.json,
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(show_arrivals, profile, client)
        await send_lines(client, chosen)
        await client.flush()
        nursery.cancel_scope.cancel()


async def show_arrivals(profile: Profile, client: Client) -> None:
    """Show messages of all conversations as they come."""

    def show(conversation: Conversation, message: object) -> None:
        line = message_line(message)  # type: ignore[arg-type]
        prefix = "" if conversation.kind == "direct" else f"{label(conversation)} "
        emit({"sender": message.sender, "text": message.text}, prefix + line, as_json=profile.json)  # type: ignore[attr-defined]

    show_unread(client, show)
    async for _ in client.events():
        show_unread(client, show)


async def send_lines(client: Client, chosen: Conversation) -> None:
    """Send each line of standard input; empty lines are nothing."""
    while True:
        line = await trio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True)
        if not line:
            return
        text = line.rstrip("\r\n")
        if text.strip():
            for begin in range(0, len(text), LINE_CHARS_MAX):
                await chosen.send(text[begin : begin + LINE_CHARS_MAX])
