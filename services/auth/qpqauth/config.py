"""Settings of the auth service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from qpqcore.bus.limits import Rate

DAY_MS = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Every field has a working default."""

    domain: str = "localhost"
    """The home domain of the accounts made here."""

    registration: Literal["open", "token", "closed"] = "open"
    """Who may make an account."""

    registration_token: str = ""
    """What `registration = "token"` asks for."""

    session_ms: int = 30 * DAY_MS
    """A session ends so long after its last use."""

    login_state_ms: int = 60_000
    """A log-in has to be finished within this time."""

    name_held_ms: int = 90 * DAY_MS
    """A name given up is not given out again for so long."""

    devices_max: int = 32
    """Active devices of one account (docs/spec/identity.md#device-list)."""

    sessions_max: int = 64
    """Sessions of one account; the one unused for longest ends."""

    wraps_bytes_max: int = 4_096
    """What the client seals for itself: two ways in take some 400 bytes."""

    label_bytes_max: int = 256
    """A device's sealed label."""

    login_per_name: Rate = Rate(10, 60, 10)
    """Log-ins begun for one name: a guess a person makes, not a machine."""

    login_per_address: Rate = Rate(120, 60, 60)
    """Log-ins begun from one address, with room for an office behind one."""

    register_per_address: Rate = Rate(60, 3_600, 30)
    """Accounts begun from one address."""

    sweep_seconds: float = 60.0
    """How often what is over is collected."""

    jobs_seconds: float = 5.0
    """How often unfinished jobs are tried again: so soon a service that was away is told."""
