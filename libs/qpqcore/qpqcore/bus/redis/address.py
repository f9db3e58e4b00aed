"""Where Redis is and how to enter: redis://user:password@host:port/db, rediss:// for TLS."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from qpqcore.config.settings import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

PORT = 6379


@dataclass(frozen=True, slots=True)
class Address:
    """What a connection needs beside host and port."""

    servers: tuple[tuple[str, int], ...]
    """Where to begin; a cluster names its other servers itself."""
    username: str = ""
    password: str = field(default="", repr=False)
    database: int = 0
    """Of keys; what is published is heard in all of them."""
    tls: ssl.SSLContext | None = None


def parse(url: str, ca: Path | None = None) -> Address:
    """Read a URL: several servers of a cluster stand with commas between them. ConfigError.

    `ca`: a PEM file of those who may sign the servers' certificates; without one the system's are taken.
    """
    scheme, _, rest = url.partition("://")
    if scheme not in {"redis", "rediss"}:
        raise ConfigError("redis_url begins with redis:// or, for TLS, rediss://")
    if ca is not None and scheme != "rediss":
        raise ConfigError("redis_ca is for TLS: redis_url begins with rediss:// then")
    entrance, _, places = rest.partition("/")[0].rpartition("@")
    user, _, password = entrance.partition(":")
    database = rest.partition("/")[2]
    if database and not database.isdigit():
        raise ConfigError("redis_url ends with the number of a database, or with none")
    return Address(
        tuple(map(_server, places.split(","))), unquote(user), unquote(password), int(database or 0),
        _tls(ca) if scheme == "rediss" else None,
    )  # fmt: skip


def _server(text: str) -> tuple[str, int]:
    try:
        parts = urlsplit("//" + text)
        host, port = parts.hostname, parts.port or PORT
    except ValueError:
        host, port = None, PORT
    if not host:
        raise ConfigError(f"redis_url: {text!r} is not host:port")
    return host, port


def _tls(ca: Path | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=None if ca is None else str(ca))
    except (OSError, ssl.SSLError) as exc:
        raise ConfigError(f"redis_ca: {ca}: {exc}") from exc
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
