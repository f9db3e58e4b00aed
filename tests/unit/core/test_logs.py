"""What could name somebody does not reach the log, whatever the caller meant."""

from __future__ import annotations

import structlog

from qpqcore.obs.logs import FORBIDDEN_KEYS, LINES_PER_SECOND_MAX, LineLimit, drop_identifying


def test_identifying_fields_are_taken_out_of_every_event():
    event = dict.fromkeys(FORBIDDEN_KEYS, "somebody") | {"event": "call_refused", "code": "NOT_MEMBER"}
    assert drop_identifying(None, "info", event) == {"event": "call_refused", "code": "NOT_MEMBER"}
    assert {"name", "address", "account", "device"} <= FORBIDDEN_KEYS


def test_one_event_does_not_fill_the_log():
    now = [100.0]
    limit = LineLimit(lambda: now[0])

    def passed(name, count):
        return sum(1 for _ in range(count) if _passes(limit, {"event": name}))

    assert passed("call_refused", 3 * LINES_PER_SECOND_MAX) == LINES_PER_SECOND_MAX
    assert passed("draining", 1) == 1
    now[0] += 1
    assert limit(None, "info", {"event": "call_refused"}) == {
        "event": "call_refused",
        "left_out": 2 * LINES_PER_SECOND_MAX,
    }
    assert limit(None, "info", {"event": "call_refused"}) == {"event": "call_refused"}
    assert passed("call_refused", 3 * LINES_PER_SECOND_MAX) == LINES_PER_SECOND_MAX - 2


def _passes(limit, event):
    try:
        limit(None, "info", event)
    except structlog.DropEvent:
        return False
    return True
