"""The auth service over a real store, for log-ins of names that it knows and names that it does not."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

import qpqnative
from qpqauth.config import Config
from qpqauth.rules import sha256
from qpqauth.service import Auth
from qpqauth.store import Account, AccountState, Held
from qpqauth.store_sqlite import SqliteStore
from qpqcore.api import auth as api
from qpqcore.bus.limits import LocalLimiter
from qpqcore.bus.notices import LocalNotices
from qpqcore.crypto.assertion import AssertionIssuer
from qpqcore.model.call import CallContext
from qpqcore.model.errors import Refusal
from qpqcore.model.ids import AccountId, make_id
from qpqcore.store.database import open_database
from qpqcore.store.keyed import Keyed
from qpqcore.store.migrations import migrations_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from qpqcore.store.database import Database

NOW_MS = 10**12
STEP_MS = 60_000
"""Between two log-ins: no rate limit is met."""
REQUEST_PASSWORD = b"a guess"
WRONG_PROOF = bytes(64)
KEY = b"k" * 32


class Logins:
    """Begins log-ins at a service, and ends them with a proof that is wrong."""

    def __init__(self, auth: Auth, database: Database) -> None:
        self.auth = auth
        self.database = database
        self._now_ms = NOW_MS

    def call(self) -> CallContext:
        """Return the context of a stranger's call."""
        self._now_ms += STEP_MS
        return CallContext(address="192.0.2.1", now_ms=self._now_ms)

    async def start(self, call: CallContext, name: str, request: bytes) -> api.LoginStartResult:
        """Begin a log-in."""
        return await self.auth.login_start(call, api.LoginStartParams(name=name, request=request))

    async def finish(self, call: CallContext, state: bytes) -> Refusal | None:
        """End it with a wrong proof; return the refusal."""
        try:
            await self.auth.login_finish(call, api.LoginFinishParams(state=state, finalization=WRONG_PROOF))
        except Refusal as no:
            return no
        return None


@asynccontextmanager
async def open_logins(folder: Path, known: list[str], *, inline: bool = False) -> AsyncIterator[Logins]:
    """Open a service whose store knows these names; `inline`: all of it in the caller's thread."""
    setup = qpqnative.OpaqueServerSetup.new().to_bytes()
    nobody: Any = None  # what log-ins do not ask
    async with open_database(folder / "auth.db", KEY, migrations_of("qpqauth"), inline=inline) as database:
        store = SqliteStore(database)
        auth = Auth(
            Config(), store, setups={1: setup}, state_key=KEY, issuer=cast("AssertionIssuer", nobody), keystore=nobody,
            delivery=nobody, blob=nobody, notices=LocalNotices(), limiter=LocalLimiter(), clock_ms=lambda: NOW_MS,
        )  # fmt: skip
        opaque = qpqnative.OpaqueRegistration()
        request = opaque.start(b"the password of them all")
        record = b""
        for name in known:
            account = AccountId(make_id(sha256(name.encode())[:16], "localhost"))
            credential_id = auth._credential_id(1, name)
            response = qpqnative.opaque_registration_response(auth._setups[1], request, credential_id)
            if not record:  # one password stretched is enough: nobody logs in with it
                record = qpqnative.opaque_registration_record(opaque.finish(b"the password of them all", response)[0])
            await store.create_account(
                Account(
                    account, name, 1, credential_id, record, bytes(32), bytes(400), 1, bytes(400), AccountState.ACTIVE, 0
                ),
                [], Held((), 0), Keyed(account, 0, b"", b"", 0), b"",
            )  # fmt: skip
        yield Logins(auth, database)
