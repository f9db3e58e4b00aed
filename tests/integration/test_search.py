"""Search in one's own messages, and that nothing of what has gone is left: neither in the index nor in any page."""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest
import trio

from qpqclient.store import DATABASE, Store, open_key
from tests.oracle import traces
from tests.support.people import people, settle
from tests.support.world import STORE_KEY

PLENTY = 30
"""Messages around the one that goes: rows are moved between pages, and leave copies there."""


def found(client, text, **more):
    return [m.text for m in client.search(text, **more)]


async def test_words_are_found_from_their_beginning_whatever_case_and_accents(open_world):
    async with open_world() as w:
        alice = await w.client("alice")
        club, direct = alice.conversation(w.club), alice.conversation(w.direct)
        for text in (
            "Grüße aus München",
            "the gruss of nobody",
            "明日の天気は晴れ",
            'say "NEAR" OR NOT',
            "under_score",
        ):
            await club.send(text)
        await direct.send("Munchen again")
        assert found(alice, "munch") == ["Munchen again", "Grüße aus München"]
        assert found(alice, "MÜNCHEN gru") == ["Grüße aus München"]
        assert found(alice, "munch", within=direct) == ["Munchen again"]
        assert found(alice, "munch", count=1) == ["Munchen again"]
        assert found(alice, "天気") == ["明日の天気は晴れ"]
        assert found(alice, '"near" or not') == ['say "NEAR" OR NOT']
        for nothing in ("", "***", '"', "nobody near", "\0", "unchen"):
            assert found(alice, nothing) == []


async def test_the_index_follows_edits_deletions_and_a_deleted_account(open_world):
    async with open_world() as w:
        alice, bob = await w.client("alice"), await w.client("bob")
        hers = alice.conversation(w.direct)
        first, second = await hers.send("raspberry"), await hers.send("blueberry")
        await settle(alice, bob)
        assert found(bob, "raspberry") == ["raspberry"]
        await hers.edit(first.id, "strawberry")
        await hers.delete(second.id)
        await settle(alice, bob)
        for client in (alice, bob):
            assert [found(client, berry) for berry in ("raspberry", "blueberry", "strawberry")] == [
                [],
                [],
                ["strawberry"],
            ]
        await alice.delete_account()
        assert found(alice, "strawberry") == []


async def test_a_database_of_before_is_indexed(tmp_path, monkeypatch):
    from qpqclient import store

    every = store.migrations_of("qpqclient")
    monkeypatch.setattr(store, "migrations_of", lambda _: every[:6])
    old = Store(tmp_path, STORE_KEY)
    row = (1, b"c", b"i", b"s", "text", "long ago", 0, 0, 1, "received", 0, 0, None, None, 1, 0)
    old.db.execute(f"INSERT INTO messages VALUES ({', '.join('?' * len(row))})", row)
    old.close()
    monkeypatch.setattr(store, "migrations_of", lambda _: every)
    now = Store(tmp_path, STORE_KEY)
    assert now.rows("SELECT m.text FROM search s JOIN messages m ON m.number = s.rowid WHERE search MATCH 'long'") == [
        ("long ago",)
    ]
    copies = list(tmp_path.glob(f"{DATABASE}.before-*"))
    assert copies
    now.db.execute("DELETE FROM messages")
    assert now.erase_due
    assert now.erase()
    assert not now.erase_due
    assert not any(copy.exists() for copy in copies)
    now.close()


def decrypted(folder):
    """Return every byte of a client's databases, as it is under the seal: free pages, logs and copies included."""
    return b"".join(page for path in sorted(folder.glob(f"{DATABASE}*")) for page in traces.pages(path, STORE_KEY))


@pytest.mark.parametrize("how", ["expires", "is deleted", "is edited"])
async def test_nothing_is_left_of_a_message_that_goes(open_world, how):
    """All client databases opened with their keys and searched byte for byte, free pages and the log included."""
    secret = "xylophone quartz"
    async with open_world() as w:
        alice, bob = await w.client("alice"), await w.client("bob")
        hers, his = alice.conversation(w.direct), bob.conversation(w.direct)
        for number in range(PLENTY):
            await (hers if number % 2 else his).send(f"filler {number} " + "y" * (number % 70))
        await settle(alice, bob)
        if how == "expires":
            await hers.set_timer(1)
        message = await hers.send(secret)
        await hers.set_timer(0)
        await hers.send("after it")
        await settle(alice, bob)
        for client, name in ((alice, "alice"), (bob, "bob")):
            if how != "expires":
                assert found(client, "xylophone") == [secret]
            assert b"ylophone" in decrypted(w.folder / name), "else this test could not fail"
        if how == "is deleted":
            await hers.delete(message.id)
        elif how == "is edited":
            await hers.edit(message.id, "something else")
        else:
            while alice._core.server_now_ms() < alice.message(w.direct, message.id).sent_ms + 1_500:
                await trio.sleep(0.05)
        await settle(alice, bob)
        for client, name in ((alice, "alice"), (bob, "bob")):
            assert client.erase()
            assert found(client, "xylophone") == []
            assert b"lophone" not in decrypted(w.folder / name)
            assert b"filler 7" in decrypted(w.folder / name)


async def test_what_goes_is_erased_by_itself_at_the_next_start(serving, tmp_path):
    async with serving() as server, AsyncExitStack() as stack:
        alice, bob = await people(stack, server, tmp_path, "alice", "bob")
        talk = await alice.dm("bob")
        message = await talk.send("here and gone")
        await settle(alice, bob)
        await talk.delete(message.id)
        await settle(alice, bob)
        assert alice._core.store.erase_due
    store = Store(tmp_path / "alice", open_key(tmp_path / "alice", "store alice"))
    assert not store.erase_due
    store.close()
