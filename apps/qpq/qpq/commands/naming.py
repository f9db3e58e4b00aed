"""How a conversation is named on the command line: @person, #group, or an id's beginning."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from qpq.profile import Profile
    from qpqclient import Client, Conversation

ID_CHARS_MIN = 6


@asynccontextmanager
async def opened(profile: Profile, target: str) -> AsyncIterator[tuple[Client, Conversation]]:
    """Open the profile, catch up, and find the conversation that `target` names."""
    async with profile.open() as client:
        await client.sync()
        yield client, await find(client, target)


async def find(client: Client, target: str) -> Conversation:
    """Return the conversation that `target` names; a @person not met yet gets a new one."""
    if target.startswith("@"):
        return await client.dm(target[1:])
    wanted = target.removeprefix("#")
    named = [c for c in client.conversations() if c.name == wanted and c.kind in {"direct", "group"}]
    if target.startswith("#"):
        named = [c for c in named if c.kind == "group"]
    if not named and len(wanted) >= ID_CHARS_MIN:
        named = [c for c in client.conversations() if c.id.hex().startswith(wanted.lower())]
    if len(named) > 1:
        ids = ", ".join(c.id.hex()[:8] for c in named)
        raise click.UsageError(f"several conversations are called {target}: use one of {ids}")
    if not named:
        raise click.UsageError(f"no conversation called {target}: see `qpq list`")
    return named[0]


def label(conversation: Conversation) -> str:
    """Return how a conversation is shown: @person or #group."""
    return ("@" if conversation.kind in {"direct", "notepad"} else "#") + conversation.name
