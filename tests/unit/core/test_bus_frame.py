"""Frames of the TCP bus: cut anywhere, judged at once, never gathered past their limit."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qpqcore.wire.bus_frame import (
    CALL_MAX,
    FRAME_BYTES_MAX,
    HELLO_BYTES_MAX,
    NEWEST_VERSION,
    Away,
    Frame,
    FrameError,
    FrameReader,
    Kind,
    agreed_version,
    frame,
    goaway,
    hello,
)

FRAMES = st.lists(st.tuples(st.sampled_from(Kind), st.integers(0, CALL_MAX), st.binary(max_size=300)), max_size=8)


def reader():
    made = FrameReader()
    made.widen()
    return made


@given(frames=FRAMES, cuts=st.lists(st.integers(0, 3_000), max_size=20))
def test_frames_come_whole_wherever_the_stream_is_cut(frames, cuts):
    data = b"".join(frame(*one) for one in frames)
    places = sorted({0, len(data), *(c for c in cuts if c < len(data))})
    taking, found = reader(), []
    for begin, end in zip(places, places[1:], strict=False):
        found += taking.feed(data[begin:end])
    assert found == [Frame(kind=kind, call=call, body=body) for kind, call, body in frames]


def test_a_large_frame_comes_whole_by_small_pieces():
    body = bytes(range(256)) * 4_096
    data, taking, found = frame(Kind.REPLY, 1, body), reader(), []
    for at in range(0, len(data), 1_000):
        found += taking.feed(data[at : at + 1_000])
    assert [one.body for one in found] == [body]


@given(length=st.one_of(st.integers(0, 4), st.integers(FRAME_BYTES_MAX + 1, 2**32 - 1)))
def test_a_length_that_cannot_be_is_refused_by_its_four_bytes(length):
    with pytest.raises(FrameError):
        reader().feed(struct.pack("<I", length))


def test_before_its_hello_a_peer_may_send_a_hello_alone():
    with pytest.raises(FrameError):
        FrameReader().feed(struct.pack("<I", HELLO_BYTES_MAX + 1))
    assert FrameReader().feed(hello()) == reader().feed(hello())


@given(st.binary(max_size=200))
def test_what_is_no_frame_is_an_error_and_no_other(data):
    taking = reader()
    try:
        for one in taking.feed(data):
            agreed_version(one)
    except FrameError:
        pass


@pytest.mark.parametrize(
    ("oldest", "newest", "agreed"), [(1, 1, 1), (1, 7, 1), (0, 1, 1), (2, 7, 0), (0, 0, 0), (3, 1, 0)]
)
def test_both_speak_the_newest_that_both_know(oldest, newest, agreed):
    assert NEWEST_VERSION == 1
    assert agreed_version(Frame(kind=Kind.HELLO, call=0, body=struct.pack("<HH", oldest, newest))) == agreed


def test_a_goodbye_says_why_in_a_hellos_size():
    (one,) = FrameReader().feed(goaway(Away.FORBIDDEN, "x" * 1_000))
    assert one.body[0] == Away.FORBIDDEN
    assert len(one.body) <= HELLO_BYTES_MAX
