"""A transcript reads back as it was written, and every way to change it is found out and named."""

from __future__ import annotations

import struct

import pytest

import qpqclient
from qpqclient import transcript
from qpqcore.crypto.identity import Credential, generate_key
from qpqcore.model.ids import AccountId, DeviceId, make_id

PASSWORD = "of the transcript"
HEAD = {"name": "club", "exported_by": "alice"}
MESSAGES = [{"text": f"message {n} \x1b[31m ☂", "sender": "alice"} for n in range(5)]
HEAD_BYTES = len(transcript.MAGIC) + transcript.SALT_BYTES


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Derive keys without the work: forty files are read here."""
    monkeypatch.setattr(transcript, "ARGON_KIB", 8)


def identity(seed):
    identity_secret, _ = generate_key(bytes([seed]) * 32)
    secret, public = generate_key(bytes([seed + 1]) * 32)
    account, device = (make_id(bytes([seed + n]) * 16, "example.org") for n in (2, 3))
    return Credential.make(identity_secret, AccountId(account), DeviceId(device), public), secret


ALICE, MALLORY = identity(1), identity(50)


def written(path, messages=MESSAGES, author=ALICE, salt=b"s" * 16, password=PASSWORD):
    key = transcript.transcript_key(password, salt)
    with transcript.writing(path, key, salt, HEAD, author[0].to_bytes(), author[1]) as add:
        for message in messages:
            add(message)
    return path.read_bytes()


def taken_apart(data):
    """Return the head and the records."""
    head, rest, records = data[:HEAD_BYTES], data[HEAD_BYTES:], []
    while rest:
        size = 4 + struct.unpack(">I", rest[:4])[0] + transcript.HASH_BYTES
        records.append(rest[:size])
        rest = rest[size:]
    return head, records


def flipped(data, at):
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def test_it_reads_back(tmp_path):
    path = tmp_path / "t"
    written(path)
    shown = []
    done = qpqclient.verify_transcript(path, PASSWORD, shown.append)
    assert (done.head, done.messages, shown) == (HEAD, 5, MESSAGES)
    assert (done.author.account, done.author.identity_key) == (ALICE[0].account, ALICE[0].identity_key)
    assert path.stat().st_mode & 0o777 == 0o600
    assert b"message" not in path.read_bytes()
    with pytest.raises(FileExistsError):
        written(path)
    assert [p.name for p in tmp_path.iterdir()] == ["t"]


def test_one_that_is_broken_off_while_it_is_written_is_not_there(tmp_path):
    with (
        pytest.raises(ZeroDivisionError),
        transcript.writing(tmp_path / "t", b"k" * 32, b"s" * 16, HEAD, ALICE[0].to_bytes(), ALICE[1]) as add,
    ):
        add({"text": str(1 / 0)})
    assert not list(tmp_path.iterdir())


HEAD_LINK, LAST = 0, 7
"""Record 1 is the head's, 2 to 6 are the messages, 7 closes."""
TAMPERINGS = {
    "another version": (lambda h, r, o: flipped(h, len(transcript.MAGIC) - 1) + b"".join(r), HEAD_LINK),
    "another salt": (lambda h, r, o: flipped(h, HEAD_BYTES - 1) + b"".join(r), 1),
    "a bit of a message": (lambda h, r, o: h + b"".join([*r[:3], flipped(r[3], 9), *r[4:]]), 4),
    "a hash behind a message": (lambda h, r, o: h + b"".join([*r[:3], flipped(r[3], -1), *r[4:]]), 4),
    "a length": (lambda h, r, o: h + b"".join([*r[:2], flipped(r[2], 0), *r[3:]]), 3),
    "a message taken out": (lambda h, r, o: h + b"".join([*r[:2], *r[3:]]), 3),
    "two messages in the other order": (lambda h, r, o: h + b"".join([*r[:2], r[3], r[2], *r[4:]]), 3),
    "a message twice": (lambda h, r, o: h + b"".join([*r[:3], r[2], *r[3:]]), 4),
    "a message of another transcript": (lambda h, r, o: h + b"".join([*r[:2], o[2], *r[3:]]), 3),
    "the end cut off": (lambda h, r, o: h + b"".join(r[:5]), 6),
    "the closing record cut off": (lambda h, r, o: h + b"".join(r[:-1]), LAST),
    "cut off within a message": (lambda h, r, o: h + b"".join(r)[: -len(r[-1]) - 10], 6),
    "something behind the end": (lambda h, r, o: h + b"".join([*r, r[-1]]), LAST + 1),
    "a byte behind the end": (lambda h, r, o: h + b"".join(r) + b"\0", LAST + 1),
    "another closing record": (lambda h, r, o: h + b"".join([*r[:-1], o[-1]]), LAST),
    "empty": (lambda h, r, o: b"", HEAD_LINK),
    "only a head": (lambda h, r, o: h, 1),
}


@pytest.mark.parametrize("how", TAMPERINGS)
def test_what_is_tampered_with_is_named(tmp_path, how):
    change, link = TAMPERINGS[how]
    whole = written(tmp_path / "t")
    _, foreign = taken_apart(written(tmp_path / "other", MESSAGES[::-1]))
    path = tmp_path / "changed"
    path.write_bytes(change(*taken_apart(whole), foreign))
    with pytest.raises(qpqclient.TranscriptBroken) as broken:
        qpqclient.verify_transcript(path, PASSWORD)
    assert broken.value.link == link
    assert f"link {link}:" in str(broken.value)


def test_another_password_opens_nothing(tmp_path):
    written(tmp_path / "t")
    with pytest.raises(qpqclient.TranscriptBroken, match="link 1: .*password"):
        qpqclient.verify_transcript(tmp_path / "t", "wrong")


def test_who_knows_the_password_cannot_write_in_anothers_name(tmp_path):
    """Mallory names alice's device, whose key he has not; or signs with his own key for her credential."""
    written(tmp_path / "forged", author=(ALICE[0], MALLORY[1]))
    with pytest.raises(qpqclient.TranscriptBroken) as broken:
        qpqclient.verify_transcript(tmp_path / "forged", PASSWORD)
    assert broken.value.link == LAST
    written(tmp_path / "his", author=MALLORY)
    assert qpqclient.verify_transcript(tmp_path / "his", PASSWORD).author.identity_key == MALLORY[0].identity_key


@pytest.mark.parametrize("plain", [b"[]", b"{", b"\xff", b"[" * 100_000, b"1" * 10_000])
def test_a_record_that_holds_no_value_is_named(tmp_path, plain, monkeypatch):
    monkeypatch.setattr(transcript.json, "dumps", lambda value, **_: plain.decode("latin-1") if value == "x" else "{}")
    written(tmp_path / "t", ["x"])
    with pytest.raises(qpqclient.TranscriptBroken) as broken:
        qpqclient.verify_transcript(tmp_path / "t", PASSWORD)
    assert broken.value.link == 2
