"""The server's view: what it takes, what it refuses, and that a refusal leaves it as it was."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from qpqnative import SUITE_1, CommitFacts, GroupView, MlsError, inspect_key_package
from qpqnative.testing import StoredDevice
from qpqnative.testing.world import GROUP_ID, NOW_S, World


def refusal(call: Callable[[], object]) -> str:
    """The kind with which a call is refused."""
    with pytest.raises(MlsError) as refused:
        call()
    return refused.value.kind


def state(view: GroupView) -> tuple[object, ...]:
    return view.epoch, view.tree_hash, view.snapshot(), view.tree()


def flipped(message: bytes, at: int) -> bytes:
    raw = bytearray(message)
    raw[at] ^= 1
    return bytes(raw)


def test_a_check_leaves_the_view_as_it_was(world: World) -> None:
    world.with_members("ada", "bob")
    before = state(world.view)
    pending = world.groups["ada"].commit(now_s=NOW_S)
    after, facts = world.view.check(pending.commit, NOW_S)
    assert isinstance(facts, CommitFacts)
    assert (after.epoch, after.tree_hash, after.tree()) == (2, pending.tree_hash, pending.tree)
    assert state(world.view) == before


def test_the_snapshot_is_small_and_holds_no_tree(world: World) -> None:
    world.with_members("ada", "bob", "cyd")
    assert len(world.view.snapshot()) < 700
    assert state(GroupView.load(world.view.snapshot(), world.view.tree())) == state(world.view)


@pytest.mark.parametrize("place", [12, 60, 200, 330])
def test_tampered_commits_are_refused(small: World, place: int) -> None:
    small.with_members("ada", "bob")
    before = state(small.view)
    commit = small.groups["ada"].commit(now_s=NOW_S).commit
    assert place < len(commit) - 70  # the confirmation and membership tags at the end need secrets to check
    refusal(lambda: small.view.check(flipped(commit, place), NOW_S))
    assert state(small.view) == before


def test_stale_and_repeated_commits_are_refused(small: World) -> None:
    small.with_members("ada", "bob")
    lost = small.groups["ada"].commit(now_s=NOW_S).commit
    won = small.groups["bob"].commit(now_s=NOW_S)
    small.deliver(won, "bob")
    assert refusal(lambda: small.view.check(lost, NOW_S)) == "wrong_epoch"
    assert refusal(lambda: small.view.check(won.commit, NOW_S)) == "wrong_epoch"


def test_forged_commits_are_refused(small: World) -> None:
    """A stranger with all that is public, and a removed member, cannot speak for a leaf."""
    small.with_members("ada", "bob", "cyd")
    removed = small.groups["cyd"]
    small.commit("ada", remove=[2])
    forged = removed.commit(now_s=NOW_S).commit
    assert refusal(lambda: small.view.check(forged, NOW_S)) == "wrong_epoch"
    other = StoredDevice("ada").device.create_group(SUITE_1, group_id=GROUP_ID, policy=b"policy v1", now_s=NOW_S)
    for _ in range(2):
        other.apply(other.commit(now_s=NOW_S))
    assert other.epoch == small.view.epoch
    assert refusal(lambda: small.view.check(other.commit(now_s=NOW_S).commit, NOW_S)) == "invalid"


def test_messages_of_other_kinds_and_groups_are_refused(small: World) -> None:
    small.with_members("ada", "bob")
    ada = small.groups["ada"]
    other = StoredDevice("eve").device.create_group(SUITE_1, group_id=b"other", policy=b"", now_s=NOW_S)
    assert refusal(lambda: small.view.check(other.commit(now_s=NOW_S).commit, NOW_S)) == "wrong_group"
    for message in (ada.encrypt(b"x"), ada.group_info(), small.key_package("dan"), b"", b"\0" * 64):
        assert refusal(lambda message=message: small.view.check(message, NOW_S)) == "malformed"  # type: ignore[misc]


def test_a_commit_that_leaves_out_a_stored_proposal_shows_it(world: World) -> None:
    world.with_members("ada", "bob", "cyd")
    unaware = world.groups["bob"].commit(now_s=NOW_S)
    view, proposal = world.view.propose_remove(2, world.server.credential, world.server.secret)
    _, facts = view.check(unaware.commit, NOW_S)
    assert isinstance(facts, CommitFacts)
    assert (facts.unused_proposals, facts.removed, facts.proposal_refs) == (1, [], [])
    world.groups["ada"].process(proposal)
    aware = world.groups["ada"].commit(now_s=NOW_S)
    _, facts = view.check(aware.commit, NOW_S)
    assert isinstance(facts, CommitFacts)
    assert (facts.unused_proposals, [member.index for member in facts.removed]) == (0, [2])


def test_remove_and_self_remove_of_one_leaf_are_one_departure(small: World) -> None:
    small.with_members("ada", "bob", "cyd")
    leaving = small.groups["cyd"].propose_self_remove()
    small.view, removing = small.view.propose_remove(2, small.server.credential, small.server.secret)
    small.view, _ = small.view.check(leaving, NOW_S)
    for name in ("ada", "bob"):
        small.groups[name].process(removing)
        small.groups[name].process(leaving)
        small.keep(name, small.groups[name])
    del small.groups["cyd"]
    facts = small.commit("ada")
    assert (facts.unused_proposals, [member.index for member in facts.self_removed_members]) == (0, [2])


def test_the_same_proposal_is_taken_once(small: World) -> None:
    small.with_members("ada", "bob", "cyd")
    sender = small.server.credential, small.server.secret
    view, proposal = small.view.propose_remove(2, *sender)
    assert refusal(lambda: view.propose_remove(2, *sender)) == "rule"
    assert refusal(lambda: view.check(proposal, NOW_S)) == "rule"
    assert refusal(lambda: view.propose_remove(9, *sender)) == "not_a_member"


def test_only_the_named_external_sender_may_remove(small: World) -> None:
    small.with_members("ada", "bob")
    rogue = StoredDevice("delivery")
    assert refusal(lambda: small.view.propose_remove(1, rogue.credential, rogue.secret)) == "invalid"


def test_a_strangers_external_commit_is_seen_for_what_it_is(world: World) -> None:
    """MLS lets anybody in who has a GroupInfo: the facts tell who, and the caller refuses."""
    world.with_members("ada", "bob")
    eve = world.person("eve")
    _, commit = eve.device.external_join(world.groups["ada"].group_info(), world.view.tree())
    _, at_server = world.view.check(commit, NOW_S)
    at_member = world.groups["ada"].process(commit)
    assert isinstance(at_server, CommitFacts)
    assert at_server == at_member
    assert at_server.external
    assert ([member.credential for member in at_server.added], at_server.removed) == ([b"eve"], [])
    world.groups["ada"] = world.people["ada"].load(GROUP_ID)
    world.agree()


def test_an_external_commit_may_not_bring_more(small: World) -> None:
    """Whom it removes is seen; a leaf that is not there is refused when it is built."""
    small.with_members("ada", "bob")
    eve = small.person("eve")
    info, tree = small.groups["ada"].group_info(), small.view.tree()
    _, commit = eve.device.external_join(info, tree, remove_leaf=1)
    _, facts = small.view.check(commit, NOW_S)
    assert isinstance(facts, CommitFacts)
    assert ([m.credential for m in facts.added], [m.credential for m in facts.removed]) == ([b"eve"], [b"bob"])
    refusal(lambda: eve.device.external_join(info, tree, remove_leaf=7))


def test_group_infos_are_checked_against_the_view(world: World) -> None:
    world.with_members("ada", "bob")
    info = world.groups["bob"].group_info()
    world.view.check_group_info(info)
    refusal(lambda: world.view.check_group_info(flipped(info, -1)))
    old = info
    pending = world.groups["ada"].commit(now_s=NOW_S)
    refusal(lambda: world.view.check_group_info(pending.group_info))
    world.deliver(pending, "ada")
    world.view.check_group_info(pending.group_info)
    refusal(lambda: world.view.check_group_info(old))
    assert refusal(lambda: world.view.check_group_info(pending.commit)) == "malformed"


def test_observing_needs_the_right_tree(small: World) -> None:
    small.with_members("ada", "bob")
    info, tree = small.groups["ada"].group_info(), small.groups["ada"].tree()
    other = StoredDevice("eve").device.create_group(SUITE_1, group_id=GROUP_ID, policy=b"", now_s=NOW_S)
    refusal(lambda: GroupView.observe(info, other.tree()))
    refusal(lambda: GroupView.observe(flipped(info, -1), tree))
    assert GroupView.observe(info, tree).members() == small.view.members()


def test_key_packages_are_checked(world: World) -> None:
    package = world.key_package("ada")
    assert refusal(lambda: inspect_key_package(package, NOW_S - 3_600)) == "invalid"
    assert refusal(lambda: inspect_key_package(package, NOW_S + 7_776_001)) == "invalid"
    assert inspect_key_package(package, None) == inspect_key_package(package, NOW_S)
    for place in (-1, -80, 40, 100):
        refusal(lambda place=place: inspect_key_package(flipped(package, place), NOW_S))  # type: ignore[misc]
    assert refusal(lambda: inspect_key_package(world.create("bob").group_info(), NOW_S)) == "malformed"
