"""Assertions: remembered until they end, and no longer."""

from __future__ import annotations

from qpqcore.crypto.assertion import LIFETIME_MS, SKEW_MS, AssertionIssuer, AssertionVerifier
from qpqcore.model.call import Caller, CallerKind
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
