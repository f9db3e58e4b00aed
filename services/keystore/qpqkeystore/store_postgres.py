"""The store on PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qpqcore.crypto.identity import DeviceList
from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.store.postgres.keyed import prune, remember, replay
from qpqkeystore import postgres_statements as sql
from qpqkeystore.store import Endpoint, Entry, Taken

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qpqcore.store.keyed import Keyed
    from qpqcore.store.postgres.bridge import Postgres
    from qpqcore.store.postgres.pool import Connection
    from qpqcore.store.postgres.shards import Place
    from qpqkeystore.rules import Package

SWEEP_ROWS_MAX = 1_000
ERASED_TABLES = ("names", "identities", "accounts", "packages", "hybrid_keys", "endpoints", "keyed")


async def _entries(c: Connection, accounts: Sequence[bytes]) -> list[Entry | None]:
    found = {row[0]: Entry(*row) for row in await c.fetch(sql.ENTRIES, accounts)}
    return [found.get(account) for account in accounts]


async def _take_one(
    c: Connection, account: bytes, device: bytes, suites: Sequence[int], hybrid_key: bytes, now_ms: int
) -> Taken:
    for suite in suites:
        last_resort, data = False, await c.fetchval(sql.TAKE_ONE, account, device, suite, now_ms)
        if data is None:
            last_resort, data = True, await c.fetchval(sql.LAST_RESORT, account, device, suite, now_ms)
        if data is not None:
            left = await c.fetchval(sql.LEFT, account, device, suite)
            return Taken(device, suite, data, last_resort, left, hybrid_key)
    return Taken(device, 0, b"", False, 0, hybrid_key)


class PostgresStore:
    """Implements `qpqkeystore.store.Store`."""

    def __init__(self, database: Postgres) -> None:
        self._db = self.database = database

    @property
    def away(self) -> str:
        """Why the database could not be reached the last time; empty while all is well."""
        return self._db.away

    async def put_account(self, account: bytes, name: str, identity_key: bytes) -> None:
        async def body(c: Connection) -> None:
            await c.execute(sql.PUT_NAME, name, account)
            await c.execute(sql.PUT_IDENTITY, identity_key, account)
            await c.execute(sql.PUT_ACCOUNT, account, name, identity_key)

        await self._db.write(body)

    async def put_list(self, account: bytes, version: int, device_list: bytes, devices: Sequence[bytes]) -> int:
        async def body(c: Connection) -> int:
            row = await c.fetchrow(sql.ENTRY_LOCKED, account)
            if row is None:
                raise Refusal(ErrorCode.NOT_FOUND, "no such account")
            stored = Entry(*row)
            if stored.version >= version:
                return stored.version
            await c.execute(sql.PUT_LIST, account, device_list, version)
            for statement in (sql.UNLISTED_PACKAGES, sql.UNLISTED_HYBRID_KEYS, sql.UNLISTED_ENDPOINTS):
                await c.execute(statement, account, devices)
            return version

        return await self._db.write(body)

    async def by_name(self, name: str) -> Entry | None:
        return await self._found(sql.NAMED, ("names", name))

    async def by_identity(self, identity_key: bytes) -> Entry | None:
        return await self._found(sql.IDENTIFIED, ("identities", identity_key))

    async def _found(self, statement: str, at: Place) -> Entry | None:
        async def work() -> Entry | None:
            account = await self._db.nodes.single(lambda c: c.fetchval(statement, at[1]), at=at)
            if account is None:
                return None
            (entry,) = await self._db.nodes.single(lambda c: _entries(c, [account]), at=("accounts", account))
            return entry

        return await self._db.look_up(work)

    async def entries(self, accounts: Sequence[bytes]) -> list[Entry | None]:
        place = ("accounts", accounts[0]) if len(accounts) == 1 else None
        return await self._db.read(lambda c: _entries(c, accounts), at=place)

    async def add_packages(
        self, account: bytes, device: bytes, packages: Sequence[Package], per_suite_max: int
    ) -> None:
        async def body(c: Connection) -> None:
            await c.fetchrow(sql.ENTRY_LOCKED, account)  # two uploads at once are counted one after the other
            for p in packages:
                if p.last_resort:
                    await c.execute(sql.DROP_LAST_RESORT, account, device, p.suite)
                await c.execute(
                    sql.ADD_PACKAGE, account, device, p.suite, p.last_resort, p.reference, p.data, p.expires_ms
                )
            if await c.fetchval(sql.TOO_MANY, account, device, per_suite_max):
                raise Refusal(ErrorCode.KEY_PACKAGE_LIMIT, f"at most {per_suite_max} packages may wait for a device")

        await self._db.write(body, at=("packages", account))

    async def stock(self, account: bytes, device: bytes, now_ms: int) -> dict[int, tuple[int, bool]]:
        async def body(c: Connection) -> dict[int, tuple[int, bool]]:
            return {s: (one_time, last) for s, one_time, last in await c.fetch(sql.STOCK, account, device, now_ms)}

        return await self._db.read(body, at=("packages", account))

    async def take(
        self, accounts: Sequence[bytes], suites: Sequence[int], keyed: Keyed,
        reply: Callable[[list[tuple[Entry | None, list[Taken]]]], bytes],
    ) -> tuple[bytes, list[tuple[Entry | None, list[Taken]]]]:  # fmt: skip
        async def body(c: Connection) -> tuple[bytes, list[tuple[Entry | None, list[Taken]]]]:
            earlier = await replay(c, keyed)
            if earlier is not None:
                return earlier, []
            taken: list[tuple[Entry | None, list[Taken]]] = []
            for account, entry in zip(accounts, await _entries(c, accounts), strict=True):
                listed = DeviceList.from_bytes(entry.device_list).devices if entry and entry.device_list else ()
                devices = [d.device for d in listed]
                hybrid = {row[0]: row[1] for row in await c.fetch(sql.HYBRID_KEYS, devices)}
                taken.append((entry, [
                    await _take_one(c, account, d, suites, hybrid.get(d, b""), keyed.now_ms) for d in devices
                ]))  # fmt: skip
            answer = reply(taken)
            await remember(c, keyed, answer)
            return answer, taken

        return await self._db.write(body)

    async def put_hybrid_key(self, account: bytes, device: bytes, hybrid_key: bytes, created_ms: int) -> None:
        row = device, account, hybrid_key, created_ms
        await self._db.change(lambda c: c.execute(sql.PUT_HYBRID_KEY, *row), at=("hybrid_keys", device))

    async def hybrid_keys(self, devices: Sequence[bytes]) -> list[bytes]:
        async def body(c: Connection) -> list[bytes]:
            found = {row[0]: row[1] for row in await c.fetch(sql.HYBRID_KEYS, devices)}
            return [found.get(device, b"") for device in devices]

        return await self._db.read(body)

    async def put_endpoint(self, account: bytes, device: bytes, endpoint: Endpoint) -> None:
        await self._db.change(
            lambda c: c.execute(
                sql.PUT_ENDPOINT, device, account, endpoint.endpoint, endpoint.ttl_seconds, endpoint.signature,
                endpoint.expires_ms,
            ),
            at=("endpoints", device),
        )  # fmt: skip

    async def endpoint(self, device: bytes, now_ms: int) -> Endpoint | None:
        async def body(c: Connection) -> Endpoint | None:
            row = await c.fetchrow(sql.ENDPOINT, device, now_ms)
            return Endpoint(*row) if row else None

        return await self._db.read(body, at=("endpoints", device))

    async def purge(self, account: bytes) -> None:
        """Drop every row of an account, then take them out of the tables' pages, as far as that goes.

        See docs/operate/postgresql.md: PostgreSQL does not wipe what it frees, and its write-ahead log keeps it a while.
        """

        async def body(c: Connection) -> None:
            for statement in (sql.DROP_NAMES, sql.DROP_IDENTITIES, sql.DROP_ACCOUNT, sql.DROP_KEYED):
                await c.execute(statement, account)
            for statement in (sql.UNLISTED_PACKAGES, sql.UNLISTED_HYBRID_KEYS, sql.UNLISTED_ENDPOINTS):
                await c.execute(statement, account, [])

        await self._db.write(body)
        self._db.owe_vacuum(*ERASED_TABLES)

    async def sweep(self, now_ms: int) -> None:
        async def body(c: Connection) -> None:
            await c.execute(sql.DROP_OLD_PACKAGES, now_ms, SWEEP_ROWS_MAX)
            await c.execute(sql.DROP_OLD_ENDPOINTS, now_ms, SWEEP_ROWS_MAX)
            await prune(c, now_ms)

        await self._db.write(body)
        await self._db.vacuum()
