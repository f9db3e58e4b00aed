"""The server's own secrets: files in data_dir/secrets, 0600, each written whole; outside every database.

| file | birth | when lost |
|---|---|---|
| opaque-setup-1 | first start | nobody can log in any more: back it up |
| login-state | first start | log-ins under way begin again |
| assertion-keys | every start, in memory | connections resume |
| external-sender | first start | new groups name the new one; old groups keep what they have until reset |
| quic-reset | first start | after a restart clients notice by the idle timeout, not at once |
| redis-seal | first start | none: notices of processes that still have the old one are not heard until they start again |
| db.key (in data_dir) | first start without db_key | the databases are lost: back it up |
"""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING

from qpqcore.net.certificates import write_secret

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KEY_BYTES = 32


def kept(folder: Path, name: str, make: Callable[[], bytes]) -> bytes:
    """Return a secret from its file; make it the first time."""
    path = folder / name
    if not path.exists():
        write_secret(path, make())
    return path.read_bytes()


def random_key() -> bytes:
    """Return 32 random bytes."""
    return secrets.token_bytes(KEY_BYTES)


def database_key(data_dir: Path, db_key: str) -> bytes:
    """Return the databases' key: from db_key, or from a key file made at first start.

    `db_key` is a passphrase an operator generates, so one hash makes a key of it; 64 hex digits are taken as the key itself.
    """
    return key_of(db_key) if db_key else kept(data_dir, "db.key", random_key)


def key_of(db_key: str) -> bytes:
    """Return the key that a db_key means."""
    try:
        raw = bytes.fromhex(db_key)
    except ValueError:
        raw = b""
    return raw if len(raw) == KEY_BYTES else hashlib.sha256(b"qpq db key v1" + db_key.encode()).digest()
