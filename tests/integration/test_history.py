"""What was said before reaches a new device; a backup comes back by the recovery code alone; crashes change nothing."""

from __future__ import annotations

import pytest
import trio.testing

import qpqclient
from qpqclient import archive, archived, blobs, history
from qpqclient.store import Store
from qpqcore.api.content import ChannelKind
from tests.support.people import settle, texts
from tests.support.world import STORE_KEY


def phone_of(w, tmp_path, name="phone", **more):
    return qpqclient.open_client(tmp_path / name, server=w.where, password="store", **more)


async def taken(client, *others):
    """Wait until a new device has its history."""
    events = client.events()
    while client.wants_history:
        for one in (client, *others):
            await one._core.history.settle()
            await one.flush()
            await one.sync()
        await one_event_or_go_on(events)


async def one_event_or_go_on(events):
    """Take what has been told; the loop above looks at the state."""
    while events._receive.statistics().current_buffer_used:
        await anext(events)


async def said_before(w):
    """Let alice and bob have a past: texts, a reaction, a pin, something deleted, something that vanishes, a file."""
    alice, bob = await w.client("alice"), await w.client("bob")
    hers = alice.conversation(w.direct)
    first = await hers.send("first of all")
    gone = await hers.send("deleted before")
    await settle(alice, bob)
    his = bob.conversation(w.direct)
    await his.reply(first.id, "an answer")
    await his.react(first.id, "👍")
    await his.pin(first.id)
    await hers.delete(gone.id)
    (w.folder / "note.txt").write_text("what stands in the file")
    await hers.send_file(w.folder / "note.txt")
    await hers.edit(first.id, "first of all, edited")
    await hers.mark_read()
    await (await alice.dm("alice")).send("only mine")
    await alice.verify("bob")
    await settle(alice, bob)
    return alice, bob


async def test_an_archive_tells_names_and_timers_of_groups_that_were_joined_before_it_came(open_world, tmp_path):
    async with open_world() as w:
        alice, bob = await w.client("alice"), await w.client("bob")
        hers = alice.conversation(w.club)
        await hers.set_timer(3600)
        await alice.conversation(w.direct).set_timer(60)
        await settle(alice, bob)
        async with phone_of(w, tmp_path) as phone:
            await phone.login("alice", "secret alice", history=True)
            await settle(alice, bob, phone)
            theirs = phone.conversation(w.club)
            assert theirs.active
            await taken(phone, alice)
            assert (theirs.name, theirs.timer_seconds) == ("club", 3600)
            assert phone.conversation(w.direct).timer_seconds == 60
            # What was told since stays.
            row = ["channels", w.club, int(ChannelKind.GROUP), "of before", 1]
            await archived.take(phone._core.store, [row], 0)
            assert (theirs.name, theirs.timer_seconds) == ("club", 3600), "a backup is of some day"
            await hers.set_timer(0)
            await settle(alice, phone)
            await archived.take(phone._core.store, [row], 0, present=True)
            assert (theirs.name, theirs.timer_seconds) == ("club", 0)


@pytest.mark.parametrize("way", ["password", "code"])
async def test_a_new_device_gets_what_was_said_before(open_world, tmp_path, way):
    async with open_world() as w:
        alice, bob = await said_before(w)
        async with phone_of(w, tmp_path) as phone:
            if way == "password":
                await phone.login("alice", "secret alice", history=True)
            else:
                await alice.link_device(phone.link_code())
                await phone.be_linked("alice")
            await taken(phone, alice)
            await settle(bob)  # he has to know of the phone's leaf: what he encrypts before, it cannot read
            await bob.conversation(w.direct).send("and now")
            await settle(alice, bob, phone)
            here, there = alice.conversation(w.direct), phone.conversation(w.direct)
            assert texts(there) == texts(here)
            assert texts(here)[-2:] == ["[file] note.txt", "and now"]
            assert [(m.own, m.edited, m.reactions, m.read) for m in there.history()] == [
                (m.own, m.edited, m.reactions, m.read) for m in here.history()
            ]
            assert [m.text for m in there.pinned()] == ["first of all, edited"]
            assert [m.text for m in phone.search("answer")] == ["an answer"]
            assert (phone.search("deleted"), phone.search("mine")) == ([], [])
            assert there.verified
            assert there.take_unshown()[-1].text == "and now"
            (tmp_path / "in").mkdir()
            file = next(m for m in there.history() if m.file)
            assert (await there.download(file, tmp_path / "in")).read_text() == "what stands in the file"
            assert not [
                p
                for p in (*w.folder.joinpath("alice").iterdir(), *(tmp_path / "phone").iterdir())
                if "history" in p.name
            ]
            assert {c.kind for c in phone.conversations()} == {"direct", "group"}
            assert len(w.rows("blob", "SELECT 1 FROM blobs")) == 1, "the file; the archive is gone once it was taken"


async def test_crashes_on_the_way_lose_and_double_nothing(open_world, tmp_path, monkeypatch):
    def dies(*_args, **_more):
        raise KeyboardInterrupt

    async with open_world() as w:
        alice, bob = await said_before(w)
        expected = texts(alice.conversation(w.direct))
    async with open_world() as w, phone_of(w, tmp_path) as phone:
        await phone.login("alice", "secret alice", history=True)
        await phone._core.history.settle()
        await phone.flush()
    for place in ("write", "upload"):
        with monkeypatch.context() as dying, pytest.raises((KeyboardInterrupt, BaseExceptionGroup)):
            dying.setattr(archive if place == "write" else blobs, place, dies)
            async with open_world() as w:
                alice = await w.client("alice")
                await alice.sync()
                await alice._core.history.settle()
    async with open_world() as w:
        alice = await w.client("alice")
        await alice.sync()
        await alice._core.history.settle()
        await alice.flush()
    monkeypatch.setattr(archived, "ROWS_AT_ONCE", 3)
    put, count = archived._put, []

    def dies_at_the_third(*args):
        count.append(1)
        return dies() if len(count) == 3 else put(*args)

    with monkeypatch.context() as dying, pytest.raises((KeyboardInterrupt, BaseExceptionGroup)):
        dying.setattr(archived, "_put", dies_at_the_third)
        async with open_world() as w, phone_of(w, tmp_path) as phone:
            await phone.sync()
            await phone._core.history.settle()
    async with open_world() as w, phone_of(w, tmp_path) as phone:
        await phone.sync()
        await phone._core.history.settle()
        assert not phone.wants_history
        assert texts(phone.conversation(w.direct)) == expected


async def test_who_is_alone_asks_nobody(open_world, tmp_path):
    async with open_world() as w:
        eve = await w.client("eve")
        await eve.revoke_device(eve.device)
        async with phone_of(w, tmp_path) as phone:
            await phone.login("eve", "secret eve", history=True)
            await phone._core.history.settle()
            assert not phone.wants_history
            assert w.rows("delivery", "SELECT count(*) FROM channels") == [(2,)]


async def test_all_is_lost_and_password_and_recovery_code_bring_it_back(open_world, tmp_path):
    async with open_world() as w:
        alice, bob = await said_before(w)
        expected = texts(alice.conversation(w.direct))
        with pytest.raises(qpqclient.NotFound, match="recovery code"):
            await alice.backup()
        code = alice.new_recovery_code()
        assert len(code.replace("-", "")) == 32
        await alice.backup()
        await alice.conversation(w.club).send("after the first backup")
        await settle(alice, bob)
        await alice.conversation(w.club).set_timer(3600)
        await alice.conversation(w.club).send("gone in an hour")
        await alice.conversation(w.club).set_timer(0)
        await settle(alice, bob)
        await alice.backup()
        assert len(w.rows("blob", "SELECT 1 FROM blobs")) == 2, "the file, and the newest backup"
        lost = alice.device
    async with open_world() as w:
        bob = await w.client("bob")
        async with phone_of(w, tmp_path) as phone:
            await phone.login("alice", "secret alice")
            await settle(phone, bob)
            await phone.revoke_device(lost)
            for _ in range(2):
                await settle(phone, bob)
            assert texts(phone.conversation(w.direct)) == []
            wrong = code[:-1] + ("0" if code[-1] != "0" else "1")
            for bad in (wrong, "no code", ""):
                with pytest.raises(qpqclient.WrapsDamaged):
                    await phone.restore_backup(bad)
            assert texts(phone.conversation(w.direct)) == []
            typed = code.lower().replace("-", " ").replace("0", "o").replace("1", "l")
            assert await phone.restore_backup(typed) > 0
            assert await phone.restore_backup(code) == 0, "twice is once"
            assert texts(phone.conversation(w.direct)) == expected
            assert texts(phone.conversation(w.club))[-1] == "after the first backup"
            await bob.conversation(w.direct).send("welcome back")
            await settle(bob, phone)
            assert texts(phone.conversation(w.direct))[-1] == "welcome back"
            await phone.backup()
            devices = {d for m in bob.conversation(w.direct).members() for d in m.devices}
            assert lost not in devices


async def test_a_backup_made_at_once_is_not_taken_for_a_leftover(open_world, monkeypatch):
    write = archive.write

    def slowly(*args):
        count = write(*args)
        trio.from_thread.run(trio.testing.wait_all_tasks_blocked)
        return count

    async with open_world() as w:
        alice, _ = await said_before(w)
        alice.new_recovery_code()
    left = w.folder / "alice" / "backup.out"
    left.write_bytes(b"of a process that died")
    async with open_world() as w:
        monkeypatch.setattr(archive, "write", slowly)
        alice = await w.client("alice")
        assert not left.exists()
        assert await alice.backup() > 5
        assert not left.exists()


async def test_a_backup_in_a_file_is_opened_by_its_code_and_by_nobody_else(open_world, tmp_path):
    async with open_world() as w:
        alice, bob = await said_before(w)
        code = alice.new_recovery_code()
        path = tmp_path / "backup"
        assert await alice.backup(path) > 5
        assert path.stat().st_mode & 0o777 == 0o600
        content = path.read_bytes()
        for secret in (
            b"first of all",
            b"note.txt",
            alice._core.store.get("root_key"),
            alice._core.store.get("backup_key"),
        ):
            assert secret not in content
        with pytest.raises(qpqclient.ArchiveDamaged, match="another account"):
            await bob.restore_backup(code, path)
        for name, change in {
            "cut": content[:-1], "longer": content + b"x", "flipped": content[:-50] + bytes([content[-50] ^ 1]) + content[-49:],
            "empty": b"", "another": b"x" * 500, "head": content[: len(archive.MAGIC) + 3],
        }.items():  # fmt: skip
            (tmp_path / name).write_bytes(change)
            with pytest.raises((qpqclient.ArchiveDamaged, qpqclient.WrapsDamaged)):
                await alice.restore_backup(code, tmp_path / name)
        with pytest.raises(qpqclient.NotFound):
            await alice.restore_backup(code)
        alice._core.store.db.execute("DELETE FROM messages WHERE text = 'an answer'")
        assert await alice.restore_backup(code, path) == 1


@pytest.mark.parametrize(
    "row",
    [
        ["messages"], ["messages", *[1] * 14], ["people", b"a", "n", 5], ["pins", b"a", b"b", "not bytes"], [5], [], {},
        ["receipts", b"c", b"i", b"a", -1], ["receipts", b"c", b"i", b"a", 1 << 63], ["receipts", b"c", b"i", b"a", True],
    ],
)  # fmt: skip
async def test_a_row_of_another_form_is_refused(tmp_path, row):
    store = Store(tmp_path, STORE_KEY)
    path = tmp_path / "archive"
    archive.write(path, b"k" * 32, b"account", b"", [["contacts", b"a", "known", b""], row])
    with pytest.raises(qpqclient.ArchiveDamaged):
        await archived.take(store, archive.read(path, b"k" * 32), 0)
    assert store.rows("SELECT * FROM contacts") == []
    archive.write(path, b"k" * 32, b"account", b"", [["of a later version", 1], ["contacts", b"a", "known", b""]])
    assert await archived.take(store, archive.read(path, b"k" * 32), 0) == 0
    assert store.rows("SELECT state FROM contacts") == [("known",)]
    store.close()


async def test_what_has_vanished_meanwhile_stays_away(tmp_path):
    store = Store(tmp_path, STORE_KEY)
    row = ["messages", b"c", b"i", b"s", "text", "t", 0, 0, 1, "received", 0, None, None, 1_000, 1]
    assert await archived.take(store, [row], 1_000) == 0
    assert await archived.take(store, [row], 999) == 1
    store.close()


def test_a_large_archive_is_read_in_pieces(tmp_path):
    path = tmp_path / "archive"
    rows = [["a", "x" * 200_000, n] for n in range(20)]
    assert archive.write(path, b"k" * 32, b"account", b"wrap", rows) == 20
    assert archive.read_head(path) == (b"account", b"wrap")
    assert list(archive.read(path, b"k" * 32)) == rows
    with pytest.raises(qpqclient.ArchiveDamaged):
        list(archive.read(path, b"j" * 32))
    archive.write(path, b"k" * 32, b"account", b"", [["a", "x" * (2 * archive.LINE_BYTES_MAX)]])
    with pytest.raises(qpqclient.ArchiveDamaged, match="too long"):
        list(archive.read(path, b"k" * 32))
    assert history.VERSION == 1
