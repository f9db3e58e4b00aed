"""Groups: group create, invite, join, remove, leave, update-key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from qpq.commands.naming import find, label, opened
from qpq.output import emit
from qpq.running import command

if TYPE_CHECKING:
    from qpq.profile import Profile
    from qpqclient import Conversation


def tell(profile: Profile, chosen: Conversation, line: str) -> None:
    """Report the group as it is now."""
    emit(
        {
            "conversation": chosen.id.hex(),
            "name": chosen.name,
            "epoch": chosen.epoch,
            "members": sorted(m.name for m in chosen.members()),
        },
        line,
        as_json=profile.json,
    )


@click.group()
def group() -> None:
    """Groups: `qpq group create NAME [MEMBER ...]`."""


@group.command()
@click.argument("name")
@click.argument("people", nargs=-1)
@click.option("--post-quantum", is_flag=True, help="Agree on the group's keys by X-Wing (X25519 and ML-KEM-768).")
@command
async def create(profile: Profile, name: str, people: tuple[str, ...], post_quantum: bool) -> None:
    """Make a group with these people in it."""
    async with profile.open() as client:
        chosen = await client.create_group(
            name.removeprefix("#"), [p.removeprefix("@") for p in people], post_quantum=post_quantum
        )
        await client.flush()
        tell(profile, chosen, f"made {label(chosen)} with {len(chosen.members())} members")


@click.command()
@click.argument("conversation")
@click.argument("name")
@command
async def invite(profile: Profile, conversation: str, name: str) -> None:
    """Add a person, with all of their devices."""
    async with opened(profile, conversation) as (client, chosen):
        await chosen.invite(name.removeprefix("@"))
        await client.flush()
        tell(profile, chosen, f"{name} is in {label(chosen)}")


@click.command()
@click.argument("conversation", required=False)
@command
async def join(profile: Profile, conversation: str | None) -> None:
    """Take up pending invitations; lists what was joined, or fails if CONVERSATION is not among all."""
    async with profile.open() as client:
        before = {c.id for c in client.conversations()}
        await client.sync()
        if conversation:
            chosen = await find(client, conversation)
            tell(profile, chosen, f"in {label(chosen)}")
            return
        for chosen in client.conversations():
            if chosen.id not in before:
                tell(profile, chosen, f"joined {label(chosen)}")


@click.command()
@click.argument("conversation")
@click.argument("name")
@command
async def remove(profile: Profile, conversation: str, name: str) -> None:
    """Remove a person, with all of their devices."""
    async with opened(profile, conversation) as (_, chosen):
        await chosen.remove(name.removeprefix("@"))
        tell(profile, chosen, f"{name} is out of {label(chosen)}")


@click.command()
@click.argument("conversation")
@command
async def leave(profile: Profile, conversation: str) -> None:
    """Leave a group; what was received stays here."""
    async with opened(profile, conversation) as (client, chosen):
        await chosen.leave()
        await client.flush()
        emit({"left": chosen.id.hex()}, f"left {label(chosen)}", as_json=profile.json)


@click.command("update-key")
@click.argument("conversation")
@command
async def update_key(profile: Profile, conversation: str) -> None:
    """Rotate this device's key material in a group: a new epoch begins."""
    async with opened(profile, conversation) as (_, chosen):
        await chosen.update_key()
        tell(profile, chosen, f"{label(chosen)} is in epoch {chosen.epoch}")


COMMANDS = (group, invite, join, remove, leave, update_key)
