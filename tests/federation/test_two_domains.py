"""Two domains, one conversation."""

from __future__ import annotations

import pytest
import trio

from tests.support.domains import open_domains

PATIENCE_SECONDS = 60


async def until(client, condition):
    """Wait until something that events tell of is so."""
    events = client.events()
    while not condition():
        with trio.move_on_after(1.0):
            await anext(events)


def texts(conversation):
    return [m.text for m in conversation.history(1000)]


@pytest.mark.parametrize("first", ["alice@a.example", "bob@b.example"])
async def test_a_direct_conversation_goes_over_two_domains(tmp_path, first):
    second = {"alice@a.example": "bob@b.example", "bob@b.example": "alice@a.example"}[first]
    with trio.fail_after(PATIENCE_SECONDS):
        async with open_domains(tmp_path) as domains, domains.person(first) as one, domains.person(second) as other:
            there = await one.dm(second)
            assert there.name == second
            await there.send("good day")
            await one.flush()
            await until(other, lambda: bool(other.conversations()) and "good day" in texts(other.conversations()[0]))
            here = other.conversations()[0]
            assert here.name == first
            await here.send("to you too")
            await until(one, lambda: "to you too" in texts(there))
            assert texts(there) == texts(here) == ["good day", "to you too"]
            assert there.epoch == here.epoch
            assert there.authenticator == here.authenticator
