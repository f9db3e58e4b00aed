"""People over real QUIC, real SQLCipher and real MLS: what they say arrives once, in one order, and nowhere else."""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest
import trio

import qpqclient
from qpqclient import conversation
from qpqclient.content import CONTENT_BYTES_MAX, new_content
from qpqclient.outgoing import put
from qpqcore.groups.policy import Right
from tests.support.people import people, settle, texts


async def test_two_people_talk(serving, tmp_path):
    async with serving() as server, AsyncExitStack() as stack:
        alice, bob = await people(stack, server, tmp_path, "alice", "bob")
        direct = await alice.dm("bob")
        await direct.send("Hello from Alice!")
        await settle(alice, bob)
        (theirs,) = bob.conversations()
        assert theirs.name == "alice"
        assert [(m.sender, m.text) for m in theirs.history()] == [("alice", "Hello from Alice!")]
        await theirs.send("Hi Alice")
        await settle(alice, bob)
        assert texts(direct) == texts(theirs) == ["Hello from Alice!", "Hi Alice"]
        assert direct.authenticator == theirs.authenticator
        assert (await bob.dm("alice")).id == direct.id


async def test_a_removed_member_sees_nothing_more(serving, tmp_path):
    async with serving() as server, AsyncExitStack() as stack:
        alice, bob, carol = await people(stack, server, tmp_path, "alice", "bob", "carol")
        group = await alice.create_group("picnic", ["bob", "carol"])
        await group.send("all three")
        await settle(alice, bob, carol)
        await group.remove("carol")
        await group.send("only two")
        await settle(alice, bob, carol)
        assert texts(bob.conversation(group.id)) == ["all three", "only two"]
        hers = carol.conversation(group.id)
        assert not hers.active
        assert texts(hers) == ["all three"]
        with pytest.raises(qpqclient.GroupUnusable):
            await hers.send("may I?")


async def test_a_password_alone_restores_the_account_and_its_groups(serving, tmp_path):
    async with serving() as server, AsyncExitStack() as stack:
        alice, bob = await people(stack, server, tmp_path, "alice", "bob")
        direct = await alice.dm("bob")
        await direct.send("before")
        await settle(alice, bob)
        again = await stack.enter_async_context(
            qpqclient.open_client(tmp_path / "bob2", server=server.where, password="another")
        )
        with pytest.raises(qpqclient.Refused) as refused:
            await again.login("bob", "wrong")
        assert refused.value.name == "loginFailed"
        await again.login("bob", "secret bob")
        await settle(alice, bob, again)
        restored = again.conversation(direct.id)
        await restored.send("after")
        await settle(alice, bob, again)
        assert texts(restored) == ["after"]
        assert texts(direct) == texts(bob.conversation(direct.id)) == ["before", "after"]
        assert len({c.conversation(direct.id).authenticator for c in (alice, bob, again)}) == 1


async def test_two_tasks_that_settle_the_groups_rejoin_once(serving, tmp_path):
    """A log-in and the background both settle what has to be rejoined: one external commit, not two."""
    async with serving() as server, AsyncExitStack() as stack:
        alice, bob = await people(stack, server, tmp_path, "alice", "bob")
        direct = await alice.dm("bob")
        await settle(alice, bob)
        epoch = direct.epoch
        core = bob._core
        core.upkeep.want_rejoin(direct.id)
        async with trio.open_nursery() as nursery:
            for _ in range(2):
                nursery.start_soon(core.upkeep.settle)
        await settle(alice, bob)
        assert bob.conversation(direct.id).epoch == direct.epoch == epoch + 1
        assert bob.conversation(direct.id).authenticator == direct.authenticator


async def test_a_revoked_device_is_cut_off_and_removed(serving, tmp_path):
    async with serving() as server, AsyncExitStack() as stack:
        alice, bob = await people(stack, server, tmp_path, "alice", "bob")
        direct = await alice.dm("bob")
        lost = bob.device
        again = await stack.enter_async_context(
            qpqclient.open_client(tmp_path / "bob2", server=server.where, password="another")
        )
        await again.login("bob", "secret bob")
        told = bob.events()
        await again.revoke_device(lost)
        with trio.fail_after(20):
            while await anext(told) != qpqclient.SessionEnded(b""):
                pass
        assert bob.logged_out
        await settle(alice, again)
        await settle(alice, again)
        for client in (alice, again):
            devices = {d for m in client.conversation(direct.id).members() for d in m.devices}
            assert lost not in devices
        await direct.send("not for the lost one")
        await settle(alice, again)
        assert texts(again.conversation(direct.id)) == ["not for the lost one"]
        assert texts(bob.conversation(direct.id)) == []


async def test_a_new_password_ends_the_other_sessions(serving, tmp_path):
    async with serving() as server, AsyncExitStack() as stack:
        (alice,) = await people(stack, server, tmp_path, "alice")
        other = await stack.enter_async_context(
            qpqclient.open_client(tmp_path / "other", server=server.where, password="another")
        )
        await other.login("alice", "secret alice")
        assert await alice.change_password("a better one") == 1
        third = await stack.enter_async_context(
            qpqclient.open_client(tmp_path / "third", server=server.where, password="third")
        )
        with pytest.raises(qpqclient.Refused):
            await third.login("alice", "secret alice")
        await third.login("alice", "a better one")
    with pytest.raises(qpqclient.WrongPassword):
        async with qpqclient.open_client(tmp_path / "alice", password="store alice"):
            raise AssertionError("opened with the old password")


async def test_an_empty_password_is_refused_and_an_old_one_still_logs_in(serving, tmp_path, monkeypatch):
    def opened(name):
        return qpqclient.open_client(tmp_path / name, server=server.where, password="folder")

    async with serving() as server, AsyncExitStack() as stack:
        (alice,) = await people(stack, server, tmp_path, "alice")
        with pytest.raises(qpqclient.PasswordEmpty) as refused:
            await alice.change_password("")
        assert (refused.value.name, refused.value.exit_code) == ("passwordEmpty", 2)
        eve = await stack.enter_async_context(opened("eve"))
        with pytest.raises(qpqclient.PasswordEmpty):
            await eve.register("eve", "")
        assert not eve.known
        with monkeypatch.context() as before:  # accounts that were made by an earlier version
            before.setattr("qpqclient.client.check_password", lambda _password: None)
            await eve.register("eve", "")
        again = await stack.enter_async_context(opened("again"))
        await again.login("eve", "")
        assert again.name == "eve"


async def test_eight_at_once_change_one_group(serving, tmp_path):
    names = [f"member{i}" for i in range(8)]
    async with serving() as server, AsyncExitStack() as stack:
        clients = await people(stack, server, tmp_path, *names)
        group = await clients[0].create_group("eight", names[1:])
        await settle(*clients)
        epoch = group.epoch
        async with trio.open_nursery() as nursery:
            for client in clients:
                nursery.start_soon(client.conversation(group.id).update_key)
        await settle(*clients)
        states = {(c.conversation(group.id).epoch, c.conversation(group.id).authenticator) for c in clients}
        assert len(states) == 1
        assert states.pop()[0] == epoch + 8


async def test_a_file_arrives_whole(serving, tmp_path):
    async with serving() as server, AsyncExitStack() as stack:
        alice, bob = await people(stack, server, tmp_path, "alice", "bob")
        direct = await alice.dm("bob")
        source = tmp_path / "photo.jpg"
        source.write_bytes(bytes(range(256)) * 3000 + b"end")
        await direct.send_file(source)
        await settle(alice, bob)
        theirs = bob.conversation(direct.id)
        (message,) = theirs.history()
        folder = tmp_path / "in"
        folder.mkdir()
        path = await theirs.download(message, folder)
        assert path.name == "photo.jpg"
        assert path.read_bytes() == source.read_bytes()


async def test_rename_timer_edit_delete_and_reactions_reach_the_others(serving, tmp_path):
    async with serving() as server, AsyncExitStack() as stack:
        alice, bob = await people(stack, server, tmp_path, "alice", "bob")
        group = await alice.create_group("old name", ["bob"])
        first = await group.send("tpyo")
        second = await group.send("to be deleted")
        await settle(alice, bob)
        await group.rename("new name")
        await group.edit(first.id, "typo")
        await group.delete(second.id)
        await settle(alice, bob)
        theirs = bob.conversation(group.id)
        await theirs.react(first.id, "👍")
        await theirs.mark_read([first.id])
        await group.set_timer(3600)
        await settle(alice, bob)
        assert theirs.name == "new name"
        assert theirs.timer_seconds == 3600
        (shown,) = theirs.history()
        assert (shown.text, shown.edited) == ("typo", True)
        (own,) = group.history()
        assert own.state == "read"
        assert own.reactions == (("bob", "👍"),)


async def test_who_comes_later_learns_the_timer_before_anything_is_sent_without_it(serving, tmp_path):
    """Who adds people tells them name and timer, with or without the right to set them; else others' messages tell the timer."""
    async with serving() as server, AsyncExitStack() as stack:
        alice, bob, carol = await people(stack, server, tmp_path, "alice", "bob", "carol")
        group, direct = await alice.create_group("brief", ["bob"]), await alice.dm("bob")
        await group.set_admins(["alice"], everybody_may=Right.INVITE)
        await group.set_timer(3600)
        await direct.set_timer(60)
        await settle(alice, bob)
        await bob.conversation(group.id).invite("carol")
        await settle(bob, alice, carol)
        theirs = carol.conversation(group.id)
        assert (theirs.name, theirs.timer_seconds) == ("brief", 3600)
        message = await theirs.send("vanishes too")
        await settle(carol, alice, bob)
        lasts_ms = alice._core.store.rows("SELECT expires_ms - accepted_ms FROM messages WHERE id = ?", message.id)
        assert lasts_ms == [(3_600_000,)]
        # Who comes back is told what it is now, by who has no right to set it and without a say for the others.
        await group.remove("carol")
        await settle(alice, bob, carol)
        await group.set_timer(0)
        await group.rename("later")
        await settle(alice, bob)
        await bob.conversation(group.id).invite("carol")
        await settle(bob, alice, carol)
        assert (theirs.name, theirs.timer_seconds) == ("later", 0)
        # The account's only other device is away.
        phone = await stack.enter_async_context(
            qpqclient.open_client(tmp_path / "phone", server=server.where, password="another")
        )
        await phone.login("alice", "secret alice")
        await settle(bob)
        now_ms = alice._core.now_ms()
        with bob._core.store.transaction():  # who may not set the timer sends under one of its own
            forged = new_content(now_ms, "text", text="a lie", expires_after_seconds=1)
            put(bob._core.store, group.id, forged, now_ms)
        bob._core.wake_sender()
        await settle(bob, phone)
        assert phone.conversation(group.id).timer_seconds == 0
        told = phone.events()
        await bob.conversation(direct.id).send("of a minute")
        await settle(bob, phone)
        assert phone.conversation(direct.id).timer_seconds == 60
        with trio.fail_after(20):
            while await anext(told) != qpqclient.GroupChanged(direct.id, active=True):
                pass
        lasting = bob.conversation(direct.id)._content("timer", timer=0)
        assert lasting.expires_after_seconds == 0, "who is away for more than a minute must learn of it"
        await bob.conversation(direct.id).set_timer(0)
        await settle(bob, phone)
        assert phone.conversation(direct.id).timer_seconds == 0


async def test_somebody_elses_message_cannot_be_edited(serving, tmp_path):
    async with serving() as server, AsyncExitStack() as stack:
        alice, bob = await people(stack, server, tmp_path, "alice", "bob")
        direct = await alice.dm("bob")
        message = await direct.send("mine")
        await settle(alice, bob)
        with pytest.raises(qpqclient.NotFound):
            await bob.conversation(direct.id).edit(message.id, "yours")


async def test_a_message_has_at_most_64_kib(serving, tmp_path):
    """The author is told and nothing is sent; what a member sends all the same is nobody's message, and the next one is read."""
    async with serving() as server, AsyncExitStack() as stack:
        alice, bob = await people(stack, server, tmp_path, "alice", "bob")
        talk = await alice.dm("bob")
        fits = "x" * (CONTENT_BYTES_MAX - 200)
        await talk.send(fits)
        with pytest.raises(qpqclient.TooLong) as told:
            await talk.send("x" * CONTENT_BYTES_MAX)
        assert (told.value.name, len(texts(talk))) == ("tooLarge", 1)
        with pytest.MonkeyPatch.context() as lawless:
            lawless.setattr(conversation, "CONTENT_BYTES_MAX", 1 << 20)
            await talk.send("y" * CONTENT_BYTES_MAX)
            await settle(alice)
        await talk.send("after it")
        await settle(alice, bob)
        assert texts(bob.conversation(talk.id)) == [fits, "after it"]


async def test_leaving_is_made_so_by_another_member(serving, tmp_path):
    async with serving() as server, AsyncExitStack() as stack:
        alice, bob, carol = await people(stack, server, tmp_path, "alice", "bob", "carol")
        group = await alice.create_group("three", ["bob", "carol"])
        await settle(alice, bob, carol)
        await carol.conversation(group.id).leave()
        for _ in range(3):
            await settle(alice, bob, carol)
        assert {m.name for m in group.members()} == {"alice", "bob"}
        assert not carol.conversation(group.id).active


async def test_a_deleted_account_is_gone_everywhere(serving, tmp_path):
    async with serving() as server, AsyncExitStack() as stack:
        alice, bob = await people(stack, server, tmp_path, "alice", "bob")
        direct = await alice.dm("bob")
        await bob.delete_account()
        for _ in range(3):
            await settle(alice)
        assert {m.name for m in direct.members()} == {"alice"}
        with pytest.raises(qpqclient.NotFound):
            await alice.resolve("bob")
        again = await stack.enter_async_context(
            qpqclient.open_client(tmp_path / "bob2", server=server.where, password="x")
        )
        with pytest.raises(qpqclient.Refused) as refused:
            await again.login("bob", "secret bob")
        assert refused.value.name == "loginFailed"
        with pytest.raises(qpqclient.Refused) as refused:
            await again.register("bob", "anything")
        assert refused.value.name == "nameTaken"


async def test_all_is_there_after_a_restart_of_both_sides(serving, tmp_path):
    async with serving() as server, AsyncExitStack() as stack:
        alice, bob = await people(stack, server, tmp_path, "alice", "bob")
        await (await alice.dm("bob")).send("kept")
        await settle(alice, bob)
    async with (
        serving() as server,
        qpqclient.open_client(tmp_path / "alice", server=server.where, password="store alice") as alice,
        qpqclient.open_client(tmp_path / "bob", server=server.where, password="store bob") as bob,
    ):
        direct = await alice.dm("bob")
        assert texts(direct) == ["kept"]
        await direct.send("and on")
        await settle(alice, bob)
        assert texts(bob.conversations()[0]) == ["kept", "and on"]


async def test_another_server_key_fails_closed(serving, tmp_path):
    async with serving() as server, AsyncExitStack() as stack:
        await people(stack, server, tmp_path, "alice")
        where = server.where
    for name in ("server-cert.der", "server-key.der"):
        (tmp_path / "server" / name).unlink()
    port = where.rpartition(":")[2]
    async with serving() as server:
        folder = tmp_path / "alice"
        from qpqclient.store import Store, open_key

        store = Store(folder, open_key(folder, "store alice"))
        with store.transaction():
            store.put({"pin:" + server.where: store.get(f"pin:127.0.0.1:{port}")})
        store.close()
        async with qpqclient.open_client(folder, server=server.where, password="store alice") as alice:
            with pytest.raises(qpqclient.KeyChanged):
                await alice.resolve("alice")


async def test_a_folder_is_for_one_process(serving, tmp_path):
    async with serving() as server, AsyncExitStack() as stack:
        await people(stack, server, tmp_path, "alice")
        with pytest.raises(qpqclient.FolderBusy):
            async with qpqclient.open_client(tmp_path / "alice", server=server.where, password="store alice"):
                raise AssertionError("opened twice")
