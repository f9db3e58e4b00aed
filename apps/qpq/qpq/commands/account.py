"""The account's commands: ping, register, login, whoami, devices, passwd, verify, trust, delete-account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qpq.commands.chatting import Quit
from qpq.commands.showing import counted
from qpq.harmless import harmless, harmless_name
from qpq.table.model import Face, Mistake

if TYPE_CHECKING:
    from qpq.here import Here

LISTEN_SECONDS_MAX = 60.0
"""Nobody waits longer for a neighbour."""
GROUP_DIGITS, ROW_GROUPS = 5, 6
"""A safety number is read out in groups of five, and shown in rows of six of them."""


def machine() -> str:
    """Return this machine's name, as the device's label for its owner."""
    import platform

    return platform.node()


async def ping(here: Here) -> None:
    """Ask the server whether it is there; needs no account."""
    from qpqclient import ping as ask

    profile = here.profile
    answer = await ask(profile.server, ca_cert=profile.ca_cert, engine=profile.engine)
    round_trip_ms = answer.round_trip_s * 1000
    here.tell(
        {
            "server": profile.server,
            "domain": answer.domain,
            "version": answer.server_version,
            "status": answer.status,
            "round_trip_ms": round(round_trip_ms, 3),
        },
        f"{profile.server} ({harmless(answer.domain)}, version {harmless(answer.server_version)}): "
        f"{harmless(answer.status)}, {round_trip_ms:.1f} ms",
    )


async def discover(here: Here, seconds: str) -> None:
    """List the servers of the local network that announce themselves; anybody there can announce anything."""
    from qpqclient import nearby

    try:
        found = await nearby.discover(min(float(seconds), LISTEN_SECONDS_MAX))
    except ValueError as exc:
        raise Mistake(f"--seconds {seconds}: a number of seconds") from exc
    except OSError as exc:
        raise Mistake(f"the local network cannot be listened to: {exc}") from exc
    for one in found:
        here.tell(
            {"domain": one.domain, "server": one.server, "pin": one.pin},
            f"{one.server}  {one.domain or '(names no domain)'}  key {one.pin or '(not said)'}",
        )
    if not found:
        here.tell({"servers": 0}, "no server of this network announces itself")


async def register(here: Here, name: str, token: str) -> None:
    """Make an account on the server, with this folder as its first device."""
    client = here.client
    await client.register(name or here.profile.name(), here.profile.secret(), token=token, label=machine())
    here.profile.kept()
    here.tell(
        {"name": client.name, "account": client.account.hex(), "device": client.device.hex()},
        f"registered {client.name}",
    )


async def login(here: Here, name: str) -> None:
    """Log in; in an empty folder, the password alone restores the account and its groups."""
    client = here.client
    await client.login(name or here.profile.name(), here.profile.secret(), label=machine(), history=True)
    here.profile.kept()
    await client.sync()
    count = len(client.conversations())
    here.tell(
        {"name": client.name, "account": client.account.hex(), "device": client.device.hex(), "conversations": count},
        f"logged in as {client.name}; {count} conversations",
    )


def whoami(here: Here) -> None:
    """Show who one is here, on which device, and how the groups stand; works offline."""
    client, server = here.client, here.profile.server
    groups, unsent = [c for c in client.conversations() if c.kind == "group" and c.active], client.unsent
    here.tell(
        {
            "name": client.name,
            "account": client.account.hex(),
            "device": client.device.hex(),
            "server": server,
            "groups": len(groups),
            "pending": unsent,
        },
        f"{client.name} on {server}, device {client.device.hex()[:8]}; in {counted(len(groups), 'group')}, {counted(unsent, 'message')} waiting",
    )


async def devices(here: Here, revoke: str) -> None:
    """List the account's devices, or revoke one."""
    known = await here.client.devices()
    if revoke:
        chosen = [d for d in known if d.id.hex().startswith(revoke.lower())]
        if len(chosen) != 1:
            raise Mistake(f"{len(chosen)} devices begin with {revoke}")
        if chosen[0].current:
            raise Mistake(
                "this is the device that you are at: revoke it from another one, or delete-account ends it all"
            )
        await here.client.revoke_device(chosen[0].id)
        here.tell({"revoked": chosen[0].id.hex()}, f"revoked {chosen[0].id.hex()[:8]}")
        return
    for device in known:
        mark = " (this one)" if device.current else ""
        here.tell(
            {"device": device.id.hex(), "label": device.label, "current": device.current},
            f"{device.id.hex()[:8]}  {harmless(device.label)}{mark}",
        )


async def passwd(here: Here, new_password: str) -> None:
    """Change the password; every other session of the account ends."""
    fresh = new_password or await here.listener.ask_secret("New password")
    ended = await here.client.change_password(fresh)
    here.tell({"changed": True, "ended": ended}, "password changed; other sessions have ended")


async def verify(here: Here, name: str, answer: str) -> None:
    """Show the 60 digits to be compared with a person, as text and as a QR code; `yes` notes that they were equal."""
    number = await here.client.safety_number(name)
    if answer:
        if answer not in {"yes", "no"}:
            raise Mistake("say yes when the digits are equal, no when they are not")
        await here.client.verify(name, verified=answer == "yes")
    verified = await here.client.verified(name)
    groups = [number[i : i + GROUP_DIGITS] for i in range(0, len(number), GROUP_DIGITS)]
    value = {"name": name, "safety_number": number, "verified": verified}
    if here.face is Face.SHELL and not answer:
        here.tell(value, " ".join(groups))
        return
    rows = [" ".join(groups[i : i + ROW_GROUPS]) for i in range(0, len(groups), ROW_GROUPS)]
    state = "verified" if verified else f"not verified: compare it with theirs, then /verify {harmless_name(name)} yes"
    here.tell(value, *rows, *qr_lines(number), f"{harmless_name(name)} is {state}")


def qr_lines(text: str) -> list[str]:
    """Return a QR code as lines of half blocks, dark on light as scanners want it."""
    import segno

    border = 2
    rows = [list(row) for row in segno.make(text, error="m", micro=False).matrix_iter(border=border)]
    if len(rows) % 2:
        rows.append([0] * len(rows[0]))
    blocks = {(0, 0): "█", (0, 1): "▀", (1, 0): "▄", (1, 1): " "}
    return [
        "".join(blocks[int(bool(a)), int(bool(b))] for a, b in zip(above, below, strict=True))
        for above, below in zip(rows[::2], rows[1::2], strict=True)
    ]


async def trust(here: Here, name: str) -> None:
    """Take the key that a person has now, after a warning that it changed, and once it is certain who it is."""
    await here.client.trust(name)
    here.tell({"trusted": name}, f"the key that {harmless_name(name)} has now is taken: /verify {harmless_name(name)}")


async def delete_account(here: Here, confirm: str, yes: bool) -> None:
    """Delete the account for ever, on the server and in this folder."""
    name = here.client.name
    if not yes:
        typed = confirm or await here.listener.ask(f"Type {name} to delete the account for ever")
        if typed.strip() != name:
            raise Mistake("nothing was deleted")
    await here.client.delete_account()
    here.tell({"deleted": name}, f"deleted {name}")
    if here.face is Face.CHAT:
        raise Quit
