"""What the doctor sees: a device that is well, and each thing that can be wrong, with what to do; and no names."""

from __future__ import annotations

import pytest

import qpqclient
from qpqclient import doctor
from qpqclient.errors import KeyChanged, NotLoggedIn, Unreachable


async def wrong(client):
    """Return check -> advice of what is not well."""
    return {f.check: f.advice for f in await client.doctor() if not f.well}


async def test_a_device_that_is_well(open_world):
    async with open_world() as w:
        alice = await w.client("alice")
        await alice.sync()
        findings = await alice.doctor()
        assert [f for f in findings if not f.well] == []
        assert {f.check for f in findings} == {
            "folder", "disk", "database", "outbox", "server", "key", "clock", "session", "mailbox", "keys",
        }  # fmt: skip
        told = repr(findings)
        for private in ("alice", "bob", "club", alice.account.hex()[:12], alice.device.hex()[:12], str(w.folder)):
            assert private not in told


async def test_each_thing_that_is_wrong_is_told_with_what_to_do(open_world, tmp_path, monkeypatch):
    async with open_world() as w:
        alice = await w.client("alice")
        await alice.sync()
        core = alice._core
        (w.folder / "alice").chmod(0o755)
        monkeypatch.setattr(doctor, "FREE_BYTES_MIN", 1 << 62)
        monkeypatch.setattr(core, "now_ms", lambda now=core.now_ms: now() - 10 * 60_000)
        monkeypatch.setattr(type(core.outbox), "pending", property(lambda _: 3))
        monkeypatch.setattr(doctor, "ONE_TIME_PACKAGES", {1: 1_000, 0xF04F: 10})
        core.store.db.execute("INSERT INTO leaving VALUES (x'00')")
        found = await wrong(alice)
        assert set(found) == {"folder", "disk", "clock", "outbox", "keys", "groups"}
        assert all(found.values())
        assert "chmod 700" in found["folder"]
        async with qpqclient.open_client(tmp_path / "empty", server=w.where, password="x") as nobody:
            assert "qpq link" in (await wrong(nobody))["account"]


async def test_how_long_a_connection_stands_is_no_error_of_the_clock(open_world, monkeypatch):
    async with open_world() as w:
        alice = await w.client("alice")
        await alice.sync()
        core = alice._core
        said_ms, at_s = core._heard
        monkeypatch.setattr(core, "now_ms", lambda now=core.now_ms: now() + 3_600_000)  # an hour later, on both clocks
        monkeypatch.setattr(core, "_heard", (said_ms, at_s - 3_600))
        assert await wrong(alice) == {}


@pytest.mark.parametrize(
    ("error", "check", "word"),
    [(KeyChanged("another"), "key", "operator"), (Unreachable("away"), "server", "UDP"), (NotLoggedIn("over"), "session", "login")],
)  # fmt: skip
async def test_a_server_that_is_away_or_another_one_is_told_in_words(open_world, monkeypatch, error, check, word):
    async def none():
        raise error

    async with open_world() as w:
        alice = await w.client("alice")
        await alice.sync()
        monkeypatch.setattr(alice._core, "link", none)
        assert word in (await wrong(alice))[check]
