"""Devices and what is kept for later: link, link-device, recovery-code, backup, restore-backup, doctor."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import TYPE_CHECKING

import click

from qpq.output import emit, show_qr
from qpq.running import command

if TYPE_CHECKING:
    from qpq.profile import Profile

HISTORY_SECONDS = 60.0
GROUP_CHARS = 8


@click.command()
@click.option("--history/--no-history", default=True, help="Get what was said before from the other device.  [default: history]")  # fmt: skip
@command
async def link(profile: Profile, history: bool) -> None:
    """Make this empty folder a device of an account: shows a code for `qpq link-device` on one that is there."""
    import trio

    async with profile.open(confirm=True) as client:
        code = client.link_code()
        spaced = " ".join(code[i : i + GROUP_CHARS] for i in range(0, len(code), GROUP_CHARS))
        show_qr(code, as_json=profile.json)
        emit({"code": code}, f"on a device of {profile.name()}: qpq link-device {spaced}", as_json=profile.json)
        await client.be_linked(profile.name(), history=history)
        events = client.events()
        with trio.move_on_after(HISTORY_SECONDS):
            while client.wants_history:
                with trio.move_on_after(1.0):
                    await anext(events)
        emit(
            {"name": client.name, "device": client.device.hex(), "history": not client.wants_history},
            f"linked: {client.name}, {len(client.conversations())} conversations",
            as_json=profile.json,
        )


@click.command("link-device")
@click.argument("code", nargs=-1, required=True)
@click.option("--label", default="", help="A name for the new device, for your eyes alone.")
@click.option("--wait", "wait_s", default=HISTORY_SECONDS, show_default=True, help="Seconds to stay for its history.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@command
async def link_device(profile: Profile, code: tuple[str, ...], label: str, wait_s: float, yes: bool) -> None:
    """Take the device that shows CODE into the account: it can read and send everything from then on."""
    if not yes:
        click.confirm("Does a device of your own, in front of you, show this code?", abort=True, err=True)
    async with profile.open() as client:
        device = await client.link_device("".join(code), label=label or platform.node())
        given = await client.give_history(device, wait_s) if wait_s else False
        emit(
            {"device": device.hex(), "history": given},
            f"linked device {device.hex()[:8]}" + ("; it has the history" if given else ""),
            as_json=profile.json,
        )


@click.command("recovery-code")
@command
async def recovery_code(profile: Profile) -> None:
    """Make the code that alone opens your backups; an older code opens only older ones. It is shown once."""
    async with profile.open() as client:
        code = client.new_recovery_code()
        emit({"recovery_code": code}, f"write this down, and keep it apart: {code}", as_json=profile.json)


@click.command()
@click.option("--to", type=click.Path(path_type=Path, dir_okay=False), help="Into a file, not to the server.")
@command
async def backup(profile: Profile, to: Path | None) -> None:
    """Back the messages up, sealed under the recovery code."""
    async with profile.open() as client:
        rows = await client.backup(to)
        emit({"rows": rows, "to": str(to or "server")}, f"backed up {rows} rows", as_json=profile.json)


@click.command("restore-backup")
@click.option("--from", "path", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="A file, not the server.")  # fmt: skip
@click.option("--recovery-code", "code", envvar="QPQ_RECOVERY_CODE", help="Better asked for.")
@command
async def restore_backup(profile: Profile, path: Path | None, code: str | None) -> None:
    """Bring messages back out of a backup; what is here already stays."""
    async with profile.open() as client:
        await client.sync()
        typed = code or click.prompt("Recovery code", hide_input=True, err=True)
        count = await client.restore_backup(typed, path)
        emit({"messages": count}, f"{count} messages came back", as_json=profile.json)


@click.command()
@command
async def doctor(profile: Profile) -> None:
    """Look this device over and say what to do; names nobody, so it can be shown to whoever helps."""
    async with profile.open() as client:
        findings = await client.doctor()
        for f in findings:
            emit(
                {"check": f.check, "well": f.well, "says": f.says, "advice": f.advice},
                f"{'ok  ' if f.well else 'LOOK'} {f.check}: {f.says}" + (f"\n     -> {f.advice}" if f.advice else ""),
                as_json=profile.json,
            )
        if not all(f.well for f in findings):
            raise click.exceptions.Exit(1)


COMMANDS = (link, link_device, recovery_code, backup, restore_backup, doctor)
