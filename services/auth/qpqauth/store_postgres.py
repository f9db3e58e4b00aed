"""The store on PostgreSQL. Who changes an account holds its row; so of two changes the second sees the first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qpqauth import postgres_statements as sql
from qpqauth import rules
from qpqauth.store import (
    Account,
    AccountState,
    DeviceRow,
    Held,
    Invite,
    Job,
    ListChange,
    Session,
    UsedState,
)
from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.store.postgres.keyed import prune, remember, replay
from qpqcore.store.postgres.pool import rows_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qpqcore.crypto.identity import DeviceList
    from qpqcore.store.keyed import Keyed
    from qpqcore.store.postgres.bridge import Postgres
    from qpqcore.store.postgres.pool import Connection

SWEEP_ROWS_MAX = 1_000
ERASED_TABLES = ("accounts", "devices", "sessions", "tokens", "jobs", "keyed", "names")


def _account(row: Any) -> Account | None:
    if row is None:
        return None
    account, name, setup, credential, record, key, wraps, version, devices, state, created = row
    return Account(account, name, setup, credential, record, key, wraps, version, devices, AccountState(state), created)


async def _add_jobs(c: Connection, account: bytes, jobs: Sequence[tuple[str, bytes]]) -> None:
    last = await c.fetchval(sql.LAST_JOB, account)
    for offset, (kind, payload) in enumerate(jobs, start=1):
        await c.execute(sql.ADD_JOB, account, last + offset, kind, payload)


async def _end(c: Connection, statement: str, *values: object) -> list[bytes]:
    ended = [row[0] for row in await c.fetch(statement, *values)]
    if ended:
        await c.execute(sql.DROP_TOKENS, ended)
    return ended


async def _begin(c: Connection, session: Session, sessions_max: int) -> list[bytes]:
    """Add a session; return those that ended to make room."""
    await c.execute(sql.ADD_TOKEN, session.token_hash, session.account)
    await c.execute(sql.ADD_SESSION, session.account, session.token_hash, session.device, session.used_ms)
    await c.execute(sql.SEEN, session.account, session.device, session.used_ms)
    return await _end(c, sql.END_OLDEST, session.account, session.token_hash, sessions_max - 1)


async def _use(c: Connection, used: UsedState) -> None:
    if not rows_of(await c.execute(sql.USE_STATE, used.state_hash, used.expires_ms)):
        raise Refusal(ErrorCode.LOGIN_EXPIRED, "this log-in was used: begin again")


async def _take_name(c: Connection, fresh: Account, held: Held) -> None:
    for name in sorted(
        {fresh.name, *held.disguises}
    ):  # one by one, in order: Citus holds no rows of several nodes at once
        row = await c.fetchrow(sql.NAME_LOCKED, name)
        if row is not None and (row[0] is None or row[0] > held.after_ms):
            raise Refusal(ErrorCode.NAME_TAKEN, "this name is taken")
    if not rows_of(await c.execute(sql.TAKE_NAME, fresh.name, fresh.account, held.after_ms)):
        raise Refusal(ErrorCode.NAME_TAKEN, "this name is taken")


class PostgresStore:
    """Implements `qpqauth.store.Store`."""

    def __init__(self, database: Postgres) -> None:
        self._db = self.database = database

    @property
    def away(self) -> str:
        """Why the database could not be reached the last time; empty while all is well."""
        return self._db.away

    async def account_by_name(self, name: str) -> Account | None:
        async def work() -> Account | None:
            account = await self._db.nodes.single(lambda c: c.fetchval(sql.NAMED, name), at=("names", name))
            return None if account is None else await self._account(account)

        return await self._db.look_up(work)

    async def _account(self, account: bytes) -> Account | None:
        """Return an account. On the bridge."""
        place = ("accounts", account)
        return _account(await self._db.nodes.single(lambda c: c.fetchrow(sql.ACCOUNT, account), at=place))

    async def account_for_login(self, name: str, elsewhere: bytes) -> tuple[Account | None, bool]:
        async def body(c: Connection) -> tuple[Account | None, bool]:
            found, last = await c.fetchval(sql.NAMED, name), await c.fetchval(sql.LAST_ACCOUNT)
            place = (min(elsewhere, last or b""), found)[found is not None]
            return _account(await c.fetchrow(sql.ACCOUNT_FROM, place)), found is not None

        return await self._db.read(body)

    async def account(self, account: bytes) -> Account | None:
        return await self._db.look_up(lambda: self._account(account))

    async def create_account(
        self, fresh: Account, jobs: Sequence[tuple[str, bytes]], held: Held, keyed: Keyed, reply: bytes, *,
        invite: bytes = b"",
    ) -> bytes:  # fmt: skip
        async def body(c: Connection) -> bytes:
            earlier = await replay(c, keyed)
            if earlier is not None:
                return earlier
            if invite and not rows_of(await c.execute(sql.USE_INVITE, invite, fresh.created_ms)):
                raise Refusal(ErrorCode.REGISTRATION_TOKEN_INVALID, "this server asks for a registration token")
            await _take_name(c, fresh, held)
            added = await c.execute(
                sql.ADD_ACCOUNT, fresh.account, fresh.name, fresh.setup, fresh.credential_id, fresh.record,
                fresh.identity_key, fresh.wraps, fresh.wrap_version, fresh.device_list, int(fresh.state), fresh.created_ms,
            )  # fmt: skip
            if not rows_of(added):
                raise Refusal(ErrorCode.VERSION_CONFLICT, "this account id is taken")
            await _add_jobs(c, fresh.account, jobs)
            await remember(c, keyed, reply)
            return reply

        return await self._db.write(body)

    async def change_password(
        self, fresh: Account, keep_session: bytes, keyed: Keyed, reply: Callable[[int], bytes]
    ) -> tuple[bytes, list[bytes]]:
        async def body(c: Connection) -> tuple[bytes, list[bytes]]:
            earlier = await replay(c, keyed)
            if earlier is not None:
                return earlier, []
            changed = await c.execute(
                sql.CHANGE_RECORD, fresh.account, fresh.record, fresh.setup, fresh.wraps, fresh.wrap_version
            )
            if not rows_of(changed):
                raise Refusal(ErrorCode.VERSION_CONFLICT, "the password was changed elsewhere: log in again")
            ended = await _end(c, sql.END_OTHERS, fresh.account, keep_session)
            answer = reply(len(ended))
            await remember(c, keyed, answer)
            return answer, ended

        return await self._db.write(body)

    async def use_login_state(self, used: UsedState) -> None:
        await self._db.write(lambda c: _use(c, used), at=("login_states", used.state_hash))

    async def begin_session(
        self, session: Session, used: UsedState, sessions_max: int, decide: Callable[[Account | None], Account]
    ) -> tuple[Account, list[bytes]]:
        async def body(c: Connection) -> tuple[Account, list[bytes]] | Refusal:
            await _use(c, used)
            try:
                stored = decide(_account(await c.fetchrow(sql.ACCOUNT_LOCKED, session.account)))
            except Refusal as no:
                return no  # not raised here: that would undo the use of the state
            return stored, await _begin(c, session, sessions_max)

        done = await self._db.write(body)
        if isinstance(done, Refusal):
            raise done
        return done

    async def add_session(self, session: Session, sessions_max: int) -> list[bytes]:
        async def body(c: Connection) -> list[bytes]:
            await c.fetchrow(sql.ACCOUNT_LOCKED, session.account)
            if await c.fetchval(sql.HAS_DEVICE, session.account, session.device) is None:
                raise Refusal(ErrorCode.DEVICE_UNKNOWN, "the account has no such device")
            owner = await c.fetchval(sql.TOKEN, session.token_hash)
            if owner is None:
                return await _begin(c, session, sessions_max)
            there = await c.fetchrow(sql.SESSION, session.account, session.token_hash)
            if owner != session.account or there is None or there[0] != session.device:
                raise Refusal(ErrorCode.MALFORMED, "this session is another device's")
            return []

        return await self._db.write(body)

    async def touch_session(
        self, token_hash: bytes, now_ms: int, oldest_used_ms: int
    ) -> tuple[Session, Account] | None:
        async def whose(c: Connection) -> bytes | None:
            found: bytes | None = await c.fetchval(sql.TOKEN, token_hash)
            return found

        async def body(c: Connection) -> tuple[Session, Account] | None:
            row = await c.fetchrow(sql.SESSION, account, token_hash)
            if row is None or row[1] < oldest_used_ms:
                return None
            stored = _account(await c.fetchrow(sql.ACCOUNT, account))
            if stored is None or stored.state is not AccountState.ACTIVE:
                return None
            if not rows_of(await c.execute(sql.SLIDE, account, token_hash, now_ms)):
                return None  # it has ended in between
            await c.execute(sql.SEEN, account, row[0], now_ms)
            return Session(token_hash, stored.account, row[0], now_ms), stored

        account = await self._db.read(whose, at=("tokens", token_hash))
        return None if account is None else await self._db.write(body, at=("accounts", account))

    async def end_sessions(self, account: bytes, token_hash: bytes | None) -> list[bytes]:
        async def body(c: Connection) -> list[bytes]:
            if token_hash is None:
                return await _end(c, sql.END_ALL, account)
            return await _end(c, sql.END_ONE, account, token_hash)

        return await self._db.write(body)

    async def devices(self, account: bytes) -> list[DeviceRow]:
        async def body(c: Connection) -> list[DeviceRow]:
            return [DeviceRow(*row) for row in await c.fetch(sql.DEVICES, account)]

        return await self._db.read(body, at=("devices", account))

    async def advance_list(
        self, account: bytes, offered: bytes, decide: Callable[[Account], DeviceList], *,
        register: bytes, label: bytes, session: bytes, now_ms: int,
    ) -> ListChange:  # fmt: skip
        async def body(c: Connection) -> ListChange:
            stored = _account(await c.fetchrow(sql.ACCOUNT_LOCKED, account))
            if stored is None or stored.state is not AccountState.ACTIVE:
                raise Refusal(ErrorCode.UNAUTHENTICATED, "the account is gone")
            fresh = decide(stored)
            known = {r[0] for r in await c.fetch(sql.DEVICE_IDS, account)}
            listed: set[bytes] = {d.device for d in fresh.devices}
            added, removed = listed - known, known - listed
            if added - {register} or (register and register not in listed):
                raise Refusal(ErrorCode.DEVICE_LIST_INVALID, "the list adds another device than the one named")
            if register:
                await c.execute(sql.BIND, account, session, register)
            if offered == stored.device_list:
                return ListChange(fresh, (), (), ())
            ended = await self._replace_list(c, account, (offered, label, now_ms), added, removed)
            return ListChange(fresh, tuple(added), tuple(removed), tuple(ended))

        return await self._db.write(body)

    @staticmethod
    async def _replace_list(
        c: Connection, account: bytes, given: tuple[bytes, bytes, int], added: set[bytes], removed: set[bytes]
    ) -> list[bytes]:
        offered, label, now_ms = given
        await c.execute(sql.CHANGE_LIST, account, offered)
        for device in added:
            await c.execute(sql.ADD_DEVICE, account, device, label, now_ms)
        ended: list[bytes] = []
        for device in removed:
            await c.execute(sql.DROP_DEVICE, account, device)
            ended += await _end(c, sql.END_DEVICE, account, device)
        jobs = [("put_list", offered)]
        jobs += [("open_mailbox", device) for device in added]
        jobs += [("remove_device", device) for device in removed]
        await _add_jobs(c, account, jobs)
        return ended

    async def begin_deletion(self, account: bytes, now_ms: int, jobs: Sequence[tuple[str, bytes]]) -> bool:
        async def body(c: Connection) -> bool:
            name = await c.fetchval(sql.CLOSE_ACCOUNT, account)
            if name is None:
                return False
            await c.execute(sql.FREE_NAME, name, account, now_ms)
            await _end(c, sql.END_ALL, account)
            await _add_jobs(c, account, jobs)
            return True

        return await self._db.write(body)

    async def finish_deletion(self, account: bytes, disguise: Callable[[str], str]) -> None:
        """Drop every row of the account, then take them out of the tables' pages with VACUUM, as far as that goes.

        PostgreSQL does not wipe what it frees, and its write-ahead log and its backups keep what was written until they
        are thrown away (docs/operate/postgresql.md).
        """

        async def body(c: Connection) -> None:
            name = await c.fetchval(sql.DROP_ACCOUNT, account)
            await c.execute(sql.DROP_DEVICES, account)
            await _end(c, sql.END_ALL, account)
            await c.execute(sql.DROP_JOBS, account)
            await c.execute(sql.DROP_KEYED, [account, rules.sha256(account)])  # the latter: its registration's
            if name is not None:
                freed_ms = await c.fetchval(sql.DROP_NAME, name, account)
                if freed_ms is not None:
                    await c.execute(sql.DISGUISE_NAME, disguise(name), freed_ms)

        await self._db.write(body)
        self._db.owe_vacuum(*ERASED_TABLES)

    async def set_state(self, account: bytes, state: AccountState) -> bool:
        async def body(c: Connection) -> bool:
            return rows_of(await c.execute(sql.CHANGE_STATE, account, int(state))) == 1

        return await self._db.write(body, at=("accounts", account))

    async def entry(self, token_hash: bytes, now_ms: int) -> rules.Entry:
        async def body(c: Connection) -> rules.Entry:
            mode = await c.fetchval(sql.SWITCH, "registration")
            return rules.Entry(mode or "", await c.fetchval(sql.INVITED, token_hash, now_ms) is not None)

        return await self._db.read(body)

    async def add_invite(self, invite: Invite) -> None:
        row = (invite.token_hash, invite.uses_left, invite.expires_ms, invite.created_ms, invite.note)
        await self._db.write(lambda c: c.execute(sql.ADD_INVITE, *row), at=("invites", invite.token_hash))

    async def drop_invite(self, token_hash: bytes) -> bool:
        place = ("invites", token_hash)
        return rows_of(await self._db.write(lambda c: c.execute(sql.DROP_INVITE, token_hash), at=place)) == 1

    async def set_switch(self, name: str, value: str) -> None:
        await self._db.change(lambda c: c.execute(sql.SET_SWITCH, name, value), at=("switches", name))

    async def jobs(self, account: bytes | None, limit: int) -> list[Job]:
        async def body(c: Connection) -> list[Job]:
            rows = await (c.fetch(sql.ALL_JOBS, limit) if account is None else c.fetch(sql.JOBS, account, limit))
            return [Job(*row) for row in rows]

        return await self._db.read(body, at=None if account is None else ("jobs", account))

    async def finish_job(self, job: Job) -> None:
        place = ("jobs", job.account)
        await self._db.change(lambda c: c.execute(sql.DROP_JOB, job.account, job.number), at=place)

    async def session_count(self) -> int:
        return int(await self._db.read(lambda c: c.fetchval(sql.SESSION_COUNT)))

    async def sweep(self, now_ms: int, session_ms: int, name_held_ms: int) -> None:
        async def body(c: Connection) -> None:
            over = await c.fetch(sql.OLD_SESSIONS, now_ms - session_ms, SWEEP_ROWS_MAX)
            if over:
                accounts, tokens = [row[0] for row in over], [row[1] for row in over]
                await c.execute(sql.DROP_OLD_SESSIONS, accounts, tokens, now_ms - session_ms)
                await c.execute(sql.DROP_TOKENS, tokens)
            await c.execute(sql.DROP_OLD_STATES, now_ms, SWEEP_ROWS_MAX)
            await c.execute(sql.DROP_OLD_NAMES, now_ms - name_held_ms, SWEEP_ROWS_MAX)
            await c.execute(sql.DROP_OLD_INVITES, now_ms, SWEEP_ROWS_MAX)
            await prune(c, now_ms)

        await self._db.write(body)
        await self._db.vacuum()
