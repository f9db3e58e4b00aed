"""The stateless refusal (a close in an Initial packet, RFC 9000 section 5.2.2), and why a connection is over."""

# ruff: noqa: SLF001 - aioquic has no public way to these names

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aioquic.quic.configuration import SMALLEST_MAX_DATAGRAM_SIZE
from aioquic.quic.connection import QuicConnectionState
from aioquic.quic.crypto import CryptoPair
from aioquic.quic.packet import (
    QuicErrorCode,
    QuicFrameType,
    QuicHeader,
    QuicPacketType,
    QuicProtocolVersion,
    encode_quic_version_negotiation,
)
from aioquic.quic.packet_builder import QuicPacketBuilder

if TYPE_CHECKING:
    from trio_quic.events import CloseKind

    from .bounds import BoundedConnection

CLOSE_BYTES: Final = 64
"""Room for the frame: three numbers and no reason text."""


def encode_refusal(header: QuicHeader) -> bytes:
    """A datagram that tells the sender of this Initial: CONNECTION_REFUSED."""
    crypto = CryptoPair()
    crypto.setup_initial(cid=header.destination_cid, is_client=False, version=QuicProtocolVersion.VERSION_1)
    builder = QuicPacketBuilder(
        host_cid=header.destination_cid,
        is_client=False,
        max_datagram_size=SMALLEST_MAX_DATAGRAM_SIZE,
        peer_cid=header.source_cid,
        version=QuicProtocolVersion.VERSION_1,
    )
    builder.start_packet(QuicPacketType.INITIAL, crypto)
    frame = builder.start_frame(QuicFrameType.TRANSPORT_CLOSE, capacity=CLOSE_BYTES)
    frame.push_uint_var(QuicErrorCode.CONNECTION_REFUSED)
    frame.push_uint_var(QuicFrameType.PADDING)
    frame.push_uint_var(0)
    datagrams, _ = builder.flush()
    return bytes(datagrams[0])


def encode_versions(header: QuicHeader) -> bytes:
    """A datagram that tells which versions are spoken here."""
    return encode_quic_version_negotiation(
        source_cid=header.destination_cid,
        destination_cid=header.source_cid,
        supported_versions=[QuicProtocolVersion.VERSION_1],
    )


def close_reason(connection: BoundedConnection) -> tuple[CloseKind, int, str] | None:
    """(kind, code, reason) of the end, as soon as aioquic knows it: its own event comes only after draining."""
    ended = connection._close_event
    if ended is None:
        return None
    code, reason = int(ended.error_code), ended.reason_phrase
    if connection._state is QuicConnectionState.TERMINATED and reason == "Idle timeout":
        return "idle", 0, "timed out"
    if connection._state is QuicConnectionState.DRAINING:
        return ("peer_application" if ended.frame_type is None else "peer_transport"), code, reason
    return "transport", code, reason
