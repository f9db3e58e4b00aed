"""Mutual TLS among services: who a peer is, and the certificates in use, read again as they are renewed.

A certificate of the private CA names one service: DNS name `SERVICE.qpq.internal` (RFC 6125 §6.4 for callers; callees
read the name). Nothing else of it counts.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from qpqcore.net.certificates import CertificateUnreadable, ends_s

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

DOMAIN = ".qpq.internal"


def name_of(service: str) -> str:
    """Return the name that a service's certificate has."""
    return service + DOMAIN


def service_of(certificate: Mapping[str, object]) -> str:
    """Return the service that a verified certificate (`ssl.SSLSocket.getpeercert`) names, or "" where it names none or several."""
    names = certificate.get("subjectAltName", ())
    assert isinstance(names, tuple)
    found = {name.removesuffix(DOMAIN) for kind, name in names if kind == "DNS" and name.endswith(DOMAIN)}
    return found.pop() if len(found) == 1 else ""


class Credentials:
    """A service's own certificate and the CA, as TLS contexts. Raises CertificateUnreadable."""

    def __init__(self, ca: Path, cert: Path, key: Path) -> None:
        self._paths = (ca, cert, key)
        self._seen: tuple[tuple[int, int], ...] = ()
        self.reload()

    def reload(self) -> bool:
        """Read the files again if they have changed; tell whether they had. Connections that stand keep what they have."""
        try:
            seen = tuple((s.st_mtime_ns, s.st_ino) for s in (path.stat() for path in self._paths))
            if seen == self._seen:
                return False
            self.server = self._context(ssl.PROTOCOL_TLS_SERVER)
            self.client = self._context(ssl.PROTOCOL_TLS_CLIENT)
            self.not_after_s = ends_s(self._paths[1].read_bytes())
            """When the certificate ends, in seconds since 1970."""
        except (OSError, ValueError) as exc:
            raise CertificateUnreadable(f"{self._paths[1]}: {exc}") from exc
        self._seen = seen
        return True

    def _context(self, side: int) -> ssl.SSLContext:
        ca, cert, key = self._paths
        context = ssl.SSLContext(side)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.verify_mode = ssl.CERT_REQUIRED
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        context.load_verify_locations(ca)
        context.load_cert_chain(cert, key)
        if side == ssl.PROTOCOL_TLS_SERVER:
            context.num_tickets = 0  # sessions are not resumed: connections last
        return context
