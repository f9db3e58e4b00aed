"""Who may do what, and from whom one wants to hear: roles, requests, strangers, block, mute, settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qpq.commands.naming import label
from qpq.harmless import harmless, harmless_name
from qpq.table.model import Mistake

if TYPE_CHECKING:
    from qpq.here import Here

RIGHTS = ("invite", "remove", "rename", "timer", "pin")


async def roles(here: Here, admin: tuple[str, ...], everybody: bool, let: tuple[str, ...]) -> None:
    """Show, or set, who is admin in a group and what the others may do."""
    from qpqclient import Right

    chosen = here.open
    if admin or everybody:
        right = Right(0)
        for name in let:
            right |= Right[name.upper()]
        await chosen.set_admins(admin, everybody_may=right)
    elif let:
        raise Mistake("say who is --admin, too")
    who, may = chosen.admins(), [str(r.name).lower() for r in Right if r in chosen.everybody_may()]
    names = ", ".join(map(harmless_name, who)) or "everybody"
    here.tell(
        {"admins": who, "everybody_may": may}, f"admins: {names}; everybody may: {', '.join(may) or 'only write'}"
    )


async def requests(here: Here, action: str, conversation: str) -> None:
    """List, accept or decline what unknown people began (`settings requests on`)."""
    waiting = {c.id.hex(): c for c in here.client.requests()}
    if action == "list":
        for ident, c in waiting.items():
            here.tell({"conversation": ident, "name": c.name}, f"{ident[:8]}  {label(c)}")
        return
    named = [c for i, c in waiting.items() if conversation in {i, i[:8], label(c), c.name}]
    if len(named) != 1:
        raise Mistake(f"{len(named)} requests are called {harmless(conversation)}: requests lists them")
    if action == "accept":
        named[0].accept()
    else:
        await named[0].decline()
    here.tell({"conversation": named[0].id.hex(), "done": action}, f"{action}: {label(named[0])}")


async def strangers(here: Here, action: str) -> None:
    """Show, or let in, those with whom the conversation is to be joined anew and whom nobody has brought who was in it."""
    named = here.open.strangers()
    if action == "accept" and named:
        await here.open.accept_strangers()
        here.tell({"accepted": named}, f"let in: {', '.join(map(harmless_name, named))}")
        return
    for name in named:
        here.tell(
            {"stranger": name}, f"{harmless_name(name)} is in it as the server shows it, and nobody vouches for that"
        )


async def block(here: Here, name: str, undo: bool) -> None:
    """Drop what a person sends from now on; then list who is blocked."""
    if name:
        await here.client.block(name, blocked=not undo)
    for who in here.client.blocked():
        here.tell({"blocked": who}, f"{harmless_name(who)} is blocked")


def mute(here: Here, duration: int | None) -> None:
    """Want no signs of new messages in the conversation for so long, or for good."""
    if duration is None:
        here.open.mute()
    else:
        here.open.mute(duration)
    here.tell({"muted": here.open.muted}, "muted" if here.open.muted else "not muted")


def settings(here: Here, name: str, value: str) -> None:
    """Show or change the settings of this device."""
    from qpqclient import SETTINGS

    if name and value:
        here.client.set_setting(name, value)
    for known in [name] if name else SETTINGS:
        now = here.client.setting(known)
        here.tell({"setting": known, "value": now}, f"{known} = {now}  ({SETTINGS[known].means})")
