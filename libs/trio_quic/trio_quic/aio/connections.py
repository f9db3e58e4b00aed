"""The aioquic engine's connections: routing, admission, events, timers."""

# ruff: noqa: SLF001 - aioquic has no public way to these names; the asserts narrow types

from __future__ import annotations

import os
import time
from contextlib import nullcontext
from functools import partial
from math import ceil
from typing import TYPE_CHECKING, Final, TypeVar

from aioquic._buffer import Buffer
from aioquic.quic import events as aioquic_events
from aioquic.quic.connection import END_STATES
from aioquic.quic.packet import (
    QuicHeader,
    QuicPacketType,
    QuicProtocolVersion,
    encode_quic_retry,
    pull_quic_header,
)

from trio_quic import codes, events
from trio_quic.addresses import pack, unpack

from . import trust
from .admission import RETRY_KEY_BYTES, Load, RetryTokens, Verdict, site, verdict
from .alarms import Alarms
from .bounds import BoundedConnection
from .closing import close_reason, encode_refusal, encode_versions
from .counters import COUNTERS
from .floods import REASONS, Visitors
from .peer import Peer
from .randomness import seeded_for
from .silence import silence_due
from .stream import Total

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aioquic.quic.configuration import QuicConfiguration as AioquicConfiguration

    from trio_quic.configuration import QuicConfiguration, ServerTls
    from trio_quic.engine import Datagram, Transmit
    from trio_quic.events import Event

CONNECTION_ID_BYTES: Final = 8
MICROSECONDS: Final = 1_000_000
T = TypeVar("T")


class Connections:
    """All connections of one engine, behind a boundary each: whatever goes wrong inside one ends that one only."""

    def __init__(self, configuration: QuicConfiguration, framed: bool) -> None:
        seeded = seeded_for(configuration)
        self._randomness = nullcontext if seeded is None else seeded.at_work
        self._draw = os.urandom if seeded is None else seeded.draw
        self._epoch_s = time.time_ns() / 1e9 if configuration.unix_time_s is None else configuration.unix_time_s
        self._configuration = configuration
        self._limits = configuration.limits
        self._framed = framed
        self._groups = trust.supported_groups(configuration, seeded=configuration.seed is not None)
        self._server: ServerTls | None = None
        self._server_configuration: AioquicConfiguration | None = None
        if configuration.server is not None:
            self.set_certificate(configuration.server)
        self._tokens = RetryTokens(configuration.retry_key or (seeded.draw(RETRY_KEY_BYTES) if seeded else None))
        self._retry_from = self._limits.retry_from_half_open
        self._accepting = True
        self._worker: int | None = None
        self._peers: dict[int, Peer] = {}
        self._routes: dict[bytes, int] = {}
        self._sites: dict[bytes, int] = {}
        self._visitors = Visitors(self._limits)
        self._total = Total(self._limits.held_total_bytes_max)
        self._half_open, self._next_number = 0, 1
        self._refused: bytes | None = None
        self._touched: set[int] = set()
        self._events: list[Event] = []
        self._answers: list[Transmit] = []
        self._alarms = Alarms()
        self._now_us = 0
        self._counters = dict.fromkeys(COUNTERS, 0)

    def set_certificate(self, tls: ServerTls) -> None:
        """Uses another certificate for connections accepted from now on. Raises ValueError if it cannot be used."""
        self._server_configuration = trust.server_configuration(self._configuration, tls)
        self._server = tls

    # --- datagrams, time, events

    def receive(self, batch: Sequence[Datagram], now_us: int) -> None:
        self._now_us = now_us
        for packed, _ecn, data, segment_bytes in batch:
            step = segment_bytes or len(data) or 1
            for start in range(0, len(data), step):
                self._counters["datagrams_received"] += 1
                self._datagram(packed, data[start : start + step])
        self._drain()

    def _datagram(self, packed: bytes, data: bytes) -> None:
        try:
            header = pull_quic_header(Buffer(data=data), host_cid_length=CONNECTION_ID_BYTES)
        except ValueError:
            return
        number = self._routes.get(header.destination_cid)
        if number is None and self._worker is not None and header.version is None and data[1] != self._worker:
            self._events.append((events.FOREIGN, data[1], packed, data))
            return
        if number is None:
            with self._randomness():
                number = self._new_peer(packed, header, len(data))
        if number is not None:
            self._guarded(number, lambda peer: self._take(peer, packed, data))

    def _take(self, peer: Peer, packed: bytes, data: bytes) -> None:
        if not peer.connection.take_datagram(data, unpack(packed), self._now_us / MICROSECONDS):
            self._discard(peer, "fault", "not a first packet")

    def _guarded(self, number: int, work: Callable[[Peer], T]) -> T | None:
        """Works on one connection; whatever goes wrong inside ends that connection only."""
        peer = self._peers.get(number)
        if peer is None:
            return None
        try:
            with self._randomness():
                result = work(peer)
        except Exception:  # noqa: BLE001 - the boundary of one connection
            self._counters["faults"] += 1
            self._discard(peer, "fault", "engine fault")
            return None
        self._touched.add(number)
        return result

    def _drain(self) -> None:
        """Takes what aioquic reports of every touched connection."""
        for number in list(self._touched):
            self._guarded(number, self._drain_one)

    def _drain_one(self, peer: Peer) -> None:
        while (event := peer.connection.next_event()) is not None:
            if isinstance(event, aioquic_events.ConnectionIdIssued):
                self._route(event.connection_id, peer)
            elif isinstance(event, aioquic_events.ConnectionIdRetired):
                self._routes.pop(event.connection_id, None)
                peer.routes.discard(event.connection_id)
            elif isinstance(event, aioquic_events.HandshakeCompleted):
                self._judge(peer)
                self._show(peer)
            elif not (peer.over or peer.refused):
                peer.take(event)
        if (closed := close_reason(peer.connection)) is not None and not peer.over:
            if peer.opening and not peer.is_server and (chain := trust.peer_chain(peer.connection)):
                self._refused = trust.spki_sha256(chain[0])
            self._leave_opening(peer, failed=True)
            peer.end(*closed)
        if peer.over:
            if peer.connection._state in END_STATES:
                self._forget(peer)
            return
        self._show(peer)
        if not peer.opening:
            peer.watch.hear(peer.connection.seen, self._now_us)
            peer.accept_opened()
            peer.progress()
        if peer.is_server:
            self._check_floods(peer)

    def _check_floods(self, peer: Peer) -> None:
        seen = peer.connection.seen
        found = self._visitors.measure(site(peer.accepted_at), peer.meter, seen, self._now_us)
        if found:
            self._counters[found] += 1
            peer.connection.close(error_code=codes.FLOOD, reason_phrase=REASONS[found])
            self._leave_opening(peer, failed=True)
            peer.end("local", codes.FLOOD, REASONS[found])

    def _show(self, peer: Peer) -> None:
        # A server's handshake ends with the client's Finished, a client's with the server's word for it.
        if peer.opening and not peer.refused and peer.connection._handshake_confirmed:
            self._leave_opening(peer, failed=False)
            self._events.append((events.CONNECTED, peer.number, peer.address, peer.is_server))

    def _judge(self, peer: Peer) -> None:
        """Certificates, before anybody sees the connection."""
        client = self._configuration.client
        if peer.is_server and self._server is not None:
            refusal = trust.judge_client(self._server, peer.connection)
        elif client is not None:
            refusal = trust.judge_server(client, peer.connection)
        else:
            refusal = None
        if refusal is not None:
            peer.refused = True
            # A transport close names the frame it is about: here the handshake's.
            peer.connection.close(error_code=refusal, frame_type=6, reason_phrase="certificate refused")

    def _leave_opening(self, peer: Peer, *, failed: bool) -> None:
        if peer.opening:
            peer.opening = False
            self._half_open -= peer.is_server
            self._counters["handshakes_failed"] += failed

    def _discard(self, peer: Peer, kind: events.CloseKind, reason: str) -> None:
        """Ends a connection without a word."""
        self._leave_opening(peer, failed=True)
        peer.end(kind, 0, reason)
        self._forget(peer)

    def _forget(self, peer: Peer) -> None:
        if self._peers.pop(peer.number, None) is None:
            return
        for route in peer.routes:
            self._routes.pop(route, None)
        self._alarms.forget(peer.number)
        if peer.is_server:
            place = site(peer.accepted_at)
            self._sites[place] -= 1
            if not self._sites[place]:
                del self._sites[place]

    # --- new peers

    def _new_peer(self, packed: bytes, header: QuicHeader, datagram_bytes: int) -> int | None:
        if self._server_configuration is None or datagram_bytes < 1200 or header.packet_type is None:
            return None
        # Version 0 is itself a version negotiation: answering it would let two servers be set upon each other.
        if header.version not in (None, 0, QuicProtocolVersion.VERSION_1):
            self._answers.append((packed, encode_versions(header), 0))
            return None
        if header.packet_type != QuicPacketType.INITIAL or header.version != QuicProtocolVersion.VERSION_1:
            return None
        original = self._token_origin(packed, header)
        load = Load(
            validated=original is not None,
            accepting=self._accepting,
            half_open=self._half_open,
            connections=len(self._peers),
            of_site=self._sites.get(site(packed), 0),
            of_site_lately=self._visitors.at(site(packed), self._now_us).handshakes,
        )
        decision = verdict(load, self._limits, self._retry_from)
        if decision is Verdict.ACCEPT:
            return self._accept(packed, header, original)
        if decision is Verdict.RETRY:
            self._counters["retries_sent"] += 1
            self._answers.append((packed, self._retry(packed, header), 0))
        elif decision in {Verdict.REFUSE, Verdict.LIMIT}:
            self._counters["connections_refused"] += 1
            self._counters["handshakes_limited"] += decision is Verdict.LIMIT
            self._answers.append((packed, encode_refusal(header), 0))
        else:
            self._counters["connections_ignored"] += 1
        return None

    def _token_origin(self, packed: bytes, header: QuicHeader) -> bytes | None:
        """The first destination id of a peer that brought a good Retry token."""
        if not header.token:
            return None
        return self._tokens.origin(unpack(packed), header.destination_cid, header.token, self._unix_s())

    def _unix_s(self) -> float:
        """The wall clock: what processes that share a Retry key have in common."""
        return self._epoch_s + self._now_us / MICROSECONDS

    def _retry(self, packed: bytes, header: QuicHeader) -> bytes:
        source = self._connection_id()
        token = self._tokens.create(unpack(packed), header.destination_cid, source, self._unix_s())
        return encode_quic_retry(
            version=QuicProtocolVersion.VERSION_1,
            source_cid=source,
            destination_cid=header.source_cid,
            original_destination_cid=header.destination_cid,
            retry_token=token,
        )

    def _connection_id(self) -> bytes:
        return bytes([self._configuration.worker]) + self._draw(CONNECTION_ID_BYTES - 1)

    def _accept(self, packed: bytes, header: QuicHeader, original: bytes | None) -> int:
        assert self._server_configuration is not None
        assert self._server is not None
        connection = BoundedConnection(
            self._limits,
            self._groups,
            self._server.client_ca_pem is not None,
            self._configuration.worker,
            configuration=self._server_configuration,
            original_destination_connection_id=original or header.destination_cid,
            retry_source_connection_id=header.destination_cid if original else None,
        )
        self._counters["connections_accepted"] += 1
        self._half_open += 1
        self._visitors.at(site(packed), self._now_us).handshakes += 1
        self._sites[site(packed)] = self._sites.get(site(packed), 0) + 1
        number = self._insert(connection, packed, is_server=True)
        self._route(header.destination_cid, self._peers[number])
        return number

    def _route(self, connection_id: bytes, peer: Peer) -> None:
        self._routes[connection_id] = peer.number
        peer.routes.add(connection_id)

    def _insert(self, connection: BoundedConnection, packed: bytes, *, is_server: bool) -> int:
        number, self._next_number = self._next_number, self._next_number + 1
        peer = Peer(
            connection,
            number,
            self._limits,
            is_server=is_server,
            framed_streams=self._framed,
            out=self._events,
            counters=self._counters,
            arm_frame=self._arm_frame,
            total=self._total,
            now_us=self._now_us,
        )
        peer.address = peer.accepted_at = packed
        self._peers[number] = peer
        self._route(connection.host_cid, peer)
        self._touched.add(number)
        self._alarms.set(self._now_us + self._limits.handshake_ms * 1000, number, "handshake", 0)
        return number

    # --- time

    def _arm_frame(self, number: int, stream: int, phase: str) -> None:
        after_ms = self._limits.frame_head_ms if phase == "head" else self._limits.frame_ms
        self._alarms.set(self._now_us + after_ms * 1000, number, phase, stream)

    def next_timeout(self) -> int | None:
        return self._alarms.next_us

    def handle_timeout(self, now_us: int) -> None:
        self._now_us = now_us
        while (due := self._alarms.pop_due(now_us)) is not None:
            at_us, number, what, stream = due
            peer = self._peers.get(number)
            if peer is None:
                continue
            if what == "handshake":
                self._handshake_due(peer)
            elif what == "silence":
                self._guarded(number, partial(silence_due, at_us=at_us, now_us=now_us))
            elif what == "transport":
                if self._alarms.disarm(number, at_us):
                    self._guarded(number, self._transport_due)
            else:
                self._guarded(number, partial(Peer.frame_due, number=stream, phase=what))
        self._drain()

    def _handshake_due(self, peer: Peer) -> None:
        if peer.opening:
            self._counters["handshakes_late"] += 1
            self._discard(peer, "handshake_late", "handshake took too long")

    def _transport_due(self, peer: Peer) -> None:
        timer = peer.connection.get_timer()
        if timer is not None and timer <= self._now_us / MICROSECONDS:
            peer.connection.handle_timer(self._now_us / MICROSECONDS)

    def _rearm(self, peer: Peer) -> None:
        if not (peer.opening or peer.over) and (silent_us := peer.watch.arm(self._now_us)) is not None:
            self._alarms.set(silent_us, peer.number, "silence", 0)
        timer = peer.connection.get_timer()
        if timer is None:
            return
        # aioquic may name the present instant and then find nothing to do: a microsecond later is safe.
        self._alarms.arm(peer.number, max(ceil(timer * MICROSECONDS), self._now_us) + 1)

    def poll(self) -> list[Event]:
        # The list is shared with the peers: it is emptied, not replaced.
        out = self._events[:]
        self._events.clear()
        return out

    def transmit(self, now_us: int) -> list[Transmit]:
        self._now_us = now_us
        out, self._answers = self._answers, []
        touched, self._touched = self._touched, set()
        for number in sorted(touched):
            self._guarded(number, lambda peer: self._collect(peer, out))
            self._touched.discard(number)
        self._counters["datagrams_sent"] += len(out)
        return out

    def _collect(self, peer: Peer, out: list[Transmit]) -> None:
        for data, address in peer.connection.datagrams_to_send(self._now_us / MICROSECONDS):
            peer.connection.seen.datagrams_sent += 1
            out.append((pack(address[:2]), data, 0))
        self._rearm(peer)
        if peer.over and peer.connection._state in END_STATES:
            self._forget(peer)
