"""How a conversation is named: @person, #group, or an id's beginning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qpq.harmless import harmless_name
from qpq.table.model import Mistake

if TYPE_CHECKING:
    from qpqclient import Client, Conversation

ID_CHARS_MIN = 6
ID_CHARS_SHOWN = 8


class NoneCalled(Mistake):
    """No conversation is called so."""


def direct(client: Client, name: str) -> Conversation | None:
    """Return the conversation with a person that there is already; it needs no server."""
    found = (c for c in client.conversations() if c.kind == "direct" and c.active and c.name == name)
    return next((c for c in found if name in {member.name for member in c.members()}), None)


async def find(client: Client, target: str, *, begin: bool) -> Conversation:
    """Return the conversation that `target` names. Mistake, NoneCalled, NotFound.

    `begin`: a @person not met yet gets a new one, which shows on the other side. Who only looks begins nothing, and sees
    what is over too. Only a spelling of a name that is not one's own needs the server.
    """
    if not target.startswith("@"):
        return known(client, target)
    name = target[1:]
    there = direct(client, name)
    if there is not None or begin:
        return there or await client.dm(name)
    try:
        return known(client, target)
    except NoneCalled as exc:
        missing = exc
    there = await client.met(name)
    if there is None:
        raise missing
    return there


async def opened(client: Client, target: str) -> Conversation:
    """Return the same for who opens it: what there is, be it over, else a new one. Mistake, NotFound."""
    try:
        return await find(client, target, begin=False)
    except NoneCalled:
        pass
    return await find(client, target, begin=True)


def known(client: Client, target: str) -> Conversation:
    """Return the conversation that there is under this name; Mistake, NoneCalled."""
    wanted = target.removeprefix("#").removeprefix("@")
    named = [c for c in client.conversations() if c.name == wanted]
    if target.startswith(("#", "@")):
        named = [c for c in named if (c.kind == "group") is target.startswith("#")]
    if not named and len(wanted) >= ID_CHARS_MIN:
        named = [c for c in client.conversations() if c.id.hex().startswith(wanted.lower())]
    if len(active := [c for c in named if c.active]) == 1:
        return active[0]
    if len(named) > 1:
        ids = ", ".join(c.id.hex()[:ID_CHARS_SHOWN] for c in named)
        raise Mistake(f"several conversations are called {target}: use one of {ids}")
    if not named:
        raise NoneCalled(f"no conversation called {target}: /list shows all (in a shell, `qpq list`)")
    return named[0]


def label(conversation: Conversation) -> str:
    """Return how a conversation is shown: @person or #group."""
    return ("@" if conversation.kind in {"direct", "notepad"} else "#") + harmless_name(conversation.name)
