"""Devices and what is kept for later: link, link-device, recovery-code, backup, restore-backup, doctor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qpq.commands.account import machine, qr_lines
from qpq.harmless import harmless
from qpq.table.model import Face, Mistake, NotWell

if TYPE_CHECKING:
    from pathlib import Path

    from qpq.here import Here

YES, NO = frozenset({"y", "yes"}), frozenset({"n", "no", ""})
HISTORY_SECONDS = 60.0
GROUP_CHARS = 8


async def link(here: Here, no_history: bool) -> None:
    """Make this empty folder a device of an account: shows a code for `link-device` on one that is there."""
    import trio

    client = here.client
    code = client.link_code()
    spaced = " ".join(code[i : i + GROUP_CHARS] for i in range(0, len(code), GROUP_CHARS))
    here.tell(
        {"code": code},
        *qr_lines(code),
        f"on a device of {here.profile.name()}: qpq link-device {spaced}",
        "(where a chat is open: /link-device)",
    )
    await client.be_linked(here.profile.name(), history=not no_history)
    here.profile.kept()
    events = client.events()
    with trio.move_on_after(HISTORY_SECONDS):
        while client.wants_history:
            with trio.move_on_after(1.0):
                await anext(events)
    here.tell(
        {"name": client.name, "device": client.device.hex(), "history": not client.wants_history},
        f"linked: {client.name}, {len(client.conversations())} conversations",
    )


async def link_device(here: Here, code: tuple[str, ...], label: str, wait: int, yes: bool) -> None:
    """Take the device that shows a code into the account: it can read and send everything from then on."""
    shown = "".join(code)
    here.client.check_link_code(shown)
    answer = "yes" if yes else "?"
    while answer not in YES | NO:
        answer = await here.listener.ask("Does a device of your own, in front of you, show this code? yes or no")
        answer = answer.strip().lower()
    if answer in NO:
        raise Mistake("nothing was linked")
    device = await here.client.link_device(shown, label=label or machine())
    given = await here.client.give_history(device, wait) if wait else False
    here.tell(
        {"device": device.hex(), "history": given},
        f"linked device {device.hex()[:8]}" + ("; it has the history" if given else ""),
    )


def recovery_code(here: Here) -> None:
    """Make the code that alone opens your backups; an older code opens only older ones. It is shown once."""
    code = here.client.new_recovery_code()
    here.tell({"recovery_code": code}, f"write this down, and keep it apart: {code}")


async def backup(here: Here, to: Path | None) -> None:
    """Back the messages up, sealed under the recovery code."""
    rows = await here.client.backup(to)
    here.tell({"rows": rows, "to": str(to or "server")}, f"backed up {rows} rows")


async def restore_backup(here: Here, path: Path | None, recovery_code: str) -> None:
    """Bring messages back out of a backup; what is here already stays."""
    typed = recovery_code or await here.listener.ask("Recovery code")
    count = await here.client.restore_backup(typed, path)
    here.tell({"messages": count}, f"{count} messages came back")


async def doctor(here: Here) -> None:
    """Look this device over and say what to do; names nobody, so it can be shown to whoever helps."""
    findings = await here.client.doctor()
    for f in findings:
        advice = [f"     -> {harmless(f.advice)}"] if f.advice else []
        here.tell(
            {"check": f.check, "well": f.well, "says": f.says, "advice": f.advice},
            f"{'ok  ' if f.well else 'LOOK'} {f.check}: {harmless(f.says)}", *advice,
        )  # fmt: skip
    if here.face is Face.SHELL and not all(f.well for f in findings):
        raise NotWell
