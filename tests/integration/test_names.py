"""Whom a new member is in a group with: asked of the server as the group comes, and again where the answer cannot be had."""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest
import trio

import qpqclient
from qpqcore.api import keystore
from qpqcore.model.errors import ErrorCode
from tests.support.answers import refused_once
from tests.support.people import people

PATIENCE_SECONDS = 20


async def named(told, conversation, name):
    """Wait until a conversation's people are told to be shown otherwise, and one of them has the name."""
    while name not in {m.name for m in conversation.members()}:
        while not isinstance(await anext(told), qpqclient.GroupChanged):
            pass


@pytest.mark.parametrize("code", [ErrorCode.UNAVAILABLE, ErrorCode.OVERLOADED])
async def test_a_name_that_cannot_be_had_now_is_asked_for_again_and_told(serving, tmp_path, code):
    """As when the member's domain is away: nothing else has to happen in the group for the name to come."""
    async with serving() as server, AsyncExitStack() as stack:
        alice, bob = await people(stack, server, tmp_path, "alice", "bob")
        told = bob.events()
        refused_once(bob, keystore.ResolveIdentityParams, code)
        club = await alice.create_group("club", ["bob"])
        with trio.fail_after(PATIENCE_SECONDS):
            while not bob.conversations():
                await anext(told)
            await named(told, bob.conversation(club.id), "alice")
        await bob._core.upkeep.settle()
        assert not bob._core.people.unanswered
