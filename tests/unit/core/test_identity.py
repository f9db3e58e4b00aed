"""Credentials, device lists, hybrid keys, names, safety numbers: byte for byte, and refused when changed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qpqcore.crypto.hybrid import generate_hybrid_key, open_welcome, seal_welcome
from qpqcore.crypto.identity import Credential, DeviceEntry, DeviceList, SignedHybridKey, safety_number
from qpqcore.crypto.names import normalise_name, split_name
from qpqcore.crypto.signatures import generate_key
from qpqcore.model.errors import ErrorCode, Refusal

SECRET, PUBLIC = generate_key(b"\1" * 32)
DEVICE_SECRET, DEVICE_KEY = generate_key(b"\2" * 32)
ACCOUNT, DEVICE, OTHER = (bytes([n]) * 16 + b"localhost" for n in (10, 11, 12))
CREDENTIAL = Credential.make(SECRET, ACCOUNT, DEVICE, DEVICE_KEY)
FIRST = DeviceList.make(SECRET, ACCOUNT, (DeviceEntry(DEVICE, DEVICE_KEY),))


def test_a_credential_reads_as_it_was_written_and_names_its_key():
    data = CREDENTIAL.to_bytes()
    assert data[:14].hex() == "01" + "00000009" + b"localhost".hex()
    assert Credential.from_bytes(data) == CREDENTIAL
    assert CREDENTIAL.verify(DEVICE_KEY)
    assert not CREDENTIAL.verify(PUBLIC)


@given(st.integers(0, len(CREDENTIAL.to_bytes()) - 1), st.integers(1, 255))
def test_no_changed_credential_verifies(index, change):
    data = bytearray(CREDENTIAL.to_bytes())
    data[index] ^= change
    try:
        assert not Credential.from_bytes(bytes(data)).verify(DEVICE_KEY)
    except Refusal as no:
        assert no.code is ErrorCode.CREDENTIAL_INVALID


def test_device_lists_form_one_line():
    second = DeviceList.make(SECRET, ACCOUNT, (*FIRST.devices, DeviceEntry(OTHER, PUBLIC)), FIRST)
    fork = DeviceList.make(SECRET, ACCOUNT, (), FIRST)
    assert FIRST.follows(None)
    assert second.follows(FIRST)
    assert second.verify()
    assert not second.follows(None)
    assert not second.follows(fork)
    assert not FIRST.follows(second)
    assert second.key_of(OTHER) == PUBLIC
    assert fork.key_of(DEVICE) is None


@given(st.integers(0, len(FIRST.to_bytes()) - 1), st.integers(1, 255))
def test_no_changed_list_verifies(index, change):
    data = bytearray(FIRST.to_bytes())
    data[index] ^= change
    try:
        assert not DeviceList.from_bytes(bytes(data)).verify()
    except Refusal as no:
        assert no.code in {ErrorCode.DEVICE_LIST_INVALID, ErrorCode.DEVICE_LIMIT}


def test_a_sealed_welcome_opens_for_its_device_and_place_only():
    seed, public = generate_hybrid_key()
    signed = SignedHybridKey.make(DEVICE_SECRET, DEVICE, 5, public)
    assert SignedHybridKey.from_bytes(signed.to_bytes()) == signed
    assert signed.verify(DEVICE_KEY)
    assert not signed.verify(PUBLIC)
    place = {"channel": ACCOUNT, "generation": 1, "device": DEVICE}
    sealed = seal_welcome(public, b"welcome", **place)
    assert open_welcome(seed, sealed, **place) == b"welcome"
    for other in ({**place, "generation": 2}, {**place, "device": OTHER}):
        with pytest.raises(Refusal):
            open_welcome(seed, sealed, **other)
    with pytest.raises(Refusal):
        open_welcome(generate_hybrid_key()[0], sealed, **place)


def test_safety_numbers_are_sixty_digits_equal_on_both_sides():
    own, other = (PUBLIC, ACCOUNT), (DEVICE_KEY, OTHER)
    number = safety_number(own, other)
    assert number == safety_number(other, own)
    assert len(number) == 60
    assert number.isdigit()
    assert number != safety_number(own, (DEVICE_KEY, ACCOUNT))


def test_names_have_one_form():
    assert normalise_name("Alice") == normalise_name("alice") == "alice"
    assert split_name("Bob@Example.COM", "localhost") == ("bob", "example.com")
    for bad in ("", "a b", "a@b", "x" * 65, "a\u202eb"):
        with pytest.raises(Refusal) as refused:
            normalise_name(bad)
        assert refused.value.code is ErrorCode.NAME_INVALID
