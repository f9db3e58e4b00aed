"""Where something listens, as people and configurations write it: host:port, IPv6 in brackets (RFC 3986 §3.2.2)."""

from __future__ import annotations


def place_of(host: str, port: int) -> str:
    """Write an address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
