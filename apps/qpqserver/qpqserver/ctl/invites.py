"""`qpqctl invite` and `qpqctl registration`: who may make an account."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from qpqauth.operator import INVITE_USES_MAX, MODES, NOTE_CHARS_MAX
from qpqcore.config.settings import registration_of
from qpqcore.model.errors import ErrorCode, Refusal
from qpqserver.ctl.accounts import SHOWN_CHARS, done, moment
from qpqserver.ctl.reading import ROWS_MAX, rows_of
from qpqserver.operating.reach import act

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qpqcore.config.settings import Settings
    from qpqserver.ctl.given import Given

DAY_MS = 24 * 3600 * 1000
INVITES_SQLITE = "SELECT lower(hex(token_hash)), uses_left, expires_ms, created_ms, note FROM invites ORDER BY created_ms LIMIT ? + 0"
INVITES_POSTGRES = "SELECT encode(token_hash, 'hex'), uses_left, expires_ms, created_ms, note FROM invites ORDER BY created_ms LIMIT $1"
SWITCH_SQLITE = "SELECT value FROM switches WHERE name = 'registration'"


@click.group()
def invite() -> None:
    """Invitations: tokens by which so many accounts may be made while registration asks for one."""


@invite.command()
@click.option("--uses", type=click.IntRange(1, INVITE_USES_MAX), default=1, show_default=True)
@click.option("--days", type=click.FloatRange(min=0, min_open=True), default=7.0, show_default=True)
@click.option("--note", default="", help=f"For the list, at most {NOTE_CHARS_MAX} characters.")
@click.pass_obj
def create(given: Given, uses: int, days: float, note: str) -> None:
    """Make an invitation and show its token, once: the server keeps a hash."""
    asked = {"act": "invite", "uses": uses, "lifetime_ms": int(days * DAY_MS), "note": note}
    with given.acting("invite create", f"--uses={uses}", f"--days={days:g}"):
        came = act(given.settings, asked)
    given.tell({"ok": True, "token": came["token"], "uses": uses, "days": days}, came["token"])


def invites(settings: Settings) -> Sequence[tuple[str, int, int, int, str]]:
    """Return hash, uses left, end, birth and note of every invitation. DatabaseError."""
    return rows_of(settings, "auth", INVITES_SQLITE, INVITES_POSTGRES, ROWS_MAX)


@invite.command("list")
@click.pass_obj
def list_(given: Given) -> None:
    """List invitations, those that are used up too until they end."""
    with given.looking():
        rows = invites(given.settings)
    for token_hash, left, expires_ms, created_ms, note in rows:
        given.tell(
            {
                "invite": token_hash[:SHOWN_CHARS], "uses_left": left, "expires_ms": expires_ms,
                "created_ms": created_ms, "note": note,
            },
            f"{token_hash[:SHOWN_CHARS]}  {left} uses left, until {moment(expires_ms)}  {note}",
        )  # fmt: skip


@invite.command()
@click.argument("shown", metavar="INVITE")
@click.pass_obj
def withdraw(given: Given, shown: str) -> None:
    """Withdraw an invitation, by what `invite list` shows of it."""
    with given.looking():
        found = [row[0] for row in invites(given.settings) if row[0].startswith(shown.lower())]
        if len(found) != 1:
            raise Refusal(ErrorCode.NOT_FOUND, f"{shown}: {len(found)} invitations begin so")
    done(given, f"{shown}: withdrawn", {"act": "withdraw", "invite": found[0]}, shown, act_name="invite withdraw")


@click.group()
def registration() -> None:
    """Who may make an account: as configured, or as switched here while the server runs."""


def switched(settings: Settings) -> str:
    """Return what registration is switched to; empty: nothing. DatabaseError."""
    rows = rows_of(settings, "auth", SWITCH_SQLITE, SWITCH_SQLITE)
    return str(rows[0][0]) if rows else ""


@registration.command("show")
@click.pass_obj
def show_registration(given: Given) -> None:
    """Show who may make an account now."""
    with given.looking():
        mode = switched(given.settings)
    configured = registration_of(given.settings)
    said = f"{mode} (switched; configured: {configured})" if mode else f"{configured} (as configured)"
    given.tell({"registration": mode or configured, "switched": bool(mode), "configured": configured}, said)


@registration.command("set")
@click.argument("mode", type=click.Choice([*MODES, "configured"]))
@click.pass_obj
def set_registration(given: Given, mode: str) -> None:
    """Switch it, at once and past a restart: open to all, by token or invitation, closed, or as configured."""
    asked = {"act": "registration", "mode": "" if mode == "configured" else mode}
    done(given, f"registration: {mode}", asked, mode, act_name="registration set")
