"""The contract of keystore: its messages, methods and Protocol.

Generated from schemas/keystore.capnp by `make regenerate`: do not edit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from qpqcore.model.method import CallerClass, Method
from qpqcore.model.record import record
from qpqcore.wire.message import Layout, decode

if TYPE_CHECKING:
    from qpqcore.model.call import CallContext

UPLOAD_KEY_PACKAGES_PARAMS_LAYOUT = Layout(0, 2, None, [("list data", 0, None, None), ("list data", 1, None, None)])
STOCK_LAYOUT = Layout(1, 0, None, [("uint16", 0, None, None), ("uint32", 1, None, None), ("bool", 16, None, None)])
UPLOAD_KEY_PACKAGES_RESULT_LAYOUT = Layout(0, 1, None, [("list struct", 0, None, STOCK_LAYOUT)])
FETCH_KEY_PACKAGE_PARAMS_LAYOUT = Layout(0, 2, None, [("list data", 0, None, None), ("list uint16", 1, None, None)])
DEVICE_KEYS_LAYOUT = Layout(
    1,
    3,
    None,
    [
        ("data", 0, None, None),
        ("uint16", 0, None, None),
        ("data", 1, None, None),
        ("bool", 16, None, None),
        ("data", 2, None, None),
    ],
)
ACCOUNT_KEYS_LAYOUT = Layout(
    0, 3, None, [("data", 0, None, None), ("data", 1, None, None), ("list struct", 2, None, DEVICE_KEYS_LAYOUT)]
)
FETCH_KEY_PACKAGE_RESULT_LAYOUT = Layout(0, 1, None, [("list struct", 0, None, ACCOUNT_KEYS_LAYOUT)])
UPLOAD_HYBRID_KEY_PARAMS_LAYOUT = Layout(0, 1, None, [("data", 0, None, None)])
UPLOAD_HYBRID_KEY_RESULT_LAYOUT = Layout(0, 0, None, [])
FETCH_HYBRID_KEY_PARAMS_LAYOUT = Layout(0, 1, None, [("data", 0, None, None)])
FETCH_HYBRID_KEY_RESULT_LAYOUT = Layout(0, 1, None, [("data", 0, None, None)])
FETCH_HYBRID_KEYS_PARAMS_LAYOUT = Layout(0, 1, None, [("list data", 0, None, None)])
FETCH_HYBRID_KEYS_RESULT_LAYOUT = Layout(0, 1, None, [("list data", 0, None, None)])
RESOLVE_USER_PARAMS_LAYOUT = Layout(0, 1, None, [("text", 0, None, None)])
RESOLVE_USER_RESULT_LAYOUT = Layout(
    0, 4, None, [("data", 0, None, None), ("text", 1, None, None), ("data", 2, None, None), ("data", 3, None, None)]
)
RESOLVE_IDENTITY_PARAMS_LAYOUT = Layout(0, 2, None, [("data", 0, None, None), ("data", 1, None, None)])
RESOLVE_IDENTITY_RESULT_LAYOUT = Layout(
    0, 4, None, [("data", 0, None, None), ("text", 1, None, None), ("data", 2, None, None), ("data", 3, None, None)]
)
RESOLVE_IDENTITIES_PARAMS_LAYOUT = Layout(0, 1, None, [("list data", 0, None, None)])
RESOLVE_IDENTITIES_RESULT_LAYOUT = Layout(0, 1, None, [("list struct", 0, None, RESOLVE_IDENTITY_RESULT_LAYOUT)])
PUBLISH_ENDPOINT_PARAMS_LAYOUT = Layout(
    1, 2, None, [("data", 0, None, None), ("uint32", 0, None, None), ("data", 1, None, None)]
)
PUBLISH_ENDPOINT_RESULT_LAYOUT = Layout(1, 0, None, [("uint64", 0, None, None)])
RESOLVE_ENDPOINT_PARAMS_LAYOUT = Layout(0, 1, None, [("data", 0, None, None)])
RESOLVE_ENDPOINT_RESULT_LAYOUT = Layout(
    2, 2, None, [("data", 0, None, None), ("uint64", 0, None, None), ("data", 1, None, None), ("uint32", 2, None, None)]
)
PUBLISH_DEVICE_LIST_PARAMS_LAYOUT = Layout(0, 1, None, [("data", 0, None, None)])
PUBLISH_DEVICE_LIST_RESULT_LAYOUT = Layout(1, 0, None, [("uint64", 0, None, None)])
PUT_ACCOUNT_PARAMS_LAYOUT = Layout(
    0, 3, None, [("data", 0, None, None), ("text", 1, None, None), ("data", 2, None, None)]
)
PUT_ACCOUNT_RESULT_LAYOUT = Layout(0, 0, None, [])
DEVICE_LISTS_PARAMS_LAYOUT = Layout(0, 1, None, [("list data", 0, None, None)])
DEVICE_LISTS_RESULT_LAYOUT = Layout(0, 1, None, [("list data", 0, None, None)])
PURGE_ACCOUNT_PARAMS_LAYOUT = Layout(0, 1, None, [("data", 0, None, None)])
PURGE_ACCOUNT_RESULT_LAYOUT = Layout(0, 0, None, [])
KEYS_FOR_PEER_PARAMS_LAYOUT = Layout(
    1, 2, None, [("text", 0, None, None), ("uint16", 0, None, None), ("data", 1, None, None)]
)
KEYS_FOR_PEER_RESULT_LAYOUT = Layout(0, 1, None, [("data", 0, None, None)])


@record
class UploadKeyPackagesParams:
    """`UploadKeyPackagesParams` of schemas/keystore.capnp."""

    packages: tuple[bytes, ...] = ()
    """MLSMessage(KeyPackage) each; at most 100 and 2 in a call. A last-resort package replaces its suite's."""
    last_resort: tuple[bytes, ...] = ()
    """MLSMessage(KeyPackage) each; at most 100 and 2 in a call. A last-resort package replaces its suite's."""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            tuple(self.packages),
            tuple(self.last_resort),
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> UploadKeyPackagesParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            packages=v[0],
            last_resort=v[1],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return UPLOAD_KEY_PACKAGES_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> UploadKeyPackagesParams:
        """Decode one message; Refusal(malformed)."""
        return decode(UPLOAD_KEY_PACKAGES_PARAMS_LAYOUT, data, cls.from_values)


@record
class UploadKeyPackagesResult:
    """`UploadKeyPackagesResult` of schemas/keystore.capnp."""

    stock: tuple[Stock, ...] = ()

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (tuple([x.to_values() for x in self.stock]),)

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> UploadKeyPackagesResult:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            stock=tuple([Stock.from_values(x) for x in v[0]]),
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return UPLOAD_KEY_PACKAGES_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> UploadKeyPackagesResult:
        """Decode one message; Refusal(malformed)."""
        return decode(UPLOAD_KEY_PACKAGES_RESULT_LAYOUT, data, cls.from_values)


@record
class Stock:
    """`Stock` of schemas/keystore.capnp."""

    suite: int = 0
    one_time: int = 0
    last_resort: bool = False

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.suite,
            self.one_time,
            self.last_resort,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> Stock:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            suite=v[0],
            one_time=v[1],
            last_resort=v[2],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return STOCK_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> Stock:
        """Decode one message; Refusal(malformed)."""
        return decode(STOCK_LAYOUT, data, cls.from_values)


@record
class FetchKeyPackageParams:
    """`FetchKeyPackageParams` of schemas/keystore.capnp."""

    accounts: tuple[bytes, ...] = ()
    """suites: preferred first"""
    suites: tuple[int, ...] = ()
    """suites: preferred first"""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            tuple(self.accounts),
            tuple(self.suites),
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> FetchKeyPackageParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            accounts=v[0],
            suites=v[1],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return FETCH_KEY_PACKAGE_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> FetchKeyPackageParams:
        """Decode one message; Refusal(malformed)."""
        return decode(FETCH_KEY_PACKAGE_PARAMS_LAYOUT, data, cls.from_values)


@record
class FetchKeyPackageResult:
    """`FetchKeyPackageResult` of schemas/keystore.capnp."""

    accounts: tuple[AccountKeys, ...] = ()
    """suites: preferred first"""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (tuple([x.to_values() for x in self.accounts]),)

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> FetchKeyPackageResult:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            accounts=tuple([AccountKeys.from_values(x) for x in v[0]]),
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return FETCH_KEY_PACKAGE_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> FetchKeyPackageResult:
        """Decode one message; Refusal(malformed)."""
        return decode(FETCH_KEY_PACKAGE_RESULT_LAYOUT, data, cls.from_values)


@record
class AccountKeys:
    """`AccountKeys` of schemas/keystore.capnp."""

    account: bytes = b""
    device_list: bytes = b""
    """empty: no such account"""
    packages: tuple[DeviceKeys, ...] = ()

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.account,
            self.device_list,
            tuple([x.to_values() for x in self.packages]),
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> AccountKeys:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            account=v[0],
            device_list=v[1],
            packages=tuple([DeviceKeys.from_values(x) for x in v[2]]),
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return ACCOUNT_KEYS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> AccountKeys:
        """Decode one message; Refusal(malformed)."""
        return decode(ACCOUNT_KEYS_LAYOUT, data, cls.from_values)


@record
class DeviceKeys:
    """`DeviceKeys` of schemas/keystore.capnp."""

    device: bytes = b""
    suite: int = 0
    """0: this device has no package of the suites asked for"""
    key_package: bytes = b""
    last_resort: bool = False
    hybrid_key: bytes = b""
    """SignedHybridKey, or empty"""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.device,
            self.suite,
            self.key_package,
            self.last_resort,
            self.hybrid_key,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> DeviceKeys:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            device=v[0],
            suite=v[1],
            key_package=v[2],
            last_resort=v[3],
            hybrid_key=v[4],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return DEVICE_KEYS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> DeviceKeys:
        """Decode one message; Refusal(malformed)."""
        return decode(DEVICE_KEYS_LAYOUT, data, cls.from_values)


@record
class UploadHybridKeyParams:
    """`UploadHybridKeyParams` of schemas/keystore.capnp."""

    hybrid_key: bytes = b""
    """SignedHybridKey (docs/spec/identity.md)"""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (self.hybrid_key,)

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> UploadHybridKeyParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            hybrid_key=v[0],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return UPLOAD_HYBRID_KEY_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> UploadHybridKeyParams:
        """Decode one message; Refusal(malformed)."""
        return decode(UPLOAD_HYBRID_KEY_PARAMS_LAYOUT, data, cls.from_values)


@record
class UploadHybridKeyResult:
    """`UploadHybridKeyResult` of schemas/keystore.capnp."""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return ()

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> UploadHybridKeyResult:
        """Make one of what a message holds, in the order of its layout."""
        del v
        return cls()

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return UPLOAD_HYBRID_KEY_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> UploadHybridKeyResult:
        """Decode one message; Refusal(malformed)."""
        return decode(UPLOAD_HYBRID_KEY_RESULT_LAYOUT, data, cls.from_values)


@record
class FetchHybridKeyParams:
    """`FetchHybridKeyParams` of schemas/keystore.capnp."""

    device: bytes = b""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (self.device,)

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> FetchHybridKeyParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            device=v[0],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return FETCH_HYBRID_KEY_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> FetchHybridKeyParams:
        """Decode one message; Refusal(malformed)."""
        return decode(FETCH_HYBRID_KEY_PARAMS_LAYOUT, data, cls.from_values)


@record
class FetchHybridKeyResult:
    """`FetchHybridKeyResult` of schemas/keystore.capnp."""

    hybrid_key: bytes = b""
    """SignedHybridKey (docs/spec/identity.md)"""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (self.hybrid_key,)

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> FetchHybridKeyResult:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            hybrid_key=v[0],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return FETCH_HYBRID_KEY_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> FetchHybridKeyResult:
        """Decode one message; Refusal(malformed)."""
        return decode(FETCH_HYBRID_KEY_RESULT_LAYOUT, data, cls.from_values)


@record
class FetchHybridKeysParams:
    """`FetchHybridKeysParams` of schemas/keystore.capnp."""

    devices: tuple[bytes, ...] = ()

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (tuple(self.devices),)

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> FetchHybridKeysParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            devices=v[0],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return FETCH_HYBRID_KEYS_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> FetchHybridKeysParams:
        """Decode one message; Refusal(malformed)."""
        return decode(FETCH_HYBRID_KEYS_PARAMS_LAYOUT, data, cls.from_values)


@record
class FetchHybridKeysResult:
    """`FetchHybridKeysResult` of schemas/keystore.capnp."""

    hybrid_keys: tuple[bytes, ...] = ()
    """in the order asked for; empty where there is none"""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (tuple(self.hybrid_keys),)

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> FetchHybridKeysResult:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            hybrid_keys=v[0],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return FETCH_HYBRID_KEYS_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> FetchHybridKeysResult:
        """Decode one message; Refusal(malformed)."""
        return decode(FETCH_HYBRID_KEYS_RESULT_LAYOUT, data, cls.from_values)


@record
class ResolveUserParams:
    """`ResolveUserParams` of schemas/keystore.capnp."""

    name: str = ""
    """'name' or 'name@domain'"""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (self.name,)

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> ResolveUserParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            name=v[0],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return RESOLVE_USER_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> ResolveUserParams:
        """Decode one message; Refusal(malformed)."""
        return decode(RESOLVE_USER_PARAMS_LAYOUT, data, cls.from_values)


@record
class ResolveUserResult:
    """`ResolveUserResult` of schemas/keystore.capnp."""

    account: bytes = b""
    name: str = ""
    identity_key: bytes = b""
    device_list: bytes = b""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.account,
            self.name,
            self.identity_key,
            self.device_list,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> ResolveUserResult:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            account=v[0],
            name=v[1],
            identity_key=v[2],
            device_list=v[3],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return RESOLVE_USER_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> ResolveUserResult:
        """Decode one message; Refusal(malformed)."""
        return decode(RESOLVE_USER_RESULT_LAYOUT, data, cls.from_values)


@record
class ResolveIdentityParams:
    """`ResolveIdentityParams` of schemas/keystore.capnp."""

    identity_key: bytes = b""
    """one of the two"""
    account: bytes = b""
    """one of the two"""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.identity_key,
            self.account,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> ResolveIdentityParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            identity_key=v[0],
            account=v[1],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return RESOLVE_IDENTITY_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> ResolveIdentityParams:
        """Decode one message; Refusal(malformed)."""
        return decode(RESOLVE_IDENTITY_PARAMS_LAYOUT, data, cls.from_values)


@record
class ResolveIdentityResult:
    """`ResolveIdentityResult` of schemas/keystore.capnp."""

    account: bytes = b""
    name: str = ""
    identity_key: bytes = b""
    device_list: bytes = b""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.account,
            self.name,
            self.identity_key,
            self.device_list,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> ResolveIdentityResult:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            account=v[0],
            name=v[1],
            identity_key=v[2],
            device_list=v[3],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return RESOLVE_IDENTITY_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> ResolveIdentityResult:
        """Decode one message; Refusal(malformed)."""
        return decode(RESOLVE_IDENTITY_RESULT_LAYOUT, data, cls.from_values)


@record
class ResolveIdentitiesParams:
    """`ResolveIdentitiesParams` of schemas/keystore.capnp."""

    accounts: tuple[bytes, ...] = ()
    """suites: preferred first"""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (tuple(self.accounts),)

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> ResolveIdentitiesParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            accounts=v[0],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return RESOLVE_IDENTITIES_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> ResolveIdentitiesParams:
        """Decode one message; Refusal(malformed)."""
        return decode(RESOLVE_IDENTITIES_PARAMS_LAYOUT, data, cls.from_values)


@record
class ResolveIdentitiesResult:
    """`ResolveIdentitiesResult` of schemas/keystore.capnp."""

    identities: tuple[ResolveIdentityResult, ...] = ()
    """in the order asked for; all empty: nobody"""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (tuple([x.to_values() for x in self.identities]),)

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> ResolveIdentitiesResult:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            identities=tuple([ResolveIdentityResult.from_values(x) for x in v[0]]),
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return RESOLVE_IDENTITIES_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> ResolveIdentitiesResult:
        """Decode one message; Refusal(malformed)."""
        return decode(RESOLVE_IDENTITIES_RESULT_LAYOUT, data, cls.from_values)


@record
class PublishEndpointParams:
    """`PublishEndpointParams` of schemas/keystore.capnp."""

    endpoint: bytes = b""
    """signature: device key over 'qpq endpoint v1', device, ttlSeconds, endpoint: signed as docs/spec/identity.md says"""
    ttl_seconds: int = 0
    """signature: device key over 'qpq endpoint v1', device, ttlSeconds, endpoint: signed as docs/spec/identity.md says"""
    signature: bytes = b""
    """signature: device key over 'qpq endpoint v1', device, ttlSeconds, endpoint: signed as docs/spec/identity.md says"""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.endpoint,
            self.ttl_seconds,
            self.signature,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> PublishEndpointParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            endpoint=v[0],
            ttl_seconds=v[1],
            signature=v[2],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return PUBLISH_ENDPOINT_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> PublishEndpointParams:
        """Decode one message; Refusal(malformed)."""
        return decode(PUBLISH_ENDPOINT_PARAMS_LAYOUT, data, cls.from_values)


@record
class PublishEndpointResult:
    """`PublishEndpointResult` of schemas/keystore.capnp."""

    expires_ms: int = 0

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (self.expires_ms,)

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> PublishEndpointResult:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            expires_ms=v[0],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return PUBLISH_ENDPOINT_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> PublishEndpointResult:
        """Decode one message; Refusal(malformed)."""
        return decode(PUBLISH_ENDPOINT_RESULT_LAYOUT, data, cls.from_values)


@record
class ResolveEndpointParams:
    """`ResolveEndpointParams` of schemas/keystore.capnp."""

    device: bytes = b""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (self.device,)

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> ResolveEndpointParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            device=v[0],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return RESOLVE_ENDPOINT_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> ResolveEndpointParams:
        """Decode one message; Refusal(malformed)."""
        return decode(RESOLVE_ENDPOINT_PARAMS_LAYOUT, data, cls.from_values)


@record
class ResolveEndpointResult:
    """`ResolveEndpointResult` of schemas/keystore.capnp."""

    endpoint: bytes = b""
    """signature: device key over 'qpq endpoint v1', device, ttlSeconds, endpoint: signed as docs/spec/identity.md says"""
    expires_ms: int = 0
    signature: bytes = b""
    """signature: device key over 'qpq endpoint v1', device, ttlSeconds, endpoint: signed as docs/spec/identity.md says"""
    ttl_seconds: int = 0

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.endpoint,
            self.expires_ms,
            self.signature,
            self.ttl_seconds,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> ResolveEndpointResult:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            endpoint=v[0],
            expires_ms=v[1],
            signature=v[2],
            ttl_seconds=v[3],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return RESOLVE_ENDPOINT_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> ResolveEndpointResult:
        """Decode one message; Refusal(malformed)."""
        return decode(RESOLVE_ENDPOINT_RESULT_LAYOUT, data, cls.from_values)


@record
class PublishDeviceListParams:
    """`PublishDeviceListParams` of schemas/keystore.capnp."""

    device_list: bytes = b""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (self.device_list,)

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> PublishDeviceListParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            device_list=v[0],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return PUBLISH_DEVICE_LIST_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> PublishDeviceListParams:
        """Decode one message; Refusal(malformed)."""
        return decode(PUBLISH_DEVICE_LIST_PARAMS_LAYOUT, data, cls.from_values)


@record
class PublishDeviceListResult:
    """`PublishDeviceListResult` of schemas/keystore.capnp."""

    version: int = 0

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (self.version,)

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> PublishDeviceListResult:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            version=v[0],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return PUBLISH_DEVICE_LIST_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> PublishDeviceListResult:
        """Decode one message; Refusal(malformed)."""
        return decode(PUBLISH_DEVICE_LIST_RESULT_LAYOUT, data, cls.from_values)


@record
class PutAccountParams:
    """`PutAccountParams` of schemas/keystore.capnp."""

    account: bytes = b""
    name: str = ""
    identity_key: bytes = b""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.account,
            self.name,
            self.identity_key,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> PutAccountParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            account=v[0],
            name=v[1],
            identity_key=v[2],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return PUT_ACCOUNT_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> PutAccountParams:
        """Decode one message; Refusal(malformed)."""
        return decode(PUT_ACCOUNT_PARAMS_LAYOUT, data, cls.from_values)


@record
class PutAccountResult:
    """`PutAccountResult` of schemas/keystore.capnp."""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return ()

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> PutAccountResult:
        """Make one of what a message holds, in the order of its layout."""
        del v
        return cls()

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return PUT_ACCOUNT_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> PutAccountResult:
        """Decode one message; Refusal(malformed)."""
        return decode(PUT_ACCOUNT_RESULT_LAYOUT, data, cls.from_values)


@record
class DeviceListsParams:
    """`DeviceListsParams` of schemas/keystore.capnp."""

    accounts: tuple[bytes, ...] = ()
    """suites: preferred first"""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (tuple(self.accounts),)

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> DeviceListsParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            accounts=v[0],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return DEVICE_LISTS_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> DeviceListsParams:
        """Decode one message; Refusal(malformed)."""
        return decode(DEVICE_LISTS_PARAMS_LAYOUT, data, cls.from_values)


@record
class DeviceListsResult:
    """`DeviceListsResult` of schemas/keystore.capnp."""

    device_lists: tuple[bytes, ...] = ()
    """in the order asked for; empty: no such account"""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (tuple(self.device_lists),)

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> DeviceListsResult:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            device_lists=v[0],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return DEVICE_LISTS_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> DeviceListsResult:
        """Decode one message; Refusal(malformed)."""
        return decode(DEVICE_LISTS_RESULT_LAYOUT, data, cls.from_values)


@record
class PurgeAccountParams:
    """`PurgeAccountParams` of schemas/keystore.capnp."""

    account: bytes = b""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (self.account,)

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> PurgeAccountParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            account=v[0],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return PURGE_ACCOUNT_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> PurgeAccountParams:
        """Decode one message; Refusal(malformed)."""
        return decode(PURGE_ACCOUNT_PARAMS_LAYOUT, data, cls.from_values)


@record
class PurgeAccountResult:
    """`PurgeAccountResult` of schemas/keystore.capnp."""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return ()

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> PurgeAccountResult:
        """Make one of what a message holds, in the order of its layout."""
        del v
        return cls()

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return PURGE_ACCOUNT_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> PurgeAccountResult:
        """Decode one message; Refusal(malformed)."""
        return decode(PURGE_ACCOUNT_RESULT_LAYOUT, data, cls.from_values)


@record
class KeysForPeerParams:
    """`KeysForPeerParams` of schemas/keystore.capnp."""

    domain: str = ""
    """method: the federation method's"""
    method: int = 0
    """method: the federation method's"""
    params: bytes = b""
    """method: the federation method's"""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.domain,
            self.method,
            self.params,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> KeysForPeerParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            domain=v[0],
            method=v[1],
            params=v[2],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return KEYS_FOR_PEER_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> KeysForPeerParams:
        """Decode one message; Refusal(malformed)."""
        return decode(KEYS_FOR_PEER_PARAMS_LAYOUT, data, cls.from_values)


@record
class KeysForPeerResult:
    """`KeysForPeerResult` of schemas/keystore.capnp."""

    result: bytes = b""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (self.result,)

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> KeysForPeerResult:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            result=v[0],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return KEYS_FOR_PEER_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> KeysForPeerResult:
        """Decode one message; Refusal(malformed)."""
        return decode(KEYS_FOR_PEER_RESULT_LAYOUT, data, cls.from_values)


class KeystoreApi(Protocol):
    """What Keystore offers; each method may refuse."""

    async def upload_key_packages(self, call: CallContext, params: UploadKeyPackagesParams) -> UploadKeyPackagesResult:
        """With no packages: asks for the stock."""

    async def fetch_key_package(self, call: CallContext, params: FetchKeyPackageParams) -> FetchKeyPackageResult:
        """For each account: its device list and one KeyPackage per active device, in one
        transaction."""

    async def upload_hybrid_key(self, call: CallContext, params: UploadHybridKeyParams) -> UploadHybridKeyResult:
        """Number 0x0202; docs/spec has its rules."""

    async def fetch_hybrid_key(self, call: CallContext, params: FetchHybridKeyParams) -> FetchHybridKeyResult:
        """Number 0x0203; docs/spec has its rules."""

    async def fetch_hybrid_keys(self, call: CallContext, params: FetchHybridKeysParams) -> FetchHybridKeysResult:
        """Number 0x0204; docs/spec has its rules."""

    async def resolve_user(self, call: CallContext, params: ResolveUserParams) -> ResolveUserResult:
        """Number 0x0205; docs/spec has its rules."""

    async def resolve_identity(self, call: CallContext, params: ResolveIdentityParams) -> ResolveIdentityResult:
        """Number 0x0206; docs/spec has its rules."""

    async def publish_endpoint(self, call: CallContext, params: PublishEndpointParams) -> PublishEndpointResult:
        """Number 0x0207; docs/spec has its rules."""

    async def resolve_endpoint(self, call: CallContext, params: ResolveEndpointParams) -> ResolveEndpointResult:
        """Number 0x0208; docs/spec has its rules."""

    async def publish_device_list(self, call: CallContext, params: PublishDeviceListParams) -> PublishDeviceListResult:
        """Brings again the list that auth took last (after a restore); any other list is
        refused."""

    async def resolve_identities(self, call: CallContext, params: ResolveIdentitiesParams) -> ResolveIdentitiesResult:
        """Who many accounts are, of this domain and no other; counts as so many look-ups."""


class KeystoreInternalApi(Protocol):
    """What KeystoreInternal offers; each method may refuse."""

    async def put_account(self, call: CallContext, params: PutAccountParams) -> PutAccountResult:
        """Number 0x0280; docs/spec has its rules."""

    async def put_device_list(self, call: CallContext, params: PublishDeviceListParams) -> PublishDeviceListResult:
        """Devices that the list lacks lose their KeyPackages, hybrid keys and endpoints."""

    async def device_lists(self, call: CallContext, params: DeviceListsParams) -> DeviceListsResult:
        """Number 0x0282; docs/spec has its rules."""

    async def purge_account(self, call: CallContext, params: PurgeAccountParams) -> PurgeAccountResult:
        """Number 0x0283; docs/spec has its rules."""

    async def for_peer(self, call: CallContext, params: KeysForPeerParams) -> KeysForPeerResult:
        """A look-up by another domain, of accounts of this one."""


METHODS: tuple[Method, ...] = (
    Method(
        number=0x0200,
        service="keystore",
        name="uploadKeyPackages",
        caller=CallerClass("device"),
        by=(),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=UploadKeyPackagesParams,
        result=UploadKeyPackagesResult,
    ),
    Method(
        number=0x0201,
        service="keystore",
        name="fetchKeyPackage",
        caller=CallerClass("device"),
        by=(),
        streams=False,
        idempotent=False,
        keyed=True,
        frame_bytes_max=2097152,
        params=FetchKeyPackageParams,
        result=FetchKeyPackageResult,
    ),
    Method(
        number=0x0202,
        service="keystore",
        name="uploadHybridKey",
        caller=CallerClass("device"),
        by=(),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=UploadHybridKeyParams,
        result=UploadHybridKeyResult,
    ),
    Method(
        number=0x0203,
        service="keystore",
        name="fetchHybridKey",
        caller=CallerClass("device"),
        by=(),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=FetchHybridKeyParams,
        result=FetchHybridKeyResult,
    ),
    Method(
        number=0x0204,
        service="keystore",
        name="fetchHybridKeys",
        caller=CallerClass("device"),
        by=(),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=FetchHybridKeysParams,
        result=FetchHybridKeysResult,
    ),
    Method(
        number=0x0205,
        service="keystore",
        name="resolveUser",
        caller=CallerClass("account"),
        by=(),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=ResolveUserParams,
        result=ResolveUserResult,
    ),
    Method(
        number=0x0206,
        service="keystore",
        name="resolveIdentity",
        caller=CallerClass("account"),
        by=(),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=ResolveIdentityParams,
        result=ResolveIdentityResult,
    ),
    Method(
        number=0x0207,
        service="keystore",
        name="publishEndpoint",
        caller=CallerClass("device"),
        by=(),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=PublishEndpointParams,
        result=PublishEndpointResult,
    ),
    Method(
        number=0x0208,
        service="keystore",
        name="resolveEndpoint",
        caller=CallerClass("device"),
        by=(),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=ResolveEndpointParams,
        result=ResolveEndpointResult,
    ),
    Method(
        number=0x0209,
        service="keystore",
        name="publishDeviceList",
        caller=CallerClass("owner"),
        by=(),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=PublishDeviceListParams,
        result=PublishDeviceListResult,
    ),
    Method(
        number=0x020A,
        service="keystore",
        name="resolveIdentities",
        caller=CallerClass("account"),
        by=(),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=ResolveIdentitiesParams,
        result=ResolveIdentitiesResult,
    ),
    Method(
        number=0x0280,
        service="keystore",
        name="putAccount",
        caller=CallerClass("service"),
        by=("auth",),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=PutAccountParams,
        result=PutAccountResult,
    ),
    Method(
        number=0x0281,
        service="keystore",
        name="putDeviceList",
        caller=CallerClass("service"),
        by=("auth",),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=PublishDeviceListParams,
        result=PublishDeviceListResult,
    ),
    Method(
        number=0x0282,
        service="keystore",
        name="deviceLists",
        caller=CallerClass("service"),
        by=("delivery",),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=DeviceListsParams,
        result=DeviceListsResult,
    ),
    Method(
        number=0x0283,
        service="keystore",
        name="purgeAccount",
        caller=CallerClass("service"),
        by=("auth",),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=PurgeAccountParams,
        result=PurgeAccountResult,
    ),
    Method(
        number=0x0284,
        service="keystore",
        name="forPeer",
        caller=CallerClass("service"),
        by=("federation",),
        streams=False,
        idempotent=False,
        keyed=True,
        frame_bytes_max=2097152,
        params=KeysForPeerParams,
        result=KeysForPeerResult,
    ),
)
