"""Messages, envelopes, limits and notices."""

from __future__ import annotations

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from qpqcore.api.delivery import (
    BatchEnqueueParams,
    ChannelInfo,
    EnqueueParams,
    Entry,
    EntryKind,
    FetchResult,
    ListChannelsResult,
)
from qpqcore.api.methods import METHODS
from qpqcore.bus.limits import LocalLimiter, Rate
from qpqcore.bus.notices import (
    CARRIED_BYTES_MAX,
    PENDING_MAX,
    REVOKED,
    REVOKED_SESSION,
    LocalNotices,
    mailbox_topic,
    signal_topic,
)
from qpqcore.model.errors import EXIT_CODES, ErrorCode, Refusal
from qpqcore.model.method import CallerClass
from qpqcore.wire.envelope import BusReply, Envelope


@given(st.binary(max_size=300))
def test_no_bytes_do_more_than_be_refused(data):
    for method in METHODS.values():
        try:
            method.params.from_bytes(data)
        except Refusal as no:
            assert no.code is ErrorCode.MALFORMED


def test_a_bomb_is_refused_by_what_it_would_take_to_read():
    item = EnqueueParams(payload=b"x" * 64).to_bytes()
    segment = bytearray(item)
    # A list pointer that claims 2^29 - 1 elements of nothing.
    segment[8:16] = (1 | (0x1FFFFFFF << 35)).to_bytes(8, "little")
    with pytest.raises(Refusal):
        FetchResult.from_bytes(bytes(segment))


LIST_STRUCTS_MAX = 10_000


def list_of_nothing(count, words):
    """A list that claims `count` structs without a byte, in a message of so many words more."""
    pointers = (1 << 48, 1 | 7 << 32, count << 2)
    segment = b"".join(word.to_bytes(8, "little") for word in pointers) + bytes(8 * words)
    return (0).to_bytes(4, "little") + (len(segment) // 8).to_bytes(4, "little") + segment


@pytest.mark.parametrize(("count", "words"), [(1_000, 0), (LIST_STRUCTS_MAX + 1, 250_000)])
def test_a_list_of_nothing_is_refused_before_it_is_made(count, words):
    """The larger held up the whole server for six seconds, the smaller, of 32 bytes, for eight milliseconds."""
    with pytest.raises(Refusal):
        BatchEnqueueParams.from_bytes(list_of_nothing(count, words))
    assert len(BatchEnqueueParams.from_bytes(list_of_nothing(50, 0)).items) == 50


def test_the_longest_list_there_is_can_be_read():
    result = ListChannelsResult(channels=tuple(ChannelInfo() for _ in range(LIST_STRUCTS_MAX)))
    assert len(ListChannelsResult.from_bytes(result.to_bytes()).channels) == LIST_STRUCTS_MAX


def test_messages_read_as_they_were_written():
    result = FetchResult(entries=(Entry(number=7, kind=EntryKind.WELCOME, payload=b"w", tree_hash=b"t"),), last=7)
    assert FetchResult.from_bytes(result.to_bytes()) == result


def test_every_method_says_who_may_call_it_and_every_error_has_an_exit_code():
    assert all(m.caller is not CallerClass.NOBODY for m in METHODS.values())
    assert set(EXIT_CODES) == set(ErrorCode)
    assert len(METHODS) == len({(m.service, m.name, m.internal) for m in METHODS.values()})


@given(
    st.builds(
        Envelope, method=st.integers(0, 65535), deadline_ms=st.integers(0, 2**32 - 1), assertion=st.binary(max_size=400),
        idempotency_key=st.sampled_from([b"", b"k" * 16]), challenge=st.sampled_from([b"", b"c" * 32]),
        address=st.sampled_from(["", "127.0.0.1"]), sender=st.binary(max_size=50),
        traceparent=st.sampled_from(["", "00-" + "a" * 32 + "-" + "b" * 16 + "-01"]), body=st.binary(max_size=200),
    )
)  # fmt: skip
def test_envelopes_read_as_they_were_written_and_not_when_cut(envelope):
    data = envelope.to_bytes()
    assert Envelope.from_bytes(data) == envelope
    with pytest.raises(Refusal):
        Envelope.from_bytes(data[:-1])


@given(st.binary(max_size=64))
def test_no_bytes_break_the_envelope(data):
    for kind in (Envelope, BusReply):
        try:
            kind.from_bytes(data)
        except Refusal as no:
            assert no.code is ErrorCode.MALFORMED


@given(st.lists(st.integers(0, 500), min_size=1, max_size=200))
def test_no_key_gets_more_than_its_burst_and_rate(gaps):
    rate, limiter, now, taken, start = Rate(10, 1, 5), LocalLimiter(), 0, 0, 0
    for gap in gaps:
        now += gap
        wait = limiter.take(b"k", rate, now)
        if wait == 0:
            taken += 1
        else:
            assert limiter.take(b"k", rate, now + wait) == 0 or wait > 0
            break
    assert taken <= rate.burst + (now - start) / 100 + 1


async def test_notices_wake_and_are_bounded():
    notices = LocalNotices()
    with notices.subscribe(b"a") as heard:
        for number in range(PENDING_MAX + 10):
            notices.publish(b"a", bytes([number % 256]))
        notices.publish(b"b")
        with trio.fail_after(1):
            await heard.wait()
        found = heard.receive_nowait()
        assert len(found) == PENDING_MAX
        assert found[-1] == (b"a", bytes([(PENDING_MAX + 9) % 256]))
    assert not notices.has_listener(b"a")


async def test_revocations_are_all_heard_however_many_come_in_one_turn():
    notices = LocalNotices()
    told = [bytes([REVOKED_SESSION]) + number.to_bytes(4) for number in range(20 * PENDING_MAX)]
    with notices.subscribe(REVOKED) as heard:
        for payload in told:
            notices.publish(REVOKED, payload)
        assert heard.receive_nowait() == [(REVOKED, payload) for payload in told]


async def test_mailbox_entries_that_wait_for_one_who_does_not_look_are_bounded_in_bytes():
    notices, topic = LocalNotices(), mailbox_topic(b"device")
    with notices.subscribe(topic, signal_topic(b"device")) as heard:
        for _ in range(2):
            for _ in range(CARRIED_BYTES_MAX // 4_096 + 3):
                notices.publish(topic, bytes(4_096))
            notices.publish(signal_topic(b"device"), b"typing")
            found = heard.receive_nowait()
            assert sum(len(payload) for name, payload in found if name == topic) == CARRIED_BYTES_MAX
            assert [payload for name, payload in found if name == topic][-3:] == [b"", b"", b""]
            assert found[-1][1] == b"typing"


@given(
    st.builds(
        BusReply, code=st.integers(0, 65535), detail=st.text(max_size=40), retry_after_ms=st.integers(0, 2**32 - 1),
        assertion=st.none() | st.binary(max_size=60), result=st.binary(max_size=200),
    )
)  # fmt: skip
def test_replies_read_as_they_were_written_and_not_when_cut_or_longer(reply):
    data = reply.to_bytes()
    assert BusReply.from_bytes(data) == reply
    for bad in (data[:-1], data + b"\0", bytes([data[0] ^ 0xFF]) + data[1:], b""):
        with pytest.raises(Refusal) as refused:
            BusReply.from_bytes(bad)
        assert refused.value.code is ErrorCode.MALFORMED


@pytest.mark.parametrize(
    "envelope",
    [
        pytest.param(Envelope(method=1, deadline_ms=1, challenge=b"short"), id="a challenge of another length"),
        pytest.param(Envelope(method=1, deadline_ms=1, traceparent="x" * 55), id="no traceparent"),
    ],
)
def test_an_envelope_with_a_part_that_is_none(envelope):
    with pytest.raises(Refusal) as refused:
        Envelope.from_bytes(envelope.to_bytes())
    assert refused.value.code is ErrorCode.MALFORMED


def test_an_envelope_of_another_version_or_longer_than_it_says():
    data = Envelope(method=1, deadline_ms=1, address="::1").to_bytes()
    for bad in (bytes([data[0] ^ 0xFF]) + data[1:], data + b"\0", data.replace(b"::1", b"\xff\xff\xff")):
        with pytest.raises(Refusal) as refused:
            Envelope.from_bytes(bad)
        assert refused.value.code is ErrorCode.MALFORMED
