"""What every store of delivery keeps: one log per channel, gapless mailboxes, one commit per epoch, bounded space."""

from __future__ import annotations

from dataclasses import replace

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from qpqcore.api.delivery import EntryKind
from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.store.database import open_database
from qpqcore.store.migrations import migrations_of
from qpqcore.store.postgres.bridge import open_postgres
from qpqcore.store.postgres.schemas import schema_of
from qpqdelivery.rules import sha256
from qpqdelivery.store import Channel, Offer
from qpqdelivery.store_postgres import PostgresStore
from qpqdelivery.store_sqlite import SqliteStore
from tests.contract.conftest import count_rows
from tests.support.channels import (
    ALICE,
    BOB,
    BOUNDS,
    CAROL,
    CHANNEL,
    DAY_MS,
    NOW_MS,
    OUTSIDE,
    PEOPLE,
    accept,
    agree,
    begin,
    birth,
    box,
    commit,
    kinds,
    message,
    play,
    put,
    version,
)


async def test_a_channel_is_born_with_its_members(open_store):
    async with open_store("qpqdelivery", BOUNDS) as store:
        await begin(store)
        assert await kinds(store, ALICE) == [EntryKind.COMMIT]
        assert await kinds(store, BOB) == [EntryKind.WELCOME]
        assert await kinds(store, OUTSIDE) == []
        again, woken = await store.create(birth())
        assert (again.duplicate, woken) == (True, [])
        with pytest.raises(Refusal) as no:
            await store.create(replace(birth(), birth_hash=b"another"))
        assert no.value.code is ErrorCode.CHANNEL_EXISTS
        assert await store.write_key(CHANNEL, 1, 1) == b"w" * 32
        assert [c.channel for c, _ in await store.channels_of(BOB.account, 10)] == [CHANNEL]
        assert await store.channels_of(OUTSIDE.account, 10) == []


async def test_all_see_one_order_without_gaps(open_store):
    async with open_store("qpqdelivery", BOUNDS) as store:
        await begin(store)
        answers = []

        async def say(sender, text):
            answers.extend(await put(store, message(text, sender=sender)))

        async with trio.open_nursery() as nursery:
            for n in range(10):
                nursery.start_soon(say, (ALICE, BOB)[n % 2], b"text %d" % n)
        assert sorted(a.log_number for a in answers) == list(range(2, 12))
        entries, mailbox = await box(store, CAROL)
        assert [e.number for e in entries] == list(range(1, mailbox.last + 1))
        assert [e.log_number for e in entries if e.kind is EntryKind.MESSAGE] == list(range(2, 12))


async def test_a_sender_gets_no_copy_and_a_repeat_has_no_effect(open_store):
    async with open_store("qpqdelivery", BOUNDS) as store:
        await begin(store)
        (first,) = await put(store, message(b"once"))
        (again,) = await put(store, message(b"once"))
        assert (first.duplicate, again.duplicate) == (False, True)
        assert first.log_number == again.log_number
        assert await kinds(store, BOB) == [EntryKind.WELCOME, EntryKind.MESSAGE]
        assert await kinds(store, ALICE) == [EntryKind.COMMIT]
        both = await put(store, message(b"twice in a batch"), message(b"twice in a batch"))
        assert [a.duplicate for a in both] == [False, True]


async def test_one_commit_an_epoch(open_store):
    async with open_store("qpqdelivery", BOUNDS) as store:
        await begin(store)
        outcomes = []

        async def offer(payload):
            try:
                outcomes.append(await accept(store, commit(1, payload=payload)))
            except Refusal as no:
                outcomes.append(no.code)

        async with trio.open_nursery() as nursery:
            for n in range(8):
                nursery.start_soon(offer, b"commit by %d" % n)
        assert outcomes.count(ErrorCode.EPOCH_CONFLICT) == 7
        assert (await store.channel(CHANNEL)).epoch == 2
        winner = next(o for o in outcomes if not isinstance(o, ErrorCode))[0]
        entries, _ = await box(store, BOB)
        assert [e.log_number for e in entries if e.kind is EntryKind.COMMIT] == [winner.log_number]


async def test_a_commit_again_is_its_own_answer(open_store):
    async with open_store("qpqdelivery", BOUNDS) as store:
        await begin(store)
        first, _ = await accept(store, commit(1))
        again, woken = await accept(store, commit(1))
        assert (again.duplicate, again.epoch, again.log_number, woken) == (True, first.epoch, first.log_number, [])


async def test_a_commit_is_taken_against_the_proposals_it_was_checked_with(open_store):
    async with open_store("qpqdelivery", BOUNDS) as store:
        await begin(store)
        old = await version(store)
        offer = Offer(
            channel=CHANNEL, generation=1, epoch=1, proposals_version=old, payload=b"remove carol",
            hash=sha256(b"remove carol"), now_ms=NOW_MS, reference=b"ref", target=CAROL.device, by_server=True,
            snapshot=b"with proposal",
        )  # fmt: skip
        await store.accept_proposal(offer)
        assert await store.accept_commit(commit(1, version=old)) is None
        assert [p.target for p in await store.proposals(CHANNEL)] == [CAROL.device]
        assert await store.accept_proposal(replace(offer, hash=b"other", payload=b"other")) is None
        accepted, _ = await accept(store, commit(1, removed=(CAROL,)))
        assert accepted.epoch == 2
        assert await store.proposals(CHANNEL) == []


@pytest.mark.parametrize(
    ("epoch", "code"), [(0, ErrorCode.STALE_EPOCH), (1, ErrorCode.STALE_EPOCH), (8, ErrorCode.STALE_EPOCH)]
)
async def test_epochs_too_old_or_not_begun_are_stale(open_store, epoch, code):
    async with open_store("qpqdelivery", BOUNDS) as store:
        await begin(store)
        for n in range(1, 7):
            await accept(store, commit(n))
        (no,) = await put(store, message(b"x", epoch=epoch))
        assert no.code is code
        for fine in range(2, 8):
            (yes,) = await put(store, message(b"in %d" % fine, epoch=fine))
            assert yes.epoch == fine


async def test_a_message_goes_to_those_who_were_members_at_its_epoch_and_still_are(open_store):
    async with open_store("qpqdelivery", BOUNDS) as store:
        await begin(store)
        await accept(store, commit(1, added=(OUTSIDE,), removed=(CAROL,)))
        await put(store, message(b"of the epoch before", epoch=1), message(b"of now", epoch=2))
        texts = {p: [e.payload for e in (await box(store, p))[0] if e.kind is EntryKind.MESSAGE] for p in PEOPLE}
        assert texts[BOB] == [b"of the epoch before", b"of now"]
        assert texts[OUTSIDE] == [b"of now"]
        assert texts[CAROL] == []
        (no,) = await put(store, message(b"may I", sender=CAROL, epoch=2))
        assert no.code is ErrorCode.NOT_MEMBER
        (no,) = await put(store, message(b"too early", sender=OUTSIDE, epoch=1))
        assert no.code is ErrorCode.STALE_EPOCH


async def test_a_full_mailbox_is_cut_off_behind_a_gap_and_no_sender_learns(open_store):
    async with open_store("qpqdelivery", replace(BOUNDS, mailbox_entries_max=5)) as store:
        await begin(store)
        answers = await put(store, *[message(b"%d" % n) for n in range(10)])
        assert all(not isinstance(a, Refusal) for a in answers)
        entries, mailbox = await box(store, BOB)
        # A Welcome and four messages fill it; the fifth is cut off behind gap 7, four more fit, the tenth is behind gap 13.
        assert [(e.number, e.kind) for e in entries] == [(13, EntryKind.GAP)]
        assert mailbox.last == 13


async def test_a_mailbox_too_heavy_is_cut_off_too(open_store):
    async with open_store("qpqdelivery", replace(BOUNDS, mailbox_bytes_max=1_000)) as store:
        await begin(store)
        await put(store, message(b"a" * 600), message(b"b" * 600))
        entries, mailbox = await box(store, BOB)
        assert [e.kind for e in entries] == [EntryKind.GAP]
        assert mailbox.bytes == 0


async def test_an_answer_is_bounded_and_never_empty_for_one_large_entry(open_store):
    async with open_store("qpqdelivery", replace(BOUNDS, fetch_bytes_max=1_000)) as store:
        await begin(store)
        await put(store, message(b"a" * 900), message(b"b" * 900), message(b"c" * 2_000))
        seen = []
        after = 1
        while page := (await box(store, BOB, after))[0]:
            assert len(page) == 1
            seen.append(page[0].payload[:1])
            after = page[-1].number
        assert seen == [b"a", b"b", b"c"]
        assert len((await box(store, BOB, limit=2))[0]) == 2


async def test_acknowledging_drops_and_never_goes_back_or_past_the_end(open_store):
    async with open_store("qpqdelivery", BOUNDS) as store:
        await begin(store)
        await put(store, message(b"one"), message(b"two"))
        assert await store.ack(BOB.device, 2, NOW_MS) == 2
        assert await store.ack(BOB.device, 1, NOW_MS) == 2
        entries, mailbox = await box(store, BOB)
        assert [e.payload for e in entries] == [b"two"]
        assert (mailbox.acked, mailbox.bytes) == (2, 3)
        assert await store.ack(BOB.device, 99, NOW_MS) == 3
        assert (await box(store, BOB))[0] == []
        assert await store.ack(b"nobody", 1, NOW_MS) is None


async def test_a_message_past_its_time_leaves_a_tombstone(open_store):
    async with open_store("qpqdelivery", BOUNDS) as store:
        await begin(store)
        await put(store, message(b"short", ttl_ms=1_000), message(b"long"))
        late = NOW_MS + 2_000
        expected = [(EntryKind.WELCOME, b"welcome bob device"), (EntryKind.EXPIRED, b""), (EntryKind.MESSAGE, b"long")]
        assert [(e.kind, e.payload) for e in (await box(store, BOB, now_ms=late))[0]] == expected
        await store.expire(late, 0, 0)
        assert [(e.kind, e.payload) for e in (await box(store, BOB, now_ms=late))[0]] == expected


async def test_a_payload_goes_when_nobody_waits_for_it_and_its_hash_later(open_store):
    async with open_store("qpqdelivery", BOUNDS) as store:
        await begin(store)
        (first,) = await put(store, message(b"read by all"))
        for person in (ALICE, BOB, CAROL):
            await store.ack(person.device, 99, NOW_MS)
        await store.purge(NOW_MS + 1_000, 100)
        (again,) = await put(store, message(b"read by all"))
        assert (again.duplicate, again.log_number) == (True, first.log_number)
        await store.expire(NOW_MS + 40 * DAY_MS, 0, NOW_MS + 1)
        assert await store.found(CHANNEL, sha256(b"read by all")) is None


async def test_a_log_is_purged_a_bounded_step_at_a_time_round_after_round(open_store):
    async with open_store("qpqdelivery", BOUNDS) as store:
        await begin(store)
        texts = [b"%d" % number for number in range(10)]
        await put(store, *map(message, texts))

        async def kept():
            entries, _ = await box(store, BOB)
            return [e.payload for e in entries if e.kind is EntryKind.MESSAGE]

        # The founding's commit is row 1. Nothing that somebody still waits for goes, nor what is younger.
        assert [await store.purge(NOW_MS + 1_000, 4) for _ in range(4)] == [True, True, False, True]
        assert await kept() == texts
        assert [await store.purge(NOW_MS, 4) for _ in range(2)] == [True, False]
        for person in (ALICE, CAROL):
            await store.ack(person.device, 99, NOW_MS)
        await store.ack(BOB.device, 1 + 5, NOW_MS)
        while await store.purge(NOW_MS + 1_000, 4):
            pass
        assert await kept() == texts[5:]
        assert await count_rows(store, "log WHERE payload IS NOT NULL") == 5
        assert [(await store.found(CHANNEL, sha256(text))).duplicate for text in texts] == [True] * 10


async def test_handshakes_too_old_cut_the_mailbox_off(open_store):
    async with open_store("qpqdelivery", BOUNDS) as store:
        await begin(store)
        woken = await store.expire(NOW_MS + 31 * DAY_MS, NOW_MS + DAY_MS, 0)
        assert set(woken) == {ALICE.device, BOB.device, CAROL.device}
        assert await kinds(store, BOB) == [EntryKind.GAP]
        assert await kinds(store, OUTSIDE) == []
        assert await store.tree(CHANNEL, sha256(b"1")) == b"tree1"
        assert await store.tree(CHANNEL, sha256(b"0")) is None


async def test_a_place_in_a_ratchet_is_used_once(open_store):
    """A device that comes with a place that is not above those it had is an older copy of itself."""
    async with open_store("qpqdelivery", BOUNDS) as store:
        await begin(store)
        first = message(b"first", ratchet=2)
        used = [await put(store, m) for m in (first, message(b"copy", ratchet=2), message(b"older", ratchet=1))]
        assert [getattr(answer, "code", None) for (answer,) in used] == [
            None, ErrorCode.RATCHET_USED, ErrorCode.RATCHET_USED
        ]  # fmt: skip
        (again,) = await put(store, first)
        assert again.duplicate
        taken = await put(
            store, message(b"not told"), message(b"next", ratchet=3), message(b"bob's", sender=BOB, ratchet=1)
        )
        assert not any(isinstance(answer, Refusal) for answer in taken)
        for epoch in range(1, 2 + BOUNDS.past_epochs):
            await accept(store, commit(epoch))
            (answer,) = await put(store, message(b"in epoch %d" % (epoch + 1), epoch=epoch + 1, ratchet=1))
            assert not isinstance(answer, Refusal)


async def test_who_has_not_come_is_absent_and_who_has_no_mailbox_an_orphan(open_store):
    async with open_store("qpqdelivery", BOUNDS) as store:
        await begin(store)
        await store.ack(ALICE.device, 1, NOW_MS + DAY_MS)
        await store.note_seen(BOB.device, NOW_MS + DAY_MS)
        assert {m.device for m in await store.absent(NOW_MS + 1, 10)} == {CAROL.device, OUTSIDE.device}
        await store.close_mailbox(CAROL.device)
        assert await store.orphans(10) == [CAROL]
        assert await box(store, CAROL) is None
        assert await store.mailboxes_of(CAROL.account) == []


async def test_a_reset_begins_a_generation_and_tells_who_is_left_out(open_store):
    async with open_store("qpqdelivery", BOUNDS) as store:
        await begin(store)
        accepted, _ = await store.reset(birth(first=(BOB,), generation=2))
        assert (await store.channel(CHANNEL)).generation == 2
        assert (await kinds(store, CAROL))[-1] is EntryKind.RESET
        assert (await kinds(store, BOB))[-1] is EntryKind.WELCOME
        assert {m.device for m in await store.members(CHANNEL, 2)} == {ALICE.device, BOB.device}
        again, _ = await store.reset(birth(first=(BOB,), generation=2))
        assert (again.duplicate, again.epoch) == (True, accepted.epoch)
        with pytest.raises(Refusal) as no:
            await store.reset(replace(birth(generation=2), birth_hash=b"another"))
        assert no.value.code is ErrorCode.GENERATION_CONFLICT
        (stale,) = await put(store, message(b"to the old one"))
        assert stale.code is ErrorCode.STALE_EPOCH
        (yes,) = await put(store, message(b"to the new one", generation=2))
        assert yes.log_number > accepted.log_number


async def test_an_external_commit_comes_to_the_one_it_brings_in(open_store):
    async with open_store("qpqdelivery", BOUNDS) as store:
        await begin(store)
        await accept(store, commit(1, added=(OUTSIDE,), external=True))
        assert await kinds(store, OUTSIDE) == [EntryKind.COMMIT]
        assert await store.is_member(CHANNEL, 1, OUTSIDE.device)
        assert await store.has_account(CHANNEL, 1, OUTSIDE.account)


async def test_a_channel_nobody_is_in_leaves_nothing(open_store):
    async with open_store("qpqdelivery", BOUNDS) as store:
        await begin(store)
        await store.delete_channel(CHANNEL)
        assert await store.channel(CHANNEL) is None
        assert await store.members(CHANNEL, 1) == []
        (no,) = await put(store, message(b"anybody?"))
        assert no.code is ErrorCode.NOT_MEMBER


async def test_a_log_goes_on_where_an_older_database_left_it(tmp_path):
    path, key, all_of_them = tmp_path / "delivery.db", b"k" * 32, migrations_of("qpqdelivery")
    async with open_database(path, key, all_of_them[:2]) as database:
        await database.write(
            lambda c: (
                c.execute(
                    "INSERT INTO channels VALUES (?, 1, 4, 7, 2, x'01', x'02', x'03', x'04', x'05')", (CHANNEL,)
                ).rowcount
            )
        )
    async with open_database(path, key, all_of_them) as database:
        there = await SqliteStore(database, BOUNDS).channel(CHANNEL)
        head = await database.read(lambda c: c.execute("SELECT channel, number FROM log_heads").fetchall())
    assert there == Channel(CHANNEL, 1, 4, 7, 2, b"\x01", b"\x02", b"\x03", b"\x04", b"\x05")
    assert [tuple(row) for row in head] == [(CHANNEL, 7)]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("say"), st.sampled_from(PEOPLE), st.integers(0, 6), st.integers(0, 4)),
        st.tuples(st.just("add"), st.sampled_from(PEOPLE), st.just(0), st.just(0)),
        st.tuples(st.just("remove"), st.sampled_from(PEOPLE), st.just(0), st.just(0)),
        st.tuples(st.just("ack"), st.sampled_from(PEOPLE), st.integers(0, 8), st.just(0)),
    ),
    max_size=25,
)


@given(STEPS)
def test_any_history_is_the_models(steps):
    """Messages, joins, removals and acknowledgements in any order, on SQLCipher."""

    async def in_memory():
        async with open_database(None, b"k" * 32, migrations_of("qpqdelivery")) as database:
            store = SqliteStore(database, BOUNDS)
            await agree(store, await play(store, steps))

    trio.run(in_memory)


@settings(max_examples=25)  # each takes 60 ms: an emptied database, a bridge, its connections
@given(STEPS)
def test_any_history_is_the_models_on_postgres(postgres, steps):
    """The same on PostgreSQL."""

    async def in_postgres(url):
        async with open_postgres(url, schema_of("delivery")) as database:
            store = PostgresStore(database, BOUNDS)
            await agree(store, await play(store, steps))

    name = postgres.lend()
    try:
        trio.run(in_postgres, postgres.url(name))
    finally:
        postgres.give_back(name)
