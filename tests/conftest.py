"""Fixtures that several parts share."""

from __future__ import annotations

from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from hypothesis import settings as hypothesis_settings

from qpqcore.config.settings import Settings
from qpqserver.embedded import open_embedded

PATIENCE_SECONDS = 60

# A busy machine is slow, not wrong: no example has a time limit of its own.
hypothesis_settings.register_profile("qpq", deadline=None)
hypothesis_settings.load_profile("qpq")


@pytest.fixture
def serving(tmp_path: Path):
    """Return a context manager that runs an embedded server in a folder of the test's own."""

    @asynccontextmanager
    async def run(**overrides):
        settings = Settings(listen="127.0.0.1:0", data_dir=str(tmp_path / "server"), **overrides)
        with trio.fail_after(PATIENCE_SECONDS):
            async with open_embedded(settings) as server:
                server.where = "127.0.0.1:%d" % server.endpoint.address[1]
                yield server

    return run
