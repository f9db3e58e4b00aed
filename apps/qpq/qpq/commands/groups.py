"""Groups: create-group, invite, join, remove, leave, update-key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qpq.commands.naming import known, label
from qpq.commands.showing import counted
from qpq.harmless import harmless_name
from qpq.table.model import Face, Mistake

if TYPE_CHECKING:
    from qpq.here import Here
    from qpqclient import Conversation


def tell(here: Here, chosen: Conversation, line: str) -> None:
    """Report the group as it is now."""
    here.tell(
        {
            "conversation": chosen.id.hex(),
            "name": chosen.name,
            "epoch": chosen.epoch,
            "members": sorted(m.name for m in chosen.members()),
        },
        line,
    )


async def create_group(here: Here, name: str, people: tuple[str, ...], post_quantum: bool) -> None:
    """Make a group, and open it."""
    chosen = await here.client.create_group(name, people, post_quantum=post_quantum)
    here.conversation = chosen
    await here.settled()
    tell(here, chosen, f"made {label(chosen)} with {counted(len(chosen.members()), 'member')}")


async def invite(here: Here, name: str) -> None:
    """Add a person to the group, with all of their devices."""
    if here.open.kind != "group":
        raise Mistake(f"{label(here.open)} is between two people: /create-group makes a group to invite into.")
    if name in {m.name for m in here.open.members()}:
        raise Mistake(f"{harmless_name(name)} is in {label(here.open)} already.")
    await here.open.invite(name)
    await here.settled()
    tell(here, here.open, f"{harmless_name(name)} is in {label(here.open)}")


async def join(here: Here, group: str) -> None:
    """Take up pending invitations; in a chat, open the newest one, or the one that is named."""
    before = {c.id for c in here.client.conversations()}
    await here.client.sync()
    if group:
        chosen = here.conversation = known(here.client, group)
        tell(here, chosen, f"in {label(chosen)}")
        return
    fresh = [  # who was taken out again meanwhile has nothing to join
        c
        for c in here.client.conversations()
        if c.kind != "self" and c.active and (c.id not in before or c.id in here.unopened)
    ]
    for chosen in fresh:
        here.conversation = chosen
        tell(here, chosen, f"joined {label(chosen)}")
    here.unopened.clear()
    if not fresh and here.face is Face.CHAT:
        raise Mistake("No invitation is waiting. What you are invited to is joined as it comes; /list shows all.")


async def remove(here: Here, name: str) -> None:
    """Remove a person from the group, with all of their devices."""
    if here.open.kind != "group":
        raise Mistake(f"{label(here.open)} is between two people: nobody can be removed.")
    await here.open.remove(name)
    tell(here, here.open, f"{harmless_name(name)} is out of {label(here.open)}")


async def leave(here: Here) -> None:
    """Leave the conversation; what was received stays here."""
    chosen = here.open
    await chosen.leave()
    await here.settled()
    here.conversation = None
    here.tell({"left": chosen.id.hex()}, f"left {label(chosen)}")


async def rehome(here: Here) -> None:
    """Let the group go on at one's own server, because the server that is its home has gone for good."""
    await here.open.rehome()
    await here.settled()
    tell(here, here.open, f"{label(here.open)} goes on here, with {counted(len(here.open.members()), 'member')}")


async def update_key(here: Here) -> None:
    """Rotate this device's key material in the conversation: a new epoch begins."""
    await here.open.update_key()
    tell(here, here.open, f"{label(here.open)} is in epoch {here.open.epoch}")
