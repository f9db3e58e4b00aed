"""User names have one form; signatures that are none are false, not faults."""

from __future__ import annotations

import pytest

from qpqcore.crypto.names import normalise_name, split_name
from qpqcore.crypto.signatures import generate_key, sign, verify
from qpqcore.model.errors import ErrorCode, Refusal


@pytest.mark.parametrize(
    ("name", "normal"), [("Alice", "alice"), ("ＡＬＩＣＥ", "alice"), ("a\u0308", "ä"), ("a" * 64, "a" * 64)]
)
def test_a_name_has_one_form(name, normal):
    assert normalise_name(name) == normal
    assert normalise_name(normal) == normal


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("", id="empty"),
        pytest.param("a" * 65, id="65 characters"),
        pytest.param("a@b", id="an @"),
        pytest.param("a b", id="a space"),
        pytest.param("a\u202eb", id="a bidi override"),
        pytest.param("a\0", id="a zero"),
        pytest.param("\U00020000" * 64, id="256 bytes"),
    ],
)
def test_a_name_that_is_none(name):
    with pytest.raises(Refusal) as refused:
        normalise_name(name)
    assert refused.value.code is ErrorCode.NAME_INVALID


def test_a_name_may_say_its_domain():
    assert split_name("Alice", "example.org") == ("alice", "example.org")
    assert split_name("Alice@Example.NET", "example.org") == ("alice", "example.net")
    for text in ("alice@", "alice@no domain", "@example.org", "a@b@example.org"):
        with pytest.raises(Refusal) as refused:
            split_name(text, "example.org")
        assert refused.value.code is ErrorCode.NAME_INVALID


def test_a_signature_holds_for_its_label_and_parts_alone():
    secret, public = generate_key()
    signature = sign(secret, "label", b"part", 7)
    assert verify(public, signature, "label", b"part", 7)
    for key, signed, label, parts in (
        (generate_key()[1], signature, "label", (b"part", 7)),
        (public, signature, "other", (b"part", 7)),
        (public, signature, "label", (b"part", 8)),
        (public, signature[:-1], "label", (b"part", 7)),
        (public[:-1], signature, "label", (b"part", 7)),
        (b"\xff" * 32, signature, "label", (b"part", 7)),
    ):
        assert not verify(key, signed, label, *parts)
