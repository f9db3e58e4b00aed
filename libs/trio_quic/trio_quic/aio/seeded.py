"""Repeatable randomness and a wall clock of one's own for aioquic: simulations only, never on a network.

aioquic draws from `os.urandom` and from `cryptography`'s key generation, and asks the system for the date of
certificates; and it keeps streams in sets, which Python orders by their addresses in memory. Loading this module puts
stand-ins in their places, which answer as the originals do unless a seeded engine is at work just then, and orders those
sets by the streams' numbers. Signatures with Ed25519 repeat, those with elliptic curves do not.
"""

from __future__ import annotations

import datetime as dt
import os
from contextlib import contextmanager
from hashlib import shake_256
from types import SimpleNamespace
from typing import TYPE_CHECKING, Final

from aioquic import tls
from aioquic.quic import connection, packet, retry, stream
from cryptography.hazmat.primitives.asymmetric import x25519

if TYPE_CHECKING:
    from collections.abc import Iterator

DRAWING_MODULES: Final = (connection, packet, retry, tls)
"""aioquic's modules that read `os.urandom`; tests/unit/trio_quic/test_private_names.py finds any other."""
X25519_KEY_BYTES: Final = 32
_utcnow = tls.utcnow


class Seeded:
    """One engine's randomness and date."""

    _at_work: Seeded | None = None

    def __init__(self, seed: bytes | None, unix_time_s: int | None) -> None:
        self._seed = seed
        self._drawn = 0
        self.date = None if unix_time_s is None else dt.datetime.fromtimestamp(unix_time_s, dt.UTC)

    def draw(self, length: int) -> bytes:
        """The next bytes; without a seed the system's."""
        if self._seed is None:
            return os.urandom(length)
        self._drawn += 1
        return shake_256(self._seed + self._drawn.to_bytes(8, "little")).digest(length)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Whatever aioquic draws in the block comes from here."""
        before, Seeded._at_work = Seeded._at_work, self
        try:
            yield
        finally:
            Seeded._at_work = before

    # --- the stand-ins

    @staticmethod
    def urandom(length: int) -> bytes:
        """For `os.urandom`."""
        seeded = Seeded._at_work
        return os.urandom(length) if seeded is None else seeded.draw(length)

    @staticmethod
    def utcnow() -> dt.datetime:
        """For `aioquic.tls.utcnow`."""
        seeded = Seeded._at_work
        date = None if seeded is None else seeded.date
        return _utcnow() if date is None else date

    @staticmethod
    def x25519_key() -> x25519.X25519PrivateKey:
        """For `X25519PrivateKey.generate`."""
        return x25519.X25519PrivateKey.from_private_bytes(Seeded.urandom(X25519_KEY_BYTES))


def _install() -> None:
    for module in DRAWING_MODULES:
        setattr(module, "os", SimpleNamespace(urandom=Seeded.urandom))  # noqa: B010 - to the checker it is a module
    keys = SimpleNamespace(generate=Seeded.x25519_key)
    curve = SimpleNamespace(X25519PrivateKey=keys, X25519PublicKey=x25519.X25519PublicKey)
    setattr(tls, "x25519", curve)  # noqa: B010 - likewise
    tls.utcnow = Seeded.utcnow
    setattr(stream.QuicStream, "__hash__", lambda self: hash(self.stream_id))  # noqa: B010 - likewise


_install()
