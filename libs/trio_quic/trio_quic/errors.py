"""What can go wrong with a connection, its handshake, a stream or a frame; `QuicError` is above them all."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .events import CloseKind, ViolationName


class QuicError(Exception):
    """Any failure of QUIC itself; an application's refusals travel inside frames instead."""


class HandshakeError(QuicError):
    """No connection came about."""


class CertificateRefused(HandshakeError):
    """The server's certificate is not trusted. `spki_sha256` is the digest of the key it showed, if it showed one."""

    def __init__(self, spki_sha256: bytes | None, reason: str) -> None:
        super().__init__(reason)
        self.spki_sha256 = spki_sha256


class ClientCertificateRefused(HandshakeError):
    """The server does not take this client's certificate, or wants one where there is none."""


class AlpnRefused(HandshakeError):
    """The two ends share no application protocol."""


class ConnectFailed(HandshakeError):
    """Any other reason: nobody answers, the name does not resolve, the server is full. `reason` says which."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ConnectionClosed(QuicError):
    """The connection is over. `code` is the application's for "peer_application", QUIC's for the transport kinds."""

    def __init__(self, kind: CloseKind, code: int, reason: str) -> None:
        super().__init__(f"{kind} (0x{code:x}) {reason}".rstrip())
        self.kind: CloseKind = kind
        self.code = code
        self.reason = reason

    def renewed(self) -> ConnectionClosed:
        """The same, to be raised: one instance raised in many tasks would gather all their tracebacks."""
        return ConnectionClosed(self.kind, self.code, self.reason)


class StreamReset(QuicError):
    """The peer gave the stream up; `code` is its application error code (`trio_quic.codes` has the built-in ones)."""

    def __init__(self, code: int) -> None:
        super().__init__(f"stream reset with code 0x{code:x}")
        self.code = code


class FrameError(QuicError):
    """A reply broke the frame rules: too large for this side's limit, or cut short."""

    def __init__(self, violation: ViolationName) -> None:
        super().__init__(violation)
        self.violation: ViolationName = violation


TLS_ALERTS = range(0x100, 0x200)
"""QUIC's codes for TLS alerts (RFC 9001 section 4.8): 0x100 plus the alert."""
_NO_APPLICATION_PROTOCOL = 0x100 + 120
_CERTIFICATE_ALERTS = frozenset(0x100 + alert for alert in (42, 43, 44, 45, 46, 48, 49, 51, 113, 116))


def handshake_error(closed: ConnectionClosed, refused_spki_sha256: bytes | None) -> HandshakeError:
    """The typed form of a connection's end before it was established."""
    if closed.kind in ("transport", "peer_transport"):
        if closed.code == _NO_APPLICATION_PROTOCOL:
            return AlpnRefused(closed.reason)
        if closed.code in _CERTIFICATE_ALERTS and closed.kind == "transport":
            return CertificateRefused(refused_spki_sha256, closed.reason)
        if closed.code in _CERTIFICATE_ALERTS:
            return ClientCertificateRefused(closed.reason)
    return ConnectFailed(str(closed))
