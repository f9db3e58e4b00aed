"""Where something listens, as people and configurations write it: host:port, IPv6 in brackets (RFC 3986 §3.2.2)."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def place_of(host: str, port: int) -> str:
    """Write an address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@contextmanager
def binding(host: str, port: int) -> Iterator[None]:
    """Have an error of binding say, in its `filename`, which address it was about: the system does not."""
    try:
        yield
    except OSError as exc:
        exc.filename = place_of(host, port)
        raise
