"""A row that is switched to another node meanwhile: an UPDATE that returns no row is not done, and is said again.

On a stand-in for Citus: tests/support/citus.py says what it is, and what it does not show.
"""

from __future__ import annotations

import pytest

from qpqcore.store.postgres.face import OnCitus, holds
from qpqcore.store.postgres.layout import Layout
from qpqdelivery import postgres_statements as sql
from tests.support.channels import (
    BOB,
    CHANNEL,
    NOW_MS,
    accept,
    begin,
    commit,
    message,
    put,
)
from tests.support.citus import ask
from tests.support.nodes import (
    opened,
    texts_of,
)

SWITCH = """
CREATE TABLE stand_in.switches (relation text PRIMARY KEY);
INSERT INTO stand_in.switches VALUES ('{0}');
CREATE FUNCTION stand_in.switch_{0}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    DELETE FROM stand_in.switches WHERE relation = TG_TABLE_NAME;
    IF FOUND THEN RETURN NULL; END IF; -- no row, and no error
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER a_switch BEFORE UPDATE OR DELETE ON qpq_delivery.{0} FOR EACH ROW EXECUTE FUNCTION stand_in.switch_{0}();
"""


def switch(server, url, table):
    """Let the next statement on a table change nothing, as at the switch of a live move."""
    server.sql(url.rsplit("/", 1)[1], SWITCH.format(table))


def is_switched(url):
    return ask(url, "SELECT 1 FROM stand_in.switches") == []


async def test_a_message_whose_head_was_switching_is_taken(citus, own_citus):
    async with opened(own_citus) as store:
        await begin(store)
        switch(citus, own_citus, "heads")
        await put(store, message(b"hello"))
        assert await texts_of(store, BOB) == [b"hello"]
        assert is_switched(own_citus)


async def test_an_acknowledgement_and_an_end_at_the_switch_are_done(citus, own_citus):
    async with opened(own_citus) as store:
        await begin(store)
        await put(store, message(b"hello"))
        switch(citus, own_citus, "mailboxes")
        assert await store.ack(BOB.device, 2, NOW_MS) == 2
        assert is_switched(own_citus)
        ask(own_citus, "INSERT INTO stand_in.switches VALUES ('mailboxes')")
        await store.close_mailbox(BOB.device)
        assert is_switched(own_citus)
        assert await store.fetch(BOB.device, 0, 0, payloads=True, now_ms=NOW_MS) is None


async def test_a_handshake_at_the_switch_moves_the_head(citus, own_citus):
    async with opened(own_citus) as store:
        await begin(store)
        switch(citus, own_citus, "heads")
        await accept(store, commit(1))
        assert is_switched(own_citus)
        assert (await store.channel(CHANNEL)).epoch == 2


class Switching:
    """A connection on which nothing comes of a statement the first time."""

    def __init__(self):
        self.said = []

    async def fetch(self, query, *args):
        self.said.append(query)
        return [] if len(self.said) == 1 else [(1,)]

    async def fetchrow(self, query, *args):
        return (await self.fetch(query)) and (7,) or None

    async def execute(self, query, *args):
        return f"UPDATE {len(await self.fetch(query))}"


@pytest.mark.parametrize(
    ("statement", "is_held"),
    [
        (sql.HEAD, True), (sql.HOLD_HEADS, True), (sql.ACK, True), (sql.DROP_MAILBOX, True), (sql.LIFT_BOX, True),
        (sql.MARK, False), (sql.FIND, False), (sql.FETCH, False), (sql.NOTE_ALL, False),
    ],
)  # fmt: skip
async def test_what_holds_or_changes_rows_is_said_again_when_none_came(statement, is_held):
    assert holds(statement) is is_held
    for ask_by in ("fetch", "fetchrow", "fetchval", "execute"):
        connection = Switching()
        await getattr(OnCitus(connection, {}), ask_by)(statement)
        assert len(connection.said) == 1 + is_held


async def test_statements_are_said_in_the_words_of_citus():
    connection = Switching()
    await OnCitus(connection, {"plain": "of Citus"}).fetch("plain")
    assert connection.said == ["of Citus"]


def test_a_schema_without_a_layout_has_no_groups():
    assert Layout().groups == ()
