"""What a program still holds of a client that it has closed."""

from __future__ import annotations

from contextlib import AsyncExitStack

from tests.support.people import people


async def test_a_conversation_tells_its_id_when_its_client_is_closed(serving, tmp_path):
    async with serving() as server:
        async with AsyncExitStack() as stack:
            (alice,) = await people(stack, server, tmp_path, "alice")
            club = await alice.create_group("club", [])
            before = club.id
        assert club.id == before
