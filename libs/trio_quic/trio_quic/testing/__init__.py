"""For tests and simulations: certificates made on the spot, and an in-memory datagram link with scripted faults."""

from __future__ import annotations

from .certificates import Certificate, CertificateAuthority, self_signed
from .link import Fate, MemoryLink, MemoryTransport, Script, lossy, prompt

__all__ = [
    "Certificate",
    "CertificateAuthority",
    "Fate",
    "MemoryLink",
    "MemoryTransport",
    "Script",
    "lossy",
    "prompt",
    "self_signed",
]
