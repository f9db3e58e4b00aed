"""QUIC for Trio: framed calls and raw streams over a sans-IO engine.

It owns sockets, connections, streams and their limits, and knows nothing of what the frames carry. Two engines stand
behind one protocol: `native` (quinn-proto in Rust) and `aioquic` (pure Python). Its one invariant: a misbehaving peer
costs its own connection and nothing else.
"""

from __future__ import annotations

from . import codes
from .addresses import Address
from .calls import IncomingCall, ReplyStream
from .configuration import ClientTls, EngineName, Limits, QuicConfiguration, ServerTls
from .connection import QuicConnection
from .endpoint import QuicEndpoint
from .engine import Engine, make_engine
from .errors import (
    AlpnRefused,
    CertificateRefused,
    ClientCertificateRefused,
    ConnectFailed,
    ConnectionClosed,
    FrameError,
    HandshakeError,
    QuicError,
    StreamReset,
)
from .handover import Handover
from .ports import DatagramTransport, TransportFactory
from .serve import open_quic_connection, serve_quic
from .streams import QuicStream

__all__ = [
    "Address",
    "AlpnRefused",
    "CertificateRefused",
    "ClientCertificateRefused",
    "ClientTls",
    "ConnectFailed",
    "ConnectionClosed",
    "DatagramTransport",
    "Engine",
    "EngineName",
    "FrameError",
    "Handover",
    "HandshakeError",
    "IncomingCall",
    "Limits",
    "QuicConfiguration",
    "QuicConnection",
    "QuicEndpoint",
    "QuicError",
    "QuicStream",
    "ReplyStream",
    "ServerTls",
    "StreamReset",
    "TransportFactory",
    "codes",
    "make_engine",
    "open_quic_connection",
    "serve_quic",
]
