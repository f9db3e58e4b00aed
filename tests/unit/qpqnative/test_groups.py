"""Groups of both suites for real: state is written, dropped and loaded after every step (``World.keep``)."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from qpqnative import (
    SUITE_1,
    SUITE_XWING,
    Application,
    CommitFacts,
    GroupView,
    Member,
    MlsError,
    PendingCommit,
    Proposal,
    inspect_key_package,
    inspect_message,
)
from qpqnative.testing import StoredDevice
from qpqnative.testing.world import GROUP_ID, NOW_S, POLICY, World


def names(members: list[Member]) -> list[str]:
    return [member.credential.decode() for member in members]


def test_a_group_is_born_with_its_policy_and_grows(world: World) -> None:
    group = world.create()
    assert (group.group_id, group.epoch, group.suite, group.own_index) == (GROUP_ID, 0, world.suite, 0)
    assert group.policy == POLICY
    assert world.view.external_senders == [(b"delivery", world.server.public)]
    facts = world.commit("ada", ("bob", "cyd"))
    assert (facts.epoch, facts.external, facts.self_removed) == (1, False, False)
    assert names(facts.added) == ["bob", "cyd"]
    assert [member.index for member in facts.added] == [1, 2]
    assert facts.added[0].signature_key == world.people["bob"].public
    assert facts.committer == world.groups["ada"].members()[0]
    assert names(world.groups["bob"].members()) == ["ada", "bob", "cyd"]


def test_messages_pass_between_all(world: World) -> None:
    world.with_members("ada", "bob", "cyd")
    for author in ("ada", "bob", "cyd"):
        sealed = world.groups[author].encrypt(b"from " + author.encode(), b"seen by all")
        world.keep(author, world.groups[author])
        for reader in sorted(set(world.groups) - {author}):
            read = world.groups[reader].process(sealed)
            assert isinstance(read, Application)
            assert (read.data, read.authenticated_data) == (b"from " + author.encode(), b"seen by all")
            assert (read.sender.credential, read.epoch) == (author.encode(), 1)
            world.keep(reader, world.groups[reader])


def test_removal_takes_a_member_out_and_shuts_him_out(world: World) -> None:
    world.with_members("ada", "bob", "cyd")
    outsider = world.groups["cyd"]
    facts = world.commit("bob", remove=[2])
    assert names(facts.removed) == ["cyd"]
    assert "cyd" not in world.groups
    sealed = world.groups["ada"].encrypt(b"without cyd")
    with pytest.raises(MlsError) as refused:
        outsider.process(sealed)
    assert refused.value.kind == "wrong_epoch"


def test_an_update_renews_the_path_and_may_change_the_signer(world: World) -> None:
    world.with_members("ada", "bob")
    before = world.view.tree_hash
    facts = world.commit("bob")
    assert (facts.updated, facts.added, world.view.tree_hash == before) == ([], [], False)
    fresh = StoredDevice("bob, second key")
    facts = world.commit("bob", new_signer=(fresh.credential, fresh.secret))
    assert [(m.index, m.credential, m.signature_key) for m in facts.updated] == [(1, fresh.credential, fresh.public)]
    assert facts.committer is not None
    assert facts.committer.credential == b"bob"
    sealed = world.groups["bob"].encrypt(b"signed by the new key")
    read = world.groups["ada"].process(sealed)
    assert isinstance(read, Application)
    assert read.sender.signature_key == fresh.public


def test_a_member_leaves_by_self_remove(world: World) -> None:
    world.with_members("ada", "bob", "cyd")
    proposal = world.groups["cyd"].propose_self_remove()
    world.view, seen = world.view.check(proposal, NOW_S)
    assert isinstance(seen, Proposal)
    assert (seen.kind, seen.sender_index, seen.target_index) == ("self_remove", 2, 2)
    for name in ("ada", "bob", "cyd"):
        own = world.groups[name].process(proposal)
        assert own == seen
        world.keep(name, world.groups[name])
        assert world.groups[name].pending_proposals() == 1
    facts = world.commit("ada")
    assert names(facts.self_removed_members) == ["cyd"]
    assert facts.proposal_refs == [seen.reference]
    assert facts.unused_proposals == 0
    assert sorted(world.groups) == ["ada", "bob"]


def test_messages_wait_for_the_commit_of_a_proposal(small: World) -> None:
    small.with_members("ada", "bob", "cyd")
    small.groups["ada"].process(small.groups["cyd"].propose_self_remove())
    with pytest.raises(MlsError) as refused:
        small.groups["ada"].encrypt(b"too early")
    assert refused.value.kind == "commit_required"


def test_the_server_removes_as_external_sender(world: World) -> None:
    world.with_members("ada", "bob", "cyd")
    world.view, proposal = world.view.propose_remove(2, world.server.credential, world.server.secret)
    [(reference, cached)] = world.view.cached_proposals()
    assert (cached.kind, cached.sender_index, cached.target_index) == ("remove", None, 2)
    world.view = GroupView.load(world.view.snapshot(), world.view.tree())
    for name in world.groups:
        seen = world.groups[name].process(proposal)
        assert isinstance(seen, Proposal)
        assert (seen.kind, seen.sender_index, seen.reference) == ("remove", None, reference)
        world.keep(name, world.groups[name])
    facts = world.commit("bob")
    assert (names(facts.removed), facts.unused_proposals, facts.proposal_refs) == (["cyd"], 0, [reference])


def test_the_policy_changes_by_commit(world: World) -> None:
    world.with_members("ada", "bob")
    assert world.commit("bob", policy=b"policy v2").policy_changed
    assert world.view.policy == b"policy v2"
    assert not world.commit("ada").policy_changed


def test_a_pre_shared_key_is_mixed_in(world: World) -> None:
    world.with_members("ada", "bob")
    for name in world.groups:
        world.people[name].device.put_psk(b"psk-1", bytes(range(32)))
        world.people[name].save(world.people[name].device)
        world.groups[name] = world.people[name].load(GROUP_ID)
    assert world.commit("ada", psks=[b"psk-1"]).psks == 1


def test_a_missing_pre_shared_key_is_named(small: World) -> None:
    small.with_members("ada", "bob")
    small.people["ada"].device.put_psk(b"psk-1", bytes(32))
    small.people["ada"].save(small.people["ada"].device)
    small.groups["ada"] = small.people["ada"].load(GROUP_ID)
    pending = small.groups["ada"].commit(psks=[b"psk-1"], now_s=NOW_S)
    with pytest.raises(MlsError) as refused:
        small.groups["bob"].process(pending.commit)
    assert refused.value.kind == "missing_psk"


def test_an_add_may_go_without_a_path_and_the_group_goes_on(world: World) -> None:
    world.with_members("ada", "bob", "cyd")
    sizes = {}
    for path, name in ((True, "dan"), (False, "eve")):
        pending = world.groups["ada"].commit(add=[world.key_package(name)], path=path, now_s=NOW_S)
        assert pending.has_path is path
        sizes[path] = len(pending.commit)
        facts = world.deliver(pending, "ada", (name,))
        assert (names(facts.added), facts.updated) == ([name], [])
    assert sizes[False] < sizes[True]
    for author in ("eve", "bob", "ada"):
        sealed = world.groups[author].encrypt(b"from " + author.encode())
        world.keep(author, world.groups[author])
        for reader in sorted(set(world.groups) - {author}):
            assert isinstance(world.groups[reader].process(sealed), Application)
            world.keep(reader, world.groups[reader])
        world.commit(author)
    world.commit("eve", remove=[1])
    assert names(world.view.members()) == ["ada", "cyd", "dan", "eve"]


@pytest.mark.parametrize("what", ["nothing", "remove", "policy", "self_remove", "external remove"])
def test_a_path_that_mls_asks_for_is_there_though_it_was_not_wanted(small: World, what: str) -> None:
    """RFC 9420 §12.4; SelfRemove: draft-ietf-mls-extensions."""
    small.with_members("ada", "bob", "cyd")
    wanted: dict[str, Any] = {"add": [small.key_package("dan")]}
    if what == "nothing":
        wanted = {}
    elif what == "remove":
        wanted["remove"] = [2]
    elif what == "policy":
        wanted["policy"] = b"policy v2"
    else:
        if what == "self_remove":
            proposal = small.groups["cyd"].propose_self_remove()
            small.view, _ = small.view.check(proposal, NOW_S)
        else:
            small.view, proposal = small.view.propose_remove(2, small.server.credential, small.server.secret)
        for name in ("ada", "bob", *(["cyd"] if what == "external remove" else [])):
            small.groups[name].process(proposal)
    pending = small.groups["ada"].commit(**wanted, path=False, now_s=NOW_S)
    assert pending.has_path
    small.deliver(pending, "ada", ("dan",) if "add" in wanted else ())


def test_exporter_and_authenticator_agree_and_change(world: World) -> None:
    world.with_members("ada", "bob")
    ada, bob = world.groups["ada"], world.groups["bob"]
    key = ada.export(b"qpq write", b"context", 32)
    assert key == bob.export(b"qpq write", b"context", 32)
    assert len(key) == 32
    assert key != ada.export(b"qpq write", b"other", 32)
    before = ada.epoch_authenticator()
    pending = ada.commit(now_s=NOW_S)
    after = ada.export_after(pending, b"qpq write", b"context", 32)
    assert (ada.epoch_authenticator(), ada.export(b"qpq write", b"context", 32), ada.epoch) == (before, key, 1)
    world.keep("ada", ada)
    world.deliver(pending, "ada")
    assert world.groups["ada"].epoch_authenticator() != before
    for name in ("ada", "bob"):
        assert world.groups[name].export(b"qpq write", b"context", 32) == after != key


def test_what_a_commit_would_export_is_told_in_its_own_state_only(small: World) -> None:
    small.with_members("ada", "bob")
    pending = small.groups["ada"].commit(now_s=NOW_S)
    small.commit("bob")
    with pytest.raises(MlsError) as refused:
        small.groups["ada"].export_after(pending, b"qpq write", b"context", 32)
    assert refused.value.kind == "wrong_epoch"


def test_a_stored_commit_is_what_it_takes_to_apply_it_and_no_more(world: World) -> None:
    names = tuple(f"member{number}" for number in range(40))
    world.with_members("ada", *names)
    pending = world.groups["ada"].commit(add=[world.key_package("bob")], path=False, now_s=NOW_S)
    stored = PendingCommit.from_bytes(pending.to_bytes())
    assert (stored.commit_hash, stored.epoch, stored.group_id) == (pending.commit_hash, pending.epoch, pending.group_id)
    assert (stored.commit, stored.welcomes, stored.group_info, stored.tree) == (b"", [], b"", b"")
    assert len(pending.to_bytes()) < len(pending.tree)  # which mls-rs's secrets hold twice
    world.deliver(pending, "ada", ("bob",))


def test_a_device_comes_back_by_external_commit(world: World) -> None:
    world.with_members("ada", "bob", "cyd")
    info = world.groups["ada"].group_info()
    tree = world.groups["ada"].tree()
    world.people["bob"].records.clear()
    returned, commit = world.people["bob"].load_device().external_join(info, tree, remove_leaf=1)
    assert returned.epoch == 2
    world.view, facts = world.view.check(commit, NOW_S)
    assert isinstance(facts, CommitFacts)
    assert facts.external
    assert (names(facts.added), names(facts.removed)) == (["bob"], ["bob"])
    assert facts.committer == facts.added[0]
    for name in ("ada", "cyd"):
        assert world.groups[name].process(commit) == facts
        world.keep(name, world.groups[name])
    world.keep("bob", returned)
    world.agree()
    world.commit("bob")


def test_a_last_resort_key_package_is_kept_and_a_one_time_one_is_not(world: World) -> None:
    world.create()
    packages = [world.key_package("bob"), world.key_package("cyd", last_resort=True)]
    assert [inspect_key_package(package, NOW_S).last_resort for package in packages] == [False, True]
    pending = world.groups["ada"].commit(add=packages, now_s=NOW_S)
    kept = {}
    for name, (_, welcome) in zip(("bob", "cyd"), pending.welcomes, strict=True):
        group = world.people[name].load_device().join(welcome, pending.tree)
        world.people[name].save(group)
        kept[name] = [key for key in world.people[name].records if key.startswith(b"k/")]
    assert (len(kept["bob"]), len(kept["cyd"])) == (0, 1)


def test_a_join_that_is_not_stored_can_be_repeated(small: World) -> None:
    small.create()
    pending = small.groups["ada"].commit(add=[small.key_package("bob")], now_s=NOW_S)
    [(reference, welcome)] = pending.welcomes
    assert b"k/" + reference in small.people["bob"].records
    first = small.people["bob"].load_device().join(welcome, pending.tree)
    again = small.people["bob"].load_device().join(welcome, pending.tree)
    assert first.epoch_authenticator() == again.epoch_authenticator()
    small.people["bob"].save(again)
    with pytest.raises(MlsError) as refused:
        small.people["bob"].load_device().join(welcome, pending.tree)
    assert refused.value.kind == "missing_key_package"


def test_past_epochs_are_read_and_older_ones_are_not(small: World) -> None:
    small.with_members("ada", "bob")
    late = []
    for _ in range(7):
        late.append(small.groups["ada"].encrypt(b"late"))
        small.keep("ada", small.groups["ada"])
        small.commit("ada")
    epochs = [key for key in small.people["bob"].records if key.startswith(b"e/") and not key.endswith(b"/skipped")]
    assert len(epochs) == 5
    for message in late[2:]:
        read = small.groups["bob"].process(message)
        assert isinstance(read, Application)
        small.keep("bob", small.groups["bob"])
    with pytest.raises(MlsError) as refused:
        small.groups["bob"].process(late[1])
    assert refused.value.kind == "wrong_epoch"


def test_the_tree_is_written_once_per_epoch_and_little_besides(world: World) -> None:
    world.with_members("ada", "bob", "cyd")
    ada = world.groups["ada"]
    ada.encrypt(b"x" * 200)
    changes = dict(ada.take_changes())
    assert list(changes) == [b"s/" + GROUP_ID]
    assert sum(len(value or b"") for value in changes.values()) < 1_500
    assert ada.take_changes() == []


def test_a_device_knows_how_much_it_sent_in_an_epoch(small: World) -> None:
    small.with_members("ada", "bob")
    for sent in range(3):
        assert small.groups["ada"].next_generation == sent
        small.groups["ada"].encrypt(b"x")
        small.keep("ada", small.groups["ada"])
    assert small.groups["ada"].next_generation == 3
    small.commit("bob")
    assert small.groups["ada"].next_generation == 0


def test_padding_hides_the_length(small: World) -> None:
    small.with_members("ada", "bob")
    lengths = [len(small.groups["ada"].encrypt(b"x" * size)) for size in (1, 40, 1_000, 1_015)]
    assert lengths[2] == lengths[3]
    assert lengths[0] < lengths[2]


def test_key_packages_tell_what_they_are(world: World) -> None:
    package = world.key_package("ada")
    info = inspect_key_package(package, NOW_S)
    assert (info.suite, info.credential, info.signature_key) == (world.suite, b"ada", world.people["ada"].public)
    assert info.suites == [SUITE_1, SUITE_XWING]
    assert (info.not_before_s, info.not_after_s) == (NOW_S - 60, NOW_S - 60 + 7_776_000)
    assert b"k/" + info.reference in world.people["ada"].records
    assert inspect_message(package).wire == "key_package"


def test_messages_tell_what_they_are(small: World) -> None:
    small.with_members("ada", "bob")
    sealed = inspect_message(small.groups["ada"].encrypt(b"x"))
    assert (sealed.wire, sealed.group_id, sealed.epoch) == ("private", GROUP_ID, 1)
    assert (sealed.content, sealed.sender_index) == ("application", None)
    pending = small.groups["ada"].commit(add=[small.key_package("cyd")], now_s=NOW_S)
    commit = inspect_message(pending.commit)
    assert (commit.wire, commit.content, commit.epoch, commit.sender_index) == ("public", "commit", 1, 0)
    assert inspect_message(pending.welcomes[0][1]).wire == "welcome"
    info = inspect_message(pending.group_info)
    assert (info.wire, info.group_id, info.epoch) == ("group_info", GROUP_ID, 2)
    assert pending.commit_hash == hashlib.sha256(pending.commit).digest()
