"""A client whose address changes behind its back goes on with what it was doing, on the same connection.

`python -m tests.conformance.moving` does the same with 50 MB, and prints how long it takes to go on.
"""

from __future__ import annotations

import pytest

from tests.conformance import moving

DOWNLOAD_BYTES = 2_000_000


@pytest.fixture(params=moving.ENGINES)
def engine(request):
    return request.param


async def test_in_the_middle_of_a_download(engine, tmp_path):
    found = await moving.sdk_download(engine, DOWNLOAD_BYTES, tmp_path)
    assert found.connections == 1


async def test_in_the_middle_of_a_subscription(engine, tmp_path):
    found = await moving.sdk_subscription(engine, tmp_path)
    assert found.connections == 1
