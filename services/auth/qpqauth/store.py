"""The store auth needs, said without naming a database. Each method is one transaction."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qpqauth.rules import Entry
    from qpqcore.crypto.identity import DeviceList
    from qpqcore.store.keyed import Keyed


class AccountState(enum.IntEnum):
    """Whether an account may be used."""

    ACTIVE = 0
    SUSPENDED = 1
    DELETING = 2


@dataclass(frozen=True, slots=True)
class Account:
    """One account as stored."""

    account: bytes
    name: str
    setup: int
    credential_id: bytes
    record: bytes
    identity_key: bytes
    wraps: bytes
    wrap_version: int
    device_list: bytes
    state: AccountState
    created_ms: int


@dataclass(frozen=True, slots=True)
class Session:
    """One session: the token's hash, never the token."""

    token_hash: bytes
    account: bytes
    device: bytes
    used_ms: int


@dataclass(frozen=True, slots=True)
class UsedState:
    """A log-in state that is used up, and when it may be forgotten."""

    state_hash: bytes
    expires_ms: int


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """One active device."""

    device: bytes
    label: bytes
    registered_ms: int
    last_seen_ms: int


@dataclass(frozen=True, slots=True)
class Job:
    """Something that another service still has to be told; in order, until it has been."""

    account: bytes
    number: int
    kind: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class ListChange:
    """What taking a device list did."""

    fresh: DeviceList
    added: tuple[bytes, ...]
    removed: tuple[bytes, ...]
    sessions_ended: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Invite:
    """An invitation as stored: its token's hash, never the token."""

    token_hash: bytes
    uses_left: int
    expires_ms: int
    created_ms: int
    note: str


@dataclass(frozen=True, slots=True)
class Held:
    """How to find out whether a name is held back: it stands in disguise once its account is gone."""

    disguises: tuple[str, ...]
    """Of the name, under every key that was ever the one."""
    after_ms: int
    """Names given up after this are held."""


class Store(Protocol):
    """Accounts, devices, sessions, used log-in states, jobs."""

    async def account_by_name(self, name: str) -> Account | None:
        """Return the account that holds a normalised name, or None."""

    async def account_for_login(self, name: str, elsewhere: bytes) -> tuple[Account | None, bool]:
        """Return the account that holds a normalised name, and True; else another, if there is one, and False.

        Both read one row of the same kind, so that the time does not say which it was. `elsewhere`, of the name, says
        which row an unknown name reads: each its own and always the same, as warm or as cold as an account's would be.
        """

    async def account(self, account: bytes) -> Account | None:
        """Return an account, or None."""

    async def create_account(
        self, fresh: Account, jobs: Sequence[tuple[str, bytes]], held: Held, keyed: Keyed, reply: bytes, *,
        invite: bytes = b"",
    ) -> bytes:  # fmt: skip
        """Add an account with its name and jobs; return the reply (an earlier one for a repeated key).

        Refusal(nameTaken) for a name in use, or held back; Refusal(versionConflict) for an id in use. `invite`, a token's
        hash, is used once more; Refusal(registrationTokenInvalid) if it cannot be.
        """

    async def change_password(
        self, fresh: Account, keep_session: bytes, keyed: Keyed, reply: Callable[[int], bytes]
    ) -> tuple[bytes, list[bytes]]:
        """Replace record and wraps where the stored wrap version is one below; end all other sessions.

        Return the reply (made from how many sessions ended) and the ended sessions; Refusal(versionConflict).
        """

    async def use_login_state(self, used: UsedState) -> None:
        """Use up the state of a log-in that failed. Refusal(loginExpired) if it was used before."""

    async def begin_session(
        self, session: Session, used: UsedState, sessions_max: int, decide: Callable[[Account | None], Account]
    ) -> tuple[Account, list[bytes]]:
        """Use up a log-in state and add its session; return the account, and the sessions that ended to make room.

        One transaction, so that no crash leaves a state used without its session, or two sessions of one state. `decide`
        checks the stored account; what it refuses uses the state up all the same. Refusal(loginExpired) as above.
        """

    async def add_session(self, session: Session, sessions_max: int) -> list[bytes]:
        """Begin the session of a device that was linked; return the sessions that ended to make room.

        Done before: changes nothing. Refusal(deviceUnknown) if the account has no such device, Refusal(malformed) if the
        token's hash is another session's.
        """

    async def touch_session(
        self, token_hash: bytes, now_ms: int, oldest_used_ms: int
    ) -> tuple[Session, Account] | None:
        """Slide a session and its device's last-seen time; None if it is over."""

    async def end_sessions(self, account: bytes, token_hash: bytes | None) -> list[bytes]:
        """End one session, or all of the account; return those ended."""

    async def devices(self, account: bytes) -> list[DeviceRow]:
        """Return the account's devices, oldest first."""

    async def advance_list(
        self, account: bytes, offered: bytes, decide: Callable[[Account], DeviceList], *,
        register: bytes, label: bytes, session: bytes, now_ms: int,
    ) -> ListChange:  # fmt: skip
        """Take the next device list, with its devices, sessions and jobs.

        `decide` checks it against the stored account. `register` names the device that may be added and that `session` is bound to; empty: none may.
        The stored list again changes nothing but the binding. Refusal(deviceListInvalid), and what `decide` refuses.
        """

    async def begin_deletion(self, account: bytes, now_ms: int, jobs: Sequence[tuple[str, bytes]]) -> bool:
        """Close an account: state, name, sessions, jobs; False if it was closed already."""

    async def finish_deletion(self, account: bytes, disguise: Callable[[str], str]) -> None:
        """Drop every row of the account, the last job's too; its name is held back in disguise. No file has more of it."""

    async def set_state(self, account: bytes, state: AccountState) -> bool:
        """Suspend or reopen an account; False if there is none."""

    async def entry(self, token_hash: bytes, now_ms: int) -> Entry:
        """Return what registration is switched to, and whether a token of this hash is an invitation."""

    async def add_invite(self, invite: Invite) -> None:
        """Add an invitation."""

    async def drop_invite(self, token_hash: bytes) -> bool:
        """Drop an invitation; False if there is none."""

    async def set_switch(self, name: str, value: str) -> None:
        """Set what the operator switches while the server runs; empty: as configured."""

    async def jobs(self, account: bytes | None, limit: int) -> list[Job]:
        """Return the jobs of one account, or of all, in order."""

    async def finish_job(self, job: Job) -> None:
        """Drop a job that is done."""

    async def session_count(self) -> int:
        """Return how many sessions there are, those that are over and not swept yet too."""

    async def sweep(self, now_ms: int, session_ms: int, name_held_ms: int) -> None:
        """Drop sessions, log-in states, replies, names and invitations whose time is over; a bounded number."""
