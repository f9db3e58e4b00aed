"""A transcript: one conversation in a file, encrypted under a password, each record chained to all before it.

Whoever changes, drops, adds or moves anything is found out, and the first link that does not hold is named. The closing
record is signed by the device that wrote the file, so that also somebody who knows the password cannot write another one
in its name (docs/spec/content.md#transcripts).
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

import qpqnative
from qpqclient.errors import QpqError
from qpqcore.crypto.identity import Credential
from qpqcore.crypto.parts import u32, u64
from qpqcore.crypto.signatures import public_of, sign, verify
from qpqcore.model.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MAGIC = b"qpq transcript\0\1"
SALT_BYTES, KEY_BYTES, HASH_BYTES = 16, 32, 32
ARGON_KIB, ARGON_PASSES, ARGON_LANES = 64 * 1024, 3, 1
RECORD_BYTES_MAX = 1024 * 1024
"""Of one record: a message of 64 KiB, each character of which JSON writes with six."""
SIGNATURE_LABEL = "qpq transcript v1"
ENTRY, CLOSING = 0, 1
"""The last part of a record's nonce."""


class TranscriptBroken(QpqError):
    """A transcript is not as it was written; `link` is the first record that does not hold, 0 the file's head."""

    name = "transcriptBroken"
    exit_code = 17

    def __init__(self, link: int, why: str) -> None:
        super().__init__(f"link {link}: {why}")
        self.link = link


@dataclass(frozen=True, slots=True)
class Author:
    """Who wrote a transcript: the account and device that its closing record's signature is good for."""

    account: bytes
    device: bytes
    identity_key: bytes


@dataclass(frozen=True, slots=True)
class Verified:
    """A transcript in which every link holds: its head, how many messages it has, and who wrote it."""

    head: dict[str, Any]
    messages: int
    author: Author


def _nonce(number: int, last: int) -> bytes:
    return u64(number) + u32(last)


class _Chain:
    """Writes records behind each other."""

    def __init__(self, out: BinaryIO, key: AESGCM, head: bytes) -> None:
        self._out, self._key = out, key
        self.link, self.number = hashlib.sha256(head).digest(), 0

    def add(self, value: dict[str, Any], last: int = ENTRY) -> None:
        """Add a record."""
        plain = json.dumps(value, ensure_ascii=False, sort_keys=True).encode("utf-8", "surrogatepass")
        self.number += 1
        sealed = self._key.encrypt(_nonce(self.number, last), plain, self.link)
        self.link = hashlib.sha256(self.link + sealed).digest()
        self._out.write(u32(len(sealed)) + sealed + self.link)

    def close(self, credential: bytes, device_secret: bytes) -> None:
        """Add the closing record."""
        count = self.number - 1
        closing = {
            "credential": credential.hex(),
            "key": public_of(device_secret).hex(),
            "messages": count,
            "signature": sign(device_secret, SIGNATURE_LABEL, self.link, count).hex(),
        }
        self.add(closing, CLOSING)


def transcript_key(password: str, salt: bytes) -> bytes:
    """Return the key of a transcript; takes about 0.2 s and 64 MiB, and gives the GIL back meanwhile."""
    return qpqnative.argon2id(password.encode(), salt, ARGON_KIB, ARGON_PASSES, ARGON_LANES, KEY_BYTES)


def new_salt() -> bytes:
    """Return the salt of a new transcript."""
    return secrets.token_bytes(SALT_BYTES)


@contextmanager
def writing(
    path: Path, key: bytes, salt: bytes, head: dict[str, Any], credential: bytes, device_secret: bytes
) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Write a transcript, readable by its owner alone: the block is given what adds a message. FileExistsError.

    It stands under its name once the block has ended well, and then whole.
    """
    if path.exists():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(MAGIC + salt)
            chain = _Chain(out, AESGCM(key), MAGIC + salt)
            chain.add(head)
            yield chain.add
            chain.close(credential, device_secret)
            out.flush()
            os.fsync(out.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _records(file: BinaryIO, password: str) -> Iterator[tuple[int, bytes, bool, bytes]]:
    """Yield (number, plaintext, whether it closes, the link before it) of each record; TranscriptBroken."""
    head = file.read(len(MAGIC) + SALT_BYTES)
    if head[: len(MAGIC)] != MAGIC or len(head) != len(MAGIC) + SALT_BYTES:
        raise TranscriptBroken(0, "this is no transcript, or its head was changed")
    key, link, number, closed = (
        AESGCM(transcript_key(password, head[len(MAGIC) :])),
        hashlib.sha256(head).digest(),
        0,
        False,
    )
    while begin := file.read(4):
        number += 1
        if closed:
            raise TranscriptBroken(number, "something stands behind the closing record")
        size = int.from_bytes(begin, "big")
        if len(begin) != 4 or not 0 < size <= RECORD_BYTES_MAX:
            raise TranscriptBroken(number, "its length cannot be")
        sealed, told = file.read(size), file.read(HASH_BYTES)
        if len(sealed) + len(told) != size + HASH_BYTES:
            raise TranscriptBroken(number, "the file ends within it")
        plain, closed = _opened(key, number, sealed, link)
        before, link = link, hashlib.sha256(link + sealed).digest()
        if told != link:
            raise TranscriptBroken(number, "the hash written behind it is not its own")
        yield number, plain, closed, before
    if not closed:
        raise TranscriptBroken(number + 1, "it is missing: the transcript was cut off")


def _opened(key: AESGCM, number: int, sealed: bytes, link: bytes) -> tuple[bytes, bool]:
    for last in (ENTRY, CLOSING):
        try:
            return key.decrypt(_nonce(number, last), sealed, link), last == CLOSING
        except InvalidTag:
            continue
    why = "was changed, or is not the one that was written here"
    raise TranscriptBroken(number, f"it {why}" if number > 1 else f"it {why}; or the password is another one")


def verify_transcript(
    path: Path, password: str, show: Callable[[dict[str, Any]], None] = lambda _message: None
) -> Verified:
    """Check every link of a transcript, and who wrote it; TranscriptBroken names the first that does not hold.

    `show` is given each message as soon as its own link holds; the file as a whole is genuine only once this returns. Takes
    the memory of one record, whatever the file's size.
    """
    head: dict[str, Any] = {}
    count = -1  # of messages: the first record is the head
    with path.open("rb") as file:
        for number, plain, closing, before in _records(file, password):
            value = _value(number, plain)
            if closing:
                closed = number, value, before
                continue
            count += 1
            if number == 1:
                head = value
            else:
                show(value)
    number, value, before = closed
    return Verified(head, count, _author(number, value, before, count))


def _value(number: int, plain: bytes) -> dict[str, Any]:
    try:
        value = json.loads(plain.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise TranscriptBroken(number, "it holds no value")
    return value


def _author(number: int, value: dict[str, Any], link: bytes, count: int) -> Author:
    """Return who signed; TranscriptBroken unless the signature is good for the last link and the count."""
    try:
        credential = Credential.from_bytes(bytes.fromhex(value["credential"]))
        key, signature = bytes.fromhex(value["key"]), bytes.fromhex(value["signature"])
        good = credential.verify(key) and verify(key, signature, SIGNATURE_LABEL, link, count)
    except (KeyError, TypeError, ValueError, Refusal):
        good = False
    if not good or value.get("messages") != count:
        raise TranscriptBroken(number, "it is not signed by the device that it names")
    return Author(credential.account, credential.device, credential.identity_key)
