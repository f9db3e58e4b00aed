"""Which channel stands for a group whose home has gone, on a device's own store; servers and MLS are played.

`tests/federation/test_rehome.py` has it with real ones; here is what seldom happens there.
"""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from qpqclient import moves
from qpqclient.errors import GroupUnusable, NotAllowed, Refused
from qpqclient.moves import Moves
from qpqclient.store import Store
from qpqcore.groups.policy import ChannelKind, GroupPolicy
from qpqcore.model.errors import ErrorCode, Refusal

KEY = b"k" * 32
OWN, HOME, AWAY = "b.example", "a.example", "c.example"


def ident(name, domain):
    return name.encode().ljust(16, b".") + domain.encode()


ME, ALICE, BEA, CAROL = ident("me", OWN), ident("alice", HOME), ident("bea", OWN), ident("carol", AWAY)
EARLIER, LATER, ANOTHER = ident("old", HOME), ident("new", OWN), ident("branch", AWAY)
BEFORE = GroupPolicy(version=1, kind=ChannelKind.GROUP, home=HOME, generation=1)
AFTER = replace(BEFORE, home=OWN, follows=EARLIER, moves=1)


def refused(code):
    return Refused(Refusal(code, "no"))


class Core:
    """The client, as far as moving asks it; `refusals` says who refuses what, and how."""

    def __init__(self, store):
        self.store, self.policies = store, {}
        self.refusals, self.done = {}, []
        self.account = SimpleNamespace(account=ME, device=b"device")
        self.groups = SimpleNamespace(load=self._load, generation=lambda channel: int(channel in self.policies))
        self.births = SimpleNamespace(finish=self._doing("finish"), go_on=self._doing("go_on"))
        self.commits = SimpleNamespace(packages=self._packages, add=self._doing("add"))
        self.link = self._doing("link")
        self.catch_up = self._doing("catch_up")
        self.upkeep = SimpleNamespace(want_leave=lambda c: self.done.append(("leave", c)), wake=lambda: None)
        self.wake_sender = lambda: None

    def _load(self, channel):
        if channel not in self.policies:
            raise GroupUnusable("this device is not in the group")
        people = [SimpleNamespace(account=row[0]) for row in self.store.rows(
            "SELECT account FROM leaves WHERE channel = ?", channel
        )]  # fmt: skip
        return SimpleNamespace(policy=self.policies[channel].to_bytes(), suite=1, members=lambda: people)

    def _doing(self, what):
        async def do(*given):
            self.done.append((what, *given))
            if what in self.refusals:
                raise self.refusals[what]

        return do

    async def _packages(self, accounts, suite):
        if no := self.refusals.get(accounts[0]):
            raise no
        return list(accounts)

    def channel(self, channel, policy, *people, follows=b"", founded=0, kind=ChannelKind.GROUP):
        """Let there be a group with these people."""
        self.policies[channel] = policy
        db = self.store.db
        db.execute(
            "INSERT INTO channels (channel, generation, epoch, kind, name, timer_seconds, active, authenticator, follows, "
            "founded) VALUES (?, 1, 1, ?, 'friends', 0, 1, x'', ?, ?)",
            (channel, kind, follows, founded),
        )
        for leaf, account in enumerate(people):
            db.execute(
                "INSERT INTO leaves (channel, leaf, account, device) VALUES (?, ?, ?, ?)", (channel, leaf, account, b"")
            )


@pytest.fixture
def core(tmp_path, monkeypatch):
    monkeypatch.setattr(moves, "leaves_of", list)
    store = Store(tmp_path, KEY)
    yield Core(store)
    store.close()


def moved_to(core, channel):
    return bytes(core.store.rows("SELECT moved_to FROM channels WHERE channel = ?", channel)[0][0])


# --- by a person's command


@pytest.mark.parametrize(
    ("channel", "kind", "said"),
    [(EARLIER, ChannelKind.DIRECT, "only groups"), (LATER, ChannelKind.GROUP, "your own server")],
)
async def test_what_moving_is_no_help_for_is_refused(core, channel, kind, said):
    core.channel(channel, BEFORE, ME, kind=kind)
    with pytest.raises(NotAllowed, match=said):
        await Moves(core).rehome(channel)
    assert core.done == []


async def test_a_move_that_was_begun_is_finished_and_no_second_one_is(core):
    core.channel(EARLIER, BEFORE, ME, CAROL)
    core.channel(LATER, AFTER, ME, CAROL, follows=EARLIER)
    core.store.db.execute("INSERT INTO births VALUES (?, 3, x'')", (LATER,))
    core.refusals["catch_up"] = refused(ErrorCode.UNAVAILABLE)  # of what else lies in the mailbox
    assert await Moves(core).rehome(EARLIER) == EARLIER
    assert core.done == [("finish", LATER, 3), ("catch_up",)]


async def test_what_else_is_wrong_while_the_mailbox_is_read_is_told(core):
    core.channel(EARLIER, BEFORE, ME)
    core.channel(LATER, AFTER, ME, follows=EARLIER)
    core.store.db.execute("INSERT INTO births VALUES (?, 1, x'')", (LATER,))
    core.refusals["catch_up"] = refused(ErrorCode.FORBIDDEN)
    with pytest.raises(Refused) as no:
        await Moves(core).rehome(EARLIER)
    assert no.value.code is ErrorCode.FORBIDDEN


@pytest.mark.parametrize("code", sorted(moves.OUT_OF_REACH))
async def test_who_cannot_be_reached_is_left_out_for_now_and_the_old_homes_people_are_not_asked(core, code):
    core.channel(EARLIER, BEFORE, ME, ALICE, BEA, CAROL)
    core.refusals |= {"link": refused(ErrorCode.UNAVAILABLE), ALICE: AssertionError("asked"), CAROL: refused(code)}
    await Moves(core).rehome(EARLIER)
    (begun,) = [done for done in core.done if done[0] == "go_on"]
    _, later, after, wanted, added, _, name = begun
    assert later.endswith(OWN.encode())
    assert after == AFTER
    assert (sorted(added), name) == (sorted([ME, BEA]), "friends")
    assert sorted(wanted) == sorted([ME, BEA, CAROL])


async def test_another_answer_about_people_is_told_and_nothing_is_begun(core):
    core.channel(EARLIER, BEFORE, ME, CAROL)
    core.refusals |= {"link": refused(ErrorCode.NOT_FOUND), CAROL: refused(ErrorCode.FORBIDDEN)}
    with pytest.raises(Refused):
        await Moves(core).rehome(EARLIER)
    assert "go_on" not in [done[0] for done in core.done]


# --- which may stand for which


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (BEFORE, AFTER),
        (replace(BEFORE, admins=(ME,)), replace(AFTER, admins=(ME,))),
        (replace(BEFORE, everybody_may=1), replace(AFTER, everybody_may=1)),
    ],
)
def test_a_channel_with_the_same_rules_and_people_stands_for_the_earlier_one(core, before, after):
    core.channel(EARLIER, before, ME, ALICE, CAROL)
    core.channel(LATER, after, ME, CAROL, follows=EARLIER)
    assert Moves(core).entered(LATER)
    assert moved_to(core, EARLIER) == LATER


@pytest.mark.parametrize(
    ("before", "after", "newcomers"),
    [
        (replace(BEFORE, kind=ChannelKind.DIRECT), AFTER, ()),
        (BEFORE, replace(AFTER, moves=2), ()),
        (BEFORE, replace(AFTER, follows=ANOTHER), ()),
        (replace(BEFORE, admins=(ALICE,)), replace(AFTER, admins=(ALICE,)), (ident("eve", AWAY),)),
        (replace(BEFORE, admins=(ALICE,)), replace(AFTER, admins=(ME,)), ()),
        (replace(BEFORE, admins=(ALICE,)), replace(AFTER, admins=(ALICE,), everybody_may=2), ()),
    ],
)
def test_a_channel_of_other_rules_or_people_does_not(core, before, after, newcomers):
    core.channel(EARLIER, before, ME, ALICE, CAROL)
    core.channel(LATER, after, ME, CAROL, *newcomers, follows=EARLIER)
    assert not Moves(core).entered(LATER)
    assert moved_to(core, EARLIER) == b""


@pytest.mark.parametrize("unusable", [EARLIER, LATER])
def test_a_group_that_cannot_be_opened_is_no_reason_to_move(core, unusable):
    core.channel(EARLIER, BEFORE, ME)
    core.channel(LATER, AFTER, ME, follows=EARLIER)
    del core.policies[unusable]
    assert not Moves(core).entered(LATER)
    assert moved_to(core, EARLIER) == b""


def test_a_channel_that_stands_for_it_already_is_gone_over_to_once(core):
    core.channel(EARLIER, BEFORE, ME, ALICE)
    core.channel(LATER, AFTER, ME, follows=EARLIER)
    core.store.db.execute("INSERT INTO leaving VALUES (?)", (EARLIER,))
    found = Moves(core)
    for _ in range(2):
        assert found.entered(LATER)
        assert (moved_to(core, EARLIER), found.shown(EARLIER)) == (LATER, LATER)
        assert core.done == [("leave", LATER)]  # who wanted to leave the one leaves the other


@pytest.mark.parametrize("order", [(LATER, ANOTHER), (ANOTHER, LATER)])
def test_of_two_that_go_on_from_one_the_smaller_id_stands_whichever_was_entered_first(core, order):
    core.channel(EARLIER, BEFORE, ME)
    found = Moves(core)
    for channel in order:
        core.channel(channel, replace(AFTER, home=channel[16:].decode()), ME, follows=EARLIER)
        found.entered(channel)
    assert {found.shown(channel) for channel in (EARLIER, LATER, ANOTHER)} == {min(LATER, ANOTHER)}


# --- who is added later


@pytest.fixture
def gathering(core):
    """Return the group that goes on, with Carol still to be added."""
    core.channel(EARLIER, BEFORE, ME, CAROL)
    core.channel(LATER, AFTER, ME, follows=EARLIER, founded=1)
    found = Moves(core)
    assert not found.gathers
    found.entered(LATER)
    assert found.gathers
    return found


async def test_who_could_not_be_reached_is_added_and_forgotten(core, gathering):
    await gathering.gather(LATER, CAROL, EARLIER)
    assert core.done == [("add", LATER, [CAROL])]
    assert not gathering.gathers


@pytest.mark.parametrize("code", sorted(moves.OUT_OF_REACH))
async def test_who_still_cannot_be_reached_stays_to_be_added(core, gathering, code):
    core.refusals["add"] = refused(code)
    await gathering.gather(LATER, CAROL, EARLIER)
    assert gathering.gathers


@pytest.mark.parametrize("no", [refused(ErrorCode.FORBIDDEN), GroupUnusable("this device is not in the group")])
async def test_who_may_not_be_added_is_not_tried_for_ever(core, gathering, no):
    core.refusals["add"] = no
    await gathering.gather(LATER, CAROL, EARLIER)
    assert core.done == [("add", LATER, [CAROL])]
    assert not gathering.gathers


async def test_who_was_removed_meanwhile_is_not_brought_back(core, gathering):
    core.store.db.execute("DELETE FROM leaves WHERE account = ?", (CAROL,))
    await gathering.gather(LATER, CAROL, EARLIER)
    assert core.done == []
    assert not gathering.gathers
