"""Two domains, one conversation."""

from __future__ import annotations

import trio

from tests.support.domains import open_domains, texts, until

PATIENCE_SECONDS = 60


async def test_a_direct_conversation_goes_over_two_domains(tmp_path, form, fresh_postgres):
    """One server keeps SQLCipher files, the other has PostgreSQL: in every form; the bus is the form's."""
    first, second = "alice@a.example", "bob@b.example"
    kept = {"b.example": {"store_backend": "postgres", "database_url": fresh_postgres}}
    with trio.fail_after(PATIENCE_SECONDS):
        async with (
            open_domains(tmp_path, **kept) as domains, domains.person(first) as one, domains.person(second) as other,
        ):  # fmt: skip
            there = await one.dm(second)
            assert there.name == second
            await there.send("good day")
            await one.flush()
            await until(other, lambda: bool(other.conversations()) and "good day" in texts(other.conversations()[0]))
            here = other.conversations()[0]
            await until(other, lambda: here.name == first)  # asked of the other domain once the message is there
            await here.send("to you too")
            await until(one, lambda: "to you too" in texts(there))
            assert texts(there) == texts(here) == ["good day", "to you too"]
            assert there.epoch == here.epoch
            assert there.authenticator == here.authenticator
            group = await other.create_group("at b", [first])
            await until(one, lambda: any(c.name == "at b" for c in one.conversations()))
            at_one = one.conversation(group.id)
            await at_one.send("up")
            await group.send("down")
            await until(other, lambda: "up" in texts(group))
            await until(one, lambda: "down" in texts(at_one))
            assert texts(at_one) == texts(group)
