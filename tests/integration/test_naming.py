"""How conversations and files are named on the command line, with real conversations behind the names."""

from __future__ import annotations

import pytest
import trio

import qpqclient
from qpq.commands import conversations
from qpq.commands.files import file_message, send_file
from qpq.commands.naming import find, label, opened
from qpq.here import Here
from qpq.table.model import Face, Mistake
from qpqclient import people
from tests.integration.test_command_functions import here_of
from tests.support.people import settle


async def look_for(client, target):
    """Find a conversation, and begin none."""
    return await find(client, target, begin=False)


async def test_a_conversation_is_found_by_person_by_name_and_by_its_ids_beginning(open_world):
    async with open_world() as w:
        alice = await w.client("alice")
        direct, club = alice.conversation(w.direct), alice.conversation(w.club)
        assert (await look_for(alice, "@bob")).id == direct.id
        assert (await look_for(alice, f"#{club.name}")).id == club.id
        assert (await look_for(alice, club.name)).id == club.id
        assert (await look_for(alice, club.id.hex()[:8])).id == club.id
        assert (label(direct), label(club)) == ("@bob", f"#{club.name}")
        with pytest.raises(Mistake, match="no conversation called @eve"):
            await look_for(alice, "@eve")
        met_now = await find(alice, "@eve", begin=True)
        assert [m.name for m in met_now.members() if m.name != "alice"] == ["eve"]
        assert (await look_for(alice, "@eve")).id == (await opened(alice, "@eve")).id == met_now.id
        assert [m.name for m in (await opened(alice, "@dave")).members() if m.name != "alice"] == ["dave"]


async def test_a_name_of_several_or_of_none_is_said_so(open_world):
    async with open_world() as w:
        alice = await w.client("alice")
        twin = await alice.create_group(alice.conversation(w.club).name, ["bob"])
        with pytest.raises(Mistake, match="several conversations") as several:
            await look_for(alice, f"#{twin.name}")
        assert twin.id.hex()[:8] in str(several.value)
        assert (await look_for(alice, twin.id.hex()[:8])).id == twin.id
        here = here_of(alice)
        conversations.list_(here)
        shown = {c.id: f" ({c.id.hex()[:8]})" if c.name == twin.name else "" for c in alice.conversations()}
        assert here.listener.taken() == [
            f"{label(c)}{shown[c.id]}  {len(c.members())} members, epoch {c.epoch}" for c in alice.conversations()
        ]
        assert sum(map(bool, shown.values())) == 2
        for nothing in ("#nowhere", "nowhere", "0" * 12):
            with pytest.raises(Mistake, match="no conversation called"):
                await look_for(alice, nothing)


async def test_a_file_is_found_by_number_by_its_ids_beginning_and_as_the_newest(open_world, tmp_path):
    async with open_world() as w:
        alice = await w.client("alice")
        here = Here(None, None, Face.SHELL, conversation=alice.conversation(w.direct))
        with pytest.raises(Mistake, match="There is no file in @bob"):
            file_message(here, "")
        sent = []
        for name in ("older", "newer"):
            (tmp_path / name).write_bytes(name.encode())
            sent.append((await here.open.send_file(tmp_path / name)).id)
        words = (await here.open.send("no file")).id
        await settle(alice)
        assert [file_message(here, i).id for i in ("-3", "-2", "")] == [*sent, sent[1]]
        assert file_message(here, sent[0].hex()[:10]).id == sent[0]
        assert file_message(here, str(here.number(here.open.message(sent[1]), here.open))).id == sent[1]
        with pytest.raises(Mistake, match="carries no file"):
            file_message(here, words.hex()[:10])
        for wrong in ("99", "0", "not a file", sent[0].hex()[:5]):
            with pytest.raises(Mistake, match="There is no message"):
                file_message(here, wrong)


async def test_who_has_read_all_knows_whom_it_is_of(open_world, monkeypatch):
    """Another task has just taken what came, and still asks for the names: what it does not get, `sync` asks for itself."""
    async with open_world() as w:
        alice, eve = await w.client("alice"), await w.client("eve")
        await settle(alice, eve)
        asking, ask = trio.Event(), eve._core.people._identities

        async def has_no_answer(accounts):
            if not asking.is_set():
                asking.set()
                await trio.sleep_forever()
            return await ask(accounts)

        monkeypatch.setattr(eve._core.people, "_identities", has_no_answer)
        monkeypatch.setattr(people, "PATIENCE_SECONDS", 0.01)
        await alice.conversation(w.club).invite("eve")
        await asking.wait()
        await eve.sync()
        assert {m.name for m in eve.conversation(w.club).members()} == {"alice", "bob", "carol", "eve"}


@pytest.mark.parametrize("push", [True, False])
async def test_names_that_were_not_told_when_the_connection_ended_are_asked_for_on_the_next(
    open_world, monkeypatch, push
):
    """Nothing else comes: without that, members would have no name until somebody says something."""
    async with open_world() as w:
        alice, eve = await w.client("alice"), await w.client("eve", push=push)
        await settle(alice, eve)
        ask, lost = eve._core.people._identities, []

        async def loses_its_connection(accounts):
            if not lost:
                lost.append(await eve._core.link())
                lost[0].close()
                raise qpqclient.Unreachable("the connection ended")
            return await ask(accounts)

        monkeypatch.setattr(eve._core.people, "_identities", loses_its_connection)
        await alice._core.commits.add(w.club, [eve.account])  # and no word of what the conversation is called
        with trio.fail_after(10):
            while {m.name for c in eve.conversations() for m in c.members()} != {"alice", "bob", "carol", "eve"}:
                await trio.sleep(0.01)
        assert lost


async def test_a_folder_is_said_to_be_one(open_world, tmp_path):
    async with open_world() as w:
        alice = await w.client("alice")
        here = here_of(alice, conversation=alice.conversation(w.direct))
        with pytest.raises(Mistake, match="is a folder"):
            await send_file(here, tmp_path)
        with pytest.raises(Mistake, match="there is no file"):
            await send_file(here, tmp_path / "nothing")
