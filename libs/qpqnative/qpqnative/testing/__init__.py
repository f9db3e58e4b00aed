"""What tests need and programs must not use: scripted randomness, imported secrets, a device over a dictionary.

The functions whose names begin with ``xwing_`` and ``suite_`` are the very primitives that groups use, by themselves.
``lift_rules`` takes QPQ's own rules from a device and the groups it enters from now on: foreign groups have no policy.
``lie`` lets a device commit what no other member can follow, and no server can refuse.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qpqnative import _native
from qpqnative._native import _key_package_record as key_package_record
from qpqnative._native import _lie as lie
from qpqnative._native import _lift_rules as lift_rules
from qpqnative._native import _suite_hkdf as suite_hkdf
from qpqnative._native import _suite_open as suite_open
from qpqnative._native import _suite_verify as suite_verify
from qpqnative._native import _xwing_decap as xwing_decap
from qpqnative._native import _xwing_derive as xwing_derive
from qpqnative._native import _xwing_encap as xwing_encap
from qpqnative._native import _xwing_hpke as xwing_hpke
from qpqnative._native import _xwing_hpke_one_stage as xwing_hpke_one_stage
from qpqnative._native import _xwing_hpke_seal as xwing_hpke_seal
from qpqnative._native import _xwing_public_key_ok as xwing_public_key_ok

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = [
    "StoredDevice",
    "key_package_record",
    "lie",
    "lift_rules",
    "opaque_login_finish",
    "opaque_login_response",
    "opaque_login_start",
    "opaque_registration_finish",
    "opaque_registration_start",
    "suite_hkdf",
    "suite_open",
    "suite_verify",
    "xwing_decap",
    "xwing_derive",
    "xwing_encap",
    "xwing_hpke",
    "xwing_hpke_one_stage",
    "xwing_hpke_seal",
    "xwing_public_key_ok",
]

_WIDE_SCALAR_BYTES = 64
"""opaque-ke draws a blind as 64 bytes and reduces them: a scalar of the RFC's vectors is its low half."""


@dataclass
class StoredDevice:
    """A device whose store is a dictionary; every step can be followed by a reload from it."""

    name: str
    lenient: bool = False
    records: dict[bytes, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Makes the device's signature key."""
        self.secret, self.public = _native.generate_signature_key()
        self.credential = self.name.encode()
        self.device = self.load_device()

    def load_device(self) -> _native.Device:
        """The device anew, from its records."""
        own = [(key, value) for key, value in self.records.items() if key[:2] in (b"k/", b"p/")]
        self.device = _native.Device(credential=self.credential, signature_secret=self.secret, entries=own)
        if self.lenient:
            lift_rules(self.device)
        return self.device

    def save(self, source: _native.Device | _native.Group) -> dict[bytes, bytes | None]:
        """Writes what changed; returns it."""
        changes = dict(source.take_changes())
        for key, value in changes.items():
            if value is None:
                del self.records[key]
            else:
                self.records[key] = value
        return changes

    def group_records(self, group_id: bytes) -> Iterator[tuple[bytes, bytes]]:
        """The records that a group is loaded from."""
        for key, value in self.records.items():
            if key == b"s/" + group_id or key.startswith(b"e/" + group_id):
                yield key, value

    def load(self, group_id: bytes) -> _native.Group:
        """The device and one of its groups anew, from their records."""
        return self.load_device().load_group(group_id, self.group_records(group_id), self.records[b"t/" + group_id])

    def reload(self, group: _native.Group) -> _native.Group:
        """Writes what changed in a group, drops it and loads it again."""
        self.save(group)
        return self.load(group.group_id)

    def key_package(self, suite: int, *, now_s: int, last_resort: bool = False, lifetime_s: int = 7_776_000) -> bytes:
        """A new KeyPackage, valid from a minute ago; its private half is in the records."""
        package = self.device.key_package(
            suite, last_resort=last_resort, not_before_s=now_s - 60, lifetime_s=lifetime_s
        )
        self.save(self.device)
        return package


def _wide(scalar: bytes) -> bytes:
    return scalar.ljust(_WIDE_SCALAR_BYTES, b"\0")


def opaque_registration_start(password: bytes, blind: bytes) -> tuple[_native.OpaqueRegistration, bytes]:
    """A registration and its request, with the blind given."""
    registration = _native.OpaqueRegistration()
    return registration, registration.start(password, randomness=_wide(blind))


def opaque_registration_finish(
    registration: _native.OpaqueRegistration,
    password: bytes,
    response: bytes,
    *,
    envelope_nonce: bytes,
    client: bytes | None,
    server: bytes | None,
) -> tuple[bytes, bytes, bytes]:
    """(upload, export key, server's public key), without stretching and with the envelope's nonce given."""
    return registration.finish(
        password, response, client=client, server=server, identity_stretch=True, randomness=envelope_nonce
    )


def opaque_login_start(
    password: bytes, blind: bytes, keyshare_seed: bytes, nonce: bytes
) -> tuple[_native.OpaqueLogin, bytes]:
    """A log-in and its KE1, with all randomness given."""
    login = _native.OpaqueLogin()
    return login, login.start(password, randomness=_wide(blind) + keyshare_seed + nonce)


def opaque_login_response(
    setup: _native.OpaqueServerSetup,
    record: bytes | None,
    request: bytes,
    credential_id: bytes,
    *,
    context: bytes,
    client: bytes | None,
    server: bytes | None,
    randomness: Sequence[bytes],
) -> tuple[bytes, bytes]:
    """(KE2, state), with all randomness given in the order it is drawn.

    That is: masking key of a dummy (64 bytes; drawn with a record too), masking nonce, key share seed, nonce.
    """
    return _native.opaque_login_response(
        setup, record, request, credential_id, context=context, client=client, server=server,
        randomness=b"".join(randomness),
    )  # fmt: skip


def opaque_login_finish(
    login: _native.OpaqueLogin,
    password: bytes,
    response: bytes,
    *,
    context: bytes,
    client: bytes | None,
    server: bytes | None,
) -> tuple[bytes, bytes, bytes, bytes]:
    """(finalization, session key, export key, server's public key), without stretching."""
    return login.finish(password, response, context=context, client=client, server=server, identity_stretch=True)
