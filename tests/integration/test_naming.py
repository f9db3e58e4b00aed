"""How conversations and files are named on the command line, with real conversations behind the names."""

from __future__ import annotations

import click
import pytest

from qpq.commands.files import file_message
from qpq.commands.naming import find, label
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
        with pytest.raises(click.UsageError, match="several conversations") as several:
            await find(alice, f"#{twin.name}")
        assert twin.id.hex()[:8] in several.value.message
        assert (await find(alice, twin.id.hex()[:8])).id == twin.id
        for nothing in ("#nowhere", "nowhere", "0" * 12):
            with pytest.raises(click.UsageError, match="no conversation called"):
                await find(alice, nothing)


async def test_a_file_is_found_by_number_from_the_newest_and_by_its_ids_beginning(open_world, tmp_path):
    async with open_world() as w:
        alice = await w.client("alice")
        talk = alice.conversation(w.direct)
        with pytest.raises(click.UsageError, match="1 is the newest of 0"):
            file_message(talk, "1")
        sent = []
        for name in ("older", "newer"):
            (tmp_path / name).write_bytes(name.encode())
            sent.append((await talk.send_file(tmp_path / name)).id)
        await settle(alice)
        assert [file_message(talk, i).id for i in ("2", "1")] == sent
        assert file_message(talk, sent[0].hex()[:10]).id == sent[0]
        for wrong in ("3", "0", "", "not a file", sent[0].hex()[:5]):
            with pytest.raises(click.UsageError, match="1 is the newest of 2"):
                file_message(talk, wrong)
