"""What a deployment has to hold for PostgreSQL and Redis: passwords, and the addresses that they stand in.

    ROOT/postgres/password          of PostgreSQL's own user, made with the database
    ROOT/migrate/database-url       as that user, for `qpqctl migrate`
    ROOT/migrate/SERVICE            the password of a service's role (`qpqctl migrate --passwords ROOT/migrate`)
    ROOT/SERVICE/database-url       as that role
    ROOT/redis/password, redis.conf
    ROOT/SERVICE/redis-url

A password is made once. What is derived from it follows it: delete a password, and the next `init` writes the addresses anew.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from qpqcore.net.certificates import write_secret
from qpqserver import secrecy
from qpqserver.sharing import SEAL
from qpqserver.stores import SERVICES

if TYPE_CHECKING:
    from pathlib import Path

PASSWORD_BYTES = 32
"""Nobody types them."""
OWNER = "qpq"
"""PostgreSQL's user that owns the database and the schemas: the image's first."""


def password(path: Path) -> str:
    """Return the password in a file, made if it is missing."""
    if not path.exists():
        write_secret(path, secrets.token_hex(PASSWORD_BYTES).encode())
    return path.read_text(encoding="utf-8").strip()


def derive(path: Path, text: str) -> bool:
    """Let a file have a text; tell whether it had another or none."""
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    write_secret(path, text.encode())
    return True


def database(root: Path, place: str) -> int:
    """Make what is missing for PostgreSQL at host:port/name; return how many addresses were written."""
    owner = password(root / "postgres" / "password")
    written = int(derive(root / "migrate" / "database-url", f"postgresql://{OWNER}:{owner}@{place}"))
    for service in SERVICES:
        own = password(root / "migrate" / service)
        written += derive(root / service / "database-url", f"postgresql://qpq_{service}:{own}@{place}")
    return written


def redis(root: Path, place: str) -> int:
    """Make what is missing for Redis at host:port, or rediss://host:port; return how many addresses were written."""
    word = password(root / "redis" / "password")
    scheme, _, where = ("redis://" + place if "://" not in place else place).partition("://")
    written = int(derive(root / "redis" / "redis.conf", f"requirepass {word}\n"))
    for service in secrecy.OWN:
        if SEAL in secrecy.needed(service):
            written += derive(root / service / "redis-url", f"{scheme}://:{word}@{where}")
    return written
