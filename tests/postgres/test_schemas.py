"""Schemas: made under a lock as often as one likes; refused in a sentence when they do not fit; each role sees its own."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from types import SimpleNamespace

import asyncpg
import pytest
import trio
from click.testing import CliRunner

from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.store.errors import DatabaseAway, DatabaseError, DatabaseTooNew, DatabaseTooOld
from qpqcore.store.migrations import Migration
from qpqcore.store.postgres import limits
from qpqcore.store.postgres.bridge import open_postgres
from qpqcore.store.postgres.migrate import grant, look, migrate
from qpqcore.store.postgres.schemas import programs_from, schema_of
from qpqserver.ctl import main
from tests.support.postgres import SERVICES

PATIENCE_SECONDS = 60
AUTH = schema_of("auth")
NOW = AUTH.migrations[-1].number
NEXT = NOW + 1
ADDS = Migration(NEXT, "ALTER TABLE names ADD COLUMN more bigint;")
TAKES_AWAY = Migration(
    NEXT, f"-- Nobody reads it any more.\n-- programs from: {NEXT}\nALTER TABLE names ADD COLUMN more bigint;"
)


def after(*more):
    return replace(AUTH, migrations=(*AUTH.migrations, *more))


@pytest.fixture
def empty(postgres):
    """Return the address of a database in which nothing is yet."""
    name = postgres.fresh("test_empty", template="template1")
    yield postgres.url(name)
    postgres.drop(name)


def test_migrating_twice_changes_nothing(empty):
    assert [(o.before, o.after) for o in migrate(empty, [AUTH])] == [(0, NOW)]
    assert [(o.before, o.after) for o in migrate(empty, [AUTH])] == [(NOW, NOW)]
    assert look(empty, AUTH) == NOW


async def test_of_many_who_migrate_at_once_one_does_each_step(empty):
    found = []

    async def bring():
        found.extend(await trio.to_thread.run_sync(migrate, empty, [after(ADDS)]))

    async with trio.open_nursery() as nursery:
        for _ in range(6):
            nursery.start_soon(bring)
    assert sorted((o.before, o.after) for o in found) == [(0, NEXT), *[(NEXT, NEXT)] * 5]


async def test_a_schema_too_old_is_refused_in_a_sentence(empty):
    with pytest.raises(
        DatabaseTooOld, match=f"schema qpq_auth is at step 0, this program needs {NOW}: run `qpqctl migrate`"
    ):
        async with open_postgres(empty, AUTH):
            pass


async def test_a_step_that_only_adds_leaves_older_programs_at_work(empty):
    await trio.to_thread.run_sync(migrate, empty, [after(ADDS)])
    async with open_postgres(empty, AUTH) as database:
        assert await database.read(lambda c: c.fetchval("SELECT count(*) FROM names")) == 0


async def test_a_step_that_takes_away_shuts_older_programs_out(empty):
    assert (programs_from(ADDS), programs_from(TAKES_AWAY)) == (0, NEXT)
    await trio.to_thread.run_sync(migrate, empty, [after(TAKES_AWAY)])
    with pytest.raises(
        DatabaseTooNew, match=f"programs that know step {NEXT} can use; this one knows {NOW}: use the newer"
    ):
        async with open_postgres(empty, AUTH):
            pass
    with pytest.raises(DatabaseTooNew, match=f"is at step {NEXT}, this program knows {NOW}"):
        await trio.to_thread.run_sync(migrate, empty, [AUTH])


def test_a_step_that_fails_leaves_the_one_before(empty):
    migrate(empty, [AUTH])
    broken = Migration(NEXT, "ALTER TABLE names ADD COLUMN more bigint; SELECT 1/0;")
    with pytest.raises(Exception, match="division by zero"):
        migrate(empty, [after(broken)])
    assert look(empty, AUTH) == NOW
    assert [o.after for o in migrate(empty, [after(ADDS)])] == [NEXT]


async def test_a_service_reads_and_writes_its_own_and_nothing_else(postgres, fresh_postgres):
    name = fresh_postgres.rsplit("/", 1)[1]
    for service in SERVICES:
        schema = schema_of(service)
        async with open_postgres(postgres.url(name, f"qpq_{service}"), schema) as database:
            newest = await database.read(lambda c: c.fetchval("SELECT max(number) FROM migrations"))
            assert newest == schema.migrations[-1].number
            other = "qpq_delivery.log" if service != "delivery" else "qpq_auth.accounts"
            for forbidden in (f"SELECT 1 FROM {other}", "CREATE TABLE mine (a int)", "DELETE FROM migrations"):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await database.read(lambda c, what=forbidden: c.execute(what))
    async with open_postgres(postgres.url(name, "qpq_auth"), AUTH) as database:
        await database.read(lambda c: c.execute("INSERT INTO names (name, account) VALUES ('alice', '')"))
        database.owe_vacuum("names")
        await database.vacuum()


async def test_a_database_that_is_away_is_no_reason_not_to_start(postgres):
    async with open_postgres(postgres.url("nowhere"), AUTH) as database:
        with pytest.raises(Refusal) as no:
            await database.read(lambda c: c.fetchval("SELECT 1"))
        assert no.value.code is ErrorCode.UNAVAILABLE
        assert database.away == "InvalidCatalogNameError"


async def test_a_schema_that_does_not_fit_after_a_start_without_it_is_told_until_it_does(postgres, monkeypatch):
    monkeypatch.setattr(limits, "AWAY_SECONDS", 0)
    async with open_postgres(postgres.url("test_later"), AUTH) as database:

        async def code():
            with pytest.raises(Refusal) as no:
                await database.read(lambda c: c.fetchval("SELECT 1"))
            return no.value.code

        assert await code() is ErrorCode.UNAVAILABLE
        await trio.to_thread.run_sync(postgres.fresh, "test_later", "template1")
        try:
            assert await code() is ErrorCode.UNAVAILABLE
            assert database.away.startswith("schema qpq_auth is at step 0")
            await trio.to_thread.run_sync(migrate, postgres.url("test_later"), [AUTH])
            assert await database.read(lambda c: c.fetchval("SELECT 1")) == 1
            assert database.away == ""
        finally:
            await trio.to_thread.run_sync(postgres.drop, "test_later")


async def test_an_address_that_is_none_is_said_so():
    with pytest.raises(DatabaseError, match="database_url cannot be used"):
        async with open_postgres("nonsense://", AUTH):
            pass


def test_the_operators_tool_migrates_checks_and_lists(empty, tmp_path):
    def ctl(*arguments, **more):
        environment = {"QPQ_STORE_BACKEND": "postgres", "QPQ_DATABASE_URL": empty, **more}
        return CliRunner(env=environment).invoke(main, ["--data-dir", str(tmp_path), *arguments])

    before = ctl("check")
    assert before.exit_code == 1
    assert f"auth: schema qpq_auth is at step 0, this program needs {NOW}: run `qpqctl migrate`" in before.output
    (tmp_path / "passwords").mkdir()
    for service in SERVICES:
        (tmp_path / "passwords" / service).write_text("it's secret\n")
    done = ctl("migrate", "--passwords", str(tmp_path / "passwords"))
    assert (done.exit_code, done.output.splitlines()[0]) == (0, f"qpq_auth: step 0 to {NOW}")
    assert ctl("migrate").output.splitlines()[0] == f"qpq_auth: step {NOW}"
    assert ctl("check").output.splitlines()[0] == f"auth: ok, schema {NOW}"
    assert ctl("user", "list").output == ""
    (tmp_path / "url").write_text(empty + "\n")
    assert ctl("check", QPQ_DATABASE_URL="", QPQ_DATABASE_URL_FILE=str(tmp_path / "url")).exit_code == 0
    away = ctl("migrate", QPQ_DATABASE_URL="postgresql://qpq@127.0.0.1:1/nowhere")
    assert (away.exit_code, "cannot be reached" in away.output) == (1, True)


def test_a_database_that_cannot_be_reached_is_said_so():
    with pytest.raises(DatabaseAway, match="cannot be reached"):
        migrate("postgresql://qpq@127.0.0.1:1/nowhere", [AUTH])


# --- roles


STRANGE = replace(AUTH, service="strange")
"""A schema whose role nobody has made yet."""


@pytest.fixture
def humble(postgres, empty):
    """Return the address of an empty database, as a user who may make schemas there, and no roles."""
    name = empty.rsplit("/", 1)[1]
    postgres.sql(name, "CREATE ROLE humble LOGIN", f"GRANT CREATE ON DATABASE {name} TO humble")
    yield postgres.url(name, "humble")
    postgres.sql(name, "DROP OWNED BY humble", "DROP ROLE humble")


@pytest.fixture
def no_role(postgres, empty):
    """Leave no role behind: roles are of all databases."""
    yield
    postgres.sql(empty.rsplit("/", 1)[1], "DROP OWNED BY qpq_strange", "DROP ROLE qpq_strange")


def test_who_may_make_no_roles_is_told_to_and_can_leave_them_out(humble):
    with pytest.raises(DatabaseError, match="role qpq_strange is missing, and this user may not create it"):
        migrate(humble, [STRANGE])
    assert [o.after for o in migrate(humble, [STRANGE], roles=False)] == [NOW]


def test_a_database_that_is_only_read_gets_no_roles(postgres, empty):
    """So is a standby."""
    name = empty.rsplit("/", 1)[1]
    postgres.sql(name, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    with pytest.raises(
        DatabaseError, match="cannot be migrated: cannot execute CREATE ROLE in a read-only transaction"
    ):
        migrate(empty, [STRANGE])


@pytest.mark.usefixtures("no_role")
def test_a_role_made_at_this_moment_beside_another_database_is_taken(postgres, empty):
    """Whoever migrates another database has made it and not committed: it is not seen yet, and cannot be made either."""

    waits = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CREATE ROLE%' AND wait_event_type = 'Lock'"

    async def race():
        beside, watch = await asyncpg.connect(postgres.url("postgres")), await asyncpg.connect(empty)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS), beside.transaction():
                await beside.execute("CREATE ROLE qpq_strange LOGIN")
                ours = asyncio.create_task(asyncio.to_thread(migrate, empty, [STRANGE]))
                while not await watch.fetchval(waits):
                    assert not ours.done(), "it was to wait for the other"
            return await ours
        finally:
            await beside.close()
            await watch.close()

    assert [(o.before, o.after) for o in asyncio.run(race())] == [(0, NOW)]


class Old:
    """A connection to a PostgreSQL of some version; notes what is said to it."""

    def __init__(self, major):
        self._major = major
        self.said = []

    def get_server_version(self):
        return SimpleNamespace(major=self._major)

    async def execute(self, statement):
        self.said.append(statement)


@pytest.mark.parametrize(("major", "maintains"), [(16, False), (17, True)])
async def test_the_right_to_vacuum_is_given_where_there_is_one(major, maintains):
    connection = Old(major)
    await grant(connection, "qpq_auth")
    assert [s for s in connection.said if "MAINTAIN" in s] == [
        "GRANT SELECT, INSERT, UPDATE, DELETE, MAINTAIN ON ALL TABLES IN SCHEMA qpq_auth TO qpq_auth"
    ] * maintains
    assert any("SELECT, INSERT, UPDATE, DELETE" in s for s in connection.said)
