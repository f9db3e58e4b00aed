"""What a backup has, and that whatever is broken in one is named, without putting it back."""

from __future__ import annotations

import asyncio
import json
import shutil
from dataclasses import replace

import asyncpg
import pytest

from qpqcore.config.settings import Settings
from qpqserver.backup import keys, manifest, places
from qpqserver.backup import rows as backup_rows
from qpqserver.backup.check import verify
from qpqserver.backup.contents import LEFT_OUT, TABLES
from qpqserver.backup.create import create
from qpqserver.backup.errors import BackupBroken, BackupError
from qpqserver.backup.restore import add_secrets, restore
from qpqserver.backup.rows import Table, Writer, read
from qpqserver.backup.sealing import opened, sealing
from qpqserver.stores import SERVICES, beside
from tests.support.world import copy

ID = b"i" * 16


@pytest.fixture(scope="module")
def made(world_on, tmp_path_factory):
    """A backup of the world, and its keys."""
    folder = tmp_path_factory.mktemp("backup")
    keys.make(folder / "keys")
    # The files' own; PostgreSQL's backups are played in tests/integration/test_backup.py.
    world = copy(world_on("sql"), folder / "world")
    settings = Settings(data_dir=str(world / "server"))
    rows = create(settings, folder / "backup", folder / "keys", None)
    return folder, settings, rows


def seeds(folder):
    return [keys.secret_of(folder / "keys", of) for of in (keys.DATA, keys.SECRETS)]


# --- contents


def test_every_table_of_the_files_is_in_a_backup_or_left_out_for_a_reason(made):
    _, settings, _ = made
    for service in SERVICES:
        with beside(settings, service) as c:
            there = {
                r[0]
                for r in c.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
            }
        assert there <= set(TABLES[service]) | set(LEFT_OUT[service]), service
        assert not set(TABLES[service]) & set(LEFT_OUT[service])


def test_every_table_in_postgresql_is_in_a_backup_or_left_out_for_a_reason(fresh_postgres):
    async def tables():
        connection = await asyncpg.connect(fresh_postgres)
        try:
            return [
                tuple(r)
                for r in await connection.fetch(
                    "SELECT schemaname, tablename FROM pg_tables WHERE schemaname LIKE 'qpq\\_%'"
                )
            ]
        finally:
            await connection.close()

    known = {(f"qpq_{s}", t) for s in SERVICES for t in (*TABLES[s], *LEFT_OUT[s], "migrations")}
    found = set(asyncio.run(tables()))
    assert len(found) > 20
    assert found <= known


def test_a_backup_has_no_sessions_no_log_ins_and_no_one_time_key_packages(made):
    folder, settings, rows = made
    with beside(settings, "auth") as c:
        assert c.execute("SELECT count(*) FROM sessions").fetchone()[0] > 0, "else this shows nothing"
    with beside(settings, "keystore") as c:
        once, last = (c.execute(f"SELECT count(*) FROM packages WHERE last_resort = {n}").fetchone()[0] for n in (0, 1))
    assert once > 0
    assert rows["keystore.packages"] == last
    assert {"auth.sessions", "auth.login_states", "keystore.keyed", "auth.invites"}.isdisjoint(rows)
    assert verify(folder / "backup", *seeds(folder)) == rows


def test_the_setup_lies_apart_under_a_key_of_its_own(made):
    folder, settings, _ = made
    data, secrets = seeds(folder)
    setup = (folder / "world" / "server" / "secrets" / "opaque-setup-1").read_bytes()
    part = folder / "backup" / manifest.SECRETS
    with pytest.raises(BackupBroken, match="the key does not open it"):
        list(opened(part, data, manifest.SECRETS, bytes.fromhex(manifest.read(folder / "backup").id)))
    found = b"".join(opened(part, secrets, manifest.SECRETS, bytes.fromhex(manifest.read(folder / "backup").id)))
    assert setup in found
    assert all(setup not in path.read_bytes() for path in (folder / "backup").rglob("*") if path.is_file())


# --- what is broken is named


def flipped(at):
    def spoil(folder, path):
        data = bytearray((folder / path).read_bytes())
        data[at] ^= 1
        (folder / path).write_bytes(data)

    return spoil


def cut(folder, path):
    data = (folder / path).read_bytes()
    (folder / path).write_bytes(data[:-1])


def gone(folder, path):
    (folder / path).unlink()


@pytest.mark.parametrize("path", [f"data/{s}.sealed" for s in SERVICES] + [manifest.SECRETS])
@pytest.mark.parametrize(("spoil", "said"), [(flipped(-1), "hash"), (cut, "bytes, not"), (gone, "No such file")])
def test_a_broken_file_is_named_without_any_key(made, tmp_path, path, spoil, said):
    folder = tmp_path / "backup"
    shutil.copytree(made[0] / "backup", folder)
    spoil(folder, path)
    if spoil is gone and path == manifest.SECRETS:
        assert verify(folder, None, None) == {}, "it may be kept elsewhere"
        with pytest.raises(BackupBroken, match=f"{path}.*{said}"):
            verify(folder, *seeds(made[0]))
        return
    with pytest.raises(BackupBroken, match=f"{path}.*{said}"):
        verify(folder, None, None)


def renamed(folder, path, data):
    """A file of the backup, with a manifest that agrees."""
    (folder / path).write_bytes(data)
    found = json.loads((folder / manifest.FILE).read_text())
    import hashlib

    found["parts"][path] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    (folder / manifest.FILE).write_text(json.dumps(found))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: data[:2000] + bytes([data[2000] ^ 1]) + data[2001:], "segment 0 was changed"),
        (lambda data: data[:-20], "was changed, or the file was cut off"),
        (lambda data: b"x" + data[1:], "not a file of a backup"),
    ],
)
def test_what_a_matching_manifest_would_hide_shows_when_it_is_opened(made, tmp_path, change, said):
    folder = tmp_path / "backup"
    shutil.copytree(made[0] / "backup", folder)
    path = "data/delivery.sealed"
    renamed(folder, path, change((folder / path).read_bytes()))
    verify(folder, None, None)
    with pytest.raises(BackupBroken, match=f"{path}: .*{said}"):
        verify(folder, *seeds(made[0]))


def test_a_file_of_another_service_or_of_another_backup_is_not_taken(made, tmp_path):
    folder, settings, _ = made
    create(settings, tmp_path / "other", folder / "keys", None)
    for source, said in (
        (folder / "backup" / "data/blob.sealed", "another file"),
        (tmp_path / "other" / "data/auth.sealed", "another"),
    ):
        mixed = tmp_path / "mixed"
        shutil.rmtree(mixed, ignore_errors=True)
        shutil.copytree(folder / "backup", mixed)
        renamed(mixed, "data/auth.sealed", source.read_bytes())
        with pytest.raises(BackupBroken, match=said):
            verify(mixed, *seeds(folder))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 2}', "x" * 100_000])
def test_a_manifest_that_is_none_is_said_to_be(made, tmp_path, text):
    folder = tmp_path / "backup"
    shutil.copytree(made[0] / "backup", folder)
    (folder / manifest.FILE).write_text(text)
    with pytest.raises(BackupBroken, match=manifest.FILE):
        verify(folder, None, None)


def test_the_services_have_to_agree(made, tmp_path):
    """What one service knows of an account, the others know: a backup put together from two moments does not pass."""
    folder, settings, _ = made
    world = copy(folder / "world", tmp_path / "world")
    other = Settings(data_dir=str(world / "server"))
    with beside(other, "keystore", read_only=False) as c:
        c.execute("DELETE FROM accounts WHERE name = 'eve'")
    create(other, tmp_path / "backup", folder / "keys", None)
    with pytest.raises(BackupBroken, match="differ by 1 accounts"):
        verify(tmp_path / "backup", *seeds(folder))


def test_a_setup_that_is_another_is_named(made, tmp_path):
    folder, settings, _ = made
    world = copy(folder / "world", tmp_path / "world")
    create(Settings(data_dir=str(world / "server")), tmp_path / "backup", folder / "keys", None)
    found = json.loads((tmp_path / "backup" / manifest.FILE).read_text())
    found["setups"]["opaque-setup-1"] = "0" * 64
    (tmp_path / "backup" / manifest.FILE).write_text(json.dumps(found))
    with pytest.raises(BackupBroken, match="opaque-setup-1 is missing, or another one"):
        verify(tmp_path / "backup", *seeds(folder))


def test_a_backup_is_not_written_over_and_not_made_without_the_setup(made, tmp_path):
    folder, settings, _ = made
    with pytest.raises(BackupError, match="is there already"):
        create(settings, folder / "backup", folder / "keys", None)
    world = copy(folder / "world", tmp_path / "world")
    (world / "server" / "secrets" / "opaque-setup-1").unlink()
    with pytest.raises(BackupError, match="no OPAQUE setup"):
        create(Settings(data_dir=str(world / "server")), tmp_path / "backup", folder / "keys", None)
    assert not (tmp_path / "backup").exists()


def test_a_backup_of_another_store_is_not_put_back(made):
    folder, settings, _ = made
    other = replace(settings, store_backend="postgres", database_url="postgresql://qpq@127.0.0.1:1/nowhere")
    with pytest.raises(BackupError, match="of store_backend = 'sql', this server has 'postgres'"):
        restore(other, folder / "backup", folder / "keys", None, replace=True)


def test_secrets_that_are_missing_are_added_and_those_that_are_there_stay(tmp_path):
    where = places.of(Settings(), tmp_path)
    setup, sender = where.path("opaque-setup-1"), where.path(places.SENDER)
    add_secrets(where, {"opaque-setup-1": b"one", places.SENDER: b"two"})
    assert [p.read_bytes() for p in (setup, sender)] == [b"one", b"two"]
    assert all(p.stat().st_mode & 0o077 == 0 for p in (setup, sender))
    before = setup.stat()
    add_secrets(where, {"opaque-setup-1": b"one"})
    assert setup.stat() == before


def test_where_another_secret_stands_none_is_written(tmp_path):
    where = places.of(Settings(), tmp_path)
    add_secrets(where, {places.SENDER: b"another"})
    with pytest.raises(BackupError, match="external-sender is another secret than the backup's"):
        add_secrets(where, {"opaque-setup-1": b"one", places.SENDER: b"two"})
    assert not where.path("opaque-setup-1").exists()
    assert where.path(places.SENDER).read_bytes() == b"another"


def test_keys_are_made_once_and_told_from_others(tmp_path):
    assert keys.make(tmp_path)
    assert not keys.make(tmp_path)
    assert (tmp_path / "data.key").stat().st_mode & 0o077 == 0
    (tmp_path / "data.key").write_text("00" * 31)
    with pytest.raises(BackupError, match="not a key"):
        keys.secret_of(tmp_path, keys.DATA)
    (tmp_path / "data.pub").unlink()
    with pytest.raises(BackupError, match="qpqctl backup keys"):
        keys.public_of(tmp_path, keys.DATA)


# --- the form


def test_every_kind_of_value_and_every_size_comes_back(tmp_path):
    keys.make(tmp_path)
    rows = [(None, -1, 1 << 62, b"", "", True, False), (0, 1, 2, b"\0" * 200_000, "ü" * 70_000, False, True)]
    with sealing(tmp_path / "f", keys.public_of(tmp_path, keys.DATA), "f", ID) as sealed:
        writer = Writer(sealed)
        writer.table(Table("one", tuple("abcdefg")))
        for row in rows:
            writer.row(row)
        writer.table(Table("two", ("a",)))
        writer.end()
    found = list(read(opened(tmp_path / "f", keys.secret_of(tmp_path, keys.DATA), "f", ID), "f"))
    assert found == [Table("one", tuple("abcdefg")), *rows, Table("two", ("a",))]
    assert all(type(a) is type(b) for a, b in zip(found[1], rows[0], strict=True))


def test_what_could_not_be_read_again_is_not_written(tmp_path, monkeypatch):
    keys.make(tmp_path)
    monkeypatch.setattr(backup_rows, "RECORD_BYTES_MAX", 100)
    with (
        pytest.raises(BackupError, match="one: a row of 105 bytes"),
        sealing(tmp_path / "f", keys.public_of(tmp_path, keys.DATA), "f", ID) as sealed,
    ):
        writer = Writer(sealed)
        writer.table(Table("one", ("a",)))
        writer.row((b"x" * 95,))
        writer.row((b"x" * 100,))


@pytest.mark.parametrize(
    ("stream", "said"),
    [
        (b"", "it lacks rows"),
        (b"R\0\0\0\0", "its beginning cannot be read"),
        (b"T\0\0\0\2{}", "its beginning cannot be read"),
        (b"T\xff\0\0\0", "a row that is too long"),
        (b"E\0\0\0\2{}x", "ends within a row"),
        (b"E\0\0\0\2{}E\0\0\0\2{}", "something follows its end"),
        (b'T\0\0\0\x1c{"name":"t","columns":["a"]}R\0\0\0\1x', "row 1 of t cannot be read"),
        (b'T\0\0\0\x1c{"name":"t","columns":["a"]}R\0\0\0\2nn', "row 1 of t cannot be read"),
        (b'T\0\0\0\x1c{"name":"t","columns":["a"]}R\0\0\0\1nE\0\0\0\x07{"t":2}', "it lacks rows"),
        (b'T\0\0\0\x1c{"name":"t","columns":["a"]}R\0\0\0\6i\0\0\0\0\1', "row 1 of t cannot be read"),
    ],
)
def test_a_stream_that_makes_no_sense_is_said_to_be(stream, said):
    with pytest.raises(BackupBroken, match=said):
        list(read([stream], "f"))
