"""A new device by a code: what it is given, what a photo of the code or the server has of it, and crashes in between."""

from __future__ import annotations

import shutil

import pytest
import trio

import qpqclient
from qpqclient import linking
from qpqclient.linking import LINK_SECONDS, LinkCode
from qpqcore.api import auth
from qpqcore.model.errors import ErrorCode
from tests.support.people import settle, texts

SECRETS = ("root_key", "identity_secret")


def phone_of(w, tmp_path, name="phone", **more):
    return qpqclient.open_client(tmp_path / name, server=w.where, password="store", **more)


async def link(alice, phone, name="alice"):
    """Link by the code as a person would: shown here, read there."""
    code = phone.link_code()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(phone.be_linked, name)
        await alice.link_device(code, label="the phone")


async def test_a_device_is_linked_by_its_code(open_world, tmp_path):
    async with open_world() as w:
        alice, bob = await w.client("alice"), await w.client("bob")
        async with phone_of(w, tmp_path) as phone:
            assert phone.link_code() == phone.link_code(), "it is shown again, not made anew"
            await link(alice, phone)
            assert (phone.name, phone.account) == ("alice", alice.account)
            for name in SECRETS:
                assert phone._core.store.get(name) == alice._core.store.get(name)
            assert phone._core.store.get("device_secret") != alice._core.store.get("device_secret")
            labels = {d.label: d.current for d in await phone.devices()}
            assert labels == {"alice's laptop": False, "the phone": True}
            await bob.conversation(w.direct).send("to both")
            await settle(alice, bob, phone)
            await phone.conversation(w.direct).send("from the phone")
            await settle(phone, alice, bob)
            assert texts(phone.conversation(w.direct))[-2:] == ["to both", "from the phone"]
            assert texts(bob.conversation(w.direct))[-1] == "from the phone"
            with pytest.raises(qpqclient.Refused):
                phone.link_code()
            assert phone._core.store.get(linking.PENDING) is None
        async with phone_of(w, tmp_path) as phone:
            await phone.sync()
            assert phone.connected, "its session is its own"
        await alice.revoke_device(next(d.id for d in await alice.devices() if not d.current))
        async with phone_of(w, tmp_path) as phone:
            with pytest.raises(qpqclient.QpqError):
                await phone.sync()


async def test_both_sides_may_die_and_go_on_with_the_same_code(open_world, tmp_path, monkeypatch):
    async with open_world() as w:
        alice = await w.client("alice")
        async with phone_of(w, tmp_path) as phone:
            code = phone.link_code()
        with monkeypatch.context() as dying:
            dying.setattr(linking, "_seal", lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                await alice.link_device(code)
        async with phone_of(w, tmp_path) as phone:
            assert phone.link_code() == code
            with trio.move_on_after(0.5):
                await phone.be_linked("alice")
            assert not phone.known
        async with phone_of(w, tmp_path) as phone:
            ident = await alice.link_device(code)
            assert await alice.link_device(code) == ident
            await phone.be_linked("alice")
            assert phone.device == ident
            assert len(await phone.devices()) == 2
            assert len(phone.conversations()) == 2


async def test_a_code_is_read_as_people_type_it_and_no_other_is(open_world, tmp_path):
    async with open_world() as w:
        alice = await w.client("alice")
        async with phone_of(w, tmp_path) as phone:
            text = phone.link_code()
            assert text.isalnum()
            assert text == text.upper()
            spaced = "-".join(text[i : i + 8] for i in range(0, len(text), 8)).lower() + "\n"
            assert LinkCode.read(spaced) == LinkCode.read(text)
            wrong = text[:50] + ("A" if text[50] != "A" else "B") + text[51:]
            for bad in ("", "hello", text[:-1], text + "A", wrong, "0" * 192, "é" * 192):
                with pytest.raises(qpqclient.LinkRefused):
                    await alice.link_device(bad)
            old = LinkCode.read(text)
            late = LinkCode(old.made_s - LINK_SECONDS - 1, old.device, old.device_key, old.session_hash, old.seal_key)
            zero = LinkCode(old.made_s, old.device, old.device_key, old.session_hash, bytes(32))
            for bad in (late, zero):
                with pytest.raises(qpqclient.LinkRefused):
                    await alice.link_device(bad.text)


async def test_a_code_too_old_ends_the_wait(open_world, tmp_path, monkeypatch):
    async with open_world() as w, phone_of(w, tmp_path) as phone:
        phone.link_code()
        monkeypatch.setattr(linking, "LINK_SECONDS", -1)
        with pytest.raises(qpqclient.LinkRefused, match="older"):
            await phone.be_linked("alice")


async def test_a_photo_of_the_code_opens_nothing_and_another_account_is_told_of(open_world, tmp_path):
    async with open_world() as w:
        alice, eve = await w.client("alice"), await w.client("eve")
        async with phone_of(w, tmp_path) as phone:
            code = phone.link_code()
            await eve.link_device(code)
            with pytest.raises(qpqclient.LinkRefused, match="another account took this code: eve, not alice"):
                await phone.be_linked("alice")
            assert not phone.known
        async with phone_of(w, tmp_path, "second") as phone:
            code = phone.link_code()
            shutil.copytree(tmp_path / "second", tmp_path / "photo")
            await alice.link_device(code)
            sealed = w.rows("keystore", "SELECT endpoint FROM endpoints WHERE device = ?", alice.device)[0][0]
            for name in SECRETS:
                assert alice._core.store.get(name) not in sealed
            pending = linking._Pending.from_bytes(phone._core.store.get(linking.PENDING))
            assert linking._open(pending, alice.account, sealed) is not None
            for blind in (
                linking._Pending(pending.code, pending.device_secret, pending.session, b"\1" * 32),
                linking._Pending(LinkCode.read(w_code(phone)), *(b"\1" * 32,) * 3),
            ):
                assert linking._open(blind, alice.account, sealed) is None
            assert linking._open(pending, eve.account, sealed) is None
            for junk in (b"", sealed[:-1], sealed[:40], linking.LABEL, b"x" + sealed):
                assert linking._open(pending, alice.account, junk) is None


def w_code(phone):
    """Return the phone's code, which anybody may have photographed."""
    return phone.link_code()


async def test_the_server_takes_a_linked_device_only_with_the_accounts_signature(open_world):
    async with open_world() as w:
        alice, bob = await w.device("alice"), await w.device("bob")
        listed = await alice.call(auth.ListDevicesParams(), auth.ListDevicesResult)
        before = w.rows("auth", "SELECT count(*) FROM sessions")
        for params, code in (
            (auth.RegisterDeviceParams(device_list=listed.device_list, device=alice.id, session_hash=b"x"), ErrorCode.MALFORMED),
            (auth.RegisterDeviceParams(device_list=listed.device_list, device=bob.id, session_hash=b"x" * 32), ErrorCode.DEVICE_LIST_INVALID),
            (auth.RegisterDeviceParams(device_list=b"", device=bob.id, session_hash=b"x" * 32), ErrorCode.DEVICE_LIST_INVALID),
        ):  # fmt: skip
            assert await alice.code(params) is code
        assert w.rows("auth", "SELECT count(*) FROM sessions") == before
        # The stored list again: a session of that device, of no use without its key.
        again = auth.RegisterDeviceParams(device_list=listed.device_list, device=alice.id, session_hash=b"x" * 32)
        assert await alice.code(again) is ErrorCode.OK
        assert await alice.code(again) is ErrorCode.OK
        assert w.rows("auth", "SELECT device FROM sessions WHERE token_hash = ?", b"x" * 32) == [(alice.id,)]
