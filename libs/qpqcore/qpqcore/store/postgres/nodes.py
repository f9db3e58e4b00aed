"""Sends work to the node that owns its rows, where Citus distributes the database; else all of it to the one server.

1. Citus' own tables say which node owns which shard, and Citus says in which shard a value lies: we compute no hash.
2. A route is a hint. Each node has Citus' metadata and takes the same statements, and passes on what is not its own: an old
   route costs time and is never wrong. So the map is read again only now and then, and after a failure.
3. A node that cannot be reached is left out: its work goes by the coordinator until a connection can be had again. Work that
   has begun is not begun elsewhere, unless it may be repeated: then its pool tries again, and finds that nobody is there.
4. On a plain PostgreSQL nothing is asked and nothing is kept.
"""

from __future__ import annotations

import asyncio  # noqa: TID251 - runs on the bridge
from typing import TYPE_CHECKING, Any, TypeVar

import asyncpg
import structlog

from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.store.postgres import limits
from qpqcore.store.postgres.refusals import Unreached
from qpqcore.store.postgres.shards import Shards

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence

    from qpqcore.store.postgres.layout import Layout
    from qpqcore.store.postgres.pool import Connection, Pool
    from qpqcore.store.postgres.shards import Address, Place, Value

T = TypeVar("T")
log = structlog.get_logger()

PLACED = (
    "SELECT c.relname::text FROM pg_dist_partition t JOIN pg_class c ON c.oid = t.logicalrelid "
    "WHERE c.relnamespace = to_regnamespace($1) AND t.partmethod = 'h'"
)
MAP = (
    "SELECT c.relname::text, s.shardid, n.nodename::text, n.nodeport, "
    "n.groupid <> 0 AND n.hasmetadata AND n.metadatasynced FROM pg_dist_partition t "
    "JOIN pg_class c ON c.oid = t.logicalrelid AND c.relnamespace = to_regnamespace($1) "
    "JOIN pg_dist_shard s ON s.logicalrelid = t.logicalrelid JOIN pg_dist_placement p ON p.shardid = s.shardid AND p.shardstate = 1 "
    "JOIN pg_dist_node n ON n.groupid = p.groupid AND n.noderole = 'primary' AND n.isactive "
    "WHERE t.partmethod = 'h' AND c.relname = ANY($2::text[]) LIMIT $3"
)
"""Citus' documentation, "Citus Tables and Views". A node without its metadata knows nothing of our tables."""
SHARD_OF = (
    "SELECT get_shard_id_for_distribution_column($1::text::regclass, w.value) "
    "FROM unnest($2::{}[]) WITH ORDINALITY AS w(value, place) ORDER BY w.place"
)


class Nodes:
    """A service's connections to all nodes. On the bridge."""

    def __init__(self, home: Pool, schema_name: str, layout: Layout, open_pool: Callable[[Address], Pool]) -> None:
        self._home = home
        self._schema = schema_name
        self._layout = layout
        self._open_pool = open_pool
        self._pools: dict[Address, Pool] = {}
        self.shards = Shards()
        self._look_at = 0.0
        self._reading: asyncio.Task[None] | None = None
        self._is_read = False

    @property
    def is_distributed(self) -> bool:
        """Whether the server is a Citus, as the newest connection has found."""
        return self._home.is_citus

    @property
    def pools(self) -> list[Pool]:
        """Those of nodes, beside the coordinator's."""
        return list(self._pools.values())

    # --- work that names one value: `at` is a table and the value of its column

    async def transaction(self, body: Callable[[Connection], Awaitable[T]], at: Place | None = None) -> T:
        """Run `body` in a transaction where the rows of `at` are, as `Pool.transaction` does."""
        if not self._home.is_citus:
            return await self._home.transaction(body)
        return await self.transaction_on(await self.owner(at), body)

    async def single(self, body: Callable[[Connection], Awaitable[T]], at: Place | None = None) -> T:
        """Run `body` where the rows of `at` are, as `Pool.single` does."""
        if not self._home.is_citus:
            return await self._home.single(body)
        return await self.single_on(await self.owner(at), body)

    async def transaction_on(self, node: Address | None, body: Callable[[Connection], Awaitable[T]]) -> T:
        """Run `body` in a transaction on a node, or by the coordinator if it cannot be reached."""
        return await self._on(node, lambda pool: pool.transaction(body))

    async def single_on(self, node: Address | None, body: Callable[[Connection], Awaitable[T]]) -> T:
        """Run `body`, which may be repeated, on a node, or by the coordinator."""
        return await self._on(node, lambda pool: pool.single(body))

    async def transactions(self, bodies: Mapping[Address | None, Callable[[Connection], Awaitable[T]]]) -> list[T]:
        """Run a transaction on each of some nodes, at once; return what they do when all have ended, or raise a failure."""
        works = [self.transaction_on(node, body) for node, body in bodies.items()]
        if len(works) == 1:
            return [await works[0]]
        done = await asyncio.gather(*works, return_exceptions=True)
        for value in done:
            if isinstance(value, BaseException):
                raise value
        return [value for value in done if not isinstance(value, BaseException)]

    async def _on(self, node: Address | None, work: Callable[[Pool], Coroutine[Any, Any, T]]) -> T:
        if not self._home.is_citus:
            return await work(self._home)
        pool = self._pool(node) if node is not None else None
        if pool is not None:
            try:
                done = await work(pool)
            except Refusal as no:
                if no.code is ErrorCode.UNAVAILABLE:
                    self.look_again()
                if not isinstance(no, Unreached):
                    raise
            else:
                self._home.statistics.by_owner += 1
                return done
        self._home.statistics.by_coordinator += 1
        return await work(self._home)

    def _pool(self, node: Address) -> Pool | None:
        """Return a node's connections; None while it is away (its pool knocks), or past NODES_MAX."""
        pool = self._pools.get(node)
        if pool is None:
            if len(self._pools) >= limits.NODES_MAX:
                return None
            pool = self._pools[node] = self._open_pool(node)
        return None if pool.away else pool

    # --- who owns what

    async def owner(self, at: Place | None) -> Address | None:
        """Return the node that owns a value's rows; None: the coordinator."""
        if at is None or not self._home.is_citus:
            return None
        (node,) = await self.spread(at[0], [at[1]])
        return node

    async def spread(self, table: str, values: Iterable[Value]) -> dict[Address | None, list[Value]]:
        """Return values by the node that owns their rows. Whose owner nobody knows is the coordinator's."""
        if not self._home.is_citus:
            return {None: list(values)}
        values = list(values)
        first = self._layout.first_of(table)
        await self._look()
        unknown = self.shards.unknown(first, values) if self.shards.is_spread(first) else []
        for at in range(0, len(unknown), limits.VALUES_KNOWN_MAX):
            await self._ask(first, unknown[at : at + limits.VALUES_KNOWN_MAX])
        found: dict[Address | None, list[Value]] = {}
        for value in values:
            found.setdefault(self.shards.owner(first, value), []).append(value)
        return found

    async def _ask(self, table: str, values: list[Value]) -> None:
        query = SHARD_OF.format("text" if isinstance(values[0], str) else "bytea")
        name = f"{self._schema}.{table}"
        try:
            rows = await self._home.single(lambda c: c.fetch(query, name, values))
        except (Refusal, asyncpg.PostgresError) as exc:  # away; or the table has just been made another
            log.warning("shards_unknown", table=name, reason=type(exc).__name__)
            self.look_again()
            return
        self.shards.learn(table, values, [row[0] for row in rows])

    def look_again(self) -> None:
        """Let the next call read the map anew, but not more often than MAP_AGAIN_SECONDS."""
        soon = asyncio.get_running_loop().time() + limits.MAP_AGAIN_SECONDS
        self._look_at = min(self._look_at, soon)

    async def _look(self) -> None:
        """Read the map if it is old: beside the call, unless there is none yet."""
        now = asyncio.get_running_loop().time()
        if now >= self._look_at:
            self._look_at = now + limits.MAP_SECONDS
            self._reading = asyncio.get_running_loop().create_task(self._read_map())
            self._home.keep(self._reading)
        if not self._is_read and self._reading is not None:
            await asyncio.shield(self._reading)

    async def _read_map(self) -> None:
        async def read(c: Connection) -> Sequence[Any]:
            placed = {row[0] for row in await c.fetch(PLACED, self._schema)}
            # Of a group of which a table is not distributed yet the nodes do not know everything.
            names = [group[0] for group in self._layout.groups if placed.issuperset(group)]
            return await c.fetch(MAP, self._schema, names, limits.SHARDS_MAX)

        try:
            rows = await self._home.single(read)
        except (Refusal, asyncpg.PostgresError) as exc:
            log.warning("map_of_nodes_not_read", service=self._schema, reason=type(exc).__name__)
            self.look_again()
            return
        self.shards.replace((row[0], row[1], (row[2], row[3]) if row[4] else None) for row in rows)
        self._is_read = True
        for node in self._pools.keys() - self.shards.addresses:
            await self._pools.pop(node).close()
