"""Receives what is new in all conversations, each message once across runs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import trio

RECEIPT_SECONDS_MAX = 3.0
"""What is not told by then is told the next time."""

if TYPE_CHECKING:
    from collections.abc import Callable

    from qpqclient import Client, Conversation, Message


async def receive(
    client: Client,
    show: Callable[[Conversation, Message], None],
    *,
    wait_s: float,
    follow: bool,
) -> None:
    """Show every message not shown before; then wait up to `wait_s` for a first one, or follow."""
    await client.sync()
    shown = show_unread(client, show)
    if shown and not follow:
        await tell_senders(client)
        return
    with trio.move_on_after(wait_s if math.isfinite(wait_s) else math.inf):
        async for _ in client.events():
            shown = show_unread(client, show) or shown
            if shown and not follow:
                break
    if shown:
        await tell_senders(client)


async def tell_senders(client: Client) -> None:
    """Let the senders know what has come, before this process ends; not at any price."""
    client.send_receipts()
    with trio.move_on_after(RECEIPT_SECONDS_MAX):
        await client.flush()


def show_unread(client: Client, show: Callable[[Conversation, Message], None]) -> bool:
    """Show and mark what other people have sent; tell whether there was any."""
    any_shown = False
    for conversation in client.conversations():
        for message in conversation.take_unshown():
            show(conversation, message)
            any_shown = True
    return any_shown
