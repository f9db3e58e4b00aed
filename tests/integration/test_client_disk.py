"""A client whose own disk is full says so, loses nothing, and goes on by itself when there is room again."""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest
import sqlcipher3
import trio

import qpqclient
from qpqclient.store import Store
from tests.support.people import people, settle, texts

PATIENCE_SECONDS = 30


class NoRoom:
    """A connection whose disk is full: at the first write, or only when it is committed."""

    def __init__(self, connection, fails_at):
        self._connection, self._fails_at = connection, fails_at
        self.refused = trio.Event()

    def _refuse(self, sql):
        if sql.startswith(self._fails_at):
            self.refused.set()
            raise sqlcipher3.OperationalError("database or disk is full")

    def execute(self, sql, *values):
        self._refuse(sql)
        return self._connection.execute(sql, *values)

    def executemany(self, sql, rows):
        self._refuse(sql)
        return self._connection.executemany(sql, rows)

    def close(self):
        self._connection.close()

    @property
    def in_transaction(self):
        return self._connection.in_transaction


@pytest.fixture(params=[("INSERT", "UPDATE", "DELETE"), ("COMMIT",)], ids=["at the write", "at the commit"])
def fill(request):
    def full(client):
        rows = client._core.store.db
        real, rows.connection = rows.connection, NoRoom(rows.connection, request.param)
        rows.connection.real = real
        return rows.connection.refused

    return full


def make_room(client):
    rows = client._core.store.db
    rows.connection = rows.connection.real


async def test_what_cannot_be_stored_is_not_sent_and_its_author_is_told(serving, tmp_path, fill):
    async with serving() as server, AsyncExitStack() as stack:
        alice, bob = await people(stack, server, tmp_path, "alice", "bob")
        talk = await alice.dm("bob")
        await settle(alice, bob)
        fill(alice)
        with pytest.raises(qpqclient.DiskFull) as told:
            await talk.send("lost")
        assert (told.value.name, alice.pending) == ("storageFull", 0)
        make_room(alice)
        await talk.send("kept")
        await settle(alice, bob)
        assert texts(bob.conversation(talk.id)) == ["kept"]


async def test_what_comes_meanwhile_waits_in_the_mailbox(serving, tmp_path, fill):
    async with serving() as server, AsyncExitStack() as stack:
        alice, bob = await people(stack, server, tmp_path, "alice", "bob")
        talk = await alice.dm("bob")
        await settle(alice, bob)
        refused = fill(bob)
        await talk.send("one")
        await talk.update_key()
        await talk.send("two")
        with trio.fail_after(PATIENCE_SECONDS):
            await refused.wait()
        make_room(bob)
        await settle(alice, bob)
        assert texts(bob.conversation(talk.id)) == ["one", "two"]
        assert bob.conversation(talk.id).authenticator == talk.authenticator
        await bob.conversation(talk.id).send("three")
        await settle(bob, alice)
        assert texts(talk) == ["one", "two", "three"]


def test_a_transaction_that_cannot_be_committed_is_undone(tmp_path):
    store = Store(tmp_path, b"k" * 32)
    real = store.db.connection
    store.db.connection = NoRoom(real, ("COMMIT",))
    with pytest.raises(qpqclient.DiskFull), store.transaction():
        store.put({"a": b"1"})
    store.db.connection = real
    with store.transaction():
        store.put({"b": b"2"})
    assert (store.get("a"), store.get("b")) == (None, b"2")
    store.close()
