"""Makes a backup: BACKUP.part beside it, whole and on the disk, then under its name. A crash leaves no half of one."""

from __future__ import annotations

import fcntl
import secrets
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from qpqcore.config.settings import database_url_of
from qpqcore.net.certificates import sync_folder, write_secret
from qpqcore.runtime import clock
from qpqserver.backup import keys, manifest, places
from qpqserver.backup.errors import BackupError
from qpqserver.backup.journal import finish, locked
from qpqserver.backup.manifest import Manifest, Part, data_part
from qpqserver.backup.moment import of_files
from qpqserver.backup.rows import Table, Writer
from qpqserver.backup.sealing import sealing
from qpqserver.composition import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qpqcore.config.settings import Settings

ID_BYTES = 16


class Making:
    """A backup that is being written."""

    def __init__(self, folder: Path, settings: Settings, keys_folder: Path, audit: str) -> None:
        self._folder, self._settings, self._audit = folder, settings, audit
        self._public = {of: keys.public_of(keys_folder, of) for of in (keys.DATA, keys.SECRETS)}
        self._id = secrets.token_bytes(ID_BYTES)
        self._made_ms = clock.now_ms()
        self._parts: dict[str, Part] = {}
        self._schemas: dict[str, int] = {}
        self.rows: dict[str, int] = {}
        """How many rows each table has, as SERVICE.TABLE."""

    @contextmanager
    def data(self, service: str, step: int) -> Iterator[Writer]:
        """Give what a service's tables are written to."""
        self._schemas[service] = step
        path = data_part(service)
        with sealing(self._folder / path, self._public[keys.DATA], path, self._id) as sealed:
            writer = Writer(sealed)
            yield writer
            writer.end()
        self._parts[path] = Part(bytes=sealed.bytes, sha256=sealed.sha256.hexdigest())
        self.rows |= {f"{service}.{name}": count for name, count in writer.counts.items()}

    def secrets(self, found: dict[str, bytes]) -> None:
        """Write the server's secrets, under their own key."""
        path = manifest.SECRETS
        with sealing(self._folder / path, self._public[keys.SECRETS], path, self._id) as sealed:
            writer = Writer(sealed)
            writer.table(Table("secrets", ("name", "data")))
            for name, data in found.items():
                writer.row((name, data))
            writer.end()
        self._parts[path] = Part(bytes=sealed.bytes, sha256=sealed.sha256.hexdigest())

    def finish(self, setups: dict[str, str]) -> None:
        """Write the manifest."""
        settings = self._settings
        whole = Manifest(
            format=manifest.FORMAT, id=self._id.hex(), made_ms=self._made_ms, program=VERSION,
            domain=settings.federation_domain, store=settings.store_backend, schemas=self._schemas, setups=setups,
            audit=self._audit, parts=self._parts,
        )  # fmt: skip
        write_secret(self._folder / manifest.FILE, manifest.encoded(whole), mode=0o644)


def create(
    settings: Settings, folder: Path, keys_folder: Path, secrets_root: Path | None, audit: str = ""
) -> dict[str, int]:
    """Make a backup of a server, running or not; return how many rows each table has.

    BackupError, DatabaseError, ConfigError, OSError.
    """
    if folder.exists():
        raise BackupError(f"{folder} is there already")
    found = places.found(places.of(settings, secrets_root))
    setups = {name: manifest.fingerprint(data) for name, data in found.items() if name.startswith(places.SETUP)}
    if not setups:
        raise BackupError(
            "there is no OPAQUE setup where the secrets should be, and without it nobody could log in again"
        )
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)  # of a run that was killed
    for inner in (part, part / "data", part / "secrets"):
        inner.mkdir(mode=0o700)
    making = Making(part, settings, keys_folder, audit)
    if settings.store_backend == "postgres":
        from qpqserver.backup.postgres import write_to

        write_to(database_url_of(settings), making)
    else:
        finish(settings)
        with locked(settings, fcntl.LOCK_SH), of_files(settings) as moment:
            moment.write_to(making)
    making.secrets(found)
    making.finish(setups)
    for inner in (part / "data", part / "secrets", part):
        sync_folder(inner)
    part.rename(folder)
    sync_folder(folder.parent)
    return making.rows
