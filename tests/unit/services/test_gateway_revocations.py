"""A revocation at the edge: whether it comes before, after or long after the assertion that it ends."""

from __future__ import annotations

import pytest

from qpqcore.bus.notices import REVOCATIONS_MAX, REVOKED_ACCOUNT, REVOKED_DEVICE, REVOKED_SESSION
from qpqcore.crypto.assertion import LIFETIME_MS, SKEW_MS, AssertionIssuer
from qpqcore.model.call import Caller, CallerKind
from qpqgateway.peer import Peers

CALLER = Caller(CallerKind.ACCOUNT, account=b"account", device=b"device", session=b"session")
KINDS = [(REVOKED_SESSION, b"session"), (REVOKED_DEVICE, b"device"), (REVOKED_ACCOUNT, b"account")]
NOW_MS = 10**12


class Connection:
    remote_address = ("10.0.0.2", 1)

    def set_frame_limit(self, frame_bytes):
        pass

    def set_window(self, window_bytes):
        pass


def issued(now_ms, caller=CALLER):
    return AssertionIssuer({1: bytes(32)}, "auth").issue(caller, now_ms)


@pytest.fixture
def peers():
    return Peers(anonymous_frame_bytes=1, frame_bytes=2)


@pytest.mark.parametrize(("kind", "ident"), KINDS)
def test_it_ends_what_is_bound_already(peers, kind, ident):
    peer, other = peers.add(Connection()), peers.add(Connection())
    peers.bind(peer, issued(NOW_MS))
    peers.bind(other, issued(NOW_MS, Caller(CallerKind.ACCOUNT, account=b"a", device=b"d", session=b"s")))
    assert peers.revoke(kind, ident, NOW_MS + 1) == 1
    assert (peer.assertion, bool(other.assertion)) == (b"", True)


@pytest.mark.parametrize(("kind", "ident"), KINDS)
def test_an_assertion_made_before_it_and_brought_after_it_is_not_carried(peers, kind, ident):
    """Auth answered a resume, then revoked; the revocation took the quicker way."""
    peer = peers.add(Connection())
    assert peers.revoke(kind, ident, NOW_MS) == 0
    peers.bind(peer, issued(NOW_MS))
    assert peer.assertion == b""


@pytest.mark.parametrize(("kind", "ident"), KINDS[1:])
def test_what_is_made_after_it_is_carried_and_not_ended_when_it_is_read_again(peers, kind, ident):
    """An account that was suspended is open again; the record of the suspension is still read after a lost connection."""
    peer = peers.add(Connection())
    peers.revoke(kind, ident, NOW_MS)
    peers.bind(peer, issued(NOW_MS + SKEW_MS + 1))
    assert peer.assertion
    assert peers.revoke(kind, ident, NOW_MS) == 0
    assert peer.assertion


def test_a_session_never_comes_back(peers):
    peer = peers.add(Connection())
    peers.revoke(REVOKED_SESSION, b"session", NOW_MS)
    peers.bind(peer, issued(NOW_MS + LIFETIME_MS))
    assert peer.assertion == b""


def test_clocks_that_differ_save_nobody(peers):
    """The clock of who made the assertion is ahead of that of who revoked."""
    peer = peers.add(Connection())
    peers.bind(peer, issued(NOW_MS + SKEW_MS))
    assert peers.revoke(REVOKED_ACCOUNT, b"account", NOW_MS) == 1


def test_what_is_remembered_is_bounded(peers):
    for number in range(REVOCATIONS_MAX + 10):
        peers.revoke(REVOKED_SESSION, b"%d" % number, NOW_MS)
    assert len(peers._revoked) == REVOCATIONS_MAX
