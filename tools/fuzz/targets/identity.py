"""Ids, names, credentials, device lists, hybrid keys, sealed Welcomes, policies: docs/spec/identity.md and groups.md."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from qpqcore.crypto.hybrid import generate_hybrid_key, open_welcome, seal_welcome
from qpqcore.crypto.identity import Credential, DeviceEntry, DeviceList, SignedHybridKey
from qpqcore.crypto.names import normalise_name, split_name
from qpqcore.crypto.signatures import generate_key
from qpqcore.groups.policy import ChannelKind, GroupPolicy, group_id, read_group_id, read_policy
from qpqcore.model.errors import Refusal
from qpqcore.model.ids import BLOB_HASH_BYTES, AccountId, DeviceId, domain_of, is_domain, is_id, make_id
from tools.fuzz.target import Target, demand

if TYPE_CHECKING:
    from collections.abc import Iterator

ACCOUNT = AccountId(make_id(b"a" * 16, "localhost"))
DEVICE = DeviceId(make_id(b"d" * 16, "localhost"))
IDENTITY_SECRET, DEVICE_SECRET = b"i" * 32, b"e" * 32
DEVICE_KEY = generate_key(DEVICE_SECRET)[1]
PLACE = {"channel": b"c" * 16 + b"localhost", "generation": 1, "device": DEVICE}


def ids(data: bytes) -> None:
    """An id falls into its parts and is made of them again."""
    for fixed in (16, BLOB_HASH_BYTES):
        if is_id(data, fixed):
            domain = domain_of(data, fixed)
            demand(is_domain(domain), "an id's domain is none")
            demand(make_id(data[:fixed], domain) == data, "an id is not the sum of its parts")
    is_domain(data.decode("utf-8", "surrogateescape"))


def names(data: bytes) -> None:
    """A normalised name stays as it is."""
    text = data.decode()
    name, domain = split_name(text, "localhost")
    demand(normalise_name(name) == name, "normalising a name twice changes it")
    demand(is_domain(domain), "a name's domain is none")


def credential(data: bytes) -> None:
    """A credential is written as it was read; only the genuine one verifies."""
    read = Credential.from_bytes(data)
    demand(read.to_bytes() == data, "a credential is written differently than read")
    if read.verify(DEVICE_KEY) and read.identity_key == _credential().identity_key:
        demand(read == _credential(), "a credential that nobody signed verifies")


def device_list(data: bytes) -> None:
    """A list is written as it was read; only the genuine ones verify."""
    read = DeviceList.from_bytes(data)
    demand(read.to_bytes() == data, "a device list is written differently than read")
    if read.verify() and read.identity_key == _lists()[0].identity_key:
        demand(read in _lists(), "a device list that nobody signed verifies")
    read.follows(_lists()[0])


def hybrid_key(data: bytes) -> None:
    """A hybrid key is written as it was read; only the genuine one verifies, and a Welcome is sealed to it or not."""
    read = SignedHybridKey.from_bytes(data)
    demand(read.to_bytes() == data, "a hybrid key is written differently than read")
    if read.verify(DEVICE_KEY):
        demand(read == _hybrid_key(), "a hybrid key that nobody signed verifies")
    seal_welcome(read.public_key, b"welcome", **PLACE)  # type: ignore[arg-type]


def hybrid_welcome(data: bytes) -> None:
    """Only what was sealed opens."""
    opened = open_welcome(_hybrid_pair()[0], data, **PLACE)  # type: ignore[arg-type]
    demand(opened == b"welcome", "a Welcome that nobody sealed opens")


def policy(data: bytes) -> None:
    """A policy and a group id are read, or refused; a group id is made of its parts again."""
    demand(read_policy(GroupPolicy.to_bytes(read_policy(data))) == read_policy(data), "a policy is written differently")


def group_ids(data: bytes) -> None:
    """A group id is made of its parts again."""
    demand(group_id(*read_group_id(data)) == data, "a group id is not the sum of its parts")


# --- genuine ones


@cache
def _credential() -> Credential:
    return Credential.make(IDENTITY_SECRET, ACCOUNT, DEVICE, DEVICE_KEY)


@cache
def _lists() -> tuple[DeviceList, ...]:
    first = DeviceList.make(IDENTITY_SECRET, ACCOUNT, (DeviceEntry(DEVICE, DEVICE_KEY),))
    other = DeviceId(make_id(b"o" * 16, "localhost"))
    return first, DeviceList.make(IDENTITY_SECRET, ACCOUNT, (*first.devices, DeviceEntry(other, b"k" * 32)), first)


@cache
def _hybrid_pair() -> tuple[bytes, bytes]:
    return generate_hybrid_key(b"h" * 32)


@cache
def _hybrid_key() -> SignedHybridKey:
    return SignedHybridKey.make(DEVICE_SECRET, DEVICE, 1_800_000_000_000, _hybrid_pair()[1])


def _id_seeds() -> Iterator[tuple[str, bytes]]:
    yield "account", ACCOUNT
    yield "blob", make_id(b"b" * BLOB_HASH_BYTES, "files.example.org")
    yield "long", make_id(b"l" * 16, ".".join(["a" * 63] * 3))


def _name_seeds() -> Iterator[tuple[str, bytes]]:
    for number, name in enumerate(("alice", "Alice@Example.org", "Jürgen", "ﾊﾅｺ", "عمر@localhost", "a b")):
        yield f"name-{number}", name.encode()


def _policy_seeds() -> Iterator[tuple[str, bytes]]:
    direct = GroupPolicy(version=1, kind=ChannelKind.DIRECT, home="localhost", generation=1, least_client=1)
    yield "direct", direct.to_bytes()
    group = GroupPolicy(
        version=1, kind=ChannelKind.GROUP, home="localhost", generation=2, least_client=1, admins=(ACCOUNT,)
    )
    yield "group", group.to_bytes()


REFUSED = (Refusal,)
TARGETS = (
    Target(name="ids", what="ids and domains", run=ids, errors=REFUSED, seeds=_id_seeds),
    Target(
        name="names", what="user names", run=names, errors=(Refusal, UnicodeDecodeError), seeds=_name_seeds,
        input_bytes_max=512,
    ),
    Target(
        name="credential", what="identity credentials", run=credential, errors=REFUSED,
        seeds=lambda: [("genuine", _credential().to_bytes())],
    ),
    Target(
        name="device_list", what="device lists", run=device_list, errors=REFUSED,
        seeds=lambda: [(f"version-{each.version}", each.to_bytes()) for each in _lists()],
    ),
    Target(
        name="hybrid_key", what="signed hybrid keys", run=hybrid_key, errors=REFUSED,
        seeds=lambda: [("genuine", _hybrid_key().to_bytes())],
    ),
    Target(
        name="hybrid_welcome", what="Welcomes sealed to a hybrid key", run=hybrid_welcome, errors=REFUSED,
        seeds=lambda: [("genuine", seal_welcome(_hybrid_pair()[1], b"welcome", **PLACE))],  # type: ignore[arg-type]
    ),
    Target(name="policy", what="GroupPolicy", run=policy, errors=REFUSED, seeds=_policy_seeds),
    Target(
        name="group_id", what="group ids", run=group_ids, errors=REFUSED,
        seeds=lambda: [("first", group_id(b"c" * 16 + b"localhost", 1))],
    ),
)  # fmt: skip
