"""What concerns a conversation as a whole: list, history, rename, disappear, members."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from qpq.commands.naming import find, label, opened
from qpq.commands.showing import message_line, message_value
from qpq.output import emit
from qpq.running import command

if TYPE_CHECKING:
    from qpq.profile import Profile

HISTORY_DEFAULT = 20
UNIT_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def seconds_of(text: str) -> int:
    """Turn 30m, 1h, 1d, 7d or off into seconds."""
    if text in {"off", "0"}:
        return 0
    found = re.fullmatch(r"(\d{1,6})([smhdw])", text)
    if found is None or int(found[1]) == 0:
        raise click.BadParameter("say 30m, 1h, 1d, 7d or off")
    return int(found[1]) * UNIT_SECONDS[found[2]]


@click.command("list")
@command
async def list_(profile: Profile) -> None:
    """List all conversations."""
    async with profile.open() as client:
        await client.sync()
        for c in client.conversations():
            emit(
                {
                    "conversation": c.id.hex(),
                    "name": c.name,
                    "kind": c.kind,
                    "epoch": c.epoch,
                    "members": len(c.members()),
                },
                f"{label(c)}  {len(c.members())} members, epoch {c.epoch}",
                as_json=profile.json,
            )


@click.command()
@click.argument("conversation")
@click.option("--count", "-n", default=HISTORY_DEFAULT, show_default=True, type=click.IntRange(1, 100_000))
@command
async def history(profile: Profile, conversation: str, count: int) -> None:
    """Show the last messages of a conversation, oldest first."""
    async with profile.open() as client:
        chosen = await find(client, conversation)
        for message in chosen.history(count):
            emit(message_value(chosen, message), message_line(message), as_json=profile.json)


@click.command()
@click.argument("conversation")
@command
async def members(profile: Profile, conversation: str) -> None:
    """Show who is in a conversation."""
    async with opened(profile, conversation) as (_, chosen):
        for member in chosen.members():
            emit(
                {"name": member.name, "account": member.account.hex(), "devices": len(member.devices)},
                f"{member.name}  {len(member.devices)} devices",
                as_json=profile.json,
            )


@click.command()
@click.argument("conversation")
@click.argument("name")
@command
async def rename(profile: Profile, conversation: str, name: str) -> None:
    """Give a conversation another name, for everybody in it."""
    async with opened(profile, conversation) as (client, chosen):
        await chosen.rename(name)
        await client.flush()
        emit({"conversation": chosen.id.hex(), "name": name}, f"renamed to {name}", as_json=profile.json)


@click.command()
@click.argument("conversation")
@click.argument("after", metavar="30m|1h|1d|7d|off")
@command
async def disappear(profile: Profile, conversation: str, after: str) -> None:
    """Let later messages vanish everywhere, so long after they were accepted."""
    seconds = seconds_of(after)
    async with opened(profile, conversation) as (client, chosen):
        await chosen.set_timer(seconds)
        await client.flush()
        emit(
            {"conversation": chosen.id.hex(), "expires_after_seconds": seconds},
            f"messages vanish after {after}" if seconds else "messages stay",
            as_json=profile.json,
        )


COMMANDS = (list_, history, members, rename, disappear)
