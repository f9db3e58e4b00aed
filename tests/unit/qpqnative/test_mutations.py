"""Mutated bytes at every door: a typed refusal or a harmless acceptance, never a panic, never a lasting change."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

import pytest

from qpqnative import GroupView, MlsError, PendingCommit, inspect_key_package, inspect_message
from qpqnative.testing.world import GROUP_ID, NOW_S, World

MUTANTS = 150
TELLING = b"\x00\x01\x02\x3f\x40\x7f\x80\xbf\xc0\xff"
"""Ends of the ranges of MLS's variable-size lengths (RFC 9420 §2.1.2)."""


def mutants(original: bytes, seed: str) -> Iterator[bytes]:
    """The same mutants in every run: bytes changed, inserted, cut off."""
    for number in range(MUTANTS):
        dice = hashlib.sha256(f"{seed}/{number}".encode()).digest()
        raw = bytearray(original)
        for throw in range(1 + dice[0] % 3):
            what, at, byte = (
                dice[1 + 4 * throw],
                int.from_bytes(dice[2 + 4 * throw : 4 + 4 * throw]),
                dice[4 + 4 * throw],
            )
            at %= len(raw)
            match what % 5:
                case 0:
                    raw[at] = byte
                case 1:
                    raw[at] ^= 1 << byte % 8
                case 2:
                    del raw[max(at, 1) :]
                case 3:
                    raw.insert(at, TELLING[byte % len(TELLING)])
                case _:
                    raw[at] = TELLING[byte % len(TELLING)]
        yield bytes(raw)


class Doors:
    """Every door, with a genuine key for it."""

    def __init__(self, world: World) -> None:
        """Sets up a group of three and one of each kind of message."""
        world.with_members("ada", "bob", "cyd")
        self.bob, self.view = world.people["bob"], world.view
        ada = world.groups["ada"]
        package = world.key_package("dan")
        pending = ada.commit(add=[package], now_s=NOW_S)
        dan = world.people["dan"]
        tree, info = ada.tree(), ada.group_info()
        snapshot = self.view.snapshot()
        [(_, welcome)] = pending.welcomes
        self.doors: dict[str, tuple[bytes, Callable[[bytes], object]]] = {
            "application": (ada.encrypt(b"hello"), self.at_bob),
            "proposal": (world.groups["cyd"].propose_self_remove(), self.at_both),
            "commit": (pending.commit, self.at_both),
            "welcome": (welcome, lambda b: dan.load_device().join(b, pending.tree)),
            "tree": (pending.tree, lambda b: dan.load_device().join(welcome, b)),
            "observed tree": (tree, lambda b: GroupView.observe(info, b)),
            "group info": (info, self.view.check_group_info),
            "observed group info": (info, lambda b: GroupView.observe(b, tree)),
            "returning": (info, lambda b: self.bob.load_device().external_join(b, tree, remove_leaf=1)),
            "snapshot": (snapshot, lambda b: GroupView.load(b, tree).check(pending.commit, NOW_S)),
            "key package": (package, lambda b: inspect_key_package(b, NOW_S)),
            "any message": (pending.commit, inspect_message),
            "pending commit": (pending.to_bytes(), PendingCommit.from_bytes),
        }

    def at_bob(self, message: bytes) -> None:
        self.bob.load(GROUP_ID).process(message)

    def at_both(self, message: bytes) -> None:
        self.at_bob(message)
        self.view.check(message, NOW_S)


DOORS = (
    "application", "proposal", "commit", "welcome", "tree", "observed tree", "group info", "observed group info", "returning", "snapshot",
    "key package", "any message", "pending commit",
)  # fmt: skip


@pytest.mark.parametrize("door", DOORS)
def test_mutants_are_refused_by_kind(small: World, door: str) -> None:
    doors = Doors(small)
    assert set(doors.doors) == set(DOORS)
    original, call = doors.doors[door]
    refused = 0
    for mutant in mutants(original, door):
        try:
            call(mutant)
        except MlsError as error:
            assert error.kind not in {"internal", "poisoned"}, error
            refused += 1
    assert refused > MUTANTS // 2
    call(original)
