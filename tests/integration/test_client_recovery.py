"""A client that stops at an awkward point goes on from there; one that is behind the truth notices."""

from __future__ import annotations

import shutil
from contextlib import contextmanager

import pytest
import trio
import trio.testing

import qpqclient
from qpqclient.client import system_now_ms
from qpqclient.connection import Connection
from qpqclient.content import new_content
from qpqclient.transport import Link
from qpqclient.upkeep import Upkeep
from qpqcore.api import auth, blob, delivery
from qpqcore.api.rpc import Call, Reply
from qpqcore.model.errors import ErrorCode, Refusal
from qpqdelivery.service import Delivery
from qpqgateway.service import SUBSCRIBE, Gateway
from tests.support.people import settle, texts
from tests.support.reopened import arrived, dying_at, opened, until

PATIENCE_SECONDS = 20


# --- crashes


async def test_a_rejoin_that_was_due_is_done_after_a_crash(open_world, monkeypatch):
    async def dies(self):
        await trio.sleep_forever()

    async with open_world() as w:
        with monkeypatch.context() as patched:
            patched.setattr(Upkeep, "settle", dies)
            async with opened(w, "bob") as bob:
                epoch = bob.conversation(w.direct).epoch
                bob._core.upkeep.want_rejoin(w.direct)
        alice = await w.client("alice")
        async with opened(w, "bob") as bob:
            await settle(bob, alice)
            assert bob.conversation(w.direct).epoch == epoch + 1
            assert bob.conversation(w.direct).authenticator == alice.conversation(w.direct).authenticator


async def test_a_proposal_is_committed_after_a_crash(open_world, monkeypatch):
    async def dies(self):
        await trio.sleep_forever()

    async with open_world() as w:
        async with opened(w, "carol") as carol:
            await carol.conversation(w.club).leave()
        with monkeypatch.context() as patched:
            patched.setattr(Upkeep, "settle", dies)
            async with opened(w, "bob") as bob:
                await bob._core.catch_up()
        async with opened(w, "bob") as bob:
            with trio.fail_after(PATIENCE_SECONDS):
                while "carol" in {m.name for m in bob.conversation(w.club).members()}:
                    await bob.sync()


async def test_an_upload_goes_on_in_another_process(open_world, monkeypatch, tmp_path):
    source, chunks, real, reached = tmp_path / "film.bin", [], Connection.call, trio.Event()
    source.write_bytes(bytes(range(256)) * 8_000)

    async def counted(self, params, result, *, key=b""):
        if isinstance(params, blob.UploadBlobParams) and params.chunk:
            if len(chunks) >= 4:
                reached.set()
                await trio.sleep_forever()
            answer = await real(self, params, result, key=key)
            chunks.append(params.offset)
            return answer
        return await real(self, params, result, key=key)

    async with open_world() as w:
        with monkeypatch.context() as patched:
            patched.setattr(Connection, "call", counted)
            async with opened(w, "alice") as alice:
                await until(reached, alice.conversation(w.direct).send_file, source)
        assert len(chunks) >= 4
        bob = await w.client("bob")
        async with opened(w, "alice") as alice:
            resumed, again = [], Connection.call

            async def watched(self, params, result, *, key=b""):
                if isinstance(params, blob.UploadBlobParams) and params.chunk:
                    resumed.append(params.offset)
                return await again(self, params, result, key=key)

            monkeypatch.setattr(Connection, "call", watched)
            sent = await alice.conversation(w.direct).send_file(source)
            await settle(alice, bob)
        assert resumed
        assert min(resumed) > max(chunks)
        theirs = bob.conversation(w.direct)
        path = await theirs.download(theirs.message(sent.id), tmp_path / "got.bin")
        assert path.read_bytes() == source.read_bytes()


@pytest.mark.parametrize("answered", [False, True])
async def test_a_folder_opens_after_a_crash_in_a_change_of_the_password(open_world, monkeypatch, answered):
    """Whether the server took it or not, the account's password opens the folder."""
    async with open_world() as w:
        folder = w.folder / "fresh"
        async with qpqclient.open_client(folder, server=w.where, password="old") as fresh:
            await fresh.register("zoe", "old")
            with monkeypatch.context() as patched:
                reached = dying_at(patched, Link, auth.RegisterFinishParams, answered=answered)
                await until(reached, fresh.change_password, "new")
        valid = "new" if answered else "old"
        async with qpqclient.open_client(folder, server=w.where, password=valid) as again:
            await again.login("zoe", valid)
            await again.change_password("newest")
        with pytest.raises(qpqclient.WrongPassword):
            async with qpqclient.open_client(folder, server=w.where, password="new"):
                raise AssertionError("opened with a password that is not the account's")


async def test_two_changes_of_the_password_at_once_are_two_changes(open_world):
    async with open_world() as w:
        folder = w.folder / "fresh"
        async with qpqclient.open_client(folder, server=w.where, password="old") as fresh:
            await fresh.register("zoe", "old")
            done = []

            async def change(password):
                await fresh.change_password(password)
                done.append(password)

            async with trio.open_nursery() as nursery:
                nursery.start_soon(change, "one")
                nursery.start_soon(change, "another")
        async with qpqclient.open_client(folder, server=w.where, password=done[-1]) as again:
            await again.login("zoe", done[-1])
        with pytest.raises(qpqclient.WrongPassword):
            async with qpqclient.open_client(folder, server=w.where, password=done[0]):
                raise AssertionError("opened with the password before")


async def test_a_password_that_the_server_refused_does_not_open_the_folder(open_world, monkeypatch):
    real = Link.call

    async def refuses(self, params, result, **more):
        if isinstance(params, auth.RegisterFinishParams):
            raise qpqclient.Refused(Refusal(ErrorCode.STORAGE_FULL, "full"))
        return await real(self, params, result, **more)

    async with open_world() as w:
        folder = w.folder / "fresh"
        async with qpqclient.open_client(folder, server=w.where, password="old") as fresh:
            await fresh.register("zoe", "old")
            with monkeypatch.context() as patched, pytest.raises(qpqclient.Refused):
                patched.setattr(Link, "call", refuses)
                await fresh.change_password("new")
        with pytest.raises(qpqclient.WrongPassword):
            async with qpqclient.open_client(folder, server=w.where, password="new"):
                raise AssertionError("opened with a password that was refused")
        async with qpqclient.open_client(folder, server=w.where, password="old") as again:
            await again.login("zoe", "old")


# --- a database that was copied back


@contextmanager
def put_back(folder):
    """Whatever happens to a folder in the block is gone after it."""
    backup = folder.with_name("backup")
    shutil.copytree(folder, backup)
    yield
    shutil.rmtree(folder)
    backup.rename(folder)


async def test_a_folder_copied_back_takes_a_new_leaf_before_it_sends(open_world):
    """Its ratchet is behind what was sent: the same key would be used twice."""
    async with open_world() as w:
        alice = await w.client("alice")
        with put_back(w.folder / "bob"):
            async with opened(w, "bob") as bob:
                await alice.conversation(w.direct).send("one")
                await settle(alice, bob)
                await bob.conversation(w.direct).send("two")
                await settle(alice, bob)
                epoch = bob.conversation(w.direct).epoch
        async with opened(w, "bob") as bob:
            await bob.conversation(w.direct).send("three")
            await settle(bob, alice)
            assert bob.conversation(w.direct).epoch == alice.conversation(w.direct).epoch == epoch + 1
            assert bob.conversation(w.direct).authenticator == alice.conversation(w.direct).authenticator
        assert texts(alice.conversation(w.direct))[1:] == ["one", "two", "three"]


async def test_a_folder_copied_back_that_had_only_sent_since_takes_a_new_leaf_too(open_world):
    """It received nothing since the copy was made: the server's count of what it sent tells."""
    async with open_world() as w:
        alice = await w.client("alice")
        async with opened(w, "bob") as bob:
            await settle(bob)
            await bob.conversation(w.direct).send("one")
            await settle(bob, alice)
        with put_back(w.folder / "bob"):
            async with opened(w, "bob") as bob:
                await bob.conversation(w.direct).send("two")
                await settle(bob, alice)
                epoch = bob.conversation(w.direct).epoch
        async with opened(w, "bob") as bob:
            await bob.conversation(w.direct).send("three")
            await settle(bob, alice)
            assert bob.conversation(w.direct).epoch == alice.conversation(w.direct).epoch == epoch + 1
        assert texts(alice.conversation(w.direct))[1:] == ["one", "two", "three"]
        async with opened(w, "bob") as bob:
            await bob.conversation(w.direct).send("four")
            await settle(bob, alice)
            assert bob.conversation(w.direct).epoch == epoch + 1  # once is enough


async def test_a_folder_copied_back_while_its_last_message_is_still_being_stored_loses_nothing(open_world, monkeypatch):
    """The server's disk is slow: what the device had sent is taken after its older copy has begun its session."""
    real, held, go_on, slow = Delivery.enqueue, trio.Event(), trio.Event(), []

    async def late(self, call, params):
        with trio.CancelScope(shield=bool(slow)):  # the write had begun: it is done whatever becomes of the caller
            if slow:
                slow.clear()
                held.set()
                await go_on.wait()
            return await real(self, call, params)

    monkeypatch.setattr(Delivery, "enqueue", late)
    async with open_world() as w:
        alice = await w.client("alice")
        async with opened(w, "bob") as bob:
            await settle(bob)
        with put_back(w.folder / "bob"):
            async with opened(w, "bob") as bob:
                slow.append(True)
                await bob.conversation(w.direct).send("one")
                await held.wait()
        async with opened(w, "bob") as bob:
            await settle(bob)
            go_on.set()
            await settle(alice)
            await bob.conversation(w.direct).send("two")
            await settle(bob, alice)
        assert texts(alice.conversation(w.direct))[1:] == ["one", "two"]


async def test_a_device_that_rejoined_still_reads_what_was_under_way(open_world):
    """Two messages of the epoch that its rejoining ended: one taken by the server before its commit, one after."""
    async with open_world() as w:
        alice = await w.device("alice")
        group = alice.group(w.direct)

        def said(text):
            content = new_content(system_now_ms(), "text", text=text).to_bytes()
            return delivery.EnqueueParams(
                channel=w.direct, generation=1, epoch=group.epoch, payload=group.encrypt(content)
            )

        before, after = said("before the commit"), said("after the commit")
        async with opened(w, "bob") as bob:
            await alice.call(before, delivery.EnqueueResult)
            bob._core.upkeep.want_rejoin(w.direct)
            await bob._core.upkeep.settle()
            assert bob.conversation(w.direct).epoch == group.epoch + 1
            await alice.call(after, delivery.EnqueueResult)
        async with opened(w, "bob") as bob:
            await bob.sync()
            assert texts(bob.conversation(w.direct))[1:] == ["before the commit", "after the commit"]


# --- ways to receive and to send


async def test_long_polling_when_it_is_asked_for(open_world):
    async with open_world() as w:
        alice = await w.client("alice")
        bob = await w.client("bob", push=False)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(arrived, bob, "by poll")
            await trio.testing.wait_all_tasks_blocked()
            await alice.conversation(w.direct).send("by poll")


async def test_long_polling_where_the_server_does_not_push(open_world, monkeypatch):
    real, refused = Gateway.on_call, []

    def no_push(self, incoming):
        if incoming.violation is None and Call.from_bytes(incoming.frame).method == SUBSCRIBE:
            refused.append(1)
            incoming.reply(Reply(code=int(ErrorCode.UNKNOWN_METHOD)).to_bytes())
            return None
        return real(self, incoming)

    monkeypatch.setattr(Gateway, "on_call", no_push)
    async with open_world() as w:
        alice, bob = await w.client("alice"), await w.client("bob")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(arrived, bob, "all the same")
            await trio.testing.wait_all_tasks_blocked()
            await alice.conversation(w.direct).send("all the same")
    assert len(refused) == 2


async def test_typing_is_told_to_those_who_look_and_stored_nowhere(open_world):
    async with open_world() as w:
        alice, bob = await w.client("alice"), await w.client("bob")
        await settle(alice, bob)
        seen = []

        async def watch():
            async for event in bob.events():
                if isinstance(event, qpqclient.Typing):
                    seen.append((event.channel, event.name, event.on))
                    if len(seen) == 2:
                        return

        census = w.census()
        with trio.fail_after(PATIENCE_SECONDS):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(watch)
                await trio.testing.wait_all_tasks_blocked()
                await alice.conversation(w.direct).typing()
                await alice.conversation(w.direct).typing(on=False)
        assert seen == [(w.direct, "alice", True), (w.direct, "alice", False)]
        assert w.census() == census


async def test_a_sealed_sender_is_named_inside_and_nowhere_else(open_world, monkeypatch):
    callers, real = [], Delivery.enqueue

    async def noted(self, call, params):
        callers.append((call.caller.account, call.caller.device, bool(params.write_signature)))
        return await real(self, call, params)

    monkeypatch.setattr(Delivery, "enqueue", noted)
    async with open_world() as w:
        alice, bob = await w.client("alice", sealed=True), await w.client("bob")
        bob.set_setting("receipts.delivered", "off")  # on a slow machine it comes before the end
        await alice.conversation(w.direct).send("guess who")
        await settle(alice, bob)
        last = bob.conversation(w.direct).history()[-1]
        assert (last.sender, last.text) == ("alice", "guess who")
        assert texts(alice.conversation(w.direct))[-1] == "guess who"
    assert callers == [(b"", b"", True)]


async def test_a_message_that_vanishes_is_gone_from_both_disks(open_world):
    """From its moment on it is not shown; at the next look it is deleted."""
    async with open_world() as w:
        async with opened(w, "alice") as alice, opened(w, "bob") as bob:
            await alice.conversation(w.direct).set_timer(60)
            await alice.conversation(w.direct).send("for a minute")
            await settle(alice, bob)
            assert texts(bob.conversation(w.direct))[-1] == "for a minute"
        for name in ("alice", "bob"):
            async with opened(w, name, now_ms=lambda: system_now_ms() + 61_000) as client:
                assert "for a minute" not in texts(client.conversation(w.direct))
                with trio.fail_after(PATIENCE_SECONDS):
                    while client._core.store.rows("SELECT 1 FROM messages WHERE text = 'for a minute'"):
                        await trio.lowlevel.checkpoint()


async def test_the_900th_message_of_an_epoch_begins_another(open_world, monkeypatch):
    monkeypatch.setattr("qpqclient.outbox.GENERATION_MAX", 5)
    async with open_world() as w:
        alice, bob = await w.client("alice"), await w.client("bob")
        epoch = alice.conversation(w.direct).epoch
        for n in range(12):
            await alice.conversation(w.direct).send(f"number {n}")
        await settle(alice, bob)
        assert texts(bob.conversation(w.direct))[1:] == [f"number {n}" for n in range(12)]
        assert bob.conversation(w.direct).epoch > epoch + 1


async def test_a_device_is_named_for_its_owner_alone(open_world):
    async with open_world() as w:
        alice = await w.client("alice")
        assert [(d.label, d.current) for d in await alice.devices()] == [("alice's laptop", True)]
        stored = w.rows("auth", "SELECT label FROM devices WHERE device = ?", alice.device)[0][0]
        assert b"laptop" not in stored
