"""A group that outlives its home: what its policy says, and where what was said stands in the history."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from qpqclient.groups import LOG_BITS, base_of
from qpqcore.groups.policy import MOVES_MAX, ChannelKind, GroupPolicy, read_policy
from qpqcore.groups.validity import check_change
from qpqcore.model.errors import ErrorCode, Refusal
from tests.unit.core.test_group_rules import change

EARLIER = b"c" * 16 + b"a.example"
MOVED = GroupPolicy(
    version=1, kind=ChannelKind.GROUP, home="b.example", generation=1, follows=EARLIER, moves=1
)  # fmt: skip


def channel(first):
    return bytes([first]) + bytes(15) + b"b.example"


def test_places_are_in_the_order_of_moves_then_of_ids_then_of_the_log():
    ranges = [
        (base_of(channel(first), moves), base_of(channel(first), moves) + (1 << LOG_BITS) - 1)
        for moves in (1, 2, MOVES_MAX)
        for first in (0, 1, 255)
    ]
    assert base_of(channel(7), 0) == 0
    assert all(before[1] < after[0] for before, after in itertools.pairwise([(0, (1 << LOG_BITS) - 1), *ranges]))
    assert ranges[-1][1] < 1 << 63


def test_a_policy_says_what_it_goes_on_from():
    assert read_policy(MOVED.to_bytes()) == MOVED


@pytest.mark.parametrize("wrong", [
    {"moves": 0}, {"follows": b""}, {"follows": b"x"}, {"moves": MOVES_MAX + 1}, {"kind": ChannelKind.DIRECT},
    {"kind": ChannelKind.SELF},
])  # fmt: skip
def test_a_policy_that_says_it_wrongly_is_refused(wrong):
    with pytest.raises(Refusal) as no:
        read_policy(replace(MOVED, **wrong).to_bytes())
    assert no.value.code is ErrorCode.COMMIT_INVALID


@pytest.mark.parametrize("after", [
    replace(MOVED, follows=b"d" * 16 + b"a.example"), replace(MOVED, moves=2), replace(MOVED, follows=b"", moves=0),
])  # fmt: skip
def test_nobody_changes_what_a_group_goes_on_from(after):
    with pytest.raises(Refusal) as no:
        check_change(change(policy_before=MOVED, policy_after=after))
    assert no.value.code is ErrorCode.COMMIT_INVALID
