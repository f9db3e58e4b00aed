"""What has come of a file is checked, and gone on with: whatever is broken off, torn or changed costs a transfer, no more."""

from __future__ import annotations

import hashlib
import os
import random

import pytest

from qpqclient import blobs
from qpqclient.downloads import FILE_BYTES_MAX, SEALED_BYTES, Part, part_of, sealed_bytes
from qpqclient.errors import FileBusy, FileDamaged
from qpqcore.api.content import ContentFile
from qpqserver import composition

SEGMENT = blobs.SEGMENT_BYTES
SIZES = [1, SEGMENT - 1, SEGMENT, SEGMENT + 1, 5 * SEGMENT, 5 * SEGMENT + 100]


class Sent:
    """A file as its sender has it."""

    def __init__(self, folder, size, seed=1):
        dice = random.Random(seed)
        self.data, self.key = dice.randbytes(size), dice.randbytes(32)
        path = folder / f"sent {seed}"
        path.write_bytes(self.data)
        self.sealed = b"".join(blobs.encrypted(path, self.key))
        sha256 = hashlib.sha256(self.data).digest()
        self.file = ContentFile(blob=b"b", secret=b"s", key=self.key, total_bytes=size, name="f", sha256=sha256)


def come(sent, path, until=None):
    """Go on with a file, up to a place of its ciphertext; return from where."""
    with Part(path, sent.file) as part:
        part.check()
        begin = part.there_bytes
        for at in range(begin, len(sent.sealed[:until]), 7_001):
            part.take(sent.sealed[at : min(at + 7_001, until or len(sent.sealed))])
        if until is None:
            part.finish()
    return begin


@pytest.mark.parametrize("size", SIZES)
def test_a_file_is_what_was_sent_wherever_it_was_broken_off(tmp_path, size):
    sent = Sent(tmp_path, size)
    assert sealed_bytes(size) == len(sent.sealed) == composition.sealed_bytes(size)
    for until in sorted({1, 16, SEALED_BYTES, 3 * SEALED_BYTES - 1, 4 * SEALED_BYTES + 1, len(sent.sealed) - 1}):
        path = tmp_path / f"{until}.part"
        assert come(sent, path, until) == 0
        again = come(sent, path)
        assert 0 <= min(until, len(sent.sealed)) - again < SEALED_BYTES, "at most a segment is fetched twice"
        assert path.read_bytes() == sent.data


def test_chunks_that_come_before_their_turn_are_kept_and_checked(tmp_path):
    sent, path = Sent(tmp_path, SIZE), tmp_path / "f.part"
    with Part(path, sent.file) as part:
        part.keep(4 * SEALED_BYTES, sent.sealed[4 * SEALED_BYTES :])  # the end, of another length
        part.keep(2 * SEALED_BYTES, sent.sealed[2 * SEALED_BYTES : 4 * SEALED_BYTES])
        part.keep(SEALED_BYTES + 1, sent.sealed[SEALED_BYTES + 1 : 2 * SEALED_BYTES])  # no whole segment
        part.keep(0, b"x" * SEALED_BYTES)  # not what was sent
    with Part(path, sent.file) as part:
        part.check()
        assert part.there_bytes == 0
        assert part.kept(0, SEALED_BYTES) == part.kept(SEALED_BYTES, SEALED_BYTES) == b""
        assert part.kept(SEALED_BYTES, 2 * SEALED_BYTES) == b""
        assert part.kept(2 * SEALED_BYTES, 2 * SEALED_BYTES) == sent.sealed[2 * SEALED_BYTES : 4 * SEALED_BYTES]
        assert part.kept(3 * SEALED_BYTES, 9 * SEALED_BYTES) == sent.sealed[3 * SEALED_BYTES :]
        part.take(sent.sealed)
        part.finish()
    assert path.read_bytes() == sent.data


def test_of_an_empty_file_nothing_has_to_come(tmp_path):
    sent = Sent(tmp_path, 0)
    assert sealed_bytes(0) == composition.sealed_bytes(0) == come(sent, tmp_path / "f.part") == 16
    assert (tmp_path / "f.part").read_bytes() == b""


def flipped(at):
    def change(data):
        return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]

    return change


SIZE = 5 * SEGMENT + 100
CHANGES = {
    "a byte of the third segment": (flipped(2 * SEGMENT + 5), 2),
    "the tag of the second": (flipped(SIZE + 16 + 3), 1),
    "two segments in each other's place": (
        lambda d: d[SEGMENT : 2 * SEGMENT] + d[:SEGMENT] + d[2 * SEGMENT : SIZE] + d[SIZE + 16 : SIZE + 32] + d[SIZE : SIZE + 16] + d[SIZE + 32 :],
        0,
    ),
    "cut off": (lambda d: d[: 3 * SEGMENT + 7], 0),  # the tags lie behind it
    "nothing but zeros": (lambda d: bytes(len(d)), 0),
    "empty": (lambda d: b"", 0),
    "longer": (lambda d: d + b"behind" * 100_000, 4),
    "as it was": (lambda d: d, 4),
}  # fmt: skip


@pytest.mark.parametrize("how", CHANGES)
def test_what_lies_there_is_never_believed(tmp_path, how):
    change, segments = CHANGES[how]
    sent, path = Sent(tmp_path, SIZE), tmp_path / "f.part"
    come(sent, path, 4 * SEALED_BYTES + 9)
    path.write_bytes(change(path.read_bytes()))
    assert come(sent, path) == segments * SEALED_BYTES
    assert path.read_bytes() == sent.data


def test_what_has_come_of_another_file_is_none_of_this_one(tmp_path):
    one, other, path = Sent(tmp_path, SIZE), Sent(tmp_path, SIZE - 5, seed=2), tmp_path / "f.part"
    come(one, path, 4 * SEALED_BYTES)
    assert come(other, path) == 0
    assert path.read_bytes() == other.data


def test_who_dies_before_a_complete_file_has_its_name_fetches_nothing_again(tmp_path):
    sent, path = Sent(tmp_path, SIZE), tmp_path / "f.part"
    come(sent, path)
    assert path.read_bytes() == sent.data
    assert come(sent, path) == len(sent.sealed)
    path.write_bytes(flipped(7)(sent.data))
    assert come(sent, path) == 0
    assert path.read_bytes() == sent.data


def test_who_dies_once_it_has_its_name_leaves_nothing_that_is_written_to(tmp_path):
    """Both names are one file's until the first is taken away."""
    sent, other, path = Sent(tmp_path, 3 * SEGMENT), Sent(tmp_path, 3 * SEGMENT, seed=2), tmp_path / "f.part"
    come(sent, path)
    os.link(path, tmp_path / "f")
    assert come(other, path) == 0
    assert (tmp_path / "f").read_bytes() == sent.data
    assert path.read_bytes() == other.data


def test_a_file_that_is_not_its_hash_is_damaged(tmp_path):
    sent = Sent(tmp_path, SIZE)
    sent.file = ContentFile(blob=b"b", secret=b"s", key=sent.key, total_bytes=SIZE, name="f", sha256=bytes(32))
    with pytest.raises(FileDamaged):
        come(sent, tmp_path / "f.part")
    sent.file = ContentFile(blob=b"b", secret=b"s", key=sent.key, total_bytes=FILE_BYTES_MAX + 1, name="f")
    with pytest.raises(FileDamaged):
        come(sent, tmp_path / "g.part")


def test_two_do_not_write_one_file(tmp_path):
    sent, path = Sent(tmp_path, SIZE), tmp_path / "f.part"
    with Part(path, sent.file), pytest.raises(FileBusy), Part(path, sent.file):
        raise AssertionError("opened twice")
    assert come(sent, path) == 0


@pytest.mark.parametrize("name", ["n" * 300, "ü" * 300, "ü" * 99 + "a.txt", "😀" * 100, "." * 300, "a/" * 300])
def test_the_name_that_a_sender_chose_is_one_that_a_disk_takes(tmp_path, name):
    path = tmp_path / blobs.safe_name(name)
    assert path.parent == tmp_path
    part_of(path).write_bytes(b"")
    part_of(path).replace(path)
