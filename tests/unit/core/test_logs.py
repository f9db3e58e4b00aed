"""What could name somebody does not reach the log, whatever the caller meant."""

from __future__ import annotations

from qpqcore.obs.logs import FORBIDDEN_KEYS, drop_identifying


def test_identifying_fields_are_taken_out_of_every_event():
    event = dict.fromkeys(FORBIDDEN_KEYS, "somebody") | {"event": "call_refused", "code": "NOT_MEMBER"}
    assert drop_identifying(None, "info", event) == {"event": "call_refused", "code": "NOT_MEMBER"}
    assert {"name", "address", "account", "device"} <= FORBIDDEN_KEYS
