"""What services do beside their calls goes on soon after what kept it from being done."""

from __future__ import annotations

import structlog
import trio

from qpqcore.bus.background import AGAIN_SECONDS_MAX, repeat
from qpqcore.model.errors import ErrorCode, Refusal

PERIOD_SECONDS = 600.0
AWAY_SECONDS = 60.0


async def rounds_until(end_s, work):
    """Return when rounds began."""
    begun = []

    async def one():
        begun.append(trio.current_time())
        await work(trio.current_time())

    with trio.move_on_at(end_s):
        await repeat("tests", PERIOD_SECONDS, one)
    return begun


async def test_a_database_that_was_away_is_asked_again_soon_and_not_a_period_later(autojump_clock):
    back_s = trio.current_time() + AWAY_SECONDS

    async def work(now_s):
        if now_s < back_s:
            raise Refusal(ErrorCode.UNAVAILABLE)

    with structlog.testing.capture_logs() as said:
        begun = await rounds_until(back_s + PERIOD_SECONDS, work)
    done = [at for at in begun if at >= back_s]
    assert done[0] - back_s <= AGAIN_SECONDS_MAX
    assert len(done) == 1  # and then in its own time
    # Not asked all the time meanwhile, and said once.
    assert len(begun) <= 2 + AWAY_SECONDS / AGAIN_SECONDS_MAX + 5
    assert [s["event"] for s in said] == ["background_work_waits"]


async def test_what_is_well_is_done_in_its_own_time(autojump_clock):
    begun_s = trio.current_time()

    async def work(now_s):
        await trio.lowlevel.checkpoint()

    begun = await rounds_until(begun_s + 2.5 * PERIOD_SECONDS, work)
    assert [at - begun_s for at in begun] == [0.0, PERIOD_SECONDS, 2 * PERIOD_SECONDS]
