"""The operator's acts on accounts, sessions, invitations and registration.

They go the way of the service's own: the store first, then a notice that cuts off whoever is connected. So it does not
matter which process does them: the server itself, asked over its control socket, or `qpqctl` beside it.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from qpqauth import rules
from qpqauth.jobs import DELETION
from qpqauth.store import Account, AccountState, Invite
from qpqcore.bus.notices import REVOKED, REVOKED_ACCOUNT, REVOKED_SESSION, revocation
from qpqcore.crypto.names import normalise_name
from qpqcore.model.errors import ErrorCode, Refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from qpqauth.store import Store
    from qpqcore.bus.notices import Notices

INVITE_BYTES = 15
"""An invitation is written by hand at times, and cannot be guessed: twenty characters."""
INVITE_USES_MAX = 100_000
NOTE_CHARS_MAX = 200
MODES = ("open", "token", "closed")
REGISTRATION = "registration"
"""The switch that says who may make an account; where it is not set, the configuration says so."""


class Operator:
    """What the operator may do here."""

    def __init__(
        self, store: Store, *, notices: Notices, clock_ms: Callable[[], int],
        run_jobs: Callable[[bytes], Awaitable[None]] | None = None,
    ) -> None:  # fmt: skip
        """Act on a store; without `run_jobs` a running auth tells the other services, within seconds."""
        self._store = store
        self._notices = notices
        self._clock_ms = clock_ms
        self._run_jobs = run_jobs

    async def suspend(self, name: str) -> int:
        """Suspend an account and end its sessions; return how many. Refusal(notFound)."""
        found = await self._account(name)
        if not await self._store.set_state(found.account, AccountState.SUSPENDED):
            raise Refusal(ErrorCode.NOT_FOUND, "this account is being deleted")
        ended = await self._store.end_sessions(found.account, None)
        self._revoke(REVOKED_ACCOUNT, found.account)
        return len(ended)

    async def reopen(self, name: str) -> None:
        """Let a suspended account log in again. Refusal(notFound)."""
        found = await self._account(name)
        if not await self._store.set_state(found.account, AccountState.ACTIVE):
            raise Refusal(ErrorCode.NOT_FOUND, "this account is being deleted")

    async def delete(self, name: str) -> None:
        """Delete an account with all it has, as its owner would: for ever. Refusal(notFound)."""
        found = await self._account(name)
        await self._store.begin_deletion(found.account, self._clock_ms(), DELETION)
        self._revoke(REVOKED_ACCOUNT, found.account)
        if self._run_jobs is not None:
            await self._run_jobs(found.account)

    async def end_sessions(self, name: str) -> int:
        """Log an account out everywhere; return how many sessions ended. Refusal(notFound)."""
        found = await self._account(name)
        return await self.end_session(found.account, None)

    async def end_session(self, account: bytes, token_hash: bytes | None) -> int:
        """End a session by its token's hash (None: all of the account's); return how many ended."""
        ended = await self._store.end_sessions(account, token_hash)
        for session in ended:
            self._revoke(REVOKED_SESSION, session)
        return len(ended)

    async def invite(self, uses: int, lifetime_ms: int, note: str) -> str:
        """Make an invitation; return its token, which nobody can read again. Refusal(malformed)."""
        if not 0 < uses <= INVITE_USES_MAX or lifetime_ms <= 0 or len(note) > NOTE_CHARS_MAX:
            raise Refusal(ErrorCode.MALFORMED, f"1 to {INVITE_USES_MAX} uses, a note of {NOTE_CHARS_MAX} characters")
        token, now_ms = secrets.token_urlsafe(INVITE_BYTES), self._clock_ms()
        await self._store.add_invite(Invite(rules.sha256(token.encode()), uses, now_ms + lifetime_ms, now_ms, note))
        return token

    async def withdraw(self, token_hash: bytes) -> bool:
        """Drop an invitation; False if there is none."""
        return await self._store.drop_invite(token_hash)

    async def set_registration(self, mode: str) -> None:
        """Say who may make an account from now on; empty: as configured. Refusal(malformed)."""
        if mode and mode not in MODES:
            raise Refusal(ErrorCode.MALFORMED, f"registration is one of {', '.join(MODES)}")
        await self._store.set_switch(REGISTRATION, mode)

    async def _account(self, name: str) -> Account:
        found = await self._store.account_by_name(normalise_name(name))
        if found is None:
            raise Refusal(ErrorCode.NOT_FOUND, "there is no account of this name")
        return found

    def _revoke(self, kind: int, ident: bytes) -> None:
        self._notices.publish(REVOKED, revocation(kind, ident, self._clock_ms()))
