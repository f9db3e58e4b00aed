"""What a client does for a group of many people once, and not for each of them."""

from __future__ import annotations

from dataclasses import replace

import trio

from qpqclient import people
from qpqcore.api.keystore import ResolveIdentitiesParams
from qpqdelivery import main as delivery_main
from qpqdelivery import sqlite_outbox
from qpqdelivery.main import bounds_of
from tests.support.people import settle, texts


def counted(client, monkeypatch):
    """Count the statements that write, and the transactions, of a client's database."""
    seen = []
    execute, many = client._core.store.db.execute, client._core.store.db.executemany

    def one(sql, values=()):
        seen.append(sql)
        return execute(sql, values)

    def several(sql, values):
        values = list(values)
        seen.extend([f"each {sql}"] * len(values))
        return many(sql, values)

    monkeypatch.setattr(client._core.store.db, "execute", one)
    monkeypatch.setattr(client._core.store.db, "executemany", several)
    return seen


async def test_who_makes_a_group_knows_its_people_by_one_transaction(open_world, monkeypatch):
    async with open_world() as w:
        alice = await w.client("alice")
        seen = counted(alice, monkeypatch)
        await alice.create_group("new", ["bob", "eve"])
        begun = [sql for sql in seen if sql == "BEGIN IMMEDIATE" or "INSERT INTO contacts" in sql]
        first = next(i for i, sql in enumerate(begun) if "contacts" in sql)
        assert begun[first - 1] == "BEGIN IMMEDIATE"
        assert alice._core.contacts.state(alice.conversation(w.direct).others()[0]) == "known"


async def test_a_commit_writes_the_leaves_that_changed_and_no_others(open_world, monkeypatch):
    async with open_world() as w:
        alice, bob = await w.client("alice"), await w.client("bob")
        await settle(alice, bob)
        club = alice.conversation(w.club)

        def leaves(client):
            return client._core.store.rows(
                "SELECT leaf, account, device, identity_key FROM leaves WHERE channel = ? ORDER BY leaf", w.club
            )

        def by_the_group(client):
            group = client._core.groups.load(w.club)
            return [m.index for m in sorted(group.members(), key=lambda m: m.index)]

        seen = counted(bob, monkeypatch)
        await club.invite("eve")
        await settle(alice, bob)
        assert [sql for sql in seen if "leaves VALUES" in sql] == [
            "each INSERT OR REPLACE INTO leaves VALUES (?, ?, ?, ?, ?)"
        ]
        assert leaves(alice) == leaves(bob)
        assert [row[0] for row in leaves(bob)] == by_the_group(bob)
        await club.remove("eve")
        await settle(alice, bob)
        assert [sql for sql in seen if "DELETE FROM leaves" in sql] == [
            "each DELETE FROM leaves WHERE channel = ? AND leaf = ?"
        ]
        assert leaves(alice) == leaves(bob)
        assert [row[0] for row in leaves(bob)] == by_the_group(bob)


async def test_two_tasks_that_want_the_names_ask_once(open_world, monkeypatch):
    async with open_world() as w:
        alice = await w.client("alice")
        await settle(alice)
        alice._core.store.db.execute("DELETE FROM people WHERE account IN (SELECT account FROM leaves)")
        asked = []
        call = alice._core.call

        async def noted(params, result, **more):
            if isinstance(params, ResolveIdentitiesParams):
                asked.extend(params.accounts)
            return await call(params, result, **more)

        monkeypatch.setattr(alice._core, "call", noted)
        monkeypatch.setattr(people, "NAMES_AT_ONCE", 1)
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(alice._core.people.learn)
        assert asked
        assert len(asked) == len(set(asked))


async def test_a_conversation_that_is_told_after_the_answer_is_like_any_other(open_world, monkeypatch):
    """Every group is a large one here, and mailboxes are filled one entry at a time."""

    def few_at_once(config):
        return replace(bounds_of(config), told_at_once_max=1)

    monkeypatch.setattr(delivery_main, "bounds_of", few_at_once)
    monkeypatch.setattr(sqlite_outbox, "COPIES_MAX", 1)
    async with open_world() as w:
        alice, bob, eve = await w.client("alice"), await w.client("bob"), await w.client("eve")
        await settle(alice, bob)
        club = alice.conversation(w.club)
        before = len(texts(bob.conversation(w.club)))
        for number in range(5):
            await club.send(f"message {number}")
        await club.invite("eve")
        await club.send("welcome")
        await alice.flush()
        for client, wanted in ((bob, "message 4"), (bob, "welcome"), (eve, "welcome")):
            await has(client, w.club, wanted)
        said = [t for t in texts(bob.conversation(w.club))[before:] if t.startswith(("message", "welcome"))]
        assert said == [*(f"message {n}" for n in range(5)), "welcome"]
        await bob.conversation(w.club).send("me too")
        await has(alice, w.club, "me too")
        await has(eve, w.club, "me too")
        assert len({c.conversation(w.club).authenticator for c in (alice, bob, eve)}) == 1


async def has(client, channel, text):
    """Wait until a client that follows has a message."""
    events = client.events()
    with trio.fail_after(60):
        while text not in texts(client.conversation(channel)):
            await anext(events)
