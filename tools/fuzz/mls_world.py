"""A small live group for inputs to be sent into: made once from real calls, kept in `tests/fuzz/mls.json`.

The corpus holds messages of this very group, so its keys are kept too: they protect nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

import qpqnative
from qpqnative import SUITE_1, GroupView
from qpqnative.testing.world import GROUP_ID, NOW_S, World
from tools.fuzz import mls_parts as parts
from tools.fuzz.instrumented import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from qpqnative.testing import StoredDevice

FILE = ROOT / "tests" / "fuzz" / "mls.json"
HPKE = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_128_GCM)
PEOPLE = ("ada", "bob", "cyd")
BOB_INDEX = 1
KEY_BYTES = 32
WELCOME_KEY_BYTES, WELCOME_NONCE_BYTES = 16, 12


def _flat(device: StoredDevice, name: str) -> dict[str, str]:
    flat = {f"{name}.secret": device.secret.hex()}
    return flat | {f"{name}.record.{key.hex()}": value.hex() for key, value in device.records.items()}


def make(path: Path = FILE) -> None:
    """Play a group and write down all that inputs are made of."""
    world = World(SUITE_1).with_members(*PEOPLE)
    world.commit("bob")
    people, groups = world.people, world.groups
    package = world.key_package("dan")
    kept = {name: _flat(people[name], name) for name in (*PEOPLE, "dan")}
    _, removal = world.view.propose_remove(2, world.server.credential, world.server.secret)
    pending = groups["ada"].commit(add=[package], now_s=NOW_S)
    [(_, welcome)] = pending.welcomes
    info = groups["ada"].group_info()
    leaving = people["cyd"].load(GROUP_ID).propose_self_remove()
    _, rejoin = people["bob"].load_device().external_join(info, groups["ada"].tree(), remove_leaf=BOB_INDEX)
    context = parts.group_context(info)
    state = people["ada"].records[b"s/" + GROUP_ID]
    values = {
        "application": people["ada"].load(GROUP_ID).encrypt(b"hello"), "leaving": leaving, "removal": removal,
        "commit": pending.commit, "update": people["cyd"].load(GROUP_ID).commit(now_s=NOW_S).commit, "rejoin": rejoin,
        "expulsion": people["ada"].load(GROUP_ID).commit(remove=[2], policy=b"policy v2", now_s=NOW_S).commit,
        "welcome": welcome, "next_tree": pending.tree, "next_info": pending.group_info, "pending": pending.to_bytes(),
        "package": package, "last_resort": world.key_package("eve", last_resort=True), "tree": groups["ada"].tree(),
        "info": info, "snapshot": world.view.snapshot(), "server.secret": world.server.secret,
        "membership_key": parts.membership_key_in(state, leaving, context),
        "init_secret": _init_secret(people["dan"], package),
    }  # fmt: skip
    flat = {name: value.hex() for name, value in values.items()}
    for each in kept.values():
        flat |= each
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(flat, indent=0) + "\n")


def _init_secret(device: StoredDevice, package: bytes) -> bytes:
    """Find a KeyPackage's private init key in its owner's record: the 32 bytes whose public half stands in it."""
    reader = parts.Reader(package, 8)
    public = reader.vec()
    (record,) = (value for key, value in device.records.items() if key.startswith(b"k/"))
    for at in range(len(record) - KEY_BYTES + 1):
        secret = record[at : at + KEY_BYTES]
        if X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw() == public:
            return secret
    raise ValueError("no init key in this record")


@dataclass(frozen=True)
class Person:
    """A device as stored."""

    secret: bytes
    records: tuple[tuple[bytes, bytes], ...]
    name: str

    def device(self) -> qpqnative.Device:
        """Return the device anew."""
        own = [(key, value) for key, value in self.records if key[:2] in (b"k/", b"p/")]
        return qpqnative.Device(credential=self.name.encode(), signature_secret=self.secret, entries=own)

    def group(self) -> qpqnative.Group:
        """Return the group anew: an error poisons it."""
        records = [(key, value) for key, value in self.records if key[:2] in (b"s/", b"e/")]
        tree = next(value for key, value in self.records if key[:2] == b"t/")
        return self.device().load_group(GROUP_ID, records, tree)


class Scene:
    """The group as written down, and what signs, tags and seals inputs for it."""

    def __init__(self, path: Path = FILE) -> None:
        flat = {name: bytes.fromhex(value) for name, value in json.loads(path.read_text()).items()}
        self.values = {name: value for name, value in flat.items() if "." not in name}
        self.people = {name: self._person(name, flat) for name in (*PEOPLE, "dan")}
        self.view = GroupView.load(self.values["snapshot"], self.values["tree"])
        self.seal = parts.Seal(parts.group_context(self.values["info"]), self.values["membership_key"])
        self.secrets = [
            *(self.people[name].secret for name in PEOPLE),
            flat["server.secret"],
            self.people["dan"].secret,
        ]
        """Who may have signed: members, server, a stranger."""
        self.tags = [parts.confirmation_tag(self.values[name]) for name in ("commit", "update", "rejoin", "expulsion")]

    @staticmethod
    def _person(name: str, flat: dict[str, bytes]) -> Person:
        prefix = f"{name}.record."
        records = tuple((bytes.fromhex(k[len(prefix) :]), v) for k, v in flat.items() if k.startswith(prefix))
        return Person(flat[f"{name}.secret"], records, name)

    # --- Welcomes

    def welcome_parts(self) -> tuple[bytes, bytes]:
        """Return (GroupSecrets, GroupInfo without signature) of the genuine Welcome, opened."""
        reader = parts.Reader(self.values["welcome"], 6)
        secrets = parts.Reader(reader.vec())
        sealed_info = reader.vec()
        secrets.vec()
        sealed = secrets.vec() + secrets.vec()
        key = X25519PrivateKey.from_private_bytes(self.values["init_secret"])
        return HPKE.decrypt(sealed, key, info=self._info(sealed_info)), self.values["next_info"][
            4 : -parts.SIGNATURE_FIELD_BYTES
        ]

    @staticmethod
    def _info(context: bytes) -> bytes:
        return parts.vec(b"MLS 1.0 Welcome") + parts.vec(context)

    def welcome(self, secrets: bytes, sealed_info: bytes) -> bytes:
        """Return a Welcome for dan with any GroupSecrets (RFC 9420 §12.4.3.1)."""
        reader = parts.Reader(self.values["welcome"], 6)
        reference = parts.Reader(reader.vec()).vec()
        key = X25519PrivateKey.from_private_bytes(self.values["init_secret"]).public_key()
        sealed = HPKE.encrypt(
            secrets, X25519PublicKey.from_public_bytes(key.public_bytes_raw()), info=self._info(sealed_info)
        )
        entry = parts.vec(reference) + parts.vec(sealed[:KEY_BYTES]) + parts.vec(sealed[KEY_BYTES:])
        return parts.VERSION + parts.WELCOME + b"\x00\x01" + parts.vec(entry) + parts.vec(sealed_info)

    def sealed_info(self) -> bytes:
        """Return the genuine Welcome's encrypted GroupInfo."""
        reader = parts.Reader(self.values["welcome"], 6)
        reader.vec()
        return reader.vec()

    def seal_info(self, secrets: bytes, info: bytes) -> bytes:
        """Encrypt a GroupInfo under the joiner secret of some GroupSecrets (RFC 9420 §12.4.3.1)."""
        joiner = parts.Reader(secrets).vec()
        member = parts.extract(joiner, bytes(parts.HASH_BYTES))
        welcome = parts.expand(member, "welcome", b"", parts.HASH_BYTES)
        key = parts.expand(welcome, "key", b"", WELCOME_KEY_BYTES)
        nonce = parts.expand(welcome, "nonce", b"", WELCOME_NONCE_BYTES)
        return AESGCM(key).encrypt(nonce, info, b"")


@cache
def scene() -> Scene:
    """Return the scene."""
    return Scene()
