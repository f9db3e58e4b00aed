"""Which secrets a process is given."""

from __future__ import annotations

import pytest

from qpqcore.api.methods import SERVICES
from qpqserver import secrecy
from qpqserver.sharing import SEAL


@pytest.mark.parametrize("service", SERVICES.values())
def test_every_process_can_share_notices_and_limits(service):
    # Each opens them where a redis_url is set; one without the key of their seal would not start.
    assert SEAL in secrecy.needed(service)
