"""MLS's own encodings and signatures (RFC 9420), as far as inputs are put together and signed anew here."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

VERSION = b"\x00\x01"
PUBLIC_MESSAGE, WELCOME, GROUP_INFO, KEY_PACKAGE = b"\x00\x01", b"\x00\x03", b"\x00\x04", b"\x00\x05"
"""WireFormat (§6)."""
MEMBER, EXTERNAL, NEW_MEMBER_PROPOSAL, NEW_MEMBER_COMMIT = 1, 2, 3, 4
"""SenderType (§6)."""
COMMIT = 3
"""ContentType (§6)."""
HASH_BYTES, SIGNATURE_BYTES = 32, 64
SIGNATURE_FIELD_BYTES = 2 + SIGNATURE_BYTES
TAG_FIELD_BYTES = 1 + HASH_BYTES


class Cut(Exception):  # the bytes are no such structure
    """The bytes end too early."""


def vec(data: bytes) -> bytes:
    """Encode a variable-size vector (§2.1.2)."""
    length = len(data)
    if length < 1 << 6:
        return bytes([length]) + data
    if length < 1 << 14:
        return (length | 1 << 14).to_bytes(2, "big") + data
    return (length | 2 << 30).to_bytes(4, "big") + data


@dataclass
class Reader:
    """Walks over a structure."""

    data: bytes
    at: int = 0

    def take(self, count: int) -> bytes:
        """Return so many bytes; Cut."""
        if self.at + count > len(self.data):
            raise Cut
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, width: int) -> int:
        """Return a number."""
        return int.from_bytes(self.take(width), "big")

    def vec(self) -> bytes:
        """Return a vector's contents."""
        first = self.number(1)
        width = 1 << (first >> 6)
        rest = self.take(width - 1)
        return self.take(int.from_bytes(bytes([first & 0x3F]) + rest, "big"))


def sign(secret: bytes, label: str, content: bytes) -> bytes:
    """SignWithLabel (§5.1.2)."""
    signed = vec(b"MLS 1.0 " + label.encode()) + vec(content)
    return Ed25519PrivateKey.from_private_bytes(secret).sign(signed)


def expand(secret: bytes, label: str, context: bytes, length: int) -> bytes:
    """ExpandWithLabel (§8)."""
    info = length.to_bytes(2, "big") + vec(b"MLS 1.0 " + label.encode()) + vec(context)
    return HKDFExpand(SHA256(), length, info).derive(secret)


def extract(salt: bytes, key: bytes) -> bytes:
    """KDF.Extract of suite 1."""
    return hmac.digest(salt, key, sha256)


def group_context(group_info: bytes) -> bytes:
    """Return the GroupContext that a GroupInfo message begins with (§12.4.3)."""
    reader = Reader(group_info, 4)
    reader.take(4)
    reader.vec()
    reader.take(8)
    for _ in range(3):
        reader.vec()
    return group_info[4 : reader.at]


def framed_content(message: bytes) -> bytes:
    """Return the FramedContent of a PublicMessage that is well-formed (§6)."""
    sender, content = _head(message[4:])
    tail = SIGNATURE_FIELD_BYTES + TAG_FIELD_BYTES * ((content == COMMIT) + (sender == MEMBER))
    return message[4:-tail]


def confirmation_tag(message: bytes) -> bytes:
    """Return the confirmation tag of a commit in a PublicMessage."""
    end = len(message) - TAG_FIELD_BYTES * (_head(message[4:])[0] == MEMBER)
    return message[end - HASH_BYTES : end]


def _head(content: bytes) -> tuple[int, int]:
    """Return (sender type, content type) of a FramedContent; Cut."""
    reader = Reader(content)
    reader.vec()
    reader.take(8)
    sender = reader.number(1)
    if sender in {MEMBER, EXTERNAL}:
        reader.take(4)
    reader.vec()
    return sender, reader.number(1)


@dataclass(frozen=True)
class Seal:
    """What makes a message of any content look genuine: the group's context and its membership key."""

    context: bytes
    membership_key: bytes

    def message(self, content: bytes, secret: bytes, tag: bytes) -> bytes:
        """Return a PublicMessage of a FramedContent, signed and tagged (§6.1, §6.2)."""
        try:
            sender, kind = _head(content)
        except Cut:
            sender, kind = MEMBER, 0
        head = VERSION + PUBLIC_MESSAGE + content
        signed = head + (self.context if sender in {MEMBER, NEW_MEMBER_COMMIT} else b"")
        auth = vec(sign(secret, "FramedContentTBS", signed)) + (vec(tag) if kind == COMMIT else b"")
        if sender != MEMBER:
            return head + auth
        return head + auth + vec(hmac.digest(self.membership_key, signed + auth, sha256))


def membership_key_in(state: bytes, message: bytes, context: bytes) -> bytes:
    """Find a group's membership key in a member's stored state: the 32 bytes that make a message's tag."""
    signed = message[:-TAG_FIELD_BYTES]
    content = framed_content(message)
    tagged = signed[: 4 + len(content)] + context + signed[4 + len(content) :]
    for at in range(len(state) - HASH_BYTES + 1):
        key = state[at : at + HASH_BYTES]
        if hmac.digest(key, tagged, sha256) == message[-HASH_BYTES:]:
            return key
    raise ValueError("no membership key in this state")


def key_package_parts(message: bytes) -> tuple[bytes, bytes, bytes]:
    """Return a KeyPackage's (head up to the leaf, leaf without signature, extensions vector) (§10)."""
    reader = Reader(message, 4)
    reader.take(4)
    reader.vec()
    begin = reader.at
    reader.vec()
    reader.vec()
    reader.take(2)
    for _ in range(6):
        reader.vec()
    reader.take(17)
    reader.vec()
    end = reader.at
    reader.vec()
    extensions = reader.at
    reader.vec()
    return message[4:begin], message[begin:end], message[extensions : reader.at]


def key_package(head: bytes, leaf: bytes, extensions: bytes, secret: bytes) -> bytes:
    """Return a KeyPackage message, leaf and whole signed."""
    signed = head + leaf + vec(sign(secret, "LeafNodeTBS", leaf)) + extensions
    return VERSION + KEY_PACKAGE + signed + vec(sign(secret, "KeyPackageTBS", signed))


def group_info(content: bytes, secret: bytes) -> bytes:
    """Return a GroupInfo message of the bytes before its signature."""
    return VERSION + GROUP_INFO + content + vec(sign(secret, "GroupInfoTBS", content))
