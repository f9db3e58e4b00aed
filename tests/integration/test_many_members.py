"""What a client does for a group of many people once, and not for each of them."""

from __future__ import annotations

import trio

from qpqclient import people
from qpqcore.api.keystore import ResolveIdentityParams
from tests.support.people import settle


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
        assert [sql for sql in seen if "leaves VALUES" in sql] == ["each INSERT OR REPLACE INTO leaves VALUES (?, ?, ?, ?, ?)"]
        assert leaves(alice) == leaves(bob)
        assert [row[0] for row in leaves(bob)] == by_the_group(bob)
        await club.remove("eve")
        await settle(alice, bob)
        assert [sql for sql in seen if "DELETE FROM leaves" in sql] == ["each DELETE FROM leaves WHERE channel = ? AND leaf = ?"]
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
            if isinstance(params, ResolveIdentityParams):
                asked.append(params.account)
            return await call(params, result, **more)

        monkeypatch.setattr(alice._core, "call", noted)
        monkeypatch.setattr(people, "ASKED_AT_ONCE", 1)
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(alice._core.people.learn)
        assert asked
        assert len(asked) == len(set(asked))
