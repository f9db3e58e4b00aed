"""Edits, receipts, pins, roles: what each does on the other side, and what a receiver refuses."""

from __future__ import annotations

from dataclasses import replace

import pytest

import qpqclient
from qpq.tui.staging import stage
from qpqclient import content as c
from qpqclient import outbox, receipts
from qpqclient.outgoing import put
from qpqcore.api.content import CONTENT_LAYOUT, Content, ContentEdit, ContentPin, ContentReceipt, ContentReceiptKind
from qpqcore.groups.policy import Right
from tests.support.people import settle, texts


def send_raw(conversation, which, **parts):
    """Send what the SDK's own face would not."""
    return send_content(conversation, c.new_content(conversation._core.now_ms(), which, **parts))


def send_content(conversation, content):
    core = conversation._core
    with core.store.transaction():
        put(core.store, conversation.id, content, core.now_ms())
    core.wake_sender()
    return content


async def everybody(w, *names):
    """Return clients, at rest."""
    clients = [await w.client(name) for name in names]
    await settle(*clients)
    return clients


async def tell(*clients):
    """Let everybody's receipts arrive."""
    for client in clients:
        client.send_receipts()
    await settle(*clients)


async def test_a_message_is_pending_sent_delivered_read(open_world):
    async with open_world() as w:
        alice, bob = await everybody(w, "alice", "bob")
        hers, his = alice.conversation(w.direct), bob.conversation(w.direct)
        one = await hers.send("one")
        assert one.state == "pending"
        await alice.wait_sent(one.id)
        assert alice.message(w.direct, one.id).state in {"sent", "delivered"}
        await settle(bob)
        await tell(bob, alice)
        assert alice.message(w.direct, one.id).state == "delivered"
        assert hers.receipts(one.id) == {"bob": "delivered"}
        assert (his.unread, bob.message(w.direct, one.id).read) == (2, False)
        await his.mark_read()
        assert his.unread == 0
        await settle(bob, alice)
        assert alice.message(w.direct, one.id).state == "read"
        assert hers.receipts(one.id) == {"bob": "read"}
        await his.mark_read([one.id])
        assert bob.pending == 0, "what is read is told once"


async def test_what_a_client_says_by_itself_is_not_waited_for_by_its_user(open_world, monkeypatch):
    async with open_world() as w:
        (alice,) = await everybody(w, "alice")
        assert (await alice.conversation(w.direct).send("one")).state == "pending"
        send_raw(alice.conversation(w.direct), "receipt", receipt=ContentReceipt(ids=(bytes(16),)))
        assert (alice.pending, alice.unsent, stage(alice, None, 1).unsent) == (2, 1, 1)
        with monkeypatch.context() as patch:
            patch.setattr(outbox, "Content", None)
            assert alice.unsent == 1, "what was looked into is not looked into again"
        await alice.flush()
        assert (alice.pending, alice.unsent) == (0, 0)


async def test_receipts_are_sent_together_by_themselves_and_not_in_large_groups(open_world, monkeypatch):
    sent = []
    monkeypatch.setattr(receipts, "put", lambda *args: (sent.append(args[2].receipt), put(*args)))
    async with open_world() as w:
        alice, bob = await everybody(w, "alice", "bob")
        await tell(alice, bob)
        sent.clear()
        direct, club = alice.conversation(w.direct), alice.conversation(w.club)
        idents = [(await direct.send(f"{n}")).id for n in range(20)]
        events = alice.events()
        while any(alice.message(w.direct, i).state != "delivered" for i in idents):
            await anext(events)
        assert sum(len(r.ids) for r in sent) == 20
        assert len(sent) < 10, "several by one"
        monkeypatch.setattr(receipts, "RECEIPT_ACCOUNTS_MAX", 2)
        sent.clear()
        there = await club.send("for three")
        await settle(alice, bob)
        await tell(alice, bob)
        assert (sent, alice.message(w.club, there.id).state) == ([], "sent")


@pytest.mark.parametrize("off", ["receipts.delivered", "receipts.read"])
async def test_receipts_can_be_turned_off(open_world, off):
    async with open_world() as w:
        alice, bob = await everybody(w, "alice", "bob")
        bob.set_setting(off, "off")
        assert (bob.setting(off), bob.settings()[off]) == ("off", "off")
        message = await alice.conversation(w.direct).send("well?")
        await settle(alice, bob)
        await tell(bob, alice)
        assert alice.message(w.direct, message.id).state == ("sent" if "delivered" in off else "delivered")
        await bob.conversation(w.direct).mark_read()
        await settle(bob, alice)
        assert alice.message(w.direct, message.id).state == ("read" if "delivered" in off else "delivered")
        assert bob.conversation(w.direct).unread == 0
        for name, value in (("nothing", "on"), (off, "perhaps")):
            with pytest.raises(qpqclient.SettingUnknown):
                bob.set_setting(name, value)
    async with open_world() as w:
        assert (await w.client("bob")).setting(off) == "off"


async def test_receivers_refuse_what_is_not_the_senders(open_world):
    async with open_world() as w:
        alice, bob, carol = await everybody(w, "alice", "bob", "carol")
        hers, his = alice.conversation(w.club), bob.conversation(w.club)
        mine = await hers.send("alice's own")
        await settle(alice, bob, carol)
        send_raw(his, "edit", edit=ContentEdit(to=mine.id, text="forged"))
        send_raw(his, "delete", delete=mine.id)
        send_raw(his, "receipt", receipt=ContentReceipt(ids=(bytes(16),) * 2000, kind=ContentReceiptKind.READ))
        send_raw(his, "pin", pin=ContentPin(to=bytes(16)))
        send_raw(his, "edit", edit=ContentEdit(to=bytes(16), text="of nothing"))
        await his.send("after it")
        await settle(bob, alice, carol)
        for client in (alice, bob, carol):
            assert texts(client.conversation(w.club))[-2:] == ["alice's own", "after it"]
            assert not client.conversation(w.club).pinned()
        assert alice.message(w.club, mine.id).edited is False
        for act in (his.edit(mine.id, "x"), his.delete(mine.id), his.pin(bytes(16))):
            with pytest.raises(qpqclient.NotFound):
                await act


async def test_what_its_sender_deleted_is_not_shown_though_it_comes_later(open_world):
    """As from a folder that was put back: it sends again what it has not heard to be deleted, and who was added since sees it first."""
    async with open_world() as w:
        alice, bob, carol = await everybody(w, "alice", "bob", "carol")
        his = bob.conversation(w.club)
        deleted, others = (c.new_content(alice._core.now_ms(), "text", text=text) for text in ("deleted", "not hers"))
        send_raw(his, "delete", delete=deleted.id)
        send_raw(carol.conversation(w.club), "delete", delete=others.id)
        await settle(bob, carol, alice)
        for content in (deleted, others):
            send_content(his, content)
        await his.send("after it")
        await settle(bob, alice, carol)
        for client in (alice, carol):
            shown = texts(client.conversation(w.club))
            assert "deleted" not in shown
            assert shown[-2:] == ["not hers", "after it"]


async def test_a_file_cannot_be_edited_into_something_else(open_world, tmp_path):
    async with open_world() as w:
        alice, bob = await everybody(w, "alice", "bob")
        (tmp_path / "a.txt").write_text("content")
        hers = alice.conversation(w.direct)
        file = await hers.send_file(tmp_path / "a.txt")
        with pytest.raises(qpqclient.NotEditable):
            await hers.edit(file.id, "not a file")
        assert alice.message(w.direct, file.id).text == "[file] a.txt"
        send_raw(hers, "edit", edit=ContentEdit(to=file.id, text="not a file"))  # a client that does not care
        await settle(alice, bob)
        assert bob.message(w.direct, file.id).text == "[file] a.txt"


async def test_unknown_kinds_and_later_versions_show_their_fallback(open_world):
    """A later client's message, byte for byte: another version, and a union member that this schema does not have."""
    async with open_world() as w:
        alice, bob = await everybody(w, "alice", "bob")
        hers = alice.conversation(w.direct)
        for fallback in ("a poll: yes or no?", ""):
            later = replace(c.new_content(alice._core.now_ms(), "text", text="", fallback=fallback), version=9)
            values = list(later.to_values())
            values[-1] = 999
            encoded = CONTENT_LAYOUT.encode(tuple(values))
            assert Content.from_bytes(encoded).which == "999"
            with pytest.MonkeyPatch.context() as later_version:
                later_version.setattr(Content, "to_bytes", lambda _, encoded=encoded: encoded)
                with alice._core.store.transaction():
                    put(alice._core.store, w.direct, later, alice._core.now_ms())
        alice._core.wake_sender()
        await hers.send("known")
        await settle(alice, bob)
        shown = bob.conversation(w.direct).history()[-3:]
        assert [(m.text, m.kind) for m in shown] == [
            ("a poll: yes or no?", "unknown"), ("[unsupported message]", "unknown"), ("known", "text"),
        ]  # fmt: skip


async def test_pins_are_for_everybody_and_go_with_their_message(open_world, monkeypatch):
    async with open_world() as w:
        alice, bob = await everybody(w, "alice", "bob")
        hers, his = alice.conversation(w.direct), bob.conversation(w.direct)
        first, second = await hers.send("rules"), await hers.send("address")
        await settle(alice, bob)
        await his.pin(second.id)
        await his.pin(first.id)
        await settle(bob, alice)
        assert [m.text for m in hers.pinned()] == [m.text for m in his.pinned()] == ["rules", "address"]
        await hers.delete(first.id)
        await hers.pin(second.id, remove=True)
        await settle(alice, bob)
        assert his.pinned() == hers.pinned() == []
        monkeypatch.setattr(c, "PINS_MAX", 1)
        third = await hers.send("third")
        await settle(alice, bob)
        await hers.pin(second.id)
        await hers.pin(third.id)
        await settle(alice, bob)
        assert [m.text for m in his.pinned()] == ["address"]


async def test_reactions_are_bounded_and_of_messages_that_are_there(open_world, monkeypatch):
    monkeypatch.setattr(c, "REACTIONS_EACH_MAX", 2)
    async with open_world() as w:
        alice, bob = await everybody(w, "alice", "bob")
        message = await alice.conversation(w.direct).send("a joke")
        await settle(alice, bob)
        his = bob.conversation(w.direct)
        for emoji in ("😀", "😂", "🙃", "x" * 1000):
            await his.react(message.id, emoji)
        await his.react(bytes(16), "😀")
        await settle(bob, alice)
        assert sorted(alice.message(w.direct, message.id).reactions) == [("bob", "😀"), ("bob", "😂")]
        assert alice._core.store.rows("SELECT count(*) FROM reactions") == [(2,)]
        await alice.conversation(w.direct).delete(message.id)
        await settle(alice, bob)
        for client in (alice, bob):
            assert client._core.store.rows("SELECT count(*) FROM reactions") == [(0,)]


async def test_only_admins_do_what_the_others_may_not(open_world):
    async with open_world() as w:
        alice, bob, carol = await everybody(w, "alice", "bob", "carol")
        hers, his, carols = (client.conversation(w.club) for client in (alice, bob, carol))
        assert (hers.admins(), his.may(Right.RENAME), his.everybody_may() & Right.INVITE) == ([], True, Right.INVITE)
        await hers.set_admins(["alice"], everybody_may=Right.PIN | Right.INVITE)
        message = await hers.send("to be pinned")
        await settle(alice, bob, carol)
        assert his.admins() == ["alice"]
        assert his.everybody_may() == Right.PIN | Right.INVITE
        for act in (his.rename("mine"), his.set_timer(60), his.remove("carol")):
            with pytest.raises(qpqclient.NotAllowed, match="only its admins .*alice"):
                await act
        send_raw(carols, "rename", rename="forged")
        send_raw(carols, "timer", timer=1)
        send_raw(carols, "receipt", expires_after_seconds=1, receipt=ContentReceipt(ids=(message.id,)))
        await his.pin(message.id)
        await his.invite("eve")
        eve = await w.client("eve")
        await settle(bob, alice, carol, eve)
        for conversation in (hers, his, eve.conversation(w.club)):
            assert (conversation.name, conversation.timer_seconds) == ("club", 0)
            assert {m.name for m in conversation.members()} == {"alice", "bob", "carol", "eve"}
        assert [m.text for m in carols.pinned()] == ["to be pinned"]
        await hers.rename("hers")
        await settle(alice, carol)
        assert carols.name == "hers"
        await hers.set_admins([])
        await settle(alice, bob)
        assert his.may(Right.TIMER)


async def test_there_is_always_an_admin(open_world):
    """The last one hands over before she leaves; where he is gone at once, everybody is one."""
    async with open_world() as w:
        alice, bob, carol = await everybody(w, "alice", "bob", "carol")
        hers, his = alice.conversation(w.club), bob.conversation(w.club)
        await hers.set_admins(["alice"])
        await settle(alice, bob, carol)
        await hers.leave()
        for _ in range(3):
            await settle(alice, bob, carol)
        assert (alice.conversation(w.club).active, his.admins()) == (False, ["bob"])
        await bob.delete_account()
        for _ in range(3):
            await settle(carol)
        carols = carol.conversation(w.club)
        assert ({m.name for m in carols.members()}, carols.admins()) == ({"carol"}, [])
        await carols.rename("all mine")
        await carols.invite("eve")
        assert {m.name for m in carols.members()} == {"carol", "eve"}


async def test_what_one_has_read_or_written_is_known_on_ones_other_device(open_world, tmp_path):
    async with open_world() as w:
        alice, bob = await everybody(w, "alice", "bob")
        async with qpqclient.open_client(tmp_path / "phone", server=w.where, password="store") as phone:
            await phone.login("bob", "secret bob")
            await settle(alice, bob, phone)
            hers, his, on_phone = (x.conversation(w.direct) for x in (alice, bob, phone))
            await hers.send("read me")
            await settle(alice)
            mine = await on_phone.send("from the phone")
            await settle(phone, alice, bob)
            assert (his.history()[-1].own, his.history()[-1].state, his.history()[-1].read) == (True, "sent", True)
            await on_phone.mark_read()
            await tell(phone, bob, alice)
            assert his.unread <= 1, "only what came before the phone was there"
            assert his.history()[-2].read
            assert bob.message(w.direct, mine.id).state == "delivered"
            await his.edit(mine.id, "edited on the laptop")
            await settle(bob, phone, alice)
            assert texts(on_phone)[-1] == texts(hers)[-1] == "edited on the laptop"
