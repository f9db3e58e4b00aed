"""Notes to oneself: not one datagram leaves; and what one has can be taken along."""

from __future__ import annotations

import json

import pytest
import trio.testing

import qpqclient
from qpqclient.transport import Network
from trio_quic.ports import UdpTransport

QUIET_SECONDS = 0.3
"""On loopback the last acknowledgement has come long before."""
RARELY_MS = 20_000
"""Between pings: no datagram leaves but what there is to say."""


def counting():
    """Return a network, and the list of the datagrams that were sent through it."""
    sent = []

    class Counted(UdpTransport):
        def send_nowait(self, batch):
            taken = super().send_nowait(batch)
            sent.extend(batch[:taken])
            return taken

    return Network(transport_factory=Counted, keepalive_ms=RARELY_MS), sent


async def test_a_note_to_oneself_sends_no_packet(open_world):
    network, sent = counting()
    async with open_world() as w:
        alice = await w.client("alice", network=network)
        await alice.sync()
        await trio.testing.wait_all_tasks_blocked(QUIET_SECONDS)
        before = len(sent)
        for name in ("alice", "ALICE", f"alice@{alice.account[16:].decode()}"):
            notes = await alice.dm(name)
            assert (notes.kind, notes.name, notes.active) == ("notepad", "alice", True)
        first = await notes.send("milk and bread")
        second = await notes.reply(first.id, "and butter")
        await notes.react(first.id, "👍")
        await notes.edit(first.id, "milk, bread")
        await notes.typing()
        await notes.mark_read([first.id])
        await notes.rename("shopping")
        await notes.set_timer(3600)
        third = await notes.send("for an hour")
        await notes.delete(second.id)
        assert [m.text for m in notes.history()] == ["milk, bread", "for an hour"]
        assert alice.pending == 0
        assert [m.text for m in alice.search("bread")] == ["milk, bread"]
        await trio.testing.wait_all_tasks_blocked(QUIET_SECONDS)
        assert len(sent) == before > 0
        await alice.sync()
        assert len(sent) > before, "else nothing was counted"
        assert alice.message(notes.id, third.id).state == "sent"
        for refused in (
            notes.invite("bob"), notes.remove("bob"), notes.leave(), notes.rejoin(), notes.update_key(),
            notes.set_admins(["alice"]), notes.send_file(w.folder / "world.json"),
        ):  # fmt: skip
            with pytest.raises(qpqclient.GroupUnusable):
                await refused
        assert notes.admins() == []
        alice._core.upkeep.want_rejoin_all()
        await alice.sync()
        assert len(alice.conversation(notes.id).history()) == 2


async def test_one_takes_ones_own_data_along(open_world, tmp_path):
    async with open_world() as w:
        alice, bob = await w.client("alice"), await w.client("bob")
        club = alice.conversation(w.club)
        await club.send("a text")
        (tmp_path / "photo.jpg").write_bytes(b"picture" * 1000)
        await club.send_file(tmp_path / "photo.jpg")
        await (await alice.dm("alice")).send("a note")
        with pytest.MonkeyPatch.context() as small:
            small.setattr("qpqclient.conversation.Conversation.everything.__defaults__", (1,))
            done = await alice.export_data(tmp_path / "mine")
        assert done == {"conversations": 3, "messages": 4, "files": 1, "files_missing": 0}
        account = json.loads((tmp_path / "mine" / "account.json").read_text())
        assert (account["name"], {p["name"] for p in account["people"]} >= {"bob", "carol"}) == ("alice", True)
        place = tmp_path / "mine" / w.club.hex()[:16]
        lines = [json.loads(line) for line in (place / "messages.jsonl").read_text().splitlines()]
        assert [m["text"] for m in lines] == ["a text", "[file] photo.jpg"]
        assert "secret" not in lines[1]["file"]
        (file,) = (place / "files").iterdir()
        assert file.read_bytes() == b"picture" * 1000
        assert {p.stat().st_mode & 0o077 for p in (tmp_path / "mine").rglob("*")} == {0}
        with pytest.raises(FileExistsError):
            await alice.export_data(tmp_path / "mine")
        count = await bob.export_transcript(bob.conversation(w.direct), tmp_path / "talk", "a password")
        shown = []
        done = qpqclient.verify_transcript(tmp_path / "talk", "a password", shown.append)
        assert (done.messages, done.author.account, [m["text"] for m in shown]) == (
            count, bob.account, ["the first message"],
        )  # fmt: skip
