"""What every store of delivery keeps for federation: a box for each other domain, what comes from them taken once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from qpqcore.api.delivery import EntryKind, Guest, Standing
from qpqcore.api.federation import PurgeNoticeParams
from qpqcore.model.ids import box_of
from qpqdelivery.boxes import targets_of
from qpqdelivery.guests import Relayed
from qpqdelivery.rules import sha256
from qpqdelivery.store import Member
from tests.support import channels as own

OWN, OTHER, THIRD = "localhost", "b.example", "c.example"
BOUNDS = replace(own.BOUNDS, domain=OWN)
NOW_MS = own.NOW_MS


def person(name, domain):
    device = name.encode().ljust(16, b".")
    return Member(device + domain.encode(), device[::-1] + domain.encode())


ALICE, BOB, BEA, CAROL = person("alice", OWN), person("bob", OTHER), person("bea", OTHER), person("carol", THIRD)
AWAY = b"h" * 16 + OTHER.encode()
BOX = box_of(OTHER)


async def begin(store):
    """Make a channel here with Alice, Bob and Bea of one other domain, and Carol of a third."""
    await store.open_mailbox(ALICE.account, ALICE.device, NOW_MS)
    await store.create(own.birth(creator=ALICE, first=(BOB, BEA, CAROL)))


async def boxed(store, box=BOX):
    return (await store.box(box, 100, 1 << 20, NOW_MS))[0]


def relayed(number, log_number, *, kind=EntryKind.MESSAGE, text=b"hi", targets=(ALICE,), channel=AWAY):
    return Relayed(
        number=number, kind=kind, channel=channel, generation=1, epoch=1, log_number=log_number, accepted_ms=NOW_MS,
        expires_ms=NOW_MS + own.DAY_MS if kind is EntryKind.MESSAGE else 0, payload=text + b" %d" % log_number,
        hash=sha256(text + b" %d" % log_number), tree_hash=b"t" * 32 if kind is EntryKind.WELCOME else b"",
        targets=tuple(t.device for t in targets),
    )  # fmt: skip


def standing(*members, epoch=1, generation=1):
    return Standing(
        channel=AWAY, generation=generation, epoch=epoch, leaves=3, policy=b"policy",
        members=tuple(Guest(account=m.account, device=m.device) for m in members),
    )  # fmt: skip


async def test_what_is_for_another_domain_goes_once_into_its_box(open_store):
    async with open_store("qpqdelivery", BOUNDS) as store:
        await begin(store)
        born = await boxed(store)
        assert [b.kind for b in born] == [EntryKind.WELCOME, EntryKind.WELCOME]
        assert [b.kind for b in await boxed(store, box_of(THIRD))] == [EntryKind.WELCOME]
        (answer, arrivals), *_ = await store.enqueue([own.message(b"hello", sender=ALICE)])
        assert {a.device for a in arrivals} == {BOX, box_of(THIRD)}
        last = (await boxed(store))[-1]
        assert (last.kind, last.payload, last.log_number) == (EntryKind.MESSAGE, b"hello", answer.log_number)
        assert sorted(targets_of(BOX, last.packed)) == sorted([BOB.device, BEA.device])
        assert [b.number for b in await boxed(store)] == [1, 2, 3]


async def test_a_sender_of_another_domain_is_not_told_of_its_own_message(open_store):
    async with open_store("qpqdelivery", BOUNDS) as store:
        await begin(store)
        await store.enqueue([own.message(b"from bob", sender=BOB)])
        assert targets_of(BOX, (await boxed(store))[-1].packed) == (BEA.device,)
        assert [e.kind for e in (await own.box(store, ALICE))[0]] == [EntryKind.COMMIT, EntryKind.MESSAGE]
        again = await store.enqueue([own.message(b"from bob", sender=BOB)])
        assert again[0][0].duplicate
        assert len(await boxed(store)) == 3


async def test_a_box_is_acknowledged_as_mailboxes_are_and_is_no_mailbox(open_store):
    async with open_store("qpqdelivery", BOUNDS) as store:
        await begin(store)
        assert await store.ack(BOX, 1, NOW_MS) == 1
        assert [b.number for b in await boxed(store)] == [2]
        loads = {b.device: b for b in await store.boxes(10)}
        assert (loads[BOX].last, loads[BOX].acked, loads[BOX].entries) == (2, 1, 1)
        assert set(loads) == {BOX, box_of(THIRD)}
        assert (await store.weigh(b"", 10)).mailboxes == 1
        assert await store.absent(NOW_MS + 10**12, 10) == [Member(ALICE.device, ALICE.account)]
        assert await store.orphans(10) == []


async def test_a_full_box_is_cut_off_and_senders_never_learn(open_store):
    async with open_store("qpqdelivery", replace(BOUNDS, box_entries_max=4)) as store:
        await begin(store)
        for text in (b"1", b"2", b"3"):
            assert not (await store.enqueue([own.message(text, sender=ALICE)]))[0][0].duplicate
        found = await boxed(store)
        assert [b.kind for b in found] == [EntryKind.GAP]
        assert found[0].channel == b""


async def test_an_expired_message_leaves_its_number(open_store):
    async with open_store("qpqdelivery", BOUNDS) as store:
        await begin(store)
        await store.enqueue([own.message(b"brief", sender=ALICE, ttl_ms=1)])
        late = (await store.box(BOX, 100, 1 << 20, NOW_MS + 10))[0][-1]
        assert (late.kind, late.payload) == (EntryKind.EXPIRED, b"")
        assert len(targets_of(BOX, late.packed)) == 2


async def test_what_comes_is_taken_once_whatever_is_repeated(open_store):
    async with open_store("qpqdelivery", BOUNDS) as store:
        await store.open_mailbox(ALICE.account, ALICE.device, NOW_MS)
        first = [relayed(1, 7, kind=EntryKind.WELCOME), relayed(2, 8), relayed(3, 9)]
        assert (await store.take(OTHER, first, [standing(ALICE)], NOW_MS))[0] == 3
        assert (await store.take(OTHER, first, [standing(ALICE)], NOW_MS))[0] == 3
        assert (await store.take(OTHER, [relayed(3, 9), relayed(4, 10)], [], NOW_MS))[0] == 4
        entries = (await own.box(store, ALICE))[0]
        assert [(e.kind, e.log_number) for e in entries] == [
            (EntryKind.WELCOME, 7), (EntryKind.MESSAGE, 8), (EntryKind.MESSAGE, 9), (EntryKind.MESSAGE, 10),
        ]  # fmt: skip
        assert entries[1].payload == b"hi 8"
        assert entries[0].tree_hash == b"t" * 32
        assert await store.home_position(OTHER) == 4
        assert await store.has_log(AWAY, 10)
        assert not await store.has_log(AWAY, 11)


async def test_a_hole_is_told_to_all_who_are_in_that_domains_channels(open_store):
    async with open_store("qpqdelivery", BOUNDS) as store:
        for p in (ALICE, own.BOB):
            await store.open_mailbox(p.account, p.device, NOW_MS)
        await store.take(OTHER, [relayed(1, 1, kind=EntryKind.WELCOME)], [standing(ALICE)], NOW_MS)
        await store.take(OTHER, [relayed(5, 9)], [], NOW_MS)
        assert [e.kind for e in (await own.box(store, ALICE))[0]] == [
            EntryKind.WELCOME, EntryKind.GAP, EntryKind.MESSAGE,
        ]  # fmt: skip
        assert (await own.box(store, own.BOB))[0] == []
        gap = replace(relayed(6, 0, kind=EntryKind.GAP, targets=()), channel=b"", payload=b"")
        assert (await store.take(OTHER, [gap], [], NOW_MS))[0] == 6
        assert [e.kind for e in (await own.box(store, ALICE))[0]][-1] is EntryKind.GAP
        assert all(e.channel == b"" for e in (await own.box(store, ALICE))[0] if e.kind is EntryKind.GAP)


async def test_channels_away_are_listed_as_their_home_said_last(open_store):
    async with open_store("qpqdelivery", BOUNDS) as store:
        await store.open_mailbox(ALICE.account, ALICE.device, NOW_MS)
        await store.take(OTHER, [relayed(1, 1)], [standing(ALICE, epoch=5)], NOW_MS)
        await store.take(OTHER, [relayed(2, 2)], [standing(epoch=4)], NOW_MS)
        listed = await store.away_of(ALICE.account, ALICE.device, 10)
        assert [(c.channel, c.epoch, c.member, c.leaves) for c in listed] == [(AWAY, 5, True, 3)]
        assert not (await store.away_of(ALICE.account, b"another", 10))[0].member
        await store.take(OTHER, [relayed(3, 3)], [standing(epoch=6)], NOW_MS)
        assert await store.away_of(ALICE.account, ALICE.device, 10) == []


async def test_a_device_that_goes_is_told_to_the_homes_of_its_channels(open_store):
    async with open_store("qpqdelivery", BOUNDS) as store:
        await store.open_mailbox(ALICE.account, ALICE.device, NOW_MS)
        await store.take(OTHER, [relayed(1, 1)], [standing(ALICE)], NOW_MS)
        assert await store.leave_away(ALICE.device, NOW_MS) == [BOX]
        (notice,) = await boxed(store)
        assert (notice.kind, notice.channel) == (EntryKind.PURGE, b"")
        told = PurgeNoticeParams.from_bytes(notice.payload)
        assert (told.account, told.devices) == (ALICE.account, (ALICE.device,))
        assert await store.leave_away(ALICE.device, NOW_MS) == []
        assert await store.away_of(ALICE.account, ALICE.device, 10) == []


async def test_a_database_that_was_copied_back_numbers_its_box_above_what_was_sent(open_store):
    async with open_store("qpqdelivery", BOUNDS) as store:
        await begin(store)
        await store.skip_box(BOX, 40, NOW_MS)
        assert [b.number for b in await boxed(store)] == [42, 43]
        await store.enqueue([own.message(b"next", sender=ALICE)])
        assert [b.number for b in await boxed(store)] == [42, 43, 44]
        await store.skip_box(BOX, 41, NOW_MS)
        assert [b.number for b in await boxed(store)] == [42, 43, 44]


async def test_who_was_ever_in_a_channel_is_known(open_store):
    async with open_store("qpqdelivery", BOUNDS) as store:
        await begin(store)
        await own.accept(store, own.commit(1, removed=[BOB]))
        assert await store.had_leaf(own.CHANNEL, BOB.device)
        assert not await store.had_leaf(own.CHANNEL, ALICE.device[:-1])


@pytest.mark.parametrize("entries_max", [1, 2])
async def test_a_box_is_read_in_portions(open_store, entries_max):
    async with open_store("qpqdelivery", BOUNDS) as store:
        await begin(store)
        found, last = await store.box(BOX, entries_max, 1 << 20, NOW_MS)
        assert (len(found), last) == (entries_max, 2)
        assert len((await store.box(BOX, 100, 1, NOW_MS))[0]) == 1


async def test_one_process_at_a_time_brings_what_waits_for_a_domain(open_store):
    one, other = b"1" * 16, b"2" * 16
    async with open_store("qpqdelivery", BOUNDS) as store:
        assert await store.lease_box(BOX, one, NOW_MS + 100, NOW_MS) == 0
        assert await store.lease_box(BOX, other, NOW_MS + 150, NOW_MS + 99) == NOW_MS + 100
        assert await store.lease_box(BOX, one, NOW_MS + 200, NOW_MS + 99) == 0  # its own for longer
        assert await store.lease_box(BOX, other, NOW_MS + 300, NOW_MS + 199) == NOW_MS + 200
        assert await store.lease_box(box_of(THIRD), other, NOW_MS + 300, NOW_MS) == 0
        # A process that died is followed by another when its time is over; who gives a box back gives it at once.
        assert await store.lease_box(BOX, other, NOW_MS + 400, NOW_MS + 200) == 0
        assert await store.lease_box(BOX, one, NOW_MS + 300, NOW_MS + 201) == NOW_MS + 400
        assert await store.lease_box(BOX, one, NOW_MS + 202, NOW_MS + 202) == NOW_MS + 400
        assert await store.lease_box(BOX, other, NOW_MS + 203, NOW_MS + 203) == 0
        assert await store.lease_box(BOX, one, NOW_MS + 300, NOW_MS + 203) == 0
