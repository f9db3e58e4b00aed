"""Bad input about channels, commits, messages and mailboxes (docs/spec/delivery.md, docs/spec/groups.md)."""

from __future__ import annotations

from dataclasses import replace

import pytest

import qpqnative
from qpqclient.client import system_now_ms
from qpqcore.api import auth, delivery, keystore
from qpqcore.api.delivery import WelcomeItem
from qpqcore.crypto.identity import Credential
from qpqcore.crypto.signatures import generate_key
from qpqcore.groups.policy import ChannelKind, GroupPolicy, group_id, read_policy
from qpqcore.groups.validity import read_leaf
from qpqcore.model.errors import ErrorCode
from tests.support import recipes
from tests.support.rows import Table, check

table = Table()
row = table.row
NOW_MS = system_now_ms()


def with_handshake(params, **changes):
    return replace(params, handshake=replace(params.handshake, **changes))


async def added(w, adder, name, **changes):
    """Return a commit that adds a person's device, with its Welcome, bent by `changes`."""
    device = await w.device(name)
    fetch = keystore.FetchKeyPackageParams(accounts=(device.account.account,), suites=(1,))
    package = (await adder.call(fetch, keystore.FetchKeyPackageResult)).accounts[0].packages[0].key_package
    params = adder.commit(w.club, add=[package])
    welcome = WelcomeItem(device=device.id, welcome=b"the Welcome")
    return with_handshake(params, **{"welcomes": (welcome,), **changes})


def index_of(device, group):
    """Return a device's leaf in somebody's group."""
    leaves = {read_leaf(m.credential, m.signature_key).device: m.index for m in group.members()}
    return leaves[device.id]


# --- channels


@row("a channel that one is not in", ErrorCode.NOT_MEMBER)
async def not_in(w):
    eve = await w.device("eve")
    yield
    yield await eve.code(delivery.FetchGroupInfoParams(channel=w.club))


@row("a channel that does not exist", ErrorCode.NOT_MEMBER)
async def no_channel(w):
    alice = await w.device("alice")
    yield
    yield await alice.code(delivery.FetchGroupInfoParams(channel=recipes.fresh_id()))


@row("a channel id in use", ErrorCode.CHANNEL_EXISTS)
async def channel_in_use(w):
    eve = await w.device("eve")
    yield
    yield await eve.code(recipes.new_channel(eve, w.club))


@row("a channel id that is none", ErrorCode.MALFORMED)
async def no_id(w):
    eve = await w.device("eve")
    yield
    yield await eve.code(replace(recipes.new_channel(eve), channel=b"x"))


@row("a channel of another domain", ErrorCode.NOT_MEMBER)
async def other_domain(w):
    eve = await w.device("eve")
    yield
    yield await eve.code(recipes.new_channel(eve, b"c" * 16 + b"example.org"))


@row("a channel whose group has another name", ErrorCode.GROUP_INFO_INVALID)
async def other_group(w):
    eve = await w.device("eve")
    yield
    yield await eve.code(replace(recipes.new_channel(eve), channel=recipes.fresh_id()))


@row("a channel begun by somebody else's leaf", ErrorCode.GROUP_INFO_INVALID)
async def others_leaf(w):
    eve, alice = await w.device("eve"), await w.device("alice")
    yield
    yield await eve.code(recipes.new_channel(alice))


@row("a GroupInfo that is none", ErrorCode.MALFORMED)
async def no_group_info(w):
    eve = await w.device("eve")
    params = recipes.new_channel(eve)
    yield
    yield await eve.code(replace(params, group_info=params.tree))


@row("a tree that is not kept", ErrorCode.TREE_UNKNOWN)
async def no_tree(w):
    alice = await w.device("alice")
    yield
    yield await alice.code(delivery.FetchTreeParams(channel=w.club, tree_hash=b"x" * 32))


@row("a reset of a generation that is over", ErrorCode.GENERATION_CONFLICT)
async def reset_twice(w):
    alice, bob = await w.device("alice"), await w.device("bob")
    late = recipes.reset_of(bob, w.club)
    assert await alice.code(recipes.reset_of(alice, w.club)) is ErrorCode.OK
    yield
    yield await bob.code(late)


@row("a reset of what is no channel id", ErrorCode.MALFORMED)
async def reset_of_nothing(w):
    alice = await w.device("alice")
    params = replace(recipes.reset_of(alice, w.club), channel=b"x" * 1_000_000)
    yield
    yield await alice.code(params)


@row("a reset by one who is not in", ErrorCode.NOT_MEMBER)
async def reset_by_other(w):
    eve, alice = await w.device("eve"), await w.device("alice")
    yield
    yield await eve.code(recipes.reset_of(alice, w.club))


# --- commits


@row("a commit of an epoch that is over", ErrorCode.EPOCH_CONFLICT)
async def stale(w):
    alice, bob = await w.device("alice"), await w.device("bob")
    late = bob.commit(w.club)
    assert await alice.code(alice.commit(w.club)) is ErrorCode.OK
    yield
    yield await bob.code(late)


@row("a commit of another epoch than the call says", ErrorCode.EPOCH_CONFLICT)
async def mislabelled(w):
    alice, bob = await w.device("alice"), await w.device("bob")
    late = bob.commit(w.club)
    assert await alice.code(alice.commit(w.club)) is ErrorCode.OK
    yield
    yield await bob.code(replace(late, epoch=late.epoch + 1))


@row("a commit of another generation", ErrorCode.GENERATION_CONFLICT)
async def generation(w):
    alice = await w.device("alice")
    yield
    yield await alice.code(replace(alice.commit(w.club), generation=7))


@row("a commit that is none", ErrorCode.MALFORMED)
async def malformed(w):
    alice = await w.device("alice")
    yield
    yield await alice.code(with_handshake(alice.commit(w.club), commit=b"nonsense"))


@row("a message in a commit's place", ErrorCode.MALFORMED)
async def no_commit(w):
    alice = await w.device("alice")
    yield
    yield await alice.code(with_handshake(alice.commit(w.club), commit=alice.message(w.club).payload))


@row("a commit with a changed byte", ErrorCode.COMMIT_INVALID)
async def changed(w):
    alice = await w.device("alice")
    params = alice.commit(w.club)
    middle = len(params.handshake.commit) // 2
    data = bytearray(params.handshake.commit)
    data[middle] ^= 1
    yield
    yield await alice.code(with_handshake(params, commit=bytes(data)))


@row("somebody else's commit", ErrorCode.FORBIDDEN)
async def others_commit(w):
    alice, bob = await w.device("alice"), await w.device("bob")
    yield
    yield await bob.code(alice.commit(w.club))


@row("a commit by one who is not in", ErrorCode.NOT_MEMBER)
async def commit_from_outside(w):
    alice, eve = await w.device("alice"), await w.device("eve")
    yield
    yield await eve.code(alice.commit(w.club))


@row("a commit that leaves a stored proposal out", ErrorCode.PROPOSAL_MISSING)
async def omitted(w):
    alice, carol = await w.device("alice"), await w.device("carol")
    commit = alice.commit(w.club)
    assert await carol.code(recipes.leaving(carol, w.club)) is ErrorCode.OK
    yield
    yield await alice.code(commit)


@row("a commit that adds a device which no list has", ErrorCode.CREDENTIAL_INVALID)
async def unlisted(w):
    alice, eve = await w.device("alice"), await w.device("eve")
    secret, public = generate_key()
    ghost = recipes.fresh_id()
    credential = Credential.make(eve.account.vault().identity_secret, eve.account.account, ghost, public)
    device = qpqnative.Device(credential=credential.to_bytes(), signature_secret=secret)
    now_s = system_now_ms() // 1000
    package = device.key_package(1, not_before_s=now_s - recipes.DAY_S, lifetime_s=30 * recipes.DAY_S)
    params = alice.commit(w.club, add=[package])
    yield
    yield await alice.code(with_handshake(params, welcomes=(WelcomeItem(device=ghost, welcome=b"w"),)))


@row("a commit that adds one device and says another", ErrorCode.COMMIT_INVALID)
async def lie_about_added(w):
    alice, eve = await w.device("alice"), await w.device("eve")
    params = await added(w, alice, "dave", welcomes=(WelcomeItem(device=eve.id, welcome=b"w"),))
    yield
    yield await alice.code(params)


@row("a commit that adds a device and does not say so", ErrorCode.COMMIT_INVALID)
async def silence_about_added(w):
    alice = await w.device("alice")
    params = await added(w, alice, "dave", welcomes=())
    yield
    yield await alice.code(params)


@row("a commit that says it adds and only updates", ErrorCode.COMMIT_INVALID)
async def pretence(w):
    alice, eve = await w.device("alice"), await w.device("eve")
    params = with_handshake(alice.commit(w.club), welcomes=(WelcomeItem(device=eve.id, welcome=b"w"),))
    yield
    yield await alice.code(params)


@row("a commit that adds a device a second time", ErrorCode.COMMIT_INVALID)
async def twice_in(w):
    alice = await w.device("alice")
    params = await added(w, alice, "dave")
    lied = alice.group(w.club)
    assert index_of(await w.device("bob"), lied) >= 0
    fetch = keystore.FetchKeyPackageParams(accounts=((await w.device("bob")).account.account,), suites=(1,))
    package = (await alice.call(fetch, keystore.FetchKeyPackageResult)).accounts[0].packages[0].key_package
    with pytest.raises(qpqnative.MlsError):  # the library does not even build it: what the server meets has no Welcome
        alice.commit(w.club, add=[package])
    params = with_handshake(params, welcomes=())
    yield
    yield await alice.code(params)


@row("a commit that makes the group larger than groups may be", ErrorCode.CHANNEL_LIMIT)
async def too_large(w):
    alice = await w.device("alice")
    params = await added(w, alice, "dave")
    handshakes = w.service("delivery")._handshakes
    handshakes._config = replace(handshakes._config, members_max=3)
    yield
    yield await alice.code(params)


@row("a third person brought into a direct conversation", ErrorCode.COMMIT_INVALID)
async def third(w):
    alice, eve = await w.device("alice"), await w.device("eve")
    fetch = keystore.FetchKeyPackageParams(accounts=(eve.account.account,), suites=(1,))
    package = (await alice.call(fetch, keystore.FetchKeyPackageResult)).accounts[0].packages[0].key_package
    params = alice.commit(w.direct, add=[package])
    welcome = WelcomeItem(device=eve.id, welcome=b"w")
    yield
    yield await alice.code(with_handshake(params, welcomes=(welcome,)))


@row("a member removed by one who may not", ErrorCode.COMMIT_INVALID)
async def no_admin(w):
    alice, bob = await w.device("alice"), await w.device("bob")
    policy = read_policy(alice.group(w.club).policy)
    only_alice = GroupPolicy(
        version=1, kind=ChannelKind.GROUP, home=policy.home, generation=1, admins=(alice.account.account,)
    )
    crowning = alice.commit(w.club, policy=only_alice.to_bytes())
    assert await alice.code(crowning) is ErrorCode.OK
    group = bob.group(w.club)
    group.process(crowning.handshake.commit)
    bob.store.write_mls(group.take_changes())
    params = bob.commit(w.club, remove=[index_of(await w.device("carol"), group)])
    yield
    yield await bob.code(params)


@row("a policy with another home", ErrorCode.COMMIT_INVALID)
async def moved(w):
    alice = await w.device("alice")
    policy = replace(read_policy(alice.group(w.club).policy), home="example.org")
    yield
    yield await alice.code(alice.commit(w.club, policy=policy.to_bytes()))


@row("a GroupInfo of the epoch before", ErrorCode.GROUP_INFO_INVALID)
async def old_group_info(w):
    alice = await w.device("alice")
    params = with_handshake(alice.commit(w.club), group_info=alice.group(w.club).group_info())
    yield
    yield await alice.code(params)


@row("a commit to what is no channel id", ErrorCode.MALFORMED)
async def commit_to_nothing(w):
    alice = await w.device("alice")
    params = replace(alice.commit(w.club), channel=b"x" * 1_000_000)
    yield
    yield await alice.code(params)


@row("a commit without a write key", ErrorCode.WRITE_KEY_INVALID)
async def no_write_key(w):
    alice = await w.device("alice")
    yield
    yield await alice.code(with_handshake(alice.commit(w.club), write_key=b""))


@row("an empty commit", ErrorCode.TOO_LARGE)
async def empty(w):
    alice = await w.device("alice")
    yield
    yield await alice.code(with_handshake(alice.commit(w.club), commit=b""))


# --- proposals


@row("a proposal in somebody else's name", ErrorCode.FORBIDDEN)
async def others_proposal(w):
    carol, bob = await w.device("carol"), await w.device("bob")
    yield
    yield await bob.code(recipes.leaving(carol, w.club))


@row("a proposal to what is no channel id", ErrorCode.MALFORMED)
async def proposal_to_nothing(w):
    alice = await w.device("alice")
    params = replace(recipes.leaving(alice, w.club), channel=b"x" * 1_000_000)
    yield
    yield await alice.code(params)


@row("a commit in a proposal's place", ErrorCode.PROPOSAL_INVALID)
async def no_proposal(w):
    alice = await w.device("alice")
    commit = alice.commit(w.club)
    params = delivery.SubmitProposalParams(
        channel=w.club, generation=1, epoch=commit.epoch, proposal=commit.handshake.commit
    )
    yield
    yield await alice.code(params)


# --- messages


@row("a message to a channel that one is not in", ErrorCode.NOT_MEMBER)
async def message_from_outside(w):
    alice, eve = await w.device("alice"), await w.device("eve")
    yield
    yield await eve.code(alice.message(w.club))


@row("a message to what is no channel id", ErrorCode.MALFORMED)
async def message_to_nothing(w):
    alice, channel = await w.device("alice"), b"x" * 50_000
    group = alice.account.native().create_group(
        1, group_id=group_id(channel, 1), policy=alice.group(w.club).policy, now_s=NOW_MS // 1000
    )
    payload = group.encrypt(b"text")
    yield
    yield await alice.code(delivery.EnqueueParams(channel=channel, generation=1, epoch=group.epoch, payload=payload))


@row("a message of a place in the ratchet that was used", ErrorCode.RATCHET_USED)
async def message_of_an_older_copy(w):
    bob = await w.device("bob")
    assert await bob.code(replace(bob.message(w.club, b"first"), ratchet=7)) is ErrorCode.OK
    yield
    yield await bob.code(replace(bob.message(w.club, b"second"), ratchet=7))


@row("a message of an epoch long over", ErrorCode.STALE_EPOCH)
async def stale_message(w):
    alice, bob = await w.device("alice"), await w.device("bob")
    late = bob.message(w.club)
    for _ in range(6):
        commit = alice.commit(w.club)
        assert await alice.code(commit) is ErrorCode.OK
        await follow(alice, w.club)
    yield
    yield await bob.code(late)


async def follow(device, channel):
    """Take what the log brought, an own update included, by joining anew."""
    info = await device.call(delivery.FetchGroupInfoParams(channel=channel), delivery.FetchGroupInfoResult)
    tree = delivery.FetchTreeParams(channel=channel, tree_hash=info.tree_hash)
    found = await device.call(tree, delivery.FetchTreeResult)
    view = qpqnative.GroupView.observe(info.group_info, found.tree)
    joined, commit = device.account.native().external_join(
        info.group_info, found.tree, remove_leaf=index_of(device, view)
    )
    params = delivery.SubmitCommitParams(
        channel=channel, generation=1, epoch=info.epoch,
        handshake=delivery.Handshake(commit=commit, group_info=joined.group_info(), write_key=b"w" * 32),
    )  # fmt: skip
    await device.call(params, delivery.SubmitCommitResult)
    with device.store.transaction():
        device.groups.adopt(channel, 1, joined, "")


@row("a message that is none", ErrorCode.MALFORMED)
async def no_message(w):
    alice = await w.device("alice")
    yield
    yield await alice.code(replace(alice.message(w.club), payload=b"nonsense"))


@row("a message of another group than the call says", ErrorCode.MALFORMED)
async def other_groups_message(w):
    alice = await w.device("alice")
    yield
    yield await alice.code(replace(alice.message(w.direct), channel=w.club))


@row("a commit sent as a message", ErrorCode.MALFORMED)
async def commit_as_message(w):
    alice = await w.device("alice")
    yield
    yield await alice.code(replace(alice.message(w.club), payload=alice.commit(w.club).handshake.commit))


@row("an empty message", ErrorCode.MALFORMED)
async def empty_message(w):
    alice = await w.device("alice")
    yield
    yield await alice.code(replace(alice.message(w.club), payload=b""))


@row("a message above 256 KiB", ErrorCode.TOO_LARGE)
async def large_message(w):
    alice = await w.device("alice")
    yield
    yield await alice.code(alice.message(w.club, bytes(300_000)))


@row("a sealed message that the write key has not signed", ErrorCode.WRITE_KEY_INVALID)
async def unsigned(w):
    alice = await w.device("alice")
    params = alice.message(w.club, sealed=True)
    yield
    yield await alice.code(replace(params, write_signature=b"x" * 64))


@row("101 messages in a batch", ErrorCode.TOO_LARGE)
async def large_batch(w):
    alice = await w.device("alice")
    yield
    yield await alice.code(delivery.BatchEnqueueParams(items=(delivery.EnqueueParams(),) * 101))


@row("a message onto a full disk", ErrorCode.STORAGE_FULL)
async def full_disk(w):
    alice = await w.device("alice")
    message = alice.message(w.club, bytes(200_000))
    await w.fill_disk()
    yield
    yield await alice.code(message)


# --- mailboxes and signals


@row("a mailbox of a device that was revoked", ErrorCode.UNAUTHENTICATED)
async def revoked(w):
    alice = await w.device("alice")
    fresh = await recipes.next_list(alice, drop=(alice.id,))
    await alice.call(auth.RevokeDeviceParams(device_list=fresh.to_bytes()), auth.RevokeDeviceResult)
    yield
    yield await alice.code(delivery.FetchParams())


@row("a mailbox that is gone", ErrorCode.NOT_FOUND)
async def no_mailbox(w):
    # Of somebody who is in no group: the server proposes to remove a leaf without a mailbox at its next round, and one
    # begins with the server.
    dave = await w.device("dave")
    w.edit("delivery", "DELETE FROM mailboxes WHERE device = ?", dave.id)
    yield
    yield await dave.code(delivery.FetchParams())


@row("a signal above 1 KiB", ErrorCode.TOO_LARGE)
async def large_signal(w):
    alice = await w.device("alice")
    yield
    yield await alice.code(delivery.SignalParams(channel=w.club, generation=1, epoch=1, payload=bytes(1_025)))


@row("a signal of an epoch that is over", ErrorCode.STALE_EPOCH)
async def stale_signal(w):
    alice = await w.device("alice")
    yield
    yield await alice.code(delivery.SignalParams(channel=w.club, generation=1, epoch=0, payload=b"x"))


@row("the 61st signal at once", ErrorCode.RATE_LIMITED, clock_ms=lambda: NOW_MS)
async def many_signals(w):
    alice = await w.device("alice")
    params = delivery.SignalParams(channel=w.club, generation=1, epoch=alice.group(w.club).epoch, payload=b"x")
    for _ in range(60):
        assert await alice.code(params) is ErrorCode.OK
    yield
    yield await alice.code(params)


@pytest.mark.parametrize("bad", table.rows, ids=lambda r: r.what)
async def test_bad_input(open_world, bad):
    await check(bad, open_world)


async def test_a_commit_sent_again_is_answered_as_before(open_world):
    """A repeated commit is not bad input: the answer may have been lost."""
    async with open_world() as w:
        alice = await w.device("alice")
        commit = alice.commit(w.club)
        first = await alice.call(commit, delivery.SubmitCommitResult)
        again = await alice.call(commit, delivery.SubmitCommitResult)
        assert (first.duplicate, again.duplicate) == (False, True)
        assert (first.epoch, first.log_number) == (again.epoch, again.log_number)
