"""Assertions: remembered until they end, and no longer."""

from __future__ import annotations

import pytest

from qpqcore.crypto.assertion import LIFETIME_MS, SKEW_MS, AssertionIssuer, AssertionVerifier
from qpqcore.model.call import Caller, CallerKind
from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.model.ids import AccountId, DeviceId

KEY = b"k" * 32
SERVICE = 2
STEP_MS = 1_000


def test_a_verifier_holds_no_more_than_what_has_not_ended():
    issuer = AssertionIssuer({SERVICE: KEY}, "auth")
    verifier = AssertionVerifier(SERVICE, {(CallerKind.ACCOUNT, "auth"): KEY})
    most = (LIFETIME_MS + SKEW_MS) // STEP_MS
    for number in range(3 * most):
        session = number.to_bytes(4)
        caller = Caller(
            CallerKind.ACCOUNT, AccountId(b"a" * 16 + b"localhost"), DeviceId(b"d" * 16 + b"localhost"), session
        )
        assert verifier.verify(issuer.issue(caller, number * STEP_MS), number * STEP_MS) == caller
        assert len(verifier._known) <= most
    assert len(verifier._known) == most


def test_one_that_has_run_out_is_the_server_s_trouble_and_one_that_is_not_genuine_the_caller_s():
    """Whoever carries one renews it in time: if it has run out all the same, clocks differ, and no session is over."""
    caller = Caller(CallerKind.ACCOUNT, AccountId(b"a" * 16 + b"localhost"), DeviceId(b"d" * 16 + b"localhost"), b"s")
    verifier = AssertionVerifier(SERVICE, {(CallerKind.ACCOUNT, "auth"): KEY})
    issued = AssertionIssuer({SERVICE: KEY}, "auth").issue(caller, 0)
    assert verifier.verify(issued, LIFETIME_MS + SKEW_MS - 1) == caller
    for _ in range(2):  # remembered and not
        with pytest.raises(Refusal) as no:
            verifier.verify(issued, LIFETIME_MS + SKEW_MS)
        assert no.value.code is ErrorCode.UNAVAILABLE
        assert no.value.retry_after_ms
    with pytest.raises(Refusal) as no:
        verifier.verify(AssertionIssuer({SERVICE: b"x" * 32}, "auth").issue(caller, 0), 0)
    assert no.value.code is ErrorCode.UNAUTHENTICATED
