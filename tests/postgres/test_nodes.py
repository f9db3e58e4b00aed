"""Each batch goes to the node that owns its rows; a route that is old, or a node that is away, costs time and nothing else.

On a stand-in for Citus: tests/support/citus.py says what it is, and what it does not show.
"""

from __future__ import annotations

import pytest

from tests.postgres.test_delivery import all_of, opened
from tests.contract.test_delivery_store import ALICE, BOB, CAROL, CHANNEL, begin, message, put
from tests.support import citus


async def test_messages_and_mailboxes_go_to_the_nodes_that_own_them(fresh_citus):
    async with opened(fresh_citus) as store:
        await begin(store)
        for n in range(5):
            await put(store, message(b"%d" % n))
        assert [e[0] for e in await all_of(store, BOB)] == list(range(1, 7))
        routes = store._db.load.routes
    owner = citus.ask(fresh_citus, citus.OWNER, "qpq_delivery.heads", CHANNEL)[0][0]
    assert [row[0] for row in citus.ask(fresh_citus, citus.BY, "qpq_delivery.log")] == [owner]
    assert {row[0] for row in citus.ask(fresh_citus, citus.BY, "qpq_delivery.entries")} <= set(citus.WORKERS)
    assert routes.owner > 10
    assert routes.coordinator == 0
