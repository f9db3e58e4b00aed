"""How conversations and files are named on the command line, with real conversations behind the names."""

from __future__ import annotations

import pytest

from qpq.commands.files import file_message
from qpq.commands.naming import find, label
from qpq.here import Here
from qpq.table.model import Face, Mistake
from tests.support.people import settle


async def test_a_conversation_is_found_by_person_by_name_and_by_its_ids_beginning(open_world):
    async with open_world() as w:
        alice = await w.client("alice")
        direct, club = alice.conversation(w.direct), alice.conversation(w.club)
        assert (await find(alice, "@bob")).id == direct.id
        assert (await find(alice, f"#{club.name}")).id == club.id
        assert (await find(alice, club.name)).id == club.id
        assert (await find(alice, club.id.hex()[:8])).id == club.id
        assert (label(direct), label(club)) == ("@bob", f"#{club.name}")
        met_now = await find(alice, "@eve")
        assert [m.name for m in met_now.members() if m.name != "alice"] == ["eve"]


async def test_a_name_of_several_or_of_none_is_said_so(open_world):
    async with open_world() as w:
        alice = await w.client("alice")
        twin = await alice.create_group(alice.conversation(w.club).name, ["bob"])
        with pytest.raises(Mistake, match="several conversations") as several:
            await find(alice, f"#{twin.name}")
        assert twin.id.hex()[:8] in str(several.value)
        assert (await find(alice, twin.id.hex()[:8])).id == twin.id
        for nothing in ("#nowhere", "nowhere", "0" * 12):
            with pytest.raises(Mistake, match="no conversation called"):
                await find(alice, nothing)


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
