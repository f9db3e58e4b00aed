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


async def begun(client: Client, name: str) -> Conversation:
    """Return the conversation with a person; one not met yet gets a new one, which shows on the other side. NotFound."""
    return direct(client, name) or await client.dm(name)


async def find(client: Client, target: str, *, begin: bool) -> Conversation:
    """Return the conversation that `target` names. Mistake, NoneCalled, NotFound.

    `begin`: a @person not met yet gets a new one. Who only looks begins nothing, and sees what is over too; only a spelling
    of a name that is not its own needs the server then.
    """
    is_person = target.startswith("@")
    if is_person and begin:
        return await begun(client, target[1:])
    try:
        return existing(client, target)
    except NoneCalled as exc:
        missing = exc
    there = await client.met(target[1:]) if is_person else None
    if there is None:
        raise missing
    return there


async def opened(client: Client, target: str) -> Conversation:
    """Return the same for who opens it: what there is, be it over, else a new one. Mistake, NotFound."""
    try:
        return existing(client, target)
    except NoneCalled:
        pass
    return await find(client, target, begin=True)


def existing(client: Client, target: str) -> Conversation:
    """Return what there is under this name, with a person rather what goes on; it needs no server. Mistake, NoneCalled."""
    there = direct(client, target[1:]) if target.startswith("@") else None
    return there or known(client, target)


def known(client: Client, target: str) -> Conversation:
    """Return the conversation that there is under this name; Mistake, NoneCalled."""
    wanted, all_ = target.removeprefix("#").removeprefix("@"), client.conversations()
    named = [c for c in all_ if c.name == wanted] or [c for c in all_ if harmless_name(c.name) == wanted]
    if target.startswith(("#", "@")):
        named = [c for c in named if (c.kind == "group") is target.startswith("#")]
    if not named and len(wanted) >= ID_CHARS_MIN:
        named = [c for c in all_ if c.id.hex().startswith(wanted.lower())]
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
