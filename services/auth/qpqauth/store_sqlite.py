"""The store on SQLCipher."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
from qpqcore.store.keyed import Keyed, prune

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qpqcore.crypto.identity import DeviceList
    from qpqcore.store.connection import Connection
    from qpqcore.store.database import Database

COLUMNS = (
    "account, name, setup, credential_id, record, identity_key, wraps, wrap_version, device_list, state, created_ms"
)
SWEEP_ROWS_MAX = 1_000


def _account(row: Any) -> Account | None:
    if row is None:
        return None
    account, name, setup, credential, record, key, wraps, version, devices, state, created = row
    return Account(account, name, setup, credential, record, key, wraps, version, devices, AccountState(state), created)


def _add_jobs(c: Connection, account: bytes, jobs: Sequence[tuple[str, bytes]]) -> None:
    last = c.execute("SELECT coalesce(max(number), 0) FROM jobs WHERE account = ?", (account,)).fetchone()[0]
    for offset, (kind, payload) in enumerate(jobs, start=1):
        c.execute("INSERT INTO jobs VALUES (?, ?, ?, ?)", (account, last + offset, kind, payload))


def _end(c: Connection, where: str, values: tuple[Any, ...]) -> list[bytes]:
    ended = [row[0] for row in c.execute(f"SELECT token_hash FROM sessions WHERE {where}", values)]  # noqa: S608 - fixed texts
    c.execute(f"DELETE FROM sessions WHERE {where}", values)  # noqa: S608 - fixed texts
    return ended


def _use(c: Connection, used: UsedState) -> None:
    noted = c.execute("INSERT OR IGNORE INTO login_states VALUES (?, ?)", (used.state_hash, used.expires_ms)).rowcount
    if noted != 1:
        raise Refusal(ErrorCode.LOGIN_EXPIRED, "this log-in was used: begin again")


def _use_invite(c: Connection, token_hash: bytes, now_ms: int) -> None:
    used = c.execute(
        "UPDATE invites SET uses_left = uses_left - 1 WHERE token_hash = ? AND uses_left > 0 AND expires_ms > ?",
        (token_hash, now_ms),
    )
    if used.rowcount != 1:
        raise Refusal(ErrorCode.REGISTRATION_TOKEN_INVALID, "this server asks for a registration token")


class SqliteStore:
    """Implements `qpqauth.store.Store`."""

    def __init__(self, database: Database) -> None:
        self._db = self.database = database

    async def account_by_name(self, name: str) -> Account | None:
        return await self._db.read(
            lambda c: _account(
                c.execute(
                    f"SELECT {COLUMNS} FROM accounts WHERE account = "  # noqa: S608 - fixed text
                    "(SELECT account FROM names WHERE name = ? AND freed_ms IS NULL)",
                    (name,),
                ).fetchone()
            )
        )

    async def account_for_login(self, name: str, elsewhere: bytes) -> tuple[Account | None, bool]:
        def body(c: Connection) -> tuple[Account | None, bool]:
            found, last = c.execute(
                "SELECT (SELECT account FROM names WHERE name = ? AND freed_ms IS NULL), (SELECT max(account) FROM accounts)",
                (name,),
            ).fetchone()
            place = (min(elsewhere, last or b""), found)[found is not None]
            row = c.execute(
                f"SELECT {COLUMNS} FROM accounts WHERE account >= ? ORDER BY account LIMIT 1",  # noqa: S608 - fixed text
                (place,),
            ).fetchone()
            return _account(row), found is not None

        return await self._db.read(body)

    async def account(self, account: bytes) -> Account | None:
        return await self._db.read(lambda c: self._get(c, account))

    @staticmethod
    def _get(c: Connection, account: bytes) -> Account | None:
        return _account(c.execute(f"SELECT {COLUMNS} FROM accounts WHERE account = ?", (account,)).fetchone())  # noqa: S608 - fixed text

    async def create_account(
        self, fresh: Account, jobs: Sequence[tuple[str, bytes]], held: Held, keyed: Keyed, reply: bytes, *,
        invite: bytes = b"",
    ) -> bytes:  # fmt: skip
        def body(c: Connection) -> bytes:
            earlier = keyed.replay(c)
            if earlier is not None:
                return earlier
            if invite:
                _use_invite(c, invite, fresh.created_ms)
            for name in (fresh.name, *held.disguises):
                row = c.execute("SELECT freed_ms FROM names WHERE name = ?", (name,)).fetchone()
                if row is not None and (row[0] is None or row[0] > held.after_ms):
                    raise Refusal(ErrorCode.NAME_TAKEN, "this name is taken")
            if self._get(c, fresh.account) is not None:
                raise Refusal(ErrorCode.VERSION_CONFLICT, "this account id is taken")
            c.execute("INSERT OR REPLACE INTO names VALUES (?, ?, NULL)", (fresh.name, fresh.account))
            c.execute(
                f"INSERT INTO accounts ({COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?)",  # noqa: S608 - fixed text
                (
                    fresh.account, fresh.name, fresh.setup, fresh.credential_id, fresh.record, fresh.identity_key,
                    fresh.wraps, fresh.wrap_version, fresh.device_list, int(fresh.state), fresh.created_ms,
                ),
            )  # fmt: skip
            _add_jobs(c, fresh.account, jobs)
            keyed.remember(c, reply)
            return reply

        return await self._db.write(body)

    async def change_password(
        self, fresh: Account, keep_session: bytes, keyed: Keyed, reply: Callable[[int], bytes]
    ) -> tuple[bytes, list[bytes]]:
        def body(c: Connection) -> tuple[bytes, list[bytes]]:
            earlier = keyed.replay(c)
            if earlier is not None:
                return earlier, []
            changed = c.execute(
                "UPDATE accounts SET record = ?, setup = ?, wraps = ?, wrap_version = ? WHERE account = ? AND wrap_version = ? AND state = 0",
                (fresh.record, fresh.setup, fresh.wraps, fresh.wrap_version, fresh.account, fresh.wrap_version - 1),
            )
            if changed.rowcount != 1:
                raise Refusal(ErrorCode.VERSION_CONFLICT, "the password was changed elsewhere: log in again")
            ended = _end(c, "account = ? AND token_hash <> ?", (fresh.account, keep_session))
            answer = reply(len(ended))
            keyed.remember(c, answer)
            return answer, ended

        return await self._db.write(body)

    async def use_login_state(self, used: UsedState) -> None:
        await self._db.write(lambda c: _use(c, used))

    async def begin_session(
        self, session: Session, used: UsedState, sessions_max: int, decide: Callable[[Account | None], Account]
    ) -> tuple[Account, list[bytes]]:
        def body(c: Connection) -> tuple[Account, list[bytes]] | Refusal:
            _use(c, used)
            try:
                stored = decide(self._get(c, session.account))
            except Refusal as no:
                return no  # not raised here: that would undo the use of the state
            return stored, self._begin(c, session, sessions_max)

        done = await self._db.write(body)
        if isinstance(done, Refusal):
            raise done
        return done

    def _begin(self, c: Connection, session: Session, sessions_max: int) -> list[bytes]:
        c.execute(
            "INSERT INTO sessions VALUES (?, ?, ?, ?)",
            (session.token_hash, session.account, session.device, session.used_ms),
        )
        self._seen(c, session)
        return _end(
            c,
            "token_hash IN (SELECT token_hash FROM sessions WHERE account = ? AND token_hash <> ? ORDER BY used_ms DESC LIMIT -1 OFFSET ?)",
            (session.account, session.token_hash, sessions_max - 1),
        )

    async def add_session(self, session: Session, sessions_max: int) -> list[bytes]:
        def body(c: Connection) -> list[bytes]:
            mine = (session.account, session.device)
            if not c.execute("SELECT 1 FROM devices WHERE account = ? AND device = ?", mine).fetchone():
                raise Refusal(ErrorCode.DEVICE_UNKNOWN, "the account has no such device")
            there = c.execute(
                "SELECT account, device FROM sessions WHERE token_hash = ?", (session.token_hash,)
            ).fetchone()
            if there is not None and tuple(there) != mine:
                raise Refusal(ErrorCode.MALFORMED, "this session is another device's")
            if there is not None:
                return []
            return self._begin(c, session, sessions_max)

        return await self._db.write(body)

    @staticmethod
    def _seen(c: Connection, session: Session) -> None:
        c.execute(
            "UPDATE devices SET last_seen_ms = ? WHERE account = ? AND device = ?",
            (session.used_ms, session.account, session.device),
        )

    async def touch_session(
        self, token_hash: bytes, now_ms: int, oldest_used_ms: int
    ) -> tuple[Session, Account] | None:
        def body(c: Connection) -> tuple[Session, Account] | None:
            row = c.execute(
                "SELECT account, device, used_ms FROM sessions WHERE token_hash = ?", (token_hash,)
            ).fetchone()
            if row is None or row[2] < oldest_used_ms:
                return None
            account = self._get(c, row[0])
            if account is None or account.state is not AccountState.ACTIVE:
                return None
            session = Session(token_hash, row[0], row[1], now_ms)
            c.execute("UPDATE sessions SET used_ms = ? WHERE token_hash = ?", (now_ms, token_hash))
            self._seen(c, session)
            return session, account

        return await self._db.write(body)

    async def end_sessions(self, account: bytes, token_hash: bytes | None) -> list[bytes]:
        if token_hash is None:
            return await self._db.write(lambda c: _end(c, "account = ?", (account,)))
        return await self._db.write(lambda c: _end(c, "account = ? AND token_hash = ?", (account, token_hash)))

    async def devices(self, account: bytes) -> list[DeviceRow]:
        return await self._db.read(
            lambda c: [
                DeviceRow(*row)
                for row in c.execute(
                    "SELECT device, label, registered_ms, last_seen_ms FROM devices WHERE account = ? ORDER BY registered_ms, device",
                    (account,),
                )
            ]
        )

    async def advance_list(
        self, account: bytes, offered: bytes, decide: Callable[[Account], DeviceList], *,
        register: bytes, label: bytes, session: bytes, now_ms: int,
    ) -> ListChange:  # fmt: skip
        def body(c: Connection) -> ListChange:
            stored = self._get(c, account)
            if stored is None or stored.state is not AccountState.ACTIVE:
                raise Refusal(ErrorCode.UNAUTHENTICATED, "the account is gone")
            fresh = decide(stored)
            known = {r[0] for r in c.execute("SELECT device FROM devices WHERE account = ?", (account,))}
            listed = {d.device for d in fresh.devices}
            added, removed = listed - known, known - listed
            if added - {register} or (register and register not in listed):
                raise Refusal(ErrorCode.DEVICE_LIST_INVALID, "the list adds another device than the one named")
            if register:
                c.execute(
                    "UPDATE sessions SET device = ? WHERE token_hash = ? AND account = ?", (register, session, account)
                )
            if offered == stored.device_list:
                return ListChange(fresh, (), (), ())
            return self._replace_list(c, stored, fresh, (offered, label, now_ms), tuple(added), tuple(removed))

        return await self._db.write(body)

    @staticmethod
    def _replace_list(
        c: Connection, stored: Account, fresh: DeviceList, given: tuple[bytes, bytes, int],
        added: tuple[bytes, ...], removed: tuple[bytes, ...],
    ) -> ListChange:  # fmt: skip
        offered, label, now_ms = given
        account = stored.account
        c.execute("UPDATE accounts SET device_list = ? WHERE account = ?", (offered, account))
        for device in added:
            c.execute("INSERT INTO devices VALUES (?, ?, ?, ?, ?)", (account, device, label, now_ms, now_ms))
        ended: list[bytes] = []
        for device in removed:
            c.execute("DELETE FROM devices WHERE account = ? AND device = ?", (account, device))
            ended += _end(c, "account = ? AND device = ?", (account, device))
        jobs = [("put_list", offered)]
        jobs += [("open_mailbox", device) for device in added]
        jobs += [("remove_device", device) for device in removed]
        _add_jobs(c, account, jobs)
        return ListChange(fresh, added, removed, tuple(ended))

    async def begin_deletion(self, account: bytes, now_ms: int, jobs: Sequence[tuple[str, bytes]]) -> bool:
        def body(c: Connection) -> bool:
            changed = c.execute("UPDATE accounts SET state = 2 WHERE account = ? AND state <> 2", (account,)).rowcount
            if changed:
                c.execute("UPDATE names SET freed_ms = ? WHERE account = ?", (now_ms, account))
                _end(c, "account = ?", (account,))
                _add_jobs(c, account, jobs)
            return bool(changed == 1)

        return await self._db.write(body)

    async def finish_deletion(self, account: bytes, disguise: Callable[[str], str]) -> None:
        def body(c: Connection) -> None:
            for table in ("accounts", "devices", "sessions", "jobs"):
                c.execute(f"DELETE FROM {table} WHERE account = ?", (account,))  # noqa: S608 - fixed texts
            for caller in (account, rules.sha256(account)):  # the latter: its registration's
                c.execute("DELETE FROM keyed WHERE caller = ?", (caller,))
            for (name,) in c.execute("SELECT name FROM names WHERE account = ?", (account,)).fetchall():
                c.execute(
                    "UPDATE OR REPLACE names SET name = ?, account = x'00' WHERE name = ?", (disguise(name), name)
                )

        await self._db.write(body)
        await self._db.erase()

    async def set_state(self, account: bytes, state: AccountState) -> bool:
        def body(c: Connection) -> bool:
            changed = c.execute(
                "UPDATE accounts SET state = ? WHERE account = ? AND state <> 2", (int(state), account)
            ).rowcount
            return bool(changed == 1)

        return await self._db.write(body)

    async def entry(self, token_hash: bytes, now_ms: int) -> rules.Entry:
        def body(c: Connection) -> rules.Entry:
            mode = c.execute("SELECT value FROM switches WHERE name = 'registration'").fetchone()
            invited = c.execute(
                "SELECT 1 FROM invites WHERE token_hash = ? AND uses_left > 0 AND expires_ms > ?", (token_hash, now_ms)
            ).fetchone()
            return rules.Entry(mode[0] if mode else "", invited is not None)

        return await self._db.read(body)

    async def add_invite(self, invite: Invite) -> None:
        row = (invite.token_hash, invite.uses_left, invite.expires_ms, invite.created_ms, invite.note)
        await self._db.write(lambda c: c.execute("INSERT INTO invites VALUES (?, ?, ?, ?, ?)", row))

    async def drop_invite(self, token_hash: bytes) -> bool:
        def body(c: Connection) -> bool:
            return bool(c.execute("DELETE FROM invites WHERE token_hash = ?", (token_hash,)).rowcount)

        return await self._db.write(body)

    async def set_switch(self, name: str, value: str) -> None:
        await self._db.write(lambda c: c.execute("INSERT OR REPLACE INTO switches VALUES (?, ?)", (name, value)))

    async def jobs(self, account: bytes | None, limit: int) -> list[Job]:
        def body(c: Connection) -> list[Job]:
            columns = "SELECT account, number, kind, payload FROM jobs"
            if account is None:
                rows = c.execute(f"{columns} ORDER BY account, number LIMIT ? + 0", (limit,))
            else:
                rows = c.execute(f"{columns} WHERE account = ? ORDER BY number LIMIT ? + 0", (account, limit))
            return [Job(*row) for row in rows]

        return await self._db.read(body)

    async def finish_job(self, job: Job) -> None:
        await self._db.write(
            lambda c: c.execute("DELETE FROM jobs WHERE account = ? AND number = ?", (job.account, job.number)).rowcount
        )

    async def session_count(self) -> int:
        return int(await self._db.read(lambda c: c.execute("SELECT count(*) FROM sessions").fetchone()[0]))

    async def sweep(self, now_ms: int, session_ms: int, name_held_ms: int) -> None:
        def body(c: Connection) -> None:
            for table, key, column, before in (
                ("sessions", "token_hash", "used_ms", now_ms - session_ms),
                ("login_states", "state_hash", "expires_ms", now_ms),
                ("names", "name", "freed_ms", now_ms - name_held_ms),
                ("invites", "token_hash", "expires_ms", now_ms),
            ):
                c.execute(
                    f"DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM {table} WHERE {column} < ? LIMIT ? + 0)",  # noqa: S608 - fixed texts
                    (before, SWEEP_ROWS_MAX),
                )
            prune(c, now_ms)

        await self._db.write(body)
