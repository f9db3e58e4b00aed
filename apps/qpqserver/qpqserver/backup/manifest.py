"""What stands in BACKUP/manifest.json, in the clear: which backup this is, of what, and the hash of each of its files."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from qpqserver.backup.errors import BackupBroken
from qpqserver.stores import SERVICES

if TYPE_CHECKING:
    from pathlib import Path

FILE = "manifest.json"
FORMAT = 1
BYTES_MAX = 64 * 1024
READ_BYTES = 1024 * 1024
SECRETS = "secrets/secrets.sealed"
"""Apart from the data, under a key of its own: it may be kept somewhere else, and brought back for a restore."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One sealed file."""

    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One backup."""

    format: int
    id: str
    made_ms: int
    program: str
    domain: str
    store: str
    """`sql` or `postgres`: what it can be put back into."""
    schemas: dict[str, int]
    """The step of each service's schema."""
    setups: dict[str, str]
    """A fingerprint of each OPAQUE setup that accounts may need, by its name."""
    audit: str
    """NUMBER:HASH of the audit log's last entry, for `qpqctl audit verify --expect`; empty: there was none."""
    parts: dict[str, Part]
    """By their paths within the backup."""


def data_part(service: str) -> str:
    """Return the path of a service's data."""
    return f"data/{service}.sealed"


def fingerprint(secret: bytes) -> str:
    """Return what tells whether a secret is the right one, and nothing else of it."""
    return hashlib.sha256(b"qpq backup secret v1\0" + secret).hexdigest()


def encoded(manifest: Manifest) -> bytes:
    """Return the bytes of the file."""
    return json.dumps(asdict(manifest), indent=1, sort_keys=True).encode() + b"\n"


def digest_of(folder: Path) -> str:
    """Return the hash that names a whole backup: of its manifest, which has those of its files. BackupBroken."""
    return hashlib.sha256(_bytes(folder)).hexdigest()


def _bytes(folder: Path) -> bytes:
    try:
        with (folder / FILE).open("rb") as file:
            data = file.read(BYTES_MAX + 1)
    except OSError as exc:
        raise BackupBroken(f"{folder / FILE}: {exc.strerror}") from exc
    if len(data) > BYTES_MAX:
        raise BackupBroken(f"{FILE} is too large to be one")
    return data


def read(folder: Path) -> Manifest:
    """Read a backup's manifest. BackupBroken."""
    try:
        found: dict[str, Any] = json.loads(_bytes(folder))
        if found.get("format") != FORMAT:
            raise BackupBroken(f"{FILE}: format {found.get('format')!r}; this program reads {FORMAT}")
        parts = {str(path): Part(**part) for path, part in found.pop("parts").items()}
        manifest = Manifest(**found, parts=parts)
        bytes.fromhex(manifest.id)
        wanted = {data_part(service) for service in SERVICES}
        if not wanted <= parts.keys() <= wanted | {SECRETS} or manifest.schemas.keys() != set(SERVICES):
            raise BackupBroken(f"{FILE} names other files than a backup has")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as exc:
        raise BackupBroken(f"{FILE} cannot be read") from exc
    return manifest


def check_part(folder: Path, path: str, part: Part) -> None:
    """Compare a file with the manifest. BackupBroken."""
    try:
        size = (folder / path).stat().st_size
        if size != part.bytes:
            raise BackupBroken(f"{path}: {size} bytes, not {part.bytes}")
        digest = hashlib.sha256()
        with (folder / path).open("rb") as file:
            while piece := file.read(READ_BYTES):
                digest.update(piece)
    except OSError as exc:
        raise BackupBroken(f"{path}: {exc.strerror}") from exc
    if digest.hexdigest() != part.sha256:
        raise BackupBroken(f"{path} was changed: its hash is another one")
