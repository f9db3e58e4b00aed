"""`qpqctl user` and `qpqctl session`: accounts, their devices and their sessions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from qpqcore.crypto.names import normalise_name
from qpqcore.model.errors import ErrorCode, Refusal
from qpqserver.ctl.reading import ROWS_MAX, rows_of
from qpqserver.operating.reach import act
from qpqserver.output import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qpqcore.config.settings import Settings
    from qpqserver.ctl.given import Given

STATES = ("active", "suspended", "deleting")
SHOWN_CHARS = 16
"""Of a session's hash: as many as name it, and a few hundred million sessions more."""
LIST_SQLITE = (
    "SELECT a.name, lower(hex(a.account)), a.state, (SELECT count(*) FROM devices d WHERE d.account = a.account) "
    "FROM accounts a ORDER BY a.name LIMIT ? + 0"
)
LIST_POSTGRES = (
    "SELECT a.name, encode(a.account, 'hex'), a.state, "
    "coalesce((SELECT count(*) FROM devices d WHERE d.account = a.account GROUP BY d.account), 0) "  # so that Citus takes it
    "FROM accounts a ORDER BY a.name LIMIT $1"
)
ONE_SQLITE = "SELECT lower(hex(account)), state, created_ms FROM accounts WHERE name = ?"
ONE_POSTGRES = "SELECT encode(account, 'hex'), state, created_ms FROM accounts WHERE name = $1"
DEVICES_SQLITE = "SELECT lower(hex(device)), registered_ms, last_seen_ms FROM devices WHERE account = ? ORDER BY registered_ms LIMIT ? + 0"
DEVICES_POSTGRES = "SELECT encode(device, 'hex'), registered_ms, last_seen_ms FROM devices WHERE account = $1 ORDER BY registered_ms LIMIT $2"
SESSIONS_SQLITE = (
    "SELECT lower(hex(s.token_hash)), a.name, lower(hex(s.account)), lower(hex(s.device)), s.used_ms FROM sessions s "
    "JOIN accounts a ON a.account = s.account WHERE (? = '' OR a.name = ?) ORDER BY s.used_ms DESC LIMIT ? + 0"
)
SESSIONS_POSTGRES = (
    "SELECT encode(s.token_hash, 'hex'), a.name, encode(s.account, 'hex'), encode(s.device, 'hex'), s.used_ms "
    "FROM sessions s JOIN accounts a ON a.account = s.account WHERE ($1::text = '' OR a.name = $2::text) "
    "ORDER BY s.used_ms DESC LIMIT $3"
)


def moment(at_ms: int) -> str:
    """Return a time for people."""
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"


@click.group()
def user() -> None:
    """Accounts. The server may be running, or not; what it does to one takes effect at once."""


@user.command("list")
@click.pass_obj
def list_(given: Given) -> None:
    """List the accounts, with their devices."""
    with given.looking():
        rows = accounts(given.settings)
    for name, account, state, devices in rows:
        given.tell(
            {"name": name, "account": account, "state": STATES[state], "devices": devices},
            f"{name}  {STATES[state]}  {counted(devices, 'device')}",
        )


def accounts(settings: Settings) -> Sequence[tuple[str, str, int, int]]:
    """Return name, id in hexadecimal, state and number of devices of every account. DatabaseError."""
    return rows_of(settings, "auth", LIST_SQLITE, LIST_POSTGRES, ROWS_MAX)


@user.command()
@click.argument("name")
@click.pass_obj
def show(given: Given, name: str) -> None:
    """Show one account: since when, its devices, when each was last seen, how many sessions there are."""
    with given.looking():
        account, state, created_ms = _one(given.settings, name)
        devices = rows_of(
            given.settings, "auth", DEVICES_SQLITE, DEVICES_POSTGRES, bytes.fromhex(account), ROWS_MAX
        )  # fmt: skip
        found = sessions(given.settings, name)
    given.tell(
        {
            "name": normalise_name(name), "account": account, "state": STATES[state], "created_ms": created_ms,
            "sessions": len(found),
            "devices": [{"device": d, "registered_ms": r, "last_seen_ms": s} for d, r, s in devices],
        },
        "\n".join(
            [
                f"{normalise_name(name)}  {STATES[state]}, since {moment(created_ms)}, {counted(len(found), 'session')}",
                *(f"  device {d[:SHOWN_CHARS]}  since {moment(r)}, seen {moment(s)}" for d, r, s in devices),
            ]
        ),
    )  # fmt: skip


def _one(settings: Settings, name: str) -> tuple[str, int, int]:
    found = rows_of(settings, "auth", ONE_SQLITE, ONE_POSTGRES, normalise_name(name))
    if not found:
        raise Refusal(ErrorCode.NOT_FOUND, "there is no account of this name")
    account, state, created_ms = found[0]
    return account, state, created_ms


def done(given: Given, said: str, asked: dict[str, Any], *typed: str, act_name: str) -> None:
    """Have an act done and written down, and say what came of it."""
    with given.acting(act_name, *typed):
        came = act(given.settings, asked)
    line = said.format(**came)
    if came.get("told") is False:
        line += "; running gateways could not be told: they find out within 5 minutes"
    given.tell({"ok": True, **came}, line)


@user.command()
@click.argument("name")
@click.pass_obj
def suspend(given: Given, name: str) -> None:
    """Suspend an account: nobody logs in as it, its sessions end, its devices are cut off within a second."""
    done(
        given, f"{name}: suspended, sessions ended: {{sessions_ended}}", {"act": "suspend", "name": name}, name,
        act_name="user suspend",
    )  # fmt: skip


@user.command()
@click.argument("name")
@click.pass_obj
def reopen(given: Given, name: str) -> None:
    """Let a suspended account log in again."""
    done(given, f"{name}: may log in again", {"act": "reopen", "name": name}, name, act_name="user reopen")


@user.command()
@click.argument("name")
@click.pass_obj
def logout(given: Given, name: str) -> None:
    """End all sessions of an account: each device has to log in with the password. The password itself nobody can set."""
    done(
        given, f"{name}: sessions ended: {{sessions_ended}}", {"act": "logout", "name": name}, name,
        act_name="user logout",
    )  # fmt: skip


@user.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def delete(given: Given, name: str, yes: bool) -> None:
    """Delete an account for ever, with its devices, mailboxes, keys and files; its name is held back for 90 days."""
    if not yes:
        click.confirm(f"Delete {name} with all it has? This cannot be undone", abort=True, err=True)
    done(given, f"{name}: deleted", {"act": "delete", "name": name}, name, act_name="user delete")


@click.group()
def session() -> None:
    """Sessions: each is one log-in of one device."""


def sessions(settings: Settings, name: str = "") -> Sequence[tuple[str, str, str, str, int]]:
    """Return hash, name, account, device and last use of sessions, the last used first. DatabaseError."""
    wanted = normalise_name(name) if name else ""
    return rows_of(settings, "auth", SESSIONS_SQLITE, SESSIONS_POSTGRES, wanted, wanted, ROWS_MAX)


@session.command("list")
@click.option("--user", "name", default="", help="Of this account alone.")
@click.pass_obj
def list_sessions(given: Given, name: str) -> None:
    """List sessions, the last used first. What is shown lets nobody in: it is a part of the token's hash."""
    with given.looking():
        if name:
            _one(given.settings, name)
        rows = sessions(given.settings, name)
    for token_hash, of, _, device, used_ms in rows:
        given.tell(
            {"session": token_hash[:SHOWN_CHARS], "name": of, "device": device, "used_ms": used_ms},
            f"{token_hash[:SHOWN_CHARS]}  {of}  device {device[:SHOWN_CHARS]}  used {moment(used_ms)}",
        )


@session.command()
@click.argument("sessions_", metavar="SESSION...", nargs=-1, required=True)
@click.pass_obj
def end(given: Given, sessions_: tuple[str, ...]) -> None:
    """End sessions by what `session list` shows of them; whoever uses them is cut off within a second."""
    for shown in sessions_:
        with given.looking():
            found = [row for row in sessions(given.settings) if row[0].startswith(shown.lower())]
            if len(found) != 1:
                raise Refusal(ErrorCode.NOT_FOUND, f"{shown}: {len(found)} sessions begin so")
        token_hash, _, account, _, _ = found[0]
        asked = {"act": "end_session", "account": account, "session": token_hash}
        done(given, f"{shown}: sessions ended: {{sessions_ended}}", asked, shown, act_name="session end")
