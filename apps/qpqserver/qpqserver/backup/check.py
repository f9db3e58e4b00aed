"""Checks a backup without putting it back, and names the first thing that is broken.

Without keys: that all files are there as they were written. With the key of the data: that each opens to its end, has the rows
that it says, nothing that a backup leaves out, and that the services agree with each other. With the key of the secrets: that
the OPAQUE setups are those that the accounts need.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

from qpqserver.backup import manifest as manifests
from qpqserver.backup import places
from qpqserver.backup.contents import LEFT_OUT, TABLES
from qpqserver.backup.errors import BackupBroken
from qpqserver.backup.manifest import SECRETS, data_part
from qpqserver.backup.rows import Row, Table, read
from qpqserver.backup.sealing import opened
from qpqserver.stores import SERVICES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from qpqserver.backup.manifest import Manifest


def records(folder: Path, manifest: Manifest, service: str, seed: bytes) -> Iterator[tuple[Table, Row | None]]:
    """Yield each table of a service (None), then each of its rows. BackupBroken."""
    path, table = data_part(service), None
    for record in read(opened(folder / path, seed, path, bytes.fromhex(manifest.id)), path):
        if isinstance(record, Table):
            table = record
            if table.name in LEFT_OUT[service] or table.name not in TABLES[service]:
                raise BackupBroken(f"{path}: {table.name} is not what a backup has")
            yield table, None
        elif table is not None:
            yield table, record


def secrets_of(folder: Path, manifest: Manifest, seed: bytes) -> dict[str, bytes]:
    """Return the secrets of a backup. BackupBroken."""
    found: dict[str, bytes] = {}
    for record in read(opened(folder / SECRETS, seed, SECRETS, bytes.fromhex(manifest.id)), SECRETS):
        if not isinstance(record, Table):
            name, data = record
            found[name] = data
    for name in manifest.setups.keys() | {n for n in found if n.startswith(places.SETUP)}:
        if name not in found or manifests.fingerprint(found[name]) != manifest.setups.get(name):
            raise BackupBroken(f"{SECRETS}: {name} is missing, or another one than the accounts have")
    return found


class Agreement:
    """Whether the services' data are of one moment: what one knows of accounts, the others know, or are about to be told."""

    def __init__(self) -> None:
        self._accounts: dict[str, set[Any]] = {"auth": set(), "keystore": set()}
        self._told: set[Any] = set()
        self._devices: set[Any] = set()
        self._mailboxes: set[Any] = set()
        self._setups: set[Any] = set()
        self._kept: dict[tuple[str, str], list[tuple[tuple[str, ...], set[Any]]]] = {
            ("auth", "accounts"): [(("account",), self._accounts["auth"]), (("setup",), self._setups)],
            ("auth", "jobs"): [(("account",), self._told)],
            ("auth", "devices"): [(("device",), self._devices)],
            ("keystore", "accounts"): [(("account",), self._accounts["keystore"])],
            ("delivery", "mailboxes"): [(("device", "account"), self._mailboxes)],
        }
        """By service and table: the columns that are looked at, and what keeps them."""

    def looking_at(self, service: str, table: Table) -> Callable[[Row], None]:
        """Return what looks at each row of a table. BackupBroken where it lacks a column."""
        kept = self._kept.get((service, table.name), [])
        try:
            parts = [(itemgetter(*map(table.columns.index, columns)), into) for columns, into in kept]
        except ValueError as exc:
            raise BackupBroken(f"{data_part(service)}: {table.name} lacks a column") from exc

        def look(row: Row) -> None:
            for part, into in parts:
                into.add(part(row))

        return look

    def check(self, manifest: Manifest) -> None:
        """Raise BackupBroken where they do not agree."""
        if rest := (self._accounts["auth"] ^ self._accounts["keystore"]) - self._told:
            raise BackupBroken(f"auth and keystore differ by {len(rest)} accounts: not of one moment")
        known = self._accounts["auth"] - self._told  # others are boxes of whole domains
        if lost := {device for device, account in self._mailboxes if account in known} - self._devices:
            raise BackupBroken(f"{len(lost)} mailboxes are of no device: not of one moment")
        for number in self._setups:
            if f"{places.SETUP}{number}" not in manifest.setups:
                raise BackupBroken(f"accounts need {places.SETUP}{number}, which this backup does not have")


def verify(folder: Path, data_seed: bytes | None, secrets_seed: bytes | None) -> dict[str, int]:
    """Check a backup as far as the keys go; return how many rows each table has, empty without a key. BackupBroken."""
    manifest = manifests.read(folder)
    for path, part in sorted(manifest.parts.items()):
        if path == SECRETS and secrets_seed is None and not (folder / path).exists():
            continue  # it is kept elsewhere
        manifests.check_part(folder, path, part)
    counts: dict[str, int] = {}
    if data_seed is not None:
        agreement = Agreement()
        for service in SERVICES:
            for table, row in records(folder, manifest, service, data_seed):
                name = f"{service}.{table.name}"
                if row is None:
                    counts.setdefault(name, 0)
                    look = agreement.looking_at(service, table)
                else:
                    counts[name] += 1
                    look(row)
        agreement.check(manifest)
    if secrets_seed is not None:
        secrets_of(folder, manifest, secrets_seed)
    return counts
