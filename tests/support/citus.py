"""A stand-in for Citus on the real PostgreSQL that tests start, since no Citus is to be had: `nodes` that are one database.

One server listens on several loopback addresses. Each stands for a node: 127.0.0.1 for the coordinator, 127.0.0.2 and .3 for
those that hold shards. Citus' tables (pg_dist_*) and the few functions of it that we call are made in SQL; a trigger on each
distributed table notes of every row that is written which node owns it and by which address it came. So our routing runs as
it is, and each row tells where it went. What this does not show is Citus: its planner, its locks, its moves, its speed
(docs/operate/postgresql.md#citus).
"""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import asyncpg
import trio

from qpqcore.store.postgres.migrate import migrate
from qpqcore.store.postgres.schemas import schema_of
from tests.support.postgres import SERVICES, Server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

ADDRESSES = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
COORDINATOR, *WORKERS = ADDRESSES
URL = os.environ.get("QPQ_TEST_CITUS", "")
"""A database on a real Citus, which tests empty."""
LOCK = 0x51505154
"""Of those tests that have the real Citus: one at a time."""

STAND_IN = """
SET allow_system_table_mods = on;
INSERT INTO pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)
    VALUES (99999, 'citus', 10, 11, false, 'stand-in');
CREATE TABLE pg_catalog.pg_dist_node (groupid int PRIMARY KEY, address text, nodename text, nodeport int,
    noderole text DEFAULT 'primary', isactive bool DEFAULT true, hasmetadata bool DEFAULT true,
    metadatasynced bool DEFAULT true, shouldhaveshards bool, is_dead bool DEFAULT false);
CREATE TABLE pg_catalog.pg_dist_partition (logicalrelid regclass PRIMARY KEY, partmethod "char", partkey text,
    colocationid int);
CREATE TABLE pg_catalog.pg_dist_shard (logicalrelid regclass, shardid bigint PRIMARY KEY, place int);
CREATE TABLE pg_catalog.pg_dist_placement (shardid bigint PRIMARY KEY, groupid int, shardstate int DEFAULT 1);
CREATE SEQUENCE pg_catalog.pg_dist_shardid_seq START 102008;
CREATE SEQUENCE pg_catalog.pg_dist_colocationid_seq;
GRANT SELECT ON pg_dist_node, pg_dist_partition, pg_dist_shard, pg_dist_placement TO PUBLIC;

CREATE FUNCTION pg_catalog.column_to_column_name(table_name regclass, column_var text) RETURNS text
    LANGUAGE sql STABLE AS 'SELECT column_var';

CREATE FUNCTION pg_catalog.get_shard_id_for_distribution_column(table_name regclass, distribution_value anyelement)
    RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE found bigint; total int;
BEGIN
    SELECT count(*) INTO total FROM pg_dist_shard WHERE logicalrelid = table_name;
    IF total = 0 THEN
        RAISE EXCEPTION 'relation is not distributed' USING ERRCODE = 'invalid_table_definition';
    END IF;
    SELECT shardid INTO found FROM pg_dist_shard WHERE logicalrelid = table_name
        AND place = (hashtext(distribution_value::text) & 2147483647) % total;
    RETURN found;
END $$;

CREATE SCHEMA stand_in;
GRANT USAGE ON SCHEMA stand_in TO PUBLIC;
CREATE TABLE stand_in.writes (transaction xid8, relation regclass, owner text, came text);
CREATE FUNCTION stand_in.owner_of(relation regclass, value text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT n.address FROM pg_dist_shard s JOIN pg_dist_placement p USING (shardid) JOIN pg_dist_node n USING (groupid)
    WHERE s.shardid = get_shard_id_for_distribution_column(relation, value) $$;
CREATE FUNCTION stand_in.note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog SET enable_seqscan = on AS $$
DECLARE found jsonb; owner text;
BEGIN
    found := CASE WHEN TG_OP = 'DELETE' THEN to_jsonb(OLD) ELSE to_jsonb(NEW) END;
    owner := stand_in.owner_of(TG_RELID::regclass, found ->> TG_ARGV[0]);
    IF EXISTS (SELECT 1 FROM pg_dist_node WHERE address = owner AND is_dead) THEN
        RAISE EXCEPTION 'connection to the remote node % failed', owner USING ERRCODE = 'connection_failure';
    END IF;
    INSERT INTO stand_in.writes VALUES (pg_current_xact_id(), TG_RELID::regclass, owner, host(inet_server_addr()));
    RETURN NULL;
END $$;

CREATE FUNCTION pg_catalog.create_distributed_table_concurrently(table_name regclass, distribution_column text,
    distribution_type text DEFAULT 'hash', colocate_with text DEFAULT 'default', shard_count int DEFAULT NULL)
    RETURNS void LANGUAGE plpgsql AS $$
DECLARE total int; beside regclass; colocation int; nodes int[];
BEGIN
    IF EXISTS (SELECT 1 FROM pg_dist_partition WHERE logicalrelid = table_name AND partmethod = 'h') THEN
        RAISE EXCEPTION 'table "%" is already distributed', table_name USING ERRCODE = 'invalid_table_definition';
    END IF;
    IF NOT EXISTS (SELECT 1 FROM pg_dist_node WHERE groupid = 0) THEN
        RAISE EXCEPTION 'operation is not allowed when coordinator is not added into metadata';
    END IF;
    IF colocate_with NOT IN ('default', 'none') THEN
        IF shard_count IS NOT NULL THEN
            RAISE EXCEPTION 'Cannot use colocate_with with a table and shard_count at the same time';
        END IF;
        beside := colocate_with::regclass;
        SELECT colocationid INTO STRICT colocation FROM pg_dist_partition WHERE logicalrelid = beside AND partmethod = 'h';
        SELECT count(*) INTO total FROM pg_dist_shard WHERE logicalrelid = beside;
        SELECT array_agg(p.groupid ORDER BY s.place) INTO nodes
            FROM pg_dist_shard s JOIN pg_dist_placement p USING (shardid) WHERE s.logicalrelid = beside;
    ELSE
        total := coalesce(shard_count, 32);
        colocation := nextval('pg_dist_colocationid_seq');
        SELECT array_agg(groupid ORDER BY groupid) INTO nodes FROM pg_dist_node WHERE shouldhaveshards;
    END IF;
    INSERT INTO pg_dist_partition VALUES (table_name, 'h', distribution_column, colocation)
        ON CONFLICT (logicalrelid) DO UPDATE SET partmethod = 'h', partkey = excluded.partkey,
        colocationid = excluded.colocationid;
    FOR at IN 0 .. total - 1 LOOP
        INSERT INTO pg_dist_shard VALUES (table_name, nextval('pg_dist_shardid_seq'), at);
        INSERT INTO pg_dist_placement VALUES (currval('pg_dist_shardid_seq'), nodes[1 + at % cardinality(nodes)]);
    END LOOP;
    EXECUTE format('CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW '
        'EXECUTE FUNCTION stand_in.note(%L)', table_name, distribution_column);
END $$;
"""
TABLES = (
    "SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname LIKE 'qpq\\_%' AND tablename <> 'migrations'"
)
TEMPLATE = "template_citus"
STRAYED = "SELECT DISTINCT relation::text, owner, came FROM stand_in.writes WHERE came NOT IN (owner, $1)"
"""Writes that came to a node that does not own their row, and is not the coordinator."""
SPREAD = (
    "SELECT transaction::text, array_agg(DISTINCT owner) FROM stand_in.writes WHERE came <> $1 "
    "GROUP BY transaction HAVING count(DISTINCT owner) > 1"
)
"""Transactions at a node that write rows of several."""
BY = "SELECT came, count(*) FROM stand_in.writes WHERE relation = $1::text::regclass GROUP BY came ORDER BY came"
MOVE = (
    "WITH moved AS (SELECT s.colocationid, d.place FROM pg_dist_shard d JOIN pg_dist_partition s USING (logicalrelid) "
    "WHERE d.shardid = get_shard_id_for_distribution_column($1::text::regclass, $2::bytea)) "
    "UPDATE pg_dist_placement p SET groupid = $3 FROM pg_dist_shard d JOIN pg_dist_partition s USING (logicalrelid), moved m "
    "WHERE p.shardid = d.shardid AND s.colocationid = m.colocationid AND d.place = m.place"
)
"""What a move of a value's shard, and of those that lie beside it, leaves in Citus' tables."""
OWNER = "SELECT stand_in.owner_of($1::text::regclass, $2::bytea::text)"
DIES = "UPDATE pg_dist_node SET is_dead = $2 WHERE address = $1"
"""What the coordinator says, in Citus' words and with its code, of rows of a node that is away; it has no other way to them."""
WIRED = "UPDATE pg_dist_node SET nodename = '127.0.0.1', nodeport = $2 WHERE address = $1"


def known(port: int) -> str:
    """Return the statement that makes the nodes known: the coordinator, which takes no shards, and the workers."""
    rows = ", ".join(f"({at}, '{place}', '{place}', {port}, {at > 0})" for at, place in enumerate(ADDRESSES))
    return f"INSERT INTO pg_dist_node (groupid, address, nodename, nodeport, shouldhaveshards) VALUES {rows}"


def make_template(server: Server) -> None:
    """Make the database that the tests' are copied from: distributed by the product's own `migrate --distribute`."""
    server.fresh(TEMPLATE)
    server.sql(TEMPLATE, STAND_IN, known(server.port))
    migrate(server.url(TEMPLATE), [schema_of(service) for service in SERVICES], distribute=True)


def ask(url: str, query: str, *values: Any) -> list[tuple[Any, ...]]:
    """Return the rows of a query by the coordinator."""

    async def run() -> list[tuple[Any, ...]]:
        connection = await asyncpg.connect(url)
        try:
            return [tuple(row) for row in await connection.fetch(query, *values)]
        finally:
            await connection.close()

    return asyncio.run(run())


@contextmanager
def alone(url: str) -> Iterator[None]:
    """Have a real Citus for oneself, with our tables in it, distributed and empty."""
    loop = asyncio.new_event_loop()
    try:
        connection = loop.run_until_complete(asyncpg.connect(url))
        loop.run_until_complete(connection.execute("SELECT pg_advisory_lock($1)", LOCK))
        migrate(url, [schema_of(service) for service in SERVICES], distribute=True)
        for (table,) in loop.run_until_complete(connection.fetch(TABLES)):
            loop.run_until_complete(connection.execute(f"DELETE FROM {table}"))
        yield
        loop.run_until_complete(connection.close())
    finally:
        loop.close()


def check(url: str) -> None:
    """Hold what was written since the database was lent to: no row at another node than its own."""
    assert ask(url, STRAYED, COORDINATOR) == []
    assert ask(url, SPREAD, COORDINATOR) == []


class Wire:
    """A way to a node that a test can cut: a port of its own, from which all goes on to the node's address."""

    def __init__(self, nursery: trio.Nursery, to: tuple[str, int]) -> None:
        self._nursery = nursery
        self._to = to
        self._scope = trio.CancelScope()
        self.port = 0
        self.opened = 0

    async def mend(self) -> None:
        """Let through, until it is cut."""
        await self._nursery.start(self._run)

    async def _run(self, *, task_status: trio.TaskStatus[Any]) -> None:
        self._scope = trio.CancelScope()
        (listener,) = await trio.open_tcp_listeners(self.port, host="127.0.0.1")
        self.port = listener.socket.getsockname()[1]
        with self._scope:
            await trio.serve_listeners(self._carry, [listener], task_status=task_status)

    async def _carry(self, near: trio.SocketStream) -> None:
        self.opened += 1
        try:
            far = await trio.open_tcp_stream(*self._to)
            async with near, far, trio.open_nursery() as nursery:
                nursery.start_soon(self._copy, near, far, nursery.cancel_scope)
                nursery.start_soon(self._copy, far, near, nursery.cancel_scope)
        except* (OSError, trio.BrokenResourceError, trio.ClosedResourceError):
            pass

    @staticmethod
    async def _copy(source: trio.SocketStream, sink: trio.SocketStream, scope: trio.CancelScope) -> None:
        try:
            async for data in source:
                await sink.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        scope.cancel()

    def cut(self) -> None:
        """End it and all connections over it, as a machine does that dies."""
        self._scope.cancel()


class Cluster:
    """The nodes of a database, each behind a wire."""

    def __init__(self, url: str, wires: dict[str, Wire]) -> None:
        self.url = url
        self.wires = wires

    def dies(self, address: str) -> None:
        """Take a node away, for us and for the coordinator."""
        ask(self.url, DIES, address, True)
        self.wires[address].cut()

    async def lives(self, address: str) -> None:
        """Bring it back."""
        await self.wires[address].mend()
        ask(self.url, DIES, address, False)


@asynccontextmanager
async def wired(url: str) -> AsyncIterator[Cluster]:
    """Put a wire before each worker."""
    port = int(url.rsplit(":", 1)[1].split("/")[0])
    async with trio.open_nursery() as nursery:
        wires = {address: Wire(nursery, (address, port)) for address in WORKERS}
        for address, wire in wires.items():
            await wire.mend()
            ask(url, WIRED, address, wire.port)
        yield Cluster(url, wires)
        nursery.cancel_scope.cancel()
