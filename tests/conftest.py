"""Fixtures that several parts share."""

from __future__ import annotations

from contextlib import asynccontextmanager
from pathlib import Path
from typing import get_args
from uuid import uuid4

import pytest
import structlog
import trio
from hypothesis import settings as hypothesis_settings
from structlog.processors import add_log_level

from qpqcore.config.settings import Settings
from tests.support import constellation, domains, forms, servers, world
from tests.support.citus import TEMPLATE as CITUS_TEMPLATE
from tests.support.citus import URL as CITUS_URL
from tests.support.citus import alone, ask, check, make_template
from tests.support.forms import STORES, Form
from tests.support.postgres import QUICK, ended, started
from tools.redis_server import RedisServer, redis_server
from trio_quic import EngineName

PATIENCE_SECONDS = 60
CITUS_SAID = (
    "Citus: the stores' contract runs on QPQ_TEST_CITUS as well."
    if CITUS_URL
    else "Citus: NOT TESTED, only a stand-in (tests/support/citus.py). QPQ_TEST_CITUS=postgresql://owner@coordinator/database"
    " runs the stores' contract on a real one, which is emptied (docs/operate/postgresql.md#citus)."
)

# A busy machine is slow, not wrong: no example has a time limit of its own. The suite tries the same examples each time;
# `--hypothesis-profile search` looks for new ones.
hypothesis_settings.register_profile("qpq", deadline=None, derandomize=True)
hypothesis_settings.register_profile("search", deadline=None, max_examples=2_000)
hypothesis_settings.load_profile("qpq")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the integration suite be played in each form, and the oracle's own tests on either QUIC engine."""
    parser.addoption("--store", choices=STORES, default="sql", help="of the servers that tests start")
    parser.addoption("--quic-engine", choices=get_args(EngineName), default="native", help="of tests/oracle's stories")
    parser.addoption(
        "--bus",
        choices=sorted(constellation.FORMS),
        default="local",
        help="of servers in tests/integration, tests/federation and tests/cli",
    )
    parser.addoption(
        "--spread",
        action="store_true",
        help="play tests/integration and tests/federation in all forms, each test in one",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Have each failure said when it happens: a run that is cut off tells what it found."""
    config.pluginmanager.register(SaysAtOnce(config))
    # Not with the variables of each frame, which is structlog's own way: reading them while other threads go on may fail.
    structlog.configure(
        processors=[add_log_level, structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    )
    constellation.chosen = config.getoption("--bus")
    servers.stored.in_postgres = config.getoption("--store") == "postgres"


def pytest_report_header() -> list[str]:
    """Say what is left out."""
    return [CITUS_SAID]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say it once more at the end, where it is read."""
    terminalreporter.write_line(CITUS_SAID)


def pytest_unconfigure(config: pytest.Config) -> None:
    """End what tests of the command line have started for all."""
    del config
    servers.stored.end()


class SaysAtOnce:
    """Writes a line for each failure while the run goes on."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Write the line."""
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        if report.failed and terminal:
            crash = getattr(report.longrepr, "reprcrash", None)
            terminal.write_line(
                f"\n{report.nodeid} failed in {report.when}: {crash.message if crash else report.longrepr}"
            )


@pytest.fixture(scope="session")
def postgres():
    """Return a PostgreSQL that runs as long as the tests do, with the schemas' template in it."""
    server = started(**QUICK)
    try:
        server.make_template()
        yield server
    finally:
        ended(server)


@pytest.fixture
def fresh_postgres(postgres):
    """Return the address of a database of the test's own, with every service's schema."""
    name = postgres.lend()
    yield postgres.url(name)
    postgres.give_back(name)


@pytest.fixture(scope="session")
def citus(postgres):
    """Return the same server with the template of a distributed database in it (tests/support/citus.py)."""
    make_template(postgres)
    return postgres


@pytest.fixture
def fresh_citus(citus):
    """Return the address of a database that the stand-in for Citus distributes; what came to a wrong node is a failure."""
    url = citus.url(name := citus.lend(CITUS_TEMPLATE))
    ask(url, "TRUNCATE stand_in.writes")
    yield url
    check(url)
    citus.give_back(name)


@pytest.fixture
def real_citus():
    """Return the address of the real Citus that QPQ_TEST_CITUS names, emptied, while no other test has it."""
    with alone(CITUS_URL):
        yield CITUS_URL


@pytest.fixture
def own_citus(citus):
    """Return the address of one whose nodes a test may move, or cut off."""
    name = citus.fresh(f"citus_{uuid4().hex}", CITUS_TEMPLATE)
    yield citus.url(name)
    citus.drop(name)


@pytest.fixture
def form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Form:
    """Return the form in which a test's servers run: as `--store` and `--bus` say, or with `--spread` its own."""
    config = request.config
    found = Form(config.getoption("--store"), config.getoption("--bus"))
    if config.getoption("--spread") and request.node.nodeid.startswith(forms.SPREAD):
        found = forms.form_of(request.node.nodeid)
    monkeypatch.setattr(constellation, "chosen", found.bus)
    return found


@pytest.fixture
def stored(request: pytest.FixtureRequest, form: Form):
    """Return the settings by which a server keeps what it keeps, as its form says: SQLCipher files, or PostgreSQL."""
    if form.store == "sql":
        return {}
    return {"store_backend": "postgres", "database_url": request.getfixturevalue("fresh_postgres")}


@pytest.fixture
def serving(tmp_path: Path, stored):
    """Return a context manager that runs a server, in the test's form, in a folder of the test's own."""

    @asynccontextmanager
    async def run(**overrides):
        settings = Settings(listen="127.0.0.1:0", data_dir=str(tmp_path / "server"), **stored, **overrides)
        with trio.fail_after(PATIENCE_SECONDS):
            async with constellation.open_server(settings) as server:
                server.where = "127.0.0.1:%d" % server.endpoint.address[1]
                yield server

    return run


@pytest.fixture(scope="session")
def world_on(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    """Return a function that gives the folder of a world on a store, which nobody may change: made when it is first asked
    for. On PostgreSQL the database `world` belongs to it.
    """
    made: dict[str, Path] = {}

    def on(store: str) -> Path:
        if store not in made:
            stored = {}
            if store == "postgres":
                server = request.getfixturevalue("postgres")
                stored = {"store_backend": "postgres", "database_url": server.url(server.fresh("world"))}
            folder = tmp_path_factory.mktemp("world")
            world.build(folder, stored)
            made[store] = folder
        return made[store]

    return on


@pytest.fixture
def built_world(world_on, form: Form) -> Path:
    """Return the folder of the world on the store of the test's form."""
    return world_on(form.store)


@pytest.fixture
def open_world(request: pytest.FixtureRequest, built_world: Path, form: Form, tmp_path: Path):
    """Return a function that opens a copy of the world: `async with open_world() as w`."""
    stored, name = {}, ""
    if form.store == "postgres":
        server = request.getfixturevalue("postgres")
        name = server.fresh(f"world_{uuid4().hex}", template="world")
        stored = {"store_backend": "postgres", "database_url": server.url(name)}

    def opened(**settings):
        folder = tmp_path / "world"
        return world.World(folder if folder.exists() else world.copy(built_world, folder), **stored, **settings)

    yield opened
    if name:
        server.drop(name)


@pytest.fixture
def open_domains(request: pytest.FixtureRequest, form: Form, tmp_path: Path):
    """Return a function that runs the servers of some domains, each with a store of its own, in the test's form:
    `async with open_domains(NAMES) as domains`.
    """
    lent: list[str] = []

    def store():
        if form.store == "sql":
            return {}
        server = request.getfixturevalue("postgres")
        lent.append(server.lend())
        return {"store_backend": "postgres", "database_url": server.url(lent[-1])}

    def opened(names=domains.NAMES[:2], **overrides):
        given = {name: store() | overrides.get(name, {}) for name in names}
        return domains.open_domains(tmp_path, names, **given)

    yield opened
    for name in lent:
        request.getfixturevalue("postgres").give_back(name)


@pytest.fixture(scope="session")
def kept_redis(tmp_path_factory: pytest.TempPathFactory):
    """Run a Redis server for those tests that do it no harm."""
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def redis(kept_redis: RedisServer) -> RedisServer:
    """Return it, emptied."""
    kept_redis.command("FLUSHALL")
    return kept_redis


@pytest.fixture
def own_redis(tmp_path: Path):
    """Run a Redis server that a test may harm."""
    with redis_server(tmp_path) as server:
        yield server


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait longer for an answer of Redis: a busy machine is slow, not away."""
    monkeypatch.setattr(
        "qpqcore.bus.redis.limits.ANSWER_SECONDS", PATIENCE_SECONDS
    )  # imported late: it costs half a second
