"""The store on SQLCipher."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qpqcore.crypto.identity import DeviceList
from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.store.keyed import Keyed, prune
from qpqkeystore.store import Endpoint, Entry, Taken

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qpqcore.store.connection import Connection
    from qpqcore.store.database import Database
    from qpqkeystore.rules import Package

SWEEP_ROWS_MAX = 1_000
ENTRY = "SELECT account, name, identity_key, device_list, version FROM accounts WHERE account = "
OF_DEVICE = ("packages", "hybrid_keys", "endpoints")


def _entry(row: Any) -> Entry | None:
    return Entry(*row) if row is not None else None


def _find(c: Connection, account: bytes) -> Entry | None:
    return _entry(c.execute(ENTRY + "?", (account,)).fetchone())


class SqliteStore:
    """Implements `qpqkeystore.store.Store`."""

    def __init__(self, database: Database) -> None:
        self._db = self.database = database

    async def put_account(self, account: bytes, name: str, identity_key: bytes) -> None:
        def body(c: Connection) -> None:
            c.execute("INSERT OR REPLACE INTO names VALUES (?, ?)", (name, account))
            c.execute("INSERT OR REPLACE INTO identities VALUES (?, ?)", (identity_key, account))
            c.execute(
                "INSERT INTO accounts VALUES (?, ?, ?, x'', 0) "
                "ON CONFLICT (account) DO UPDATE SET name = excluded.name, identity_key = excluded.identity_key",
                (account, name, identity_key),
            )

        await self._db.write(body)

    async def put_list(self, account: bytes, version: int, device_list: bytes, devices: Sequence[bytes]) -> int:
        def body(c: Connection) -> int:
            stored = _find(c, account)
            if stored is None:
                raise Refusal(ErrorCode.NOT_FOUND, "no such account")
            if stored.version >= version:
                return stored.version
            c.execute(
                "UPDATE accounts SET device_list = ?, version = ? WHERE account = ?", (device_list, version, account)
            )
            listed = set(devices)
            for table in OF_DEVICE:
                rows = c.execute(f"SELECT DISTINCT device FROM {table} WHERE account = ?", (account,)).fetchall()  # noqa: S608 - fixed texts
                for (device,) in rows:
                    if device not in listed:
                        c.execute(f"DELETE FROM {table} WHERE account = ? AND device = ?", (account, device))  # noqa: S608 - fixed texts
            return version

        return await self._db.write(body)

    async def by_name(self, name: str) -> Entry | None:
        return await self._db.read(
            lambda c: _entry(c.execute(ENTRY + "(SELECT account FROM names WHERE name = ?)", (name,)).fetchone())  # noqa: S608 - fixed text
        )

    async def by_identity(self, identity_key: bytes) -> Entry | None:
        return await self._db.read(
            lambda c: _entry(
                c.execute(ENTRY + "(SELECT account FROM identities WHERE identity_key = ?)", (identity_key,)).fetchone()  # noqa: S608 - fixed text
            )
        )

    async def entries(self, accounts: Sequence[bytes]) -> list[Entry | None]:
        return await self._db.read(lambda c: [_find(c, a) for a in accounts])

    async def add_packages(
        self, account: bytes, device: bytes, packages: Sequence[Package], per_suite_max: int
    ) -> None:
        def body(c: Connection) -> None:
            for p in packages:
                if p.last_resort:
                    c.execute(
                        "DELETE FROM packages WHERE account = ? AND device = ? AND suite = ? AND last_resort = 1",
                        (account, device, p.suite),
                    )
                c.execute(
                    "INSERT OR IGNORE INTO packages VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (account, device, p.suite, int(p.last_resort), p.reference, p.data, p.expires_ms),
                )
            full = c.execute(
                "SELECT 1 FROM packages WHERE account = ? AND device = ? AND last_resort = 0 GROUP BY suite HAVING count(*) > ?",
                (account, device, per_suite_max),
            ).fetchone()
            if full is not None:
                raise Refusal(ErrorCode.KEY_PACKAGE_LIMIT, f"at most {per_suite_max} packages may wait for a device")

        await self._db.write(body)

    async def stock(self, account: bytes, device: bytes, now_ms: int) -> dict[int, tuple[int, bool]]:
        def body(c: Connection) -> dict[int, tuple[int, bool]]:
            rows = c.execute(
                "SELECT suite, sum(last_resort = 0), max(last_resort) FROM packages "
                "WHERE account = ? AND device = ? AND expires_ms > ? GROUP BY suite",
                (account, device, now_ms),
            )
            return {suite: (one_time, bool(last)) for suite, one_time, last in rows}

        return await self._db.read(body)

    async def take(
        self, accounts: Sequence[bytes], suites: Sequence[int], keyed: Keyed,
        reply: Callable[[list[tuple[Entry | None, list[Taken]]]], bytes],
    ) -> tuple[bytes, list[tuple[Entry | None, list[Taken]]]]:  # fmt: skip
        def body(c: Connection) -> tuple[bytes, list[tuple[Entry | None, list[Taken]]]]:
            earlier = keyed.replay(c)
            if earlier is not None:
                return earlier, []
            taken = []
            for account in accounts:
                entry = _find(c, account)
                listed = DeviceList.from_bytes(entry.device_list).devices if entry and entry.device_list else ()
                taken.append((entry, [self._take_one(c, account, d.device, suites, keyed.now_ms) for d in listed]))
            answer = reply(taken)
            keyed.remember(c, answer)
            return answer, taken

        return await self._db.write(body)

    @staticmethod
    def _take_one(c: Connection, account: bytes, device: bytes, suites: Sequence[int], now_ms: int) -> Taken:
        hybrid = c.execute("SELECT hybrid_key FROM hybrid_keys WHERE device = ?", (device,)).fetchone()
        for suite in suites:
            row = c.execute(
                "SELECT last_resort, reference, data FROM packages WHERE account = ? AND device = ? AND suite = ? "
                "AND expires_ms > ? ORDER BY last_resort, expires_ms LIMIT 1",
                (account, device, suite, now_ms),
            ).fetchone()
            if row is None:
                continue
            last_resort, reference, data = row
            if not last_resort:
                c.execute(
                    "DELETE FROM packages WHERE account = ? AND device = ? AND suite = ? AND last_resort = 0 AND reference = ?",
                    (account, device, suite, reference),
                )
            left = c.execute(
                "SELECT count(*) FROM packages WHERE account = ? AND device = ? AND suite = ? AND last_resort = 0",
                (account, device, suite),
            ).fetchone()[0]
            return Taken(device, suite, data, bool(last_resort), left, hybrid[0] if hybrid else b"")
        return Taken(device, 0, b"", False, 0, hybrid[0] if hybrid else b"")

    async def put_hybrid_key(self, account: bytes, device: bytes, hybrid_key: bytes, created_ms: int) -> None:
        await self._db.write(
            lambda c: (
                c.execute(
                    "INSERT INTO hybrid_keys VALUES (?, ?, ?, ?) ON CONFLICT (device) DO UPDATE SET "
                    "hybrid_key = excluded.hybrid_key, created_ms = excluded.created_ms WHERE excluded.created_ms >= created_ms",
                    (device, account, hybrid_key, created_ms),
                ).rowcount
            )
        )

    async def hybrid_keys(self, devices: Sequence[bytes]) -> list[bytes]:
        def body(c: Connection) -> list[bytes]:
            rows = [c.execute("SELECT hybrid_key FROM hybrid_keys WHERE device = ?", (d,)).fetchone() for d in devices]
            return [row[0] if row else b"" for row in rows]

        return await self._db.read(body)

    async def put_endpoint(self, account: bytes, device: bytes, endpoint: Endpoint) -> None:
        await self._db.write(
            lambda c: (
                c.execute(
                    "INSERT OR REPLACE INTO endpoints VALUES (?, ?, ?, ?, ?, ?)",
                    (device, account, endpoint.endpoint, endpoint.ttl_seconds, endpoint.signature, endpoint.expires_ms),
                ).rowcount
            )
        )

    async def endpoint(self, device: bytes, now_ms: int) -> Endpoint | None:
        def body(c: Connection) -> Endpoint | None:
            row = c.execute(
                "SELECT endpoint, ttl_seconds, signature, expires_ms FROM endpoints WHERE device = ? AND expires_ms > ?",
                (device, now_ms),
            ).fetchone()
            return Endpoint(*row) if row else None

        return await self._db.read(body)

    async def purge(self, account: bytes) -> None:
        def body(c: Connection) -> None:
            for table in ("names", "identities", "accounts", *OF_DEVICE):
                c.execute(f"DELETE FROM {table} WHERE account = ?", (account,))  # noqa: S608 - fixed texts
            c.execute("DELETE FROM keyed WHERE caller = ?", (account,))

        await self._db.write(body)
        await self._db.erase()

    async def sweep(self, now_ms: int) -> None:
        def body(c: Connection) -> None:
            c.execute(
                "DELETE FROM packages WHERE (account, device, suite, last_resort, reference) IN "
                "(SELECT account, device, suite, last_resort, reference FROM packages WHERE expires_ms <= ? LIMIT ? + 0)",
                (now_ms, SWEEP_ROWS_MAX),
            )
            c.execute(
                "DELETE FROM endpoints WHERE device IN (SELECT device FROM endpoints WHERE expires_ms <= ? LIMIT ? + 0)",
                (now_ms, SWEEP_ROWS_MAX),
            )
            prune(c, now_ms)

        await self._db.write(body)
