"""The account's commands: ping, register, login, whoami, devices, passwd, verify, delete-account."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

import click

from qpq.output import emit, show_qr
from qpq.running import command

if TYPE_CHECKING:
    from qpq.profile import Profile


@click.command()
@command
async def ping(profile: Profile) -> None:
    """Ask the server whether it is there; needs no account."""
    from qpqclient import ping as ask

    answer = await ask(profile.server, ca_cert=profile.ca_cert, engine=profile.engine)  # type: ignore[arg-type]
    emit(
        {
            "server": profile.server,
            "domain": answer.domain,
            "version": answer.server_version,
            "status": answer.status,
            "round_trip_ms": round(answer.round_trip_s * 1000, 3),
        },
        f"{profile.server} ({answer.domain}, version {answer.server_version}): {answer.status}, "
        f"{answer.round_trip_s * 1000:.1f} ms",
        as_json=profile.json,
    )


@click.command()
@click.argument("name", required=False)
@click.option("--token", default="", help="Where the server asks for one.")
@command
async def register(profile: Profile, name: str | None, token: str) -> None:
    """Make an account on the server, with this folder as its first device."""
    profile.username = name or profile.username
    async with profile.open(confirm=True) as client:
        await client.register(profile.name(), profile.secret(), token=token, label=platform.node())
        emit(
            {"name": client.name, "account": client.account.hex(), "device": client.device.hex()},
            f"registered {client.name}",
            as_json=profile.json,
        )


@click.command()
@click.argument("name", required=False)
@command
async def login(profile: Profile, name: str | None) -> None:
    """Log in; in an empty folder, the password alone restores the account and its groups."""
    profile.username = name or profile.username
    async with profile.open() as client:
        await client.login(profile.name(), profile.secret(), label=platform.node(), history=True)
        await client.sync()
        emit(
            {
                "name": client.name,
                "account": client.account.hex(),
                "device": client.device.hex(),
                "conversations": len(client.conversations()),
            },
            f"logged in as {client.name}; {len(client.conversations())} conversations",
            as_json=profile.json,
        )


@click.command()
@command
async def whoami(profile: Profile) -> None:
    """Show the account and device of this folder; works offline."""
    async with profile.open() as client:
        emit(
            {
                "name": client.name,
                "account": client.account.hex(),
                "device": client.device.hex(),
                "server": profile.server,
            },
            f"{client.name} on {profile.server}, device {client.device.hex()[:8]}",
            as_json=profile.json,
        )


@click.command()
@click.option("--revoke", metavar="DEVICE", help="Cut off the device whose id begins so.")
@command
async def devices(profile: Profile, revoke: str | None) -> None:
    """List the account's devices, or revoke one."""
    async with profile.open() as client:
        known = await client.devices()
        if revoke:
            chosen = [d for d in known if d.id.hex().startswith(revoke.lower())]
            if len(chosen) != 1:
                raise click.UsageError(f"{len(chosen)} devices begin with {revoke}")
            await client.revoke_device(chosen[0].id)
            emit({"revoked": chosen[0].id.hex()}, f"revoked {chosen[0].id.hex()[:8]}", as_json=profile.json)
            return
        for device in known:
            mark = " (this one)" if device.current else ""
            emit(
                {"device": device.id.hex(), "label": device.label, "current": device.current},
                f"{device.id.hex()[:8]}  {device.label}{mark}",
                as_json=profile.json,
            )


@click.command()
@click.option("--new-password", envvar="QPQ_NEW_PASSWORD", help="Better asked for.")
@command
async def passwd(profile: Profile, new_password: str | None) -> None:
    """Change the password; every other session of the account ends."""
    async with profile.open() as client:
        fresh = new_password or click.prompt("New password", hide_input=True, confirmation_prompt=True, err=True)
        await client.change_password(fresh)
        emit({"changed": True}, "password changed; other sessions have ended", as_json=profile.json)


@click.command()
@click.argument("name")
@click.option("--confirm/--withdraw", default=None, help="You have compared it: set, or take away, the mark.")
@command
async def verify(profile: Profile, name: str, confirm: bool | None) -> None:
    """Show the 60-digit safety number shared with NAME, to be compared in person (on a terminal as a QR code too)."""
    async with profile.open() as client:
        who = name.removeprefix("@")
        number = await client.safety_number(who)
        if confirm is not None:
            await client.verify(who, verified=confirm)
        marked = await client.verified(who)
        groups = " ".join(number[i : i + 5] for i in range(0, len(number), 5))
        show_qr(number, as_json=profile.json)
        told = f"{groups}\nverified" if marked else groups
        emit({"name": name, "safety_number": number, "verified": marked}, told, as_json=profile.json)


@click.command("delete-account")
@click.option("--yes", is_flag=True, help="Do not ask.")
@command
async def delete_account(profile: Profile, yes: bool) -> None:
    """Delete the account for ever, on the server and in this folder."""
    async with profile.open() as client:
        if not yes:
            typed = click.prompt(f"Type {client.name} to delete the account for ever", err=True)
            if typed != client.name:
                raise click.ClickException("nothing was deleted")
        name = client.name
        await client.delete_account()
        emit({"deleted": name}, f"deleted {name}", as_json=profile.json)


COMMANDS = (ping, register, login, whoami, devices, passwd, verify, delete_account)
