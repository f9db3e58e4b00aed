"""For tests and simulations: certificates made on the spot, and an in-memory datagram link with scripted faults."""

from __future__ import annotations

from .certificates import CertificateAuthority, Certificate, self_signed

__all__ = ["Certificate", "CertificateAuthority", "self_signed"]
