"""The aioquic engine's face: what the application asks, answered as the `Engine` protocol says."""

# ruff: noqa: SLF001 - aioquic has no public way to these names

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import Encoding

from trio_quic.addresses import unpack
from trio_quic.engine import GONE

from . import trust
from .bounds import BoundedConnection
from .connections import MICROSECONDS, Connections

if TYPE_CHECKING:
    from collections.abc import Callable

    from trio_quic.configuration import ClientTls

    from .peer import Peer


class AioquicEngine(Connections):
    """`trio_quic.engine.Engine` over aioquic; the protocol documents the methods."""

    # --- connections

    def connect(self, address: bytes, server_name: str, now_us: int) -> int:
        self._now_us = now_us
        client: ClientTls | None = self._configuration.client
        if client is None:
            raise ValueError("the engine has no client configuration")
        made = trust.client_configuration(self._configuration, client, server_name)
        with self._randomness():
            connection = BoundedConnection(
                self._limits, self._groups, False, self._configuration.worker, configuration=made
            )
            connection.connect(unpack(address), now_us / MICROSECONDS)
        return self._insert(connection, address, is_server=False)

    def close(self, connection: int, code: int, reason: bytes, now_us: int) -> None:
        self._now_us = now_us

        def work(peer: Peer) -> None:
            if not peer.over:
                peer.connection.close(error_code=code, reason_phrase=reason.decode("utf-8", "replace"))
                self._leave_opening(peer, failed=True)
                peer.end("local", 0, "closed here")

        self._guarded(connection, work)

    def update_keys(self, connection: int) -> None:
        self._guarded(connection, lambda peer: peer.connection.step_keys())

    def watch_idle(self, connection: int) -> None:
        def work(peer: Peer) -> None:
            peer.watch_idle = True
            peer.report_idle()

        self._guarded(connection, work)

    def set_frame_limit(self, connection: int, bytes_max: int) -> None:
        peer = self._peers.get(connection)
        if peer is not None:
            peer.frame_max = bytes_max

    def charge(self, connection: int) -> None:
        peer = self._peers.get(connection)
        if peer is not None:
            peer.connection.seen.cancels += 1

    def set_window(self, connection: int, window_bytes: int) -> None:
        def work(peer: Peer) -> None:
            peer.connection.window_bytes = window_bytes
            peer._budget.held_max = min(self._limits.held_bytes_max, window_bytes)
            peer._wake_blocked()

        self._guarded(connection, work)

    # --- streams

    def _request(self, connection: int, work: Callable[[Peer], int]) -> int:
        """A request whose answer is GONE when the connection is."""
        peer = self._peers.get(connection)
        if peer is None or peer.over:
            return GONE
        result = self._guarded(connection, work)
        return GONE if result is None else result

    def call(self, connection: int, frame: bytes) -> int:
        def work(peer: Peer) -> int:
            number = peer.open(True)
            if number >= 0:
                peer.streams[number].unanswered = True
                peer.watch.called()
                peer.send(number, frame, fin=True, wait=True)
            return number

        return self._request(connection, work)

    def open(self, connection: int, framed: bool) -> int:
        return self._request(connection, lambda peer: peer.open(framed))

    def reply(self, connection: int, stream: int, frame: bytes) -> int:
        return self._request(connection, lambda peer: peer.send(stream, frame, fin=True, wait=False))

    def send(self, connection: int, stream: int, frame: bytes) -> int:
        return self._request(connection, lambda peer: peer.send(stream, frame, fin=False, wait=True))

    def finish(self, connection: int, stream: int) -> None:
        self._request(connection, lambda peer: peer.send(stream, None, fin=True, wait=False))

    def consumed(self, connection: int, stream: int) -> None:
        self._guarded(connection, lambda peer: peer.consumed(stream))

    def raw(self, connection: int, stream: int) -> None:
        self._guarded(connection, lambda peer: peer.make_raw(stream))

    def read(self, connection: int, stream: int, bytes_max: int) -> tuple[bytes, bool] | None:
        return self._guarded(connection, lambda peer: peer.read(stream, bytes_max))

    def write(self, connection: int, stream: int, data: bytes, fin: bool) -> int:
        return self._request(connection, lambda peer: peer.write(stream, data, fin))

    def reset(self, connection: int, stream: int, code: int) -> None:
        self._guarded(connection, lambda peer: peer.reset(stream, code))

    def stop_sending(self, connection: int, stream: int, code: int) -> None:
        self._guarded(connection, lambda peer: peer.stop(stream, code))

    # --- facts

    def peer_certificates(self, connection: int) -> list[bytes] | None:
        peer = self._peers.get(connection)
        chain = trust.peer_chain(peer.connection) if peer is not None else []
        return [certificate.public_bytes(Encoding.DER) for certificate in chain] or None

    def peer_spki_sha256(self, connection: int) -> bytes | None:
        peer = self._peers.get(connection)
        chain = trust.peer_chain(peer.connection) if peer is not None else []
        return trust.spki_sha256(chain[0]) if chain else None

    def refused_spki_sha256(self) -> bytes | None:
        return self._refused

    def export_keying_material(self, connection: int, label: bytes, context: bytes, length: int) -> bytes:
        peer = self._peers.get(connection)
        if peer is None:
            raise RuntimeError("the connection is gone")
        return trust.export_keying_material(peer.connection, label, context, length)

    def handshake(self, connection: int) -> tuple[bytes | None, str | None, str] | None:
        peer = self._peers.get(connection)
        if peer is None:
            return None
        tls = peer.connection.tls
        alpn = tls.alpn_negotiated.encode("ascii") if tls.alpn_negotiated else None
        group = "X25519" if tls._x25519_private_key is not None else "SECP256R1"
        return alpn, peer.connection.server_name_asked, group

    def remote_address(self, connection: int) -> bytes | None:
        peer = self._peers.get(connection)
        return peer.address if peer is not None else None

    def stats(self, connection: int) -> dict[str, int] | None:
        peer = self._peers.get(connection)
        return peer.stats() if peer is not None else None

    def counters(self) -> dict[str, int]:
        gauges = {"connections": len(self._peers), "half_open": self._half_open, "alarms": len(self._alarms)}
        return {**self._counters, **gauges}

    # --- the endpoint as a whole

    def set_accepting(self, accepting: bool) -> None:
        self._accepting = accepting

    def set_retry(self, from_half_open: int) -> None:
        self._retry_from = from_half_open

    def set_retry_keys(self, current: bytes, also: bytes | None = None) -> None:
        self._tokens.set_keys(current, also)

    def set_forwarding(self, worker: int | None) -> None:
        self._worker = worker
