"""`qpqctl migrate --distribute`: while services run, as often as one likes, killed anywhere and begun again.

On a stand-in for Citus: tests/support/citus.py says what it is, and what it does not show.
"""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest
import trio
from click.testing import CliRunner

from qpqcore.store.errors import DatabaseError, NotDistributable
from qpqcore.store.migrations import Migration
from qpqcore.store.postgres.layout import Layout
from qpqcore.store.postgres.migrate import migrate
from qpqcore.store.postgres.schemas import schema_of
from qpqserver.backup.errors import BackupError
from qpqserver.backup.postgres import write_to
from qpqserver.ctl import main
from tests.support import citus
from tests.support.channels import BOB, CHANNEL, begin, message, put
from tests.support.citus import COORDINATOR, WORKERS, ask
from tests.support.nodes import LOG, SCHEMA, Talk, opened, owner, read_map, texts_of, written_by
from tests.support.postgres import SERVICES

TABLES = [table for group in SCHEMA.layout.groups for table in group]
PLACED = "SELECT logicalrelid::text FROM pg_dist_partition WHERE partmethod = 'h' ORDER BY logicalrelid::text"
TOGETHER = (
    "SELECT t.logicalrelid::text, t.colocationid, array_agg(p.groupid ORDER BY s.place) FROM pg_dist_partition t "
    "JOIN pg_dist_shard s USING (logicalrelid) JOIN pg_dist_placement p USING (shardid) GROUP BY 1, 2"
)
DIES = """
CREATE TABLE stand_in.deaths (relation regclass);
CREATE FUNCTION stand_in.die() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM stand_in.deaths WHERE relation = NEW.logicalrelid) THEN
        PERFORM pg_terminate_backend(pg_backend_pid());
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER die BEFORE INSERT OR UPDATE ON pg_dist_partition FOR EACH ROW EXECUTE FUNCTION stand_in.die();
"""


@pytest.fixture
def plain(postgres):
    """Return the address of a database that runs on one server, where Citus is now there and distributes nothing yet."""
    name = postgres.fresh(f"plain_{uuid4().hex}")
    postgres.sql(name, citus.STAND_IN, citus.known(postgres.port))
    yield postgres.url(name)
    postgres.drop(name)


def spread(url, *schemas):
    return [outcome.distributed for outcome in migrate(url, schemas or [SCHEMA], distribute=True)]


async def spread_aside(url):
    return await trio.to_thread.run_sync(spread, url)


def test_run_twice_it_does_nothing_the_second_time(plain):
    assert spread(plain) == [len(TABLES)]
    assert [row[0] for row in ask(plain, PLACED)] == sorted(f"qpq_delivery.{table}" for table in TABLES)
    before = ask(plain, TOGETHER)
    assert spread(plain) == [0]
    assert ask(plain, TOGETHER) == before


def test_tables_of_a_group_lie_together_and_shards_are_few(plain):
    spread(plain, *(schema_of(service) for service in SERVICES))
    found = {row[0]: row[1:] for row in ask(plain, TOGETHER)}
    for service in SERVICES:
        for group in schema_of(service).layout.groups:
            assert len({(found[f"qpq_{service}.{t}"][0], tuple(found[f"qpq_{service}.{t}"][1])) for t in group}) == 1
    assert {len(nodes) for _, nodes in found.values()} == {4 * len(WORKERS)}
    assert len({colocation for colocation, _ in found.values()}) == sum(
        len(schema_of(service).layout.groups) for service in SERVICES
    )


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("is_half_done", [False, True], ids=["before", "in"])
def test_killed_at_any_table_it_goes_on_from_there(postgres, plain, table, is_half_done):
    """Who dies in the middle of a table leaves it as one that the coordinator has to itself (Citus' own first step)."""
    postgres.sql(plain.rsplit("/", 1)[1], DIES)
    ask(plain, "INSERT INTO stand_in.deaths VALUES ($1::text::regclass)", f"qpq_delivery.{table}")
    with pytest.raises((DatabaseError, OSError)):
        spread(plain)
    assert len(ask(plain, PLACED)) == TABLES.index(table)
    ask(plain, "DELETE FROM stand_in.deaths")
    if is_half_done:
        ask(plain, "INSERT INTO pg_dist_partition VALUES ($1::text::regclass, 'n', NULL, 0)", f"qpq_delivery.{table}")
    assert spread(plain) == [len(TABLES) - TABLES.index(table)]
    assert spread(plain) == [0]


async def test_it_is_done_while_messages_come_and_none_is_lost(plain):
    async with opened(plain) as store:
        await begin(store)
        talk = Talk(store)
        async with trio.open_nursery() as nursery:
            for n in range(3):
                nursery.start_soon(talk, b"%d" % n)
            assert await spread_aside(plain) == [len(TABLES)]
            await read_map(store)
            talk.is_over = True
        assert not talk.refused
        await put(store, message(b"after"))
        assert sorted(await texts_of(store, BOB)) == sorted([*talk.taken, b"after"])
    assert written_by(plain, LOG) <= {COORDINATOR, owner(plain, LOG, CHANNEL)}
    assert owner(plain, LOG, CHANNEL) in written_by(plain, LOG)


async def test_of_many_who_distribute_at_once_one_does_each_table(plain):
    found = []

    async def bring():
        found.extend(await spread_aside(plain))

    async with trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(bring)
    assert sorted(found) == [0, 0, 0, len(TABLES)]


def test_a_table_of_a_later_step_is_distributed_by_a_plain_migrate(plain):
    spread(plain)
    layout = SCHEMA.layout
    more = replace(
        SCHEMA,
        migrations=(
            *SCHEMA.migrations,
            Migration(len(SCHEMA.migrations) + 1, "CREATE TABLE more (channel bytea NOT NULL PRIMARY KEY)"),
        ),
        layout=Layout({**layout.columns, "more": "channel"}, ((*layout.groups[0], "more"), *layout.groups[1:])),
    )
    assert [outcome.distributed for outcome in migrate(plain, [more])] == [1]
    found = {row[0]: row[1] for row in ask(plain, TOGETHER)}
    assert found["qpq_delivery.more"] == found["qpq_delivery.channels"]


def test_one_server_stays_one_where_nobody_asks(plain):
    assert [outcome.distributed for outcome in migrate(plain, [SCHEMA])] == [None]
    assert ask(plain, PLACED) == []


def test_a_table_that_is_distributed_otherwise_is_refused(plain):
    spread(plain)
    ask(plain, "UPDATE pg_dist_partition SET partkey = 'number' WHERE logicalrelid = 'qpq_delivery.log'::regclass")
    with pytest.raises(NotDistributable, match=r"qpq_delivery.log is distributed otherwise: by channel"):
        spread(plain)


@pytest.mark.parametrize(
    ("lacking", "said"),
    [
        ("DELETE FROM pg_extension WHERE extname = 'citus'", "there is no extension citus in this database"),
        ("DELETE FROM pg_dist_node WHERE groupid = 0", r"does not know the coordinator's own address"),
        ("UPDATE pg_dist_node SET shouldhaveshards = false", "no node that takes shards"),
    ],
)
def test_what_is_lacking_is_said_before_anything_is_changed(postgres, plain, lacking, said):
    postgres.sql(plain.rsplit("/", 1)[1], "SET allow_system_table_mods = on", lacking)
    with pytest.raises(NotDistributable, match=said):
        spread(plain)
    assert ask(plain, PLACED) == []


async def test_processes_that_know_nothing_of_citus_have_to_begin_anew_first(postgres):
    """Their plans are made without values, which Citus' planner does not take."""
    name = await trio.to_thread.run_sync(postgres.fresh, f"plain_{uuid4().hex}")
    url = postgres.url(name)
    async with opened(url) as store:
        await begin(store)
        await trio.to_thread.run_sync(postgres.sql, name, citus.STAND_IN, citus.known(postgres.port))
        with pytest.raises(NotDistributable, match=r"connections of qpq_delivery are older than the extension"):
            await spread_aside(url)
    async with opened(url) as store:
        assert await spread_aside(url) == [len(TABLES)]
        await put(store, message(b"hello"))
        assert await texts_of(store, BOB) == [b"hello"]
    await trio.to_thread.run_sync(postgres.drop, name)


def test_the_operators_tool_distributes_and_says_how_many(plain, tmp_path):
    def ctl(*arguments):
        environment = {"QPQ_STORE_BACKEND": "postgres", "QPQ_DATABASE_URL": plain}
        return CliRunner(env=environment).invoke(main, ["--data-dir", str(tmp_path), *arguments])

    done = ctl("migrate", "--distribute")
    assert (done.exit_code, done.output.splitlines()[2]) == (0, "qpq_delivery: step 3, 16 tables distributed")
    assert ctl("--json", "migrate").output.count('"distributed": 0') == len(SERVICES)
    assert ctl("check").output.splitlines()[2] == "delivery: ok, schema 3"


def test_no_backup_is_made_that_is_of_no_moment(plain):
    spread(plain)
    with pytest.raises(BackupError, match="distributed by Citus, over whose nodes no snapshot goes"):
        write_to(plain, None)


def test_the_operators_tool_says_what_is_lacking(fresh_postgres, tmp_path):
    environment = {"QPQ_STORE_BACKEND": "postgres", "QPQ_DATABASE_URL": fresh_postgres}
    refused = CliRunner(env=environment).invoke(main, ["--data-dir", str(tmp_path), "migrate", "--distribute"])
    assert (refused.exit_code, "there is no extension citus" in refused.output) == (1, True)
