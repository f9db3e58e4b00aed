"""Sending and receiving: dm, send, recv."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from qpq.commands.naming import find, label
from qpq.commands.showing import message_line, message_value
from qpq.output import emit
from qpq.running import command

if TYPE_CHECKING:
    from qpq.profile import Profile
    from qpqclient import Client, Conversation

TEXT_BYTES_MAX = 32 * 1024


def text_of(words: tuple[str, ...]) -> str:
    """Join the words of the command line; `-` alone reads standard input."""
    text = sys.stdin.read() if words == ("-",) else " ".join(words)
    if not text.strip():
        raise click.UsageError("nothing to send")
    if len(text.encode()) > TEXT_BYTES_MAX:
        raise click.UsageError(f"too long: {len(text.encode())} bytes of at most {TEXT_BYTES_MAX}; send it as a file")
    return text


async def say(profile: Profile, client: Client, chosen: Conversation, text: str) -> None:
    """Send one text and wait until the server has it."""
    message = await chosen.send(text)
    await client.flush()
    emit(
        {"id": message.id.hex(), "conversation": chosen.id.hex(), "state": "sent"},
        f"sent to {label(chosen)}",
        as_json=profile.json,
    )


@click.command()
@click.argument("name")
@click.argument("text", nargs=-1)
@command
async def dm(profile: Profile, name: str, text: tuple[str, ...]) -> None:
    """Talk to one person: with TEXT, send it; without, a plain chat until end of input."""
    async with profile.open() as client:
        chosen = await client.dm(name.removeprefix("@"))
        if text:
            await say(profile, client, chosen, text_of(text))
        else:
            from qpq.chat import chat

            await chat(profile, client, chosen)


@click.command()
@click.argument("target", required=False)
@click.argument("text", nargs=-1)
@click.option("--all", "to_all", is_flag=True, help="To every conversation; every word is text then.")
@command
async def send(profile: Profile, target: str | None, text: tuple[str, ...], to_all: bool) -> None:
    """Send TEXT (or `-`: standard input) to @person or #group and wait until the server has it."""
    if to_all:
        text = ((target,) if target else ()) + text
    elif target is None:
        raise click.UsageError("say to whom: @person or #group")
    body = text_of(text)
    async with profile.open() as client:
        await client.sync()
        if to_all:
            for chosen in client.conversations():
                if chosen.kind in {"direct", "group"}:
                    await say(profile, client, chosen, body)
        else:
            await say(profile, client, await find(client, str(target)), body)


@click.command()
@click.option("--wait", "wait_s", default=0.0, help="Wait so many seconds for a first message.")
@click.option("--follow", is_flag=True, help="Go on until interrupted.")
@command
async def recv(profile: Profile, wait_s: float, follow: bool) -> None:
    """Show the messages that have come since the last time."""
    from qpq.receiving import receive

    async with profile.open() as client:
        await receive(
            client,
            lambda chosen, message: emit(
                message_value(chosen, message),
                f"{label(chosen)} {message_line(message)}" if chosen.kind == "group" else message_line(message),
                as_json=profile.json,
            ),
            wait_s=float("inf") if follow else wait_s,
            follow=follow,
        )


COMMANDS = (dm, send, recv)
