"""`qpqctl backup`, `verify` and `restore`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from qpqserver.backup import keys
from qpqserver.backup import manifest as manifests
from qpqserver.backup.check import verify as verify_backup
from qpqserver.backup.create import create as create_backup
from qpqserver.backup.restore import restore as restore_backup
from qpqserver.operating.audit import checked

if TYPE_CHECKING:
    from qpqserver.ctl.given import Given

FOLDER = click.Path(path_type=Path, file_okay=False)
THERE = click.Path(path_type=Path, file_okay=False, exists=True)
SECRETS = click.option(
    "--secrets", "secrets_root", type=THERE, help="What `qpqctl secrets init` made; else the secrets lie in data_dir."
)


@click.group()
def backup() -> None:
    """One moment of a server in a folder of sealed files; the server may be running, and taking traffic."""


@backup.command("keys")
@click.argument("folder", type=FOLDER)
@click.pass_obj
def make_keys(given: Given, folder: Path) -> None:
    """Make the keys of backups in FOLDER, once: data.pub and secrets.pub seal; keep data.key and secrets.key elsewhere."""
    with given.looking():
        made = keys.make(folder)
    given.tell({"folder": str(folder), "made": made}, f"{folder}: {'made' if made else 'there already'}")


@backup.command()
@click.argument("folder", type=FOLDER)
@click.option("--keys", "keys_folder", type=THERE, required=True, help="Folder with data.pub and secrets.pub.")
@SECRETS
@click.pass_obj
def create(given: Given, folder: Path, keys_folder: Path, secrets_root: Path | None) -> None:
    """Make a backup in FOLDER, which must not be there yet. Prints its hash: note it, and compare it before a restore.

    Left out: one-time KeyPackages, sessions, log-ins under way. FOLDER/secrets has the OPAQUE setup, under a key of its own:
    it may be moved elsewhere.
    """
    with given.acting("backup create", str(folder)):
        head = ""
        for entry in checked(given.audit().entries()):
            head = f"{entry.number}:{entry.hash}"
        begun = time.monotonic()
        rows = create_backup(given.settings, folder, keys_folder, secrets_root, head)
        took, digest = round(time.monotonic() - begun, 2), manifests.digest_of(folder)
    given.tell(
        {"ok": True, "folder": str(folder), "sha256": digest, "rows": rows, "seconds": took},
        f"{folder}: {rows['auth.accounts']} accounts, {sum(rows.values())} rows, {took} s; {digest}",
    )


@click.command()
@click.argument("folder", type=THERE)
@click.option(
    "--keys", "keys_folder", type=THERE, help="Folder with data.key, and secrets.key where that is to be checked."
)
@click.pass_obj
def verify(given: Given, folder: Path, keys_folder: Path | None) -> None:
    """Check a backup without putting it back; name the first thing that is broken. No server is needed."""
    with given.looking():
        seeds = [
            keys.secret_of(keys_folder, of) if keys_folder and (keys_folder / f"{of}.key").exists() else None
            for of in (keys.DATA, keys.SECRETS)
        ]
        rows = verify_backup(folder, *seeds)
        digest = manifests.digest_of(folder)
    opened = [name for name, seed in zip(("data", "secrets"), seeds, strict=True) if seed is not None]
    given.tell(
        {"ok": True, "folder": str(folder), "sha256": digest, "opened": opened, "rows": rows},
        f"{folder}: whole{', opened: ' + ' and '.join(opened) if opened else ''}; {sum(rows.values())} rows; {digest}",
    )


@click.command()
@click.argument("folder", type=THERE)
@click.option("--keys", "keys_folder", type=THERE, required=True, help="Folder with data.key and secrets.key.")
@click.option("--replace", is_flag=True, help="Throw away the accounts that are there.")
@SECRETS
@click.pass_obj
def restore(given: Given, folder: Path, keys_folder: Path, replace: bool, secrets_root: Path | None) -> None:
    """Put a backup back. The server must be stopped. All of it, or nothing: after a crash do it again.

    Afterwards everybody logs in with the password; clients upload new KeyPackages and join their groups anew by themselves.
    """
    with given.acting("restore", str(folder), *(["--replace"] if replace else [])):
        begun = time.monotonic()
        rows = restore_backup(given.settings, folder, keys_folder, secrets_root, replace=replace)
        took = round(time.monotonic() - begun, 2)
    given.tell(
        {"ok": True, "folder": str(folder), "rows": rows, "seconds": took},
        f"{folder}: put back, {rows['auth.accounts']} accounts, {sum(rows.values())} rows, {took} s",
    )
