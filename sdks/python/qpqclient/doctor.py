"""Looks a device over: folder, server, clock, key, session, mailbox, keys in stock, what waits; and says what to do.

What it finds names no person, no conversation and no id, so that it can be shown to whoever helps.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import trio

from qpqclient.account import ONE_TIME_PACKAGES
from qpqclient.errors import KeyChanged, NotLoggedIn, QpqError
from qpqcore.api import delivery, keystore

if TYPE_CHECKING:
    from qpqclient.core import Core
    from qpqclient.transport import Link

SKEW_MS_MAX = 5 * 60_000
"""Messages vanish by the server's clock; but certificates and key packages are judged by one's own."""
FREE_BYTES_MIN = 100 * 1024 * 1024
WAITING = {
    "rejoins": "groups that this device joins anew", "births": "conversations that are being founded",
    "leaving": "conversations that are being left", "proposed": "removals that a member has to commit",
}  # fmt: skip
CHECK_SECONDS = 20.0
"""For all questions to the server together: a connection is given up after ten."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: whether it is well, what was found, and what to do if it is not."""

    check: str
    well: bool
    says: str
    advice: str = ""


async def examine(core: Core) -> list[Finding]:
    """Look everything over; never raises for what it finds."""
    found = [*_folder(core), *_waiting(core)]
    with trio.move_on_after(CHECK_SECONDS):
        try:
            link = await core.link()
        except QpqError as exc:
            return [*found, _no_server(exc)]
        found.append(Finding("server", well=True, says=f"there, version {link.hello.server_version}"))
        found.append(_key(core, link))
        found.append(_clock(core.server_now_ms() - core.now_ms()))
        if not core.account.known:
            advice = "`qpq register`, `qpq login` or `qpq link`"
            return [*found, Finding("account", well=False, says="this folder has no account", advice=advice)]
        try:
            return [*found, *await _at_server(core)]
        except QpqError as exc:
            return [*found, Finding("session", well=False, says=str(exc), advice="log in again: `qpq login`")]
    return [*found, Finding("server", well=False, says="it answers too slowly", advice="try again later")]


def _folder(core: Core) -> list[Finding]:
    store = core.store
    mode, free = store.folder.stat().st_mode & 0o777, shutil.disk_usage(store.folder).free
    broken = [str(r[0]) for r in store.rows("PRAGMA quick_check(1)") if r[0] != "ok"]
    return [
        Finding(
            "folder", well=not mode & 0o077, says=f"mode {mode:03o}",
            advice="" if not mode & 0o077 else "others can look into it: chmod 700",
        ),
        Finding(
            "disk", well=free >= FREE_BYTES_MIN, says=f"{free // 2**20} MiB are free",
            advice="" if free >= FREE_BYTES_MIN else "make room: a message that cannot be stored does not come",
        ),
        Finding(
            "database", well=not broken, says=f"{store.size_bytes / 2**20:.1f} MiB" if not broken else broken[0],
            advice="" if not broken else "move the folder aside and log in anew: the password restores the account",
        ),
    ]  # fmt: skip


def _waiting(core: Core) -> list[Finding]:
    pending = core.outbox.pending
    advice = "they are sent when the server is there; if it is, look at the other findings" if pending else ""
    found = [Finding("outbox", well=not pending, says=f"{pending} messages wait to be sent", advice=advice)]
    for table, means in WAITING.items():
        count = core.store.rows(f"SELECT count(*) FROM {table}")[0][0]  # noqa: S608 - fixed texts
        if count:
            found.append(
                Finding("groups", well=False, says=f"{count} {means}", advice="it goes on by itself: stay online")
            )
    return found


def _no_server(exc: QpqError) -> Finding:
    if isinstance(exc, KeyChanged):
        advice = "ask the operator, another way, whether the key was changed; else somebody is in between"
        return Finding("key", well=False, says=str(exc), advice=advice)
    if isinstance(exc, NotLoggedIn):
        return Finding("session", well=False, says=str(exc), advice="log in again: `qpq login`")
    advice = "is the address right, the server running? UDP may be blocked on this network: try another one"
    return Finding("server", well=False, says=str(exc), advice=advice)


def _key(core: Core, link: Link) -> Finding:
    if core.wire.by_ca:
        return Finding("key", well=True, says="the given CA has signed the server's key")
    if core.wire.first_contact:
        shown = link.spki_sha256.hex()
        pinned = "in this run: the key is pinned now" if core.account.known else "no key was pinned; the server shows"
        return Finding("key", well=True, says=f"first contact: {pinned}, SHA-256 {shown}")
    return Finding("key", well=True, says="the server's key is the pinned one")


def _clock(ahead_ms: int) -> Finding:
    well = abs(ahead_ms) <= SKEW_MS_MAX
    says = f"{abs(ahead_ms) / 1000:.1f} s {'behind' if ahead_ms > 0 else 'ahead of'} the server's"
    return Finding("clock", well=well, says=says, advice="" if well else "set this machine's clock")


async def _at_server(core: Core) -> list[Finding]:
    box = await core.call(delivery.PeekParams(max_entries=1), delivery.PeekResult)
    waits, behind = max(0, box.last - core.inbox.position), box.acked > core.inbox.position
    found = [
        Finding("session", well=True, says="open"),
        Finding(
            "mailbox", well=not behind, says=f"{waits} entries wait" if waits else "all read",
            advice="this folder is an older copy: it joins its groups anew by itself" if behind else "",
        ),
    ]  # fmt: skip
    stock = await core.call(keystore.UploadKeyPackagesParams(), keystore.UploadKeyPackagesResult)
    for have in stock.stock:
        low = have.one_time * 4 < ONE_TIME_PACKAGES.get(have.suite, 0) or not have.last_resort
        says = f"{have.one_time} of suite {have.suite:#06x}, {'a' if have.last_resort else 'no'} last-resort one"
        found.append(Finding("keys", well=not low, says=says, advice="they are filled up by themselves" if low else ""))
    return found
