"""Two pairs of X-Wing keys: one for the data, one for the server's secrets, which are no use to each other's thief.

The public halves lie where backups are made, and open nothing. The secret halves are for verifying and restoring: keep
them elsewhere, and apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qpqcore.crypto.hybrid import MLKEM_KEY_BYTES, SEED_BYTES, generate_hybrid_key
from qpqcore.net.certificates import write_secret
from qpqserver.backup.errors import BackupError

if TYPE_CHECKING:
    from pathlib import Path

DATA, SECRETS = "data", "secrets"
PUBLIC_BYTES = MLKEM_KEY_BYTES + 32


def make(folder: Path) -> bool:
    """Make both pairs in a folder, FOLDER/data.key and so on; False, and nothing is touched, if any is there."""
    if any((folder / f"{of}.{kind}").exists() for of in (DATA, SECRETS) for kind in ("key", "pub")):
        return False
    for of in (DATA, SECRETS):
        seed, public = generate_hybrid_key()
        write_secret(folder / f"{of}.key", seed.hex().encode() + b"\n")
        write_secret(folder / f"{of}.pub", public.hex().encode() + b"\n", mode=0o644)
    return True


def public_of(folder: Path, of: str) -> bytes:
    """Return what is sealed to. BackupError."""
    return _read(folder / f"{of}.pub", PUBLIC_BYTES)


def secret_of(folder: Path, of: str) -> bytes:
    """Return what opens. BackupError."""
    return _read(folder / f"{of}.key", SEED_BYTES)


def _read(path: Path, size: int) -> bytes:
    try:
        value = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except OSError as exc:
        raise BackupError(f"{path}: {exc.strerror}; `qpqctl backup keys` makes them") from exc
    except ValueError as exc:
        raise BackupError(f"{path} is not a key of backups") from exc
    if len(value) != size:
        raise BackupError(f"{path} is not a key of backups")
    return value
