"""What the commands' functions do and refuse, with a real client and a real server; a shell's faces of them: tests/cli."""

from __future__ import annotations

import pytest
import trio

import qpqclient
from qpq.commands import account, contacts, conversations, groups, linking, messages, naming
from qpq.here import Here
from qpq.table.model import Face, Mistake, NotWell
from tests.support.people import settle


class Listener:
    """Keeps what is told, and answers what is asked."""

    def __init__(self, *answers):
        self.values, self.lines, self.asked, self._answers = [], [], [], list(answers)

    def tell(self, value, *lines):
        self.values.append(value)
        self.lines += lines

    async def ask(self, question):
        self.asked.append(question)
        return self._answers.pop(0)

    def taken(self):
        """Return the lines since the last time."""
        found, self.lines = self.lines, []
        return found


def here_of(client, *answers, face=Face.CHAT, conversation=None):
    here = Here(None, Listener(*answers), face, conversation=conversation)
    here.client = client
    return here


async def test_rights_are_given_by_admins_only(open_world):
    async with open_world() as w:
        alice = await w.client("alice")
        here = here_of(alice, conversation=alice.conversation(w.club))
        with pytest.raises(Mistake, match="say who is --admin, too"):
            await contacts.roles(here, (), False, ("pin",))
        await contacts.roles(here, ("alice",), False, ())
        await contacts.roles(here, ("alice",), False, ("pin", "rename"))
        assert here.listener.taken() == [
            "admins: alice; everybody may: only write", "admins: alice; everybody may: rename, pin"
        ]  # fmt: skip


async def test_requests_are_listed_accepted_and_declined_by_any_of_their_names(open_world):
    async with open_world() as w:
        alice, eve = await w.client("alice"), await w.client("eve")
        alice.set_setting("requests", "on")
        talk, spam, more = await eve.dm("alice"), *[await eve.create_group("spam", ["alice"]) for _ in range(2)]
        await settle(eve, alice)
        here = here_of(alice)
        await contacts.requests(here, "list", "")
        assert sorted(here.listener.taken()) == sorted(
            [f"{talk.id.hex()[:8]}  @eve", *(f"{c.id.hex()[:8]}  #spam" for c in (spam, more))]
        )
        for name, count in (("#spam", 2), ("nobody\x1b", 0)):
            with pytest.raises(Mistake, match=f"^{count} requests are called") as found:
                await contacts.requests(here, "accept", name)
            assert "\x1b" not in str(found.value)
        await contacts.requests(here, "decline", spam.id.hex()[:8])
        await contacts.requests(here, "accept", "#spam")
        await contacts.requests(here, "accept", "@eve")
        assert here.listener.taken() == ["decline: #spam", "accept: #spam", "accept: @eve"]
        assert alice.requests() == []
        there = {c.id for c in alice.conversations() if c.active}
        assert ({talk.id, more.id} <= there, spam.id in there) == (True, False)


async def test_blocked_people_are_listed_after_each_change(open_world):
    async with open_world() as w:
        here = here_of(await w.client("alice"))
        for name, undo in (("eve", False), ("bob", False), ("eve", True), ("", False)):
            await contacts.block(here, name, undo)
        assert here.listener.taken() == [
            "eve is blocked", "bob is blocked", "eve is blocked", "bob is blocked", "bob is blocked"
        ]  # fmt: skip


async def test_signs_are_not_wanted_for_good_for_so_long_and_wanted_again(open_world):
    async with open_world() as w:
        alice = await w.client("alice")
        here = here_of(alice, conversation=alice.conversation(w.club))
        for duration in (None, 0, 60):
            contacts.mute(here, duration)
        assert here.listener.taken() == ["muted", "not muted", "muted"]


async def test_one_setting_is_shown_or_changed_and_without_a_name_all_are_shown(open_world):
    async with open_world() as w:
        here = here_of(await w.client("alice"))
        contacts.settings(here, "requests", "on")
        contacts.settings(here, "requests", "")
        assert [line.split("  ")[0] for line in here.listener.taken()] == ["requests = on"] * 2
        contacts.settings(here, "", "")
        assert [v["setting"] for v in here.listener.values[2:]] == list(qpqclient.SETTINGS)


async def test_what_cannot_be_meant_in_a_group_or_between_two_is_said(open_world):
    async with open_world() as w:
        alice = await w.client("alice")
        here = here_of(alice, conversation=alice.conversation(w.direct))
        with pytest.raises(Mistake, match="^@bob is between two people: /create-group"):
            await groups.invite(here, "carol")
        with pytest.raises(Mistake, match="^@bob is between two people: nobody can be removed"):
            await groups.remove(here, "bob")
        here.conversation = alice.conversation(w.club)
        with pytest.raises(Mistake, match=r"^bob is in #club already\.$"):
            await groups.invite(here, "bob")
        await groups.update_key(here)
        await groups.remove(here, "carol")
        assert here.listener.taken() == [f"#club is in epoch {here.open.epoch - 1}", "carol is out of #club"]


async def test_an_invitation_is_taken_up_by_name_or_as_the_newest_and_a_chat_says_that_there_is_none(open_world):
    async with open_world() as w:
        alice, bob = await w.client("alice"), await w.client("bob")
        here, shell = here_of(bob), here_of(bob, face=Face.SHELL)
        await bob.sync()
        with pytest.raises(Mistake, match=r"^No invitation is waiting\."):
            await groups.join(here, "")
        await groups.join(shell, "")
        assert (here.conversation, shell.listener.values) == (None, [])
        fresh = await alice.create_group("fresh", ["bob"])
        await settle(alice, bob)
        here.unopened.append(fresh.id)  # as `qpq.repl.arrivals` does when it has come
        await groups.join(here, "")
        assert (here.open.id, here.listener.taken()) == (fresh.id, ["joined #fresh"])
        assert here.unopened == []
        await groups.join(here, "#club")
        assert (here.open.id, here.listener.taken()) == (w.club, ["in #club"])


@pytest.mark.parametrize(
    ("answer", "taken"),
    [(("no",), False), (("maybe", "N"), False), (("maybe", ""), False), (("/link-device", " Yes "), True)],
)
async def test_a_device_is_linked_when_the_person_has_looked_at_it(open_world, tmp_path, answer, taken):
    async with open_world() as w:
        alice = await w.client("alice")
        here = here_of(alice, *answer)
        phone = qpqclient.open_client(tmp_path / "phone", server=w.where, password="store")
        async with phone as phone, trio.open_nursery() as nursery:
            code = phone.link_code()
            nursery.start_soon(phone.be_linked, "alice")
            if taken:
                await linking.link_device(here, (code[:8], code[8:]), "phone", 0, False)
            else:
                with pytest.raises(Mistake, match="nothing was linked"):
                    await linking.link_device(here, (code,), "phone", 0, False)
                nursery.cancel_scope.cancel()
        assert set(here.listener.asked) == {"Does a device of your own, in front of you, show this code? yes or no"}
        assert [d.label for d in await alice.devices()].count("phone") == taken


async def test_nobody_is_asked_about_a_code_that_is_none(open_world):
    async with open_world() as w:
        here = here_of(await w.client("alice"))
        with pytest.raises(qpqclient.LinkRefused, match="no code"):
            await linking.link_device(here, ("foo",), "phone", 0, False)


async def test_the_device_that_one_is_at_is_not_revoked_from_there(open_world):
    async with open_world() as w:
        here = here_of(await w.client("alice"))
        with pytest.raises(Mistake, match="from another one"):
            await account.devices(here, here.client.device.hex()[:8])
        assert [d.current for d in await here.client.devices()] == [True]


async def test_a_group_is_renamed_as_it_is_found_and_never_to_nothing(open_world):
    async with open_world() as w:
        alice = await w.client("alice")
        here = here_of(alice, conversation=alice.conversation(w.club))
        for blank in ('""', "''", "  "):
            with pytest.raises(Mistake, match="not empty"):
                await conversations.rename(here, blank)
        await conversations.rename(here, '"us" and "them"')
        assert here.open.name == '"us" and "them"'
        await conversations.rename(here, '"our club"')
        assert here.open.name == "our club"
        assert here.listener.taken()[-1] == 'renamed to "our club"'
        assert naming.known(alice, naming.label(here.open)).id == naming.known(alice, "#our club").id == w.club


@pytest.mark.parametrize("face", [Face.SHELL, Face.CHAT])
async def test_what_is_not_well_is_shown_with_advice_and_is_a_shells_exit_code(open_world, face):
    async with open_world() as w:
        here = here_of(await w.client("alice"), face=face)
        await here.client.sync()
        (w.folder / "alice").chmod(0o755)
        if face is Face.SHELL:
            with pytest.raises(NotWell):
                await linking.doctor(here)
        else:
            await linking.doctor(here)
        lines = here.listener.taken()
        wrong = next(n for n, line in enumerate(lines) if line.startswith("LOOK folder: "))
        assert lines[wrong + 1].startswith("     -> ")


async def test_a_reaction_is_an_emoji_and_may_be_called_by_its_name(open_world):
    async with open_world() as w:
        alice, bob = await w.client("alice"), await w.client("bob")
        await alice.conversation(w.direct).send("hello")
        await settle(alice, bob)
        here = here_of(bob, conversation=bob.conversation(w.direct))
        with pytest.raises(Mistake, match="blah is no emoji"):
            await messages.react(here, "blah", "", remove=False)
        await messages.react(here, ":rocket:", "", remove=False)
        await settle(bob, alice)
        assert here.open.history()[-1].reactions == (("bob", "🚀"),)
        await here.open.react(here.open.history()[-1].id, "blah")  # as earlier versions did
        await settle(bob, alice)
        assert len(here.open.history()[-1].reactions) == 2
        await messages.react(here, "blah", "", remove=True)
        await messages.react(here, ":rocket:", "", remove=True)
        await settle(bob, alice)
        assert here.open.history()[-1].reactions == ()


async def test_a_file_is_not_edited(open_world, tmp_path):
    async with open_world() as w:
        alice = await w.client("alice")
        (tmp_path / "a.txt").write_text("content")
        here = here_of(alice, conversation=alice.conversation(w.direct))
        await here.open.send_file(tmp_path / "a.txt")
        with pytest.raises(qpqclient.NotEditable):
            await messages.edit(here, "-1", "hoho")
        assert here.listener.taken() == []
