"""The rules of groups (docs/spec/groups.md#when-a-commit-is-valid), one broken at a time, and policies that cannot be read."""

from __future__ import annotations

from dataclasses import replace

import pytest

from qpqcore.crypto.identity import Credential
from qpqcore.crypto.parts import u32, vec
from qpqcore.crypto.signatures import generate_key
from qpqcore.groups.policy import ADMINS_MAX, ChannelKind, GroupPolicy, group_id, read_group_id, read_policy
from qpqcore.groups.validity import Change, Leaf, check_change, members_after, read_leaf
from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.model.ids import AccountId, DeviceId, make_id

POLICY = GroupPolicy(version=1, kind=ChannelKind.GROUP, home="example.org", generation=1)


def leaf(account, device="1"):
    return Leaf(
        account.encode(), f"{account}/{device}".encode(), f"key of {account}/{device}".encode(), account.encode()
    )


ALICE, BOB, CAROL = leaf("alice"), leaf("bob"), leaf("carol")
ADMIN = replace(POLICY, admins=(ALICE.account,))


def change(**what):
    """An update by Alice in a group of Alice and Bob, but for `what`."""
    common = {
        "members": (ALICE, BOB), "committer": ALICE, "external": False, "added": (), "removed": (), "self_removed": (),
        "updated": (ALICE,), "proposed": frozenset(), "psks": 0, "policy_before": POLICY, "policy_after": POLICY,
    }  # fmt: skip
    common |= what
    common["policy_after"] = what.get("policy_after", common["policy_before"])
    return Change(**common)


def external(**what):
    """Bob's device comes back by an external commit, but for `what`."""
    fresh = replace(BOB, key=b"another key of Bob's device")
    return change(**{"committer": fresh, "external": True, "added": (fresh,), "removed": (BOB,), "updated": ()} | what)


VALID = {
    "an update": change(),
    "an added person": change(added=(CAROL,)),
    "an added device": change(added=(leaf("alice", "2"),)),
    "who is no admin takes a device of one's own out": change(
        committer=BOB, updated=(BOB,), members=(ALICE, BOB, leaf("bob", "2")), removed=(leaf("bob", "2"),), policy_before=ADMIN
    ),
    "who is no admin commits what the server proposed": change(
        committer=BOB, updated=(BOB,), removed=(CAROL,), members=(ALICE, BOB, CAROL), proposed=frozenset({CAROL.device}),
        policy_before=ADMIN,
    ),
    "who is no admin commits somebody's leaving": change(committer=BOB, updated=(BOB,), self_removed=(ALICE,), policy_before=ADMIN),
    "an admin names another": change(policy_before=ADMIN, policy_after=replace(ADMIN, admins=(BOB.account,))),
    "the least client is raised": change(policy_after=replace(POLICY, least_client=3)),
    "a device comes back": external(),
    "another device of a member comes": external(added=(leaf("bob", "2"),), removed=()),
}  # fmt: skip

INVALID = {
    "two leaves of one device": change(added=(replace(BOB, key=b"more"),)),
    "two identity keys of one account": change(added=(replace(leaf("bob", "2"), identity_key=b"other"),)),
    "a leaf that changes hands": change(
        updated=(replace(BOB, account=CAROL.account, identity_key=CAROL.identity_key),)
    ),
    "an updated leaf that was none": change(updated=(CAROL,)),
    "a pre-shared key": change(psks=1),
    "a third person in a direct conversation": change(
        added=(CAROL,), policy_before=replace(POLICY, kind=ChannelKind.DIRECT)
    ),
    "a second person in one's own channel": change(
        members=(ALICE,), added=(BOB,), policy_before=replace(POLICY, kind=ChannelKind.SELF)
    ),
    "a policy by who is no admin": change(
        committer=BOB, updated=(BOB,), policy_before=ADMIN, policy_after=replace(ADMIN, admins=(BOB.account,))
    ),
    "a policy by an external commit": external(policy_after=replace(POLICY, least_client=3)),
    "another version": change(policy_after=replace(POLICY, version=2)),
    "another kind": change(policy_after=replace(POLICY, kind=ChannelKind.DIRECT)),
    "another home": change(policy_after=replace(POLICY, home="example.net")),
    "another generation": change(policy_after=replace(POLICY, generation=2)),
    "admins who are all out": change(policy_after=replace(POLICY, admins=(CAROL.account,))),
    "the last admin out by the same commit": change(
        removed=(BOB,), policy_after=replace(POLICY, admins=(BOB.account,))
    ),
    "a person added by who is no admin": change(committer=BOB, updated=(BOB,), added=(CAROL,), policy_before=ADMIN),
    "a person removed by who is no admin": change(committer=BOB, updated=(BOB,), removed=(ALICE,), policy_before=ADMIN),
    "a person removed of whom the server proposed another": change(
        committer=BOB, updated=(BOB,), removed=(ALICE,), policy_before=ADMIN, proposed=frozenset({CAROL.device})
    ),
    "an external commit of nobody": external(added=(), removed=()),
    "an external commit of two": external(added=(leaf("bob", "2"), leaf("bob", "3"))),
    "an external commit with somebody's leaving": external(self_removed=(ALICE,)),
    "a stranger's external commit": external(added=(CAROL,), removed=()),
    "an external commit that takes somebody else out": external(removed=(BOB, ALICE)),
    "an external commit that takes another device out": external(added=(leaf("bob", "2"),), removed=(BOB,)),
    "an external commit that leaves the old leaf in": external(removed=()),
}


@pytest.mark.parametrize("valid", VALID.values(), ids=VALID)
def test_a_valid_change(valid):
    check_change(valid)


@pytest.mark.parametrize("invalid", INVALID.values(), ids=INVALID)
def test_an_invalid_change_is_refused(invalid):
    with pytest.raises(Refusal) as refused:
        check_change(invalid)
    assert refused.value.code is ErrorCode.COMMIT_INVALID


def test_who_is_in_after_a_change():
    fresh = replace(ALICE, key=b"another")
    after = members_after(change(members=(ALICE, BOB), removed=(BOB,), updated=(fresh,), added=(CAROL,)))
    assert after == [fresh, CAROL]


def test_a_leaf_is_read_only_where_its_account_vouches_for_it():
    secret, public = generate_key()
    account = AccountId(make_id(b"a" * 16, "example.org"))
    device = DeviceId(make_id(b"d" * 16, "example.org"))
    named = Credential.make(secret, account, device, public)
    assert read_leaf(named.to_bytes(), public) == Leaf(account, device, public, named.identity_key)
    for credential, key in ((named.to_bytes(), b"x" * 32), (b"nonsense", public)):
        with pytest.raises(Refusal) as refused:
            read_leaf(credential, key)
        assert refused.value.code is ErrorCode.CREDENTIAL_INVALID


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"nonsense", id="nonsense"),
        pytest.param(replace(POLICY, version=2).to_bytes(), id="another version"),
        pytest.param(replace(POLICY, home="").to_bytes(), id="no home"),
        pytest.param(replace(POLICY, home="Not A Domain").to_bytes(), id="no domain"),
        pytest.param(replace(POLICY, admins=(b"short",)).to_bytes(), id="an admin that is no id"),
        pytest.param(
            replace(POLICY, admins=tuple(make_id(n.to_bytes(16), "a.b") for n in range(ADMINS_MAX + 1))).to_bytes(),
            id="too many admins",
        ),
    ],
)
def test_a_policy_that_is_none(data):
    with pytest.raises(Refusal) as refused:
        read_policy(data)
    assert refused.value.code is ErrorCode.COMMIT_INVALID


def test_a_policy_and_a_group_id_are_read_as_they_were_written():
    full = replace(POLICY, admins=tuple(make_id(n.to_bytes(16), "a.b") for n in range(ADMINS_MAX)))
    assert read_policy(full.to_bytes()) == full
    assert read_group_id(group_id(b"channel", 7)) == (b"channel", 7)
    for bad in (b"", vec(b"channel"), group_id(b"channel", 7) + b"\0", u32(9)):
        with pytest.raises(Refusal) as refused:
            read_group_id(bad)
        assert refused.value.code is ErrorCode.MALFORMED
