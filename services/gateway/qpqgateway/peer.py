"""What the gateway knows of one connection, and the table by which a revocation finds it."""

from __future__ import annotations

import secrets
from collections import OrderedDict, defaultdict
from typing import TYPE_CHECKING

from qpqcore.bus.notices import REVOCATIONS_MAX, REVOKED_ACCOUNT, REVOKED_DEVICE, REVOKED_SESSION
from qpqcore.crypto.assertion import LIFETIME_MS, SKEW_MS, read_claims
from qpqcore.model.call import ANONYMOUS, Caller
from qpqcore.wire.envelope import CHALLENGE_BYTES
from qpqgateway.rules import limit_address
from trio_quic import Limits

if TYPE_CHECKING:
    from qpqcore.bus.notices import Subscription
    from qpqcore.crypto.assertion import Claims
    from trio_quic import QuicConnection

WINDOW_BYTES = Limits().connection_window_bytes
"""What a connection may send after log-in; before, it is `Config.anonymous_window_bytes`."""
ENDED = b"ended"
"""Put into a connection's subscriptions when its session is over."""


class Peer:
    """One connection: its challenge, and the assertion it carries for its session."""

    def __init__(self, connection: QuicConnection) -> None:
        self.connection = connection
        self.challenge = secrets.token_bytes(CHALLENGE_BYTES)
        self.address = limit_address(connection.remote_address[0])
        self.assertion = b""
        self.caller: Caller = ANONYMOUS
        self.expiry_ms = 0
        self.subscriptions: set[Subscription] = set()


class Peers:
    """All connections, by session, device and account."""

    def __init__(self, *, anonymous_frame_bytes: int, frame_bytes: int) -> None:
        self._frame_bytes = (anonymous_frame_bytes, frame_bytes)
        self.all: dict[QuicConnection, Peer] = {}
        self._by_id: defaultdict[tuple[int, bytes], set[Peer]] = defaultdict(set)
        self._revoked: OrderedDict[tuple[int, bytes], int] = OrderedDict()
        """When each was: an assertion may come here later than the revocation of what it was made for."""

    def add(self, connection: QuicConnection) -> Peer:
        """Begin with a connection; anonymous."""
        peer = self.all[connection] = Peer(connection)
        connection.set_frame_limit(self._frame_bytes[0])
        return peer

    def drop(self, connection: QuicConnection) -> None:
        """Forget a connection."""
        peer = self.all.pop(connection, None)
        if peer is not None:
            self._unbind(peer)

    def is_known(self, connection: QuicConnection) -> bool:
        """Whether somebody is logged in."""
        peer = self.all.get(connection)
        return peer is not None and bool(peer.assertion)

    def bind(self, peer: Peer, assertion: bytes) -> None:
        """Let a connection carry an assertion; an empty one, or one that was revoked meanwhile, ends its session here."""
        session = peer.caller.session
        if assertion and self._is_revoked(read_claims(assertion)):
            assertion = b""
        self._unbind(peer)
        if assertion:
            claims = read_claims(assertion)
            peer.assertion, peer.caller, peer.expiry_ms = assertion, claims.caller, claims.expiry_ms
            for key in self._keys(peer.caller):
                self._by_id[key].add(peer)
        if peer.caller.session != session:
            for subscription in peer.subscriptions:
                subscription.put_nowait(ENDED)
        if peer.connection in self.all:
            peer.connection.set_frame_limit(self._frame_bytes[1 if assertion else 0])
            if assertion:
                peer.connection.set_window(WINDOW_BYTES)

    def _unbind(self, peer: Peer) -> None:
        for key in self._keys(peer.caller):
            found = self._by_id.get(key)
            if found is not None:
                found.discard(peer)
                if not found:
                    del self._by_id[key]
        peer.assertion, peer.caller, peer.expiry_ms = b"", ANONYMOUS, 0

    @staticmethod
    def _keys(caller: Caller) -> list[tuple[int, bytes]]:
        ids = ((REVOKED_SESSION, caller.session), (REVOKED_DEVICE, caller.device), (REVOKED_ACCOUNT, caller.account))
        return [(kind, ident) for kind, ident in ids if ident]

    def _is_revoked(self, claims: Claims) -> bool:
        """A session never comes back; a device or an account might, with an assertion made after it."""
        for key in self._keys(claims.caller):
            at_ms = self._revoked.get(key)
            if at_ms is not None and (key[0] == REVOKED_SESSION or claims.expiry_ms - LIFETIME_MS <= at_ms):
                return True
        return False

    def revoke(self, kind: int, ident: bytes, at_ms: int) -> int:
        """End the sessions that a revocation names, heard of now or read later; return how many connections had one."""
        self._revoked[kind, ident] = at_ms
        if len(self._revoked) > REVOCATIONS_MAX:
            self._revoked.popitem(last=False)
        hit = [p for p in self._by_id.get((kind, ident), ()) if p.expiry_ms - LIFETIME_MS <= at_ms + SKEW_MS]
        for peer in hit:
            self.bind(peer, b"")
        return len(hit)
