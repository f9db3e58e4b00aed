"""What one does with messages and people beside sending: react, edit, delete, pin, read, roles, trust, settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from qpq.commands.naming import find, label, opened
from qpq.commands.showing import message_line, message_value
from qpq.output import emit
from qpq.running import command

if TYPE_CHECKING:
    from qpq.profile import Profile
    from qpqclient import Conversation, Message

LOOKBACK_MESSAGES = 10_000
ID_CHARS_MIN = 6
MESSAGE_HELP = "MESSAGE is a number counted from the newest (1), or the beginning of an id (`qpq --json history`)."


def chosen_message(conversation: Conversation, which: str, *, own: bool = False) -> Message:
    """Return a message by number from the newest, or by its id's beginning; `own`: among one's own."""
    found = [m for m in conversation.history(LOOKBACK_MESSAGES) if m.own or not own]
    if which.isdigit() and len(which) < ID_CHARS_MIN:
        if 1 <= int(which) <= len(found):
            return found[-int(which)]
    else:
        named = [m for m in found if len(which) >= ID_CHARS_MIN and m.id.hex().startswith(which.lower())]
        if len(named) == 1:
            return named[0]
    raise click.UsageError(f"no message {which} in {label(conversation)}: 1 is the newest of {len(found)}")


@click.command(epilog=MESSAGE_HELP)
@click.argument("conversation")
@click.argument("emoji")
@click.argument("message", default="1")
@click.option("--remove", is_flag=True, help="Take the reaction back.")
@command
async def react(profile: Profile, conversation: str, emoji: str, message: str, remove: bool) -> None:
    """React to a message."""
    async with opened(profile, conversation) as (client, chosen):
        to = chosen_message(chosen, message)
        await chosen.react(to.id, emoji, remove=remove)
        await client.flush()
        emit({"id": to.id.hex(), "emoji": emoji, "removed": remove}, f"{emoji} to: {to.text}", as_json=profile.json)


@click.command(epilog=MESSAGE_HELP)
@click.argument("conversation")
@click.argument("message")
@click.argument("text", nargs=-1, required=True)
@command
async def edit(profile: Profile, conversation: str, message: str, text: tuple[str, ...]) -> None:
    """Replace the text of one's own message; numbers count one's own."""
    async with opened(profile, conversation) as (client, chosen):
        old = chosen_message(chosen, message, own=True)
        await chosen.edit(old.id, " ".join(text))
        await client.flush()
        emit({"id": old.id.hex(), "text": " ".join(text)}, f"edited: {' '.join(text)}", as_json=profile.json)


@click.command(epilog=MESSAGE_HELP)
@click.argument("conversation")
@click.argument("message")
@command
async def delete(profile: Profile, conversation: str, message: str) -> None:
    """Delete one's own message everywhere; numbers count one's own."""
    async with opened(profile, conversation) as (client, chosen):
        old = chosen_message(chosen, message, own=True)
        await chosen.delete(old.id)
        await client.flush()
        emit({"id": old.id.hex(), "deleted": True}, f"deleted: {old.text}", as_json=profile.json)


@click.command(epilog=MESSAGE_HELP)
@click.argument("conversation")
@click.argument("message", required=False)
@click.option("--remove", is_flag=True, help="Take the pin out.")
@command
async def pin(profile: Profile, conversation: str, message: str | None, remove: bool) -> None:
    """Pin a message for everybody; without MESSAGE, show what is pinned."""
    async with opened(profile, conversation) as (client, chosen):
        if message is not None:
            to = chosen_message(chosen, message)
            await chosen.pin(to.id, remove=remove)
            await client.flush()
        for pinned in chosen.pinned():
            emit(message_value(chosen, pinned), message_line(pinned), as_json=profile.json)


@click.command("mark-read")
@click.argument("conversation")
@command
async def mark_read(profile: Profile, conversation: str) -> None:
    """Mark all that has come as read, here, on one's other devices, and for the senders."""
    async with opened(profile, conversation) as (client, chosen):
        count = chosen.unread
        await chosen.mark_read()
        await client.flush()
        emit({"conversation": chosen.id.hex(), "read": count}, f"{count} messages read", as_json=profile.json)


@click.command()
@click.argument("conversation")
@click.option("--admin", "admins", multiple=True, metavar="NAME", help="Who is admin; may be given several times.")
@click.option("--everybody", is_flag=True, help="No admins: everybody does everything.")
@click.option("--let", multiple=True, type=click.Choice(["invite", "remove", "rename", "timer", "pin"]), help="What members do who are none.")  # fmt: skip
@command
async def roles(profile: Profile, conversation: str, admins: tuple[str, ...], everybody: bool, let: tuple[str, ...]) -> None:  # fmt: skip
    """Show, or set, who is admin in a group and what the others may do."""
    from qpqclient import Right

    async with opened(profile, conversation) as (_, chosen):
        if admins or everybody:
            right = Right(0)
            for name in let:
                right |= Right[name.upper()]
            await chosen.set_admins([a.removeprefix("@") for a in admins], everybody_may=right)
        elif let:
            raise click.UsageError("say who is --admin, too")
        who, may = chosen.admins(), [str(r.name).lower() for r in Right if r in chosen.everybody_may()]
        emit(
            {"admins": who, "everybody_may": may},
            f"admins: {', '.join(who) or 'everybody'}; everybody may: {', '.join(may) or 'only write'}",
            as_json=profile.json,
        )


@click.command()
@click.argument("action", type=click.Choice(["list", "accept", "decline"]), default="list")
@click.argument("conversation", required=False)
@command
async def requests(profile: Profile, action: str, conversation: str | None) -> None:
    """List, accept or decline what unknown people began (`qpq settings requests on`)."""
    async with profile.open() as client:
        await client.sync()
        waiting = {c.id.hex(): c for c in client.requests()}
        if action == "list":
            for ident, c in waiting.items():
                emit({"conversation": ident, "name": c.name}, f"{ident[:8]}  {label(c)}", as_json=profile.json)
            return
        named = [c for i, c in waiting.items() if conversation in {i, i[:8], label(c), c.name}]
        if len(named) != 1:
            raise click.UsageError(f"{len(named)} requests are called {conversation}: see `qpq requests`")
        if action == "accept":
            named[0].accept()
        else:
            await named[0].decline()
        emit({"conversation": named[0].id.hex(), "done": action}, f"{action}: {label(named[0])}", as_json=profile.json)


@click.command()
@click.argument("name", required=False)
@click.option("--undo", is_flag=True, help="Let it come again.")
@command
async def block(profile: Profile, name: str | None, undo: bool) -> None:
    """Drop what a person sends from now on; without NAME, list who is blocked."""
    async with profile.open() as client:
        if name:
            await client.block(name.removeprefix("@"), blocked=not undo)
        for who in client.blocked():
            emit({"blocked": who}, f"{who} is blocked", as_json=profile.json)


@click.command()
@click.argument("conversation")
@click.argument("duration", metavar="30m|1h|1d|7d|off", required=False)
@command
async def mute(profile: Profile, conversation: str, duration: str | None) -> None:
    """Want no signs of new messages in a conversation for so long (without it: for good)."""
    from qpq.commands.conversations import seconds_of

    async with profile.open() as client:
        chosen = await find(client, conversation)
        if duration is None:
            chosen.mute()
        else:
            chosen.mute(seconds_of(duration))
        emit({"muted": chosen.muted}, "muted" if chosen.muted else "not muted", as_json=profile.json)


@click.command()
@click.argument("name", required=False)
@click.argument("value", required=False)
@command
async def settings(profile: Profile, name: str | None, value: str | None) -> None:
    """Show or change the settings of this device."""
    from qpqclient import SETTINGS

    async with profile.open() as client:
        if name and value:
            client.set_setting(name, value)
        for known in [name] if name else SETTINGS:
            now = client.setting(known)
            emit({"setting": known, "value": now}, f"{known} = {now}  ({SETTINGS[known].means})", as_json=profile.json)


COMMANDS = (react, edit, delete, pin, mark_read, roles, requests, block, mute, settings)
