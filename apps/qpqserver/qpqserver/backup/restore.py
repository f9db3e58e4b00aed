"""Puts a backup back: checks first, then all of it or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qpqcore.config.settings import database_url_of
from qpqcore.net.certificates import write_secret
from qpqserver.backup import check, files, keys, places
from qpqserver.backup import manifest as manifests
from qpqserver.backup.errors import BackupError

if TYPE_CHECKING:
    from pathlib import Path

    from qpqcore.config.settings import Settings


def restore(
    settings: Settings, folder: Path, keys_folder: Path, secrets_root: Path | None, *, replace: bool = False
) -> dict[str, int]:
    """Put a backup back, the server being stopped; return how many rows each table has.

    BackupError, BackupBroken, DatabaseError, ConfigError, OSError: then everything is as it was.
    """
    manifest = manifests.read(folder)
    if manifest.domain != settings.federation_domain:
        raise BackupError(f"the backup is of {manifest.domain!r}, this server of {settings.federation_domain!r}")
    if manifest.store != settings.store_backend:
        raise BackupError(
            f"the backup is of store_backend = {manifest.store!r}, this server has {settings.store_backend!r}"
        )
    seeds = keys.secret_of(keys_folder, keys.DATA), keys.secret_of(keys_folder, keys.SECRETS)
    counts = check.verify(folder, *seeds)
    secrets = check.secrets_of(folder, manifest, seeds[1])
    if settings.store_backend == "postgres":
        add_secrets(places.of(settings, secrets_root), secrets)
        from qpqserver.backup.postgres import put_back

        put_back(database_url_of(settings), folder, manifest, seeds[0], replace=replace)
    else:
        files.put_back(settings, folder, manifest, seeds[0], secrets, replace=replace)
    return counts


def add_secrets(where: places.Places, secrets: dict[str, bytes]) -> None:
    """Write the secrets that are missing. BackupError, and none is written, where another one stands in a place.

    Files and database cannot change in one step. So the files only ever get what the old state lacked, which harms it not.
    """
    missing = {}
    for name, data in secrets.items():
        path = where.path(name)
        if not path.exists():
            missing[path] = data
        elif path.read_bytes() != data:
            raise BackupError(f"{path} is another secret than the backup's: move it away, then put the backup back")
    for path, data in missing.items():
        write_secret(path, data)
