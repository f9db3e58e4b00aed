"""A channel's limits belong to its members: who is none spends nothing of them, and no member all (docs/spec/delivery.md#limits)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from qpqclient.client import system_now_ms
from qpqclient.errors import Refused
from qpqcore.api import delivery
from qpqcore.bus.limits import LocalLimiter, Rate
from qpqcore.model.call import CallContext, Caller, CallerKind
from qpqcore.model.errors import ErrorCode, Refusal
from qpqdelivery.config import Config
from qpqdelivery.limits import Limits
from tests.support import recipes

NOW_MS = system_now_ms()
"""Nothing comes back while a test runs."""
FEW = Rate(4, 3_600, 4)
PLENTY = Rate(1_000, 1, 1_000)


def limited(w, **rates):
    """Let delivery have these limits."""
    found = w.service("delivery")._limits
    found._config = replace(found._config, **rates)


async def codes(count, device, params):
    return {await device.code(params) for _ in range(count)}


def test_no_account_has_more_than_half_of_what_a_channels_members_share():
    config = Config()
    for own, shared in (
        (config.handshake_per_account, config.handshake_per_channel),
        (config.enqueue_per_account, config.enqueue_per_channel),
        (config.enqueue_sealed, config.enqueue_per_channel),
    ):
        assert own.burst * 2 <= shared.burst
        assert own.count / own.per_seconds * 2 <= shared.count / shared.per_seconds


# --- commits, proposals, resets


@pytest.mark.parametrize("stranger", ["dave", "eve"])
async def test_who_is_no_member_stops_no_commit(open_world, stranger):
    """Dave was removed from the club, Eve was never in it."""
    async with open_world(clock_ms=lambda: NOW_MS) as w:
        limited(w, handshake_per_channel=FEW)
        alice, other = await w.device("alice"), await w.device(stranger)
        commit = delivery.SubmitCommitParams(
            channel=w.club, generation=1, epoch=1, handshake=delivery.Handshake(commit=b"x", write_key=bytes(32))
        )
        proposal = delivery.SubmitProposalParams(channel=w.club, generation=1, epoch=1, proposal=b"x")
        reset = recipes.reset_of(alice, w.club)
        for params in (commit, proposal, reset):
            assert await codes(10, other, params) == {ErrorCode.NOT_MEMBER}
        assert await alice.code(alice.commit(w.club)) is ErrorCode.OK


async def test_who_is_no_member_is_limited_too(open_world):
    async with open_world(clock_ms=lambda: NOW_MS) as w:
        limited(w, handshake_per_account=FEW)
        alice, eve = await w.device("alice"), await w.device("eve")
        params = alice.commit(w.club)
        assert await codes(4, eve, params) == {ErrorCode.NOT_MEMBER}
        assert await codes(4, eve, params) == {ErrorCode.RATE_LIMITED}
        assert await alice.code(params) is ErrorCode.OK


async def test_one_member_leaves_the_others_some_commits(open_world):
    async with open_world(clock_ms=lambda: NOW_MS) as w:
        limited(w, handshake_per_channel=Rate(8, 3_600, 8), handshake_per_account=FEW)
        alice, bob = await w.device("alice"), await w.device("bob")
        nonsense = delivery.SubmitCommitParams(
            channel=w.club, generation=1, epoch=bob.group(w.club).epoch,
            handshake=delivery.Handshake(commit=b"x", write_key=bytes(32)),
        )  # fmt: skip
        assert await codes(4, bob, nonsense) == {ErrorCode.MALFORMED}
        assert await codes(20, bob, nonsense) == {ErrorCode.RATE_LIMITED}
        assert await alice.code(alice.commit(w.club)) is ErrorCode.OK


async def test_members_share_a_limit(open_world):
    async with open_world(clock_ms=lambda: NOW_MS) as w:
        limited(w, handshake_per_channel=FEW, handshake_per_account=PLENTY)
        alice, bob, carol = [await w.device(name) for name in ("alice", "bob", "carol")]
        nonsense = delivery.SubmitProposalParams(
            channel=w.club, generation=1, epoch=alice.group(w.club).epoch, proposal=b"x"
        )
        for member in (alice, bob):
            assert await codes(2, member, nonsense) == {ErrorCode.MALFORMED}
        assert await codes(2, carol, nonsense) == {ErrorCode.RATE_LIMITED}
        assert await carol.code(recipes.reset_of(carol, w.club)) is ErrorCode.RATE_LIMITED


# --- messages


async def test_who_is_no_member_stops_no_message(open_world):
    """Neither with messages of its own, nor with those of a member, nor with what looks like a signature."""
    async with open_world(clock_ms=lambda: NOW_MS) as w:
        limited(w, enqueue_per_channel=FEW, enqueue_sealed=FEW)
        alice, eve = await w.device("alice"), await w.device("eve")
        link = await w.anonymous()
        first = alice.message(w.club, b"first")
        assert await alice.code(first) is ErrorCode.OK
        assert await codes(10, eve, alice.message(w.club, b"never sent")) == {ErrorCode.NOT_MEMBER}
        assert await codes(10, eve, first) == {ErrorCode.OK}  # taken already: a repetition
        forged = replace(alice.message(w.club, b"sealed"), write_signature=bytes(64))
        for _ in range(10):
            with pytest.raises(Refused) as no:
                await link.call(forged, delivery.EnqueueResult)
            assert no.value.code is ErrorCode.WRITE_KEY_INVALID
        for text in (b"second", b"third", b"fourth"):
            assert await alice.code(alice.message(w.club, text)) is ErrorCode.OK
        assert await alice.code(alice.message(w.club, b"fifth")) is ErrorCode.RATE_LIMITED


async def test_one_member_leaves_the_others_some_messages(open_world):
    async with open_world(clock_ms=lambda: NOW_MS) as w:
        limited(w, enqueue_per_channel=Rate(8, 3_600, 8), enqueue_per_account=FEW)
        alice, bob = await w.device("alice"), await w.device("bob")
        sent = [await bob.code(bob.message(w.club, b"%d" % number)) for number in range(8)]
        assert sent == [ErrorCode.OK] * 4 + [ErrorCode.RATE_LIMITED] * 4
        assert await bob.code(bob.message(w.direct)) is ErrorCode.OK
        assert await alice.code(alice.message(w.club)) is ErrorCode.OK


def test_a_message_that_the_channel_has_no_room_for_spends_nothing_of_its_sender():
    rates = dict.fromkeys(("enqueue_per_channel", "enqueue_per_device", "enqueue_per_account"), Rate(1, 3_600, 1))
    limits = Limits(Config(**rates), LocalLimiter())
    call = CallContext(caller=Caller(CallerKind.ACCOUNT, b"account", b"device"), now_ms=NOW_MS)
    limits.taken(b"full", NOW_MS)
    for _ in range(5):
        with pytest.raises(Refusal):
            limits.message(call, b"full")
    limits.message(call, b"free")
    with pytest.raises(Refusal):
        limits.message(call, b"another")


async def test_messages_of_nobody_are_limited_by_the_epoch_whose_key_signed_them(open_world):
    async with open_world(clock_ms=lambda: NOW_MS) as w:
        limited(w, enqueue_per_channel=Rate(8, 3_600, 8), enqueue_sealed=FEW)
        alice, bob = await w.device("alice"), await w.device("bob")
        old = [bob.message(w.club, b"old %d" % number, sealed=True) for number in range(6)]
        assert [await bob.code(message) for message in old] == [ErrorCode.OK] * 4 + [ErrorCode.RATE_LIMITED] * 2
        assert await alice.code(alice.message(w.club)) is ErrorCode.OK


def test_who_knows_an_earlier_epochs_write_key_spends_nothing_of_the_present_ones():
    limits, call = Limits(Config(enqueue_sealed=FEW), LocalLimiter()), CallContext(now_ms=NOW_MS)
    earlier, present = [delivery.EnqueueParams(channel=b"c", generation=g, epoch=e) for g, e in ((1, 7), (1, 8))]
    for _ in range(4):
        limits.sealed(call, earlier)
    with pytest.raises(Refusal):
        limits.sealed(call, earlier)
    limits.sealed(call, present)
