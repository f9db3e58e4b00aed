"""Becomes somebody in a profile: logs in where the account is known, registers where the name is new."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

from qpqclient import DiskFull, NotLoggedIn, PasswordEmpty, Refused, Unreachable

if TYPE_CHECKING:
    from qpq.profile import Profile
    from qpqclient import Client

NO_REGISTRATION = frozenset({"nameTaken", "registrationClosed", "registrationTokenInvalid"})
"""Answers after which the name may be one's own already."""
NO_SESSION = frozenset({"unauthenticated", "deviceUnknown"})


async def enter(client: Client, profile: Profile) -> str:
    """Register or log in, unless the folder has an account; return what was done, in words."""
    if client.known:
        return f"you are {client.name}"
    name, password, device = profile.name(), profile.secret(), platform.node()
    try:
        await client.register(name, password, label=device)
    except (Refused, PasswordEmpty) as exc:
        if isinstance(exc, Refused) and exc.name not in NO_REGISTRATION:
            raise
        refused = exc
    else:
        profile.kept()
        return f"registered {client.name}"
    await _log_in(client, profile, refused)
    profile.kept()
    return f"logged in as {client.name}"


async def _log_in(client: Client, profile: Profile, refused: Refused | PasswordEmpty) -> None:
    try:
        await client.login(profile.name(), profile.secret(), label=platform.node(), history=True)
    except Refused as exc:
        if exc.name == "loginFailed" and refused.name != "nameTaken":
            raise refused from exc  # there is no such account, and none can be made
        raise


async def renew(client: Client, profile: Profile) -> None:
    """Catch up with the server; log in again where the session is over. Whatever stands in the way is raised."""
    try:
        await client.sync()
    except (NotLoggedIn, Refused) as exc:
        if isinstance(exc, Refused) and exc.name not in NO_SESSION:
            raise
        await client.login(profile.name(), profile.secret(), label=platform.node())
        await client.sync()


async def caught_up(client: Client, profile: Profile) -> str:
    """Catch up likewise, at a chat's beginning; return what stands in the way and will pass, in words; else it is raised.

    The client goes on trying by itself.
    """
    try:
        await renew(client, profile)
    except Unreachable as exc:
        return f"offline: {exc}"
    except (DiskFull, Refused) as exc:
        if isinstance(exc, Refused) and not exc.retryable:
            raise
        return str(exc)
    return ""
