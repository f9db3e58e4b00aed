"""Twenty seeded SIGKILLs of server and clients under traffic; the histories show nothing lost, doubled or forked."""

from __future__ import annotations

import trio

from tools import kills

SEED = 3
KILLS = 20


def test_twenty_kills_lose_double_and_fork_nothing(tmp_path):
    outcome = trio.run(kills.run, tmp_path, SEED, KILLS)
    assert outcome.verdict.findings == []
    assert outcome.victims.total() == outcome.in_flight == KILLS
    assert set(outcome.victims) == {kills.SERVER, *kills.PEOPLE}
    assert outcome.verdict.sent > KILLS
    assert outcome.epochs > KILLS // 2
