"""MLS working group, passive-client-*: a whole client follows others' groups; suite 1, through the Python face.

After every epoch the state is written, the object dropped, and the group loaded from the records. One flipped byte is
noticed in every field: keys, KeyPackage, pre-shared keys and their ids, tree, Welcome, each proposal, commit and
authenticator of each epoch. The numbers of the suites are no bytes, and there are no fields that cannot matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from qpqnative import SUITE_1, Application, Device, Group
from qpqnative.testing import key_package_record, lift_rules
from tests.vectors.flips import unnoticed

FILES = {"passive-client-welcome": 8, "passive-client-handling-commit": 13, "passive-client-random": 1}
AUTHENTICATORS = {"passive-client-welcome": 8, "passive-client-handling-commit": 39, "passive-client-random": 201}
FLIPS = {"passive-client-welcome": 60, "passive-client-handling-commit": 168, "passive-client-random": 1_948}
"""Byte fields of all cases of a file."""

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


def check_keys(case: Case) -> None:
    """The private keys are those of the KeyPackage; only then does it matter which signature key is given."""
    init = X25519PrivateKey.from_private_bytes(hexed(case["init_priv"]))
    leaf = X25519PrivateKey.from_private_bytes(hexed(case["encryption_priv"]))
    signer = Ed25519PrivateKey.from_private_bytes(hexed(case["signature_priv"]))
    publics = [key.public_key().public_bytes_raw() for key in (init, leaf, signer)]
    package = hexed(case["key_package"])
    places = [package.find(public) for public in publics]
    assert places == sorted(places)
    assert places[0] > 0


def joined(case: Case, records: Records) -> Group:
    check_keys(case)
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


def written(group: Group, records: Records) -> bytes:
    """Writes what changed; the group's id."""
    for key, value in group.take_changes():
        if value is None:
            records.pop(key, None)
        else:
            records[key] = value
    return group.group_id


def loaded(case: Case, records: Records, group_id: bytes) -> Group:
    state = [(key, value) for key, value in records.items() if key.startswith((b"s/" + group_id, b"e/" + group_id))]
    return device_of(case, records).load_group(group_id, state, records[b"t/" + group_id])


def advance(group: Group, epoch: Case) -> None:
    """Takes an epoch's proposals and its commit."""
    for proposal in epoch["proposals"]:
        assert not isinstance(group.process(hexed(proposal)), Application)
    group.process(hexed(epoch["commit"]))
    assert group.epoch_authenticator().hex() == epoch["epoch_authenticator"]


def joined_as_told(case: Case) -> tuple[Group, Records]:
    """The group in its first epoch, and the records from before it."""
    records: Records = {}
    group = joined(case, records)
    assert group.epoch_authenticator().hex() == case["initial_epoch_authenticator"]
    return group, records


def follow(case: Case) -> int:
    """Follows a case to its end; how many epoch authenticators were equal."""
    group, records = joined_as_told(case)
    for epoch in case["epochs"]:
        advance(group, epoch)
        group = loaded(case, records, written(group, records))
        assert group.epoch_authenticator().hex() == epoch["epoch_authenticator"]
    return 1 + len(case["epochs"])


def suite_1(vectors: Callable[[str, int], Any], name: str) -> list[Case]:
    cases = vectors(f"mls/{name}.json", FILES[name])
    return [case for case in cases if case["cipher_suite"] == SUITE_1]


@pytest.mark.parametrize("name", FILES)
def test_every_authenticator_is_reached(vectors: Callable[[str, int], Any], name: str) -> None:
    cases = suite_1(vectors, name)
    assert len(cases) == FILES[name]
    assert sum(follow(case) for case in cases) == AUTHENTICATORS[name]


def epochs_apart(case: Case) -> Iterator[tuple[Records, bytes, Case]]:
    """Each epoch of a case with the records it begins from, so that its flips need not begin with the Welcome."""
    group, records = joined_as_told(case)
    for epoch in case["epochs"]:
        group_id = written(group, records)
        yield dict(records), group_id, epoch
        group = loaded(case, records, group_id)
        advance(group, epoch)


@pytest.mark.parametrize("name", FILES)
def test_one_flipped_byte_fails(vectors: Callable[[str, int], Any], name: str) -> None:
    flips = 0
    for case in suite_1(vectors, name):
        head = {key: value for key, value in case.items() if key != "epochs"}
        fields, blind = unnoticed(joined_as_told, head)
        assert blind == set()
        flips += fields
        for records, group_id, epoch in epochs_apart(case):
            fields, blind = unnoticed(lambda changed: advance(loaded(case, records, group_id), changed), epoch)
            assert blind == set()
            flips += fields
    assert flips == FLIPS[name]
