"""Clocks of our own machines that differ by more than is allowed: calls wait, and nobody is logged out."""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest
import structlog
import trio

import qpqclient
from qpqcore.api.delivery import PeekParams, PeekResult
from qpqcore.config.settings import Settings
from qpqcore.model.errors import ErrorCode
from qpqcore.runtime.clock import now_ms
from qpqserver.embedded import Surroundings
from tests.support.constellation import open_constellation
from tests.support.people import people, settle, texts

PATIENCE_SECONDS = 120
MINUTES_MS = 10 * 60 * 1000
"""Twice as long as an assertion lives."""


@pytest.mark.parametrize("away_ms", [-MINUTES_MS, MINUTES_MS], ids=["behind", "ahead"])
async def test_auth_s_clock_is_wrong_for_a_while_and_nobody_has_to_log_in_again(tmp_path, away_ms):
    wrong_ms = 0

    def auths_clock():
        return now_ms() + wrong_ms

    settings = Settings(listen="127.0.0.1:0", data_dir=str(tmp_path / "server"))
    opened = open_constellation(settings, Surroundings(), clocks={"auth": auths_clock})
    with trio.fail_after(PATIENCE_SECONDS), structlog.testing.capture_logs() as said:
        async with opened as server, AsyncExitStack() as stack:
            server.where = "127.0.0.1:%d" % server.endpoint.address[1]
            alice, bob = await people(stack, server, tmp_path, "alice", "bob")
            direct = await alice.dm("bob")
            await direct.send("before")
            await settle(alice, bob)
            wrong_ms = away_ms
            for peer in server.gateway._peers.all.values():
                peer.expiry_ms = 0  # as if the sessions' assertions ended now: they are renewed at the next call
            await direct.send("meanwhile")
            with pytest.raises(qpqclient.Refused) as no:
                await (await alice._core.wire.link()).call(PeekParams(), PeekResult)
            assert no.value.code is ErrorCode.UNAVAILABLE
            assert [s["issuer"] for s in said if s["event"] == "clocks_differ"]
            wrong_ms = 0
            await settle(alice, bob)
            (theirs,) = bob.conversations()
            assert texts(theirs) == ["before", "meanwhile"]
