"""For tests and simulations: certificates made on the spot, and an in-memory datagram link with scripted faults."""

from __future__ import annotations

from .bench import ALPN, HOST, NAME, PORT, Bench, Certificates, bench, echo
from .certificates import Certificate, CertificateAuthority, self_signed
from .link import Fate, MemoryLink, MemoryTransport, Script, lossy, prompt

__all__ = [
    "ALPN",
    "HOST",
    "NAME",
    "PORT",
    "Bench",
    "Certificate",
    "CertificateAuthority",
    "Certificates",
    "Fate",
    "MemoryLink",
    "MemoryTransport",
    "Script",
    "bench",
    "echo",
    "lossy",
    "prompt",
    "self_signed",
]
