"""The server's own secrets: made once, kept whole; the databases' key as an operator gives it."""

from __future__ import annotations

import pytest

from qpqcore.runtime.secrets import KEY_BYTES, database_key, kept, random_key


def test_a_secret_is_made_once_and_is_its_owners_alone(tmp_path):
    made = kept(tmp_path, "secret", random_key)
    assert len(made) == KEY_BYTES
    assert kept(tmp_path, "secret", lambda: b"another") == made
    assert (tmp_path / "secret").stat().st_mode & 0o077 == 0


def test_without_a_db_key_one_is_made_and_kept(tmp_path):
    assert database_key(tmp_path, "") == database_key(tmp_path, "") == (tmp_path / "db.key").read_bytes()


def test_64_hex_digits_are_the_key_itself(tmp_path):
    assert database_key(tmp_path, "ab" * KEY_BYTES) == b"\xab" * KEY_BYTES


@pytest.mark.parametrize("given", ["a passphrase", "ab" * (KEY_BYTES - 1), "ab" * KEY_BYTES + "c"])
def test_anything_else_is_a_passphrase_of_which_a_key_is_made(tmp_path, given):
    key = database_key(tmp_path, given)
    assert len(key) == KEY_BYTES
    assert key == database_key(tmp_path, given) != database_key(tmp_path, given + " ")
    assert not (tmp_path / "db.key").exists()
