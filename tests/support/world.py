"""A small world, made once and copied for each test: a server's folder, and the folders of some people's devices.

The devices here have no engine behind them: what a test does not call does not happen. Alice, Bob and Carol share the
group `club`, Alice and Bob the conversation `direct`; Eve is in neither; Dave was in the group and has been removed.
"""

from __future__ import annotations

import json
import shutil
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import trio

import qpqclient
from qpqclient.account import Account
from qpqclient.client import system_now_ms
from qpqclient.groups import Groups, write_key, write_signature
from qpqclient.store import Store
from qpqclient.transport import BY_PARAMS, Link, Trust, open_link
from qpqcore.api import delivery
from qpqcore.api.methods import METHODS
from qpqcore.api.rpc import Call, Reply
from qpqcore.config.settings import Settings
from qpqcore.groups.policy import group_id
from qpqcore.model.errors import ErrorCode
from qpqserver.embedded import Surroundings, beside, open_embedded
from tests.support import constellation
from tests.support.buses import NUMBERS
from tests.support.people import settle
from tests.support.postgres import TABLES_OF, rows_in

if TYPE_CHECKING:
    from pathlib import Path

    import qpqnative
    from qpqcore.model.method import Method

STORE_KEY = b"k" * 32
NAMES = ("alice", "bob", "carol", "dave", "eve")
FIRST = "the first message"
PATIENCE_SECONDS = 60
SERVICES = ("auth", "keystore", "delivery", "blob")
FULL = (
    "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$",
    "CREATE TRIGGER full_disk BEFORE INSERT ON log FOR EACH ROW EXECUTE FUNCTION full_disk()",
)
FREED = ("DROP TRIGGER full_disk ON qpq_delivery.log", "DROP FUNCTION qpq_delivery.full_disk()")
TABLES = {"sql": "SELECT name FROM sqlite_master WHERE type = 'table'", "postgres": TABLES_OF}


def method_named(name: str) -> Method:
    """Return a method of the client's interfaces."""
    return next(m for m in METHODS.values() if m.name == name and not m.internal)


class Device:
    """One device: its store, its keys, and a connection that nothing else uses."""

    def __init__(self, store: Store, link: Link) -> None:
        self.store = store
        self.link = link
        self.account = Account(store, system_now_ms)
        self.groups = Groups(store, self.account)

    @property
    def id(self) -> bytes:
        """The device's id."""
        return self.account.device

    async def call(self, params: Any, result: Any, *, key: bytes = b"") -> Any:
        """Call; Refused."""
        return await self.link.call(params, result, key=key)

    async def code(self, params: Any, *, method: str = "", key: bytes = b"") -> ErrorCode:
        """Call and return the code of the answer."""
        found = method_named(method) if method else BY_PARAMS[type(params)]
        return (await raw(self.link, found.number, params.to_bytes(), key=key))[0]

    def group(self, channel: bytes, generation: int = 1) -> qpqnative.Group:
        """Return a group as stored, in an object of its own."""
        return self.groups.copy(group_id(channel, generation))

    def message(self, channel: bytes, text: bytes = b"text", *, sealed: bool = False) -> delivery.EnqueueParams:
        """Return an encrypted message; it is not noted in the store, so each call begins at the same ratchet."""
        group = self.group(channel)
        payload = group.encrypt(text)
        return delivery.EnqueueParams(
            channel=channel, generation=1, epoch=group.epoch, payload=payload,
            write_signature=write_signature(group, channel, 1, payload) if sealed else b"",
        )  # fmt: skip

    def commit(self, channel: bytes, **what: Any) -> delivery.SubmitCommitParams:
        """Return a commit of `what` (as of qpqnative's Group.commit), or an update."""
        group = self.group(channel)
        pending = group.commit(now_s=system_now_ms() // 1000, **what)
        after = self.group(channel)
        after.apply(pending)
        return delivery.SubmitCommitParams(
            channel=channel, generation=1, epoch=group.epoch,
            handshake=delivery.Handshake(
                commit=pending.commit, group_info=pending.group_info, write_key=write_key(after, channel, 1)
            ),
        )  # fmt: skip


async def raw(link: Link, number: int, params: bytes, *, key: bytes = b"") -> tuple[ErrorCode, bytes]:
    """Call a method by number with bytes of our own."""
    frame = Call(method=number, deadline_ms=5_000, idempotency_key=key, params=params).to_bytes()
    reply = Reply.from_bytes(await link._connection.call(frame))
    return ErrorCode(reply.code), reply.result


class World:
    """A running server and devices; used as an async context manager."""

    def __init__(self, folder: Path, clock_ms: Any = system_now_ms, **settings: Any) -> None:
        self.folder = folder
        self._clock_ms = clock_ms
        self._settings = Settings(listen="127.0.0.1:0", data_dir=str(folder / "server"), **settings)
        self._stack = AsyncExitStack()
        self._devices: dict[str, Device] = {}
        self._tables: dict[str, list[str]] = {}
        named = json.loads((folder / "world.json").read_text())
        self.direct, self.club = bytes.fromhex(named["direct"]), bytes.fromhex(named["club"])

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start the server; one that does not start leaves nothing open."""
        async with AsyncExitStack() as stack:
            stack.enter_context(trio.fail_after(PATIENCE_SECONDS))
            self.server = await stack.enter_async_context(
                constellation.open_server(self._settings, Surroundings(clock_ms=self._clock_ms))
            )
            self._stack = stack.pop_all()
        self.where = f"127.0.0.1:{self.server.endpoint.address[1]}"

    async def stop(self) -> None:
        """Close all devices, stop the server."""
        self._devices.clear()
        await self._stack.aclose()

    async def restart(self) -> None:
        """Stop all, start the server again; devices come back when they are asked for."""
        await self.stop()
        await self.start()

    async def anonymous(self) -> Link:
        """Return a connection without a session."""
        return await self._stack.enter_async_context(open_link(self.where, Trust(), accept=lambda _: True))

    async def device(self, name: str) -> Device:
        """Return a device with a resumed session."""
        if name not in self._devices:
            device = await self.silent(name)
            await device.account.resume(device.link)
            self._devices[name] = device
        return self._devices[name]

    async def silent(self, name: str) -> Device:
        """Return a device, on a new connection, that has not resumed its session."""
        store = Store(self.folder / name, STORE_KEY)
        self._stack.callback(store.close)
        return Device(store, await self.anonymous())

    async def silent_again(self, name: str) -> Device:
        """Return another connection of an open device, not resumed."""
        return Device((await self.device(name)).store, await self.anonymous())

    async def client(self, name: str, **more: Any) -> qpqclient.Client:
        """Return the SDK's client over a device's folder."""
        opened = qpqclient.open_client(self.folder / name, server=self.where, store_key=STORE_KEY, **more)
        return await self._stack.enter_async_context(opened)

    def service(self, name: str) -> Any:
        """Return the running object of a service, for what only another configuration would show."""
        return self.server.services[name]

    def entrance(self, name: str) -> Any:
        """Return the dispatcher of a service."""
        if hasattr(self.server, "processes"):
            return self.server.processes[name].server.entrance
        return self.server.gateway._bus._services[NUMBERS[name]]

    def take_away(self, name: str) -> None:
        """Let the gateway find a service no more."""
        bus: Any = self.server.gateway._bus
        if hasattr(self.server, "processes"):
            del bus._replicas[name]
        else:
            del bus._services[NUMBERS[name]]

    def rows(self, service: str, sql: str, *values: Any) -> list[Any]:
        """Read a service's database beside the running server."""
        return self._sql(service, sql, values, read_only=True)

    def edit(self, service: str, sql: str, *values: Any) -> None:
        """Change a service's database behind its back."""
        self._sql(service, sql, values, read_only=False)

    def _sql(self, service: str, sql: str, values: Any, *, read_only: bool) -> list[Any]:
        if self._settings.store_backend == "postgres":
            return rows_in(self._settings.database_url, service, sql, values)
        with beside(self._settings, service, read_only=read_only) as connection:
            return list(connection.execute(sql, values))

    def bound(self, **bounds: int) -> None:
        """Give delivery's store other bounds."""
        store = self.service("delivery")._store
        for part in (store, *([store._fan_out] if self._settings.store_backend == "postgres" else [])):
            part._bounds = replace(part._bounds, **bounds)

    async def fill_disk(self) -> None:
        """Let delivery's store find its disk full; on PostgreSQL by a trigger that raises what it raises then."""
        if self._settings.store_backend == "postgres":
            for statement in FULL:
                self.rows("delivery", statement)
            return
        database = self.service("delivery")._store._db
        await database.write(lambda c: c.execute("PRAGMA max_page_count = 1").fetchone())

    def tables(self, service: str) -> list[str]:
        """Return the names of a service's tables."""
        return [row[0] for row in self.rows(service, TABLES[self._settings.store_backend])]

    def census(self) -> dict[str, int]:
        """Count the rows of every table of every service; by one query each, while which the server stands still."""
        counts: dict[str, int] = {}
        for service in SERVICES:
            queries = (f"SELECT '{table}', count(*) FROM {table}" for table in self._names(service))  # noqa: S608
            counts |= {f"{service}.{table}": n for table, n in self.rows(service, " UNION ALL ".join(queries))}
        return counts

    def _names(self, service: str) -> list[str]:
        if service not in self._tables:
            self._tables[service] = self.tables(service)
        return self._tables[service]


async def _build(folder: Path, stored: dict[str, Any]) -> None:
    settings = Settings(listen="127.0.0.1:0", data_dir=str(folder / "server"), **stored)
    async with open_embedded(settings) as server, AsyncExitStack() as stack:
        where = f"127.0.0.1:{server.endpoint.address[1]}"
        clients = []
        for name in NAMES:
            opened = qpqclient.open_client(folder / name, server=where, store_key=STORE_KEY)
            client = await stack.enter_async_context(opened)
            await client.register(name, f"secret {name}", label=f"{name}'s laptop")
            # Else how many messages there are depends on the machine's speed.
            client.set_setting("receipts.delivered", "off")
            clients.append(client)
        direct = await clients[0].dm("bob")
        await direct.send(FIRST)
        club = await clients[0].create_group("club", ["bob", "carol", "dave"])
        await settle(*clients)
        await club.remove("dave")
        await settle(*clients)
        for client in clients:
            client._core.store.db.execute("DELETE FROM meta WHERE name LIKE 'setting:%'")
        (folder / "world.json").write_text(json.dumps({"direct": direct.id.hex(), "club": club.id.hex()}))


def build(folder: Path, stored: dict[str, Any]) -> None:
    """Make the world in a folder, and in the store that the settings `stored` name."""
    trio.run(_build, folder, stored)
    # They end after a minute: a server started on an older copy would collect them under a test that counts rows.
    World(folder, **stored).edit("auth", "DELETE FROM login_states")


def copy(built: Path, to: Path) -> Path:
    """Copy the world for one test."""
    shutil.copytree(built, to)
    return to
