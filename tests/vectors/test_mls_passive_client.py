"""MLS working group, passive-client-*: a whole client follows others' groups; suite 1, through the Python face.

After every epoch the state is written, the object dropped, and the group loaded from the records.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from qpqnative import SUITE_1, Application, Device, Group, MlsError
from qpqnative.testing import key_package_record, lift_rules

FILES = {"passive-client-welcome": 8, "passive-client-handling-commit": 13, "passive-client-random": 1}
AUTHENTICATORS = {"passive-client-welcome": 8, "passive-client-handling-commit": 39, "passive-client-random": 201}

Case = dict[str, Any]
Records = dict[bytes, bytes]


def hexed(value: str) -> bytes:
    return bytes.fromhex(value)


def device_of(case: Case, records: Records) -> Device:
    # The credential is never used: nobody commits here. The signature key is the case's own.
    own = [(key, value) for key, value in records.items() if key[:2] in (b"k/", b"p/")]
    device = Device(credential=b"", signature_secret=hexed(case["signature_priv"]), entries=own)
    lift_rules(device)
    return device


def joined(case: Case, records: Records) -> Group:
    key, value = key_package_record(
        hexed(case["key_package"]), hexed(case["init_priv"]), hexed(case["encryption_priv"])
    )
    records[key] = value
    device = device_of(case, records)
    for psk in case["external_psks"]:
        device.put_psk(hexed(psk["psk_id"]), hexed(psk["psk"]))
    tree = case["ratchet_tree"]
    # No time: the KeyPackages of eight cases expired long ago.
    return device.join(hexed(case["welcome"]), hexed(tree) if tree else None)


def reloaded(case: Case, group: Group, records: Records) -> Group:
    for key, value in group.take_changes():
        if value is None:
            records.pop(key, None)
        else:
            records[key] = value
    group_id = group.group_id
    state = [(key, value) for key, value in records.items() if key.startswith((b"s/" + group_id, b"e/" + group_id))]
    return device_of(case, records).load_group(group_id, state, records[b"t/" + group_id])


def follow(case: Case) -> int:
    """Follows a case to its end; how many epoch authenticators were equal."""
    records: Records = {}
    group = joined(case, records)
    assert group.epoch_authenticator().hex() == case["initial_epoch_authenticator"]
    equal = 1
    for epoch in case["epochs"]:
        for proposal in epoch["proposals"]:
            assert not isinstance(group.process(hexed(proposal)), Application)
        group.process(hexed(epoch["commit"]))
        group = reloaded(case, group, records)
        assert group.epoch_authenticator().hex() == epoch["epoch_authenticator"]
        equal += 1
    return equal


def suite_1(vectors: Callable[[str, int], Any], name: str) -> list[Case]:
    cases = vectors(f"mls/{name}.json", FILES[name])
    return [case for case in cases if case["cipher_suite"] == SUITE_1]


@pytest.mark.parametrize("name", FILES)
def test_every_authenticator_is_reached(vectors: Callable[[str, int], Any], name: str) -> None:
    cases = suite_1(vectors, name)
    assert len(cases) == FILES[name]
    assert sum(follow(case) for case in cases) == AUTHENTICATORS[name]


def flipped(value: str) -> str:
    """The same hexadecimal with one bit flipped in the middle byte."""
    raw = bytearray.fromhex(value)
    raw[len(raw) // 2] ^= 0x10
    return raw.hex()


def fails(case: Case) -> bool:
    try:
        follow(case)
    except (MlsError, AssertionError):
        return True
    return False


@pytest.mark.parametrize("name", FILES)
def test_one_flipped_byte_fails(vectors: Callable[[str, int], Any], name: str) -> None:
    for case in suite_1(vectors, name):
        for field in ("welcome", "init_priv", "initial_epoch_authenticator"):
            assert fails(case | {field: flipped(case[field])}), field
        for at, epoch in enumerate(case["epochs"][:4]):
            for field in ("commit", "epoch_authenticator"):
                epochs = [*case["epochs"][:at], epoch | {field: flipped(epoch[field])}]
                assert fails(case | {"epochs": epochs}), (at, field)
