"""The contract of keystore: its messages, methods and Protocol.

Generated from schemas/keystore.capnp by `make regenerate`: do not edit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from qpqcore.model.method import CallerClass, Method
from qpqcore.wire.message import decode, schema, structs

if TYPE_CHECKING:
    from qpqcore.model.call import CallContext

_file = schema("keystore")


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadKeyPackagesParams:
    """`UploadKeyPackagesParams` of schemas/keystore.capnp."""

    packages: tuple[bytes, ...] = ()
    """MLSMessage(KeyPackage) each; at most 100 and 2 in a call. A last-resort package replaces its suite's."""
    last_resort: tuple[bytes, ...] = ()
    """MLSMessage(KeyPackage) each; at most 100 and 2 in a call. A last-resort package replaces its suite's."""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.packages:
            m.packages = list(self.packages)
        if self.last_resort:
            m.lastResort = list(self.last_resort)

    @classmethod
    def read(cls, m: Any) -> UploadKeyPackagesParams:
        """Read from a message."""
        return cls(
            packages=tuple(m.packages),
            last_resort=tuple(m.lastResort),
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.UploadKeyPackagesParams.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> UploadKeyPackagesParams:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.UploadKeyPackagesParams, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadKeyPackagesResult:
    """`UploadKeyPackagesResult` of schemas/keystore.capnp."""

    stock: tuple[Stock, ...] = ()

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.stock:
            items = m.init("stock", len(self.stock))
            for i, item in enumerate(self.stock):
                item.write(items[i])

    @classmethod
    def read(cls, m: Any) -> UploadKeyPackagesResult:
        """Read from a message."""
        return cls(
            stock=tuple([Stock.read(x) for x in structs(m.stock)]),
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.UploadKeyPackagesResult.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> UploadKeyPackagesResult:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.UploadKeyPackagesResult, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock:
    """`Stock` of schemas/keystore.capnp."""

    suite: int = 0
    one_time: int = 0
    last_resort: bool = False

    def write(self, m: Any) -> None:
        """Write into a message."""
        m.suite = self.suite
        m.oneTime = self.one_time
        m.lastResort = self.last_resort

    @classmethod
    def read(cls, m: Any) -> Stock:
        """Read from a message."""
        return cls(
            suite=m.suite,
            one_time=m.oneTime,
            last_resort=m.lastResort,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.Stock.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> Stock:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.Stock, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchKeyPackageParams:
    """`FetchKeyPackageParams` of schemas/keystore.capnp."""

    accounts: tuple[bytes, ...] = ()
    """suites: preferred first"""
    suites: tuple[int, ...] = ()
    """suites: preferred first"""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.accounts:
            m.accounts = list(self.accounts)
        if self.suites:
            m.suites = list(self.suites)

    @classmethod
    def read(cls, m: Any) -> FetchKeyPackageParams:
        """Read from a message."""
        return cls(
            accounts=tuple(m.accounts),
            suites=tuple(m.suites),
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.FetchKeyPackageParams.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> FetchKeyPackageParams:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.FetchKeyPackageParams, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchKeyPackageResult:
    """`FetchKeyPackageResult` of schemas/keystore.capnp."""

    accounts: tuple[AccountKeys, ...] = ()
    """suites: preferred first"""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.accounts:
            items = m.init("accounts", len(self.accounts))
            for i, item in enumerate(self.accounts):
                item.write(items[i])

    @classmethod
    def read(cls, m: Any) -> FetchKeyPackageResult:
        """Read from a message."""
        return cls(
            accounts=tuple([AccountKeys.read(x) for x in structs(m.accounts)]),
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.FetchKeyPackageResult.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> FetchKeyPackageResult:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.FetchKeyPackageResult, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountKeys:
    """`AccountKeys` of schemas/keystore.capnp."""

    account: bytes = b""
    device_list: bytes = b""
    """empty: no such account"""
    packages: tuple[DeviceKeys, ...] = ()

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.account:
            m.account = self.account
        if self.device_list:
            m.deviceList = self.device_list
        if self.packages:
            items = m.init("packages", len(self.packages))
            for i, item in enumerate(self.packages):
                item.write(items[i])

    @classmethod
    def read(cls, m: Any) -> AccountKeys:
        """Read from a message."""
        return cls(
            account=m.account,
            device_list=m.deviceList,
            packages=tuple([DeviceKeys.read(x) for x in structs(m.packages)]),
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.AccountKeys.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> AccountKeys:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.AccountKeys, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceKeys:
    """`DeviceKeys` of schemas/keystore.capnp."""

    device: bytes = b""
    suite: int = 0
    """0: this device has no package of the suites asked for"""
    key_package: bytes = b""
    last_resort: bool = False
    hybrid_key: bytes = b""
    """SignedHybridKey, or empty"""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.device:
            m.device = self.device
        m.suite = self.suite
        if self.key_package:
            m.keyPackage = self.key_package
        m.lastResort = self.last_resort
        if self.hybrid_key:
            m.hybridKey = self.hybrid_key

    @classmethod
    def read(cls, m: Any) -> DeviceKeys:
        """Read from a message."""
        return cls(
            device=m.device,
            suite=m.suite,
            key_package=m.keyPackage,
            last_resort=m.lastResort,
            hybrid_key=m.hybridKey,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.DeviceKeys.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> DeviceKeys:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.DeviceKeys, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadHybridKeyParams:
    """`UploadHybridKeyParams` of schemas/keystore.capnp."""

    hybrid_key: bytes = b""
    """SignedHybridKey (docs/spec/identity.md)"""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.hybrid_key:
            m.hybridKey = self.hybrid_key

    @classmethod
    def read(cls, m: Any) -> UploadHybridKeyParams:
        """Read from a message."""
        return cls(
            hybrid_key=m.hybridKey,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.UploadHybridKeyParams.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> UploadHybridKeyParams:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.UploadHybridKeyParams, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadHybridKeyResult:
    """`UploadHybridKeyResult` of schemas/keystore.capnp."""

    def write(self, m: Any) -> None:
        """Write into a message."""
        del m

    @classmethod
    def read(cls, m: Any) -> UploadHybridKeyResult:
        """Read from a message."""
        return cls()

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.UploadHybridKeyResult.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> UploadHybridKeyResult:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.UploadHybridKeyResult, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchHybridKeyParams:
    """`FetchHybridKeyParams` of schemas/keystore.capnp."""

    device: bytes = b""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.device:
            m.device = self.device

    @classmethod
    def read(cls, m: Any) -> FetchHybridKeyParams:
        """Read from a message."""
        return cls(
            device=m.device,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.FetchHybridKeyParams.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> FetchHybridKeyParams:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.FetchHybridKeyParams, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchHybridKeyResult:
    """`FetchHybridKeyResult` of schemas/keystore.capnp."""

    hybrid_key: bytes = b""
    """SignedHybridKey (docs/spec/identity.md)"""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.hybrid_key:
            m.hybridKey = self.hybrid_key

    @classmethod
    def read(cls, m: Any) -> FetchHybridKeyResult:
        """Read from a message."""
        return cls(
            hybrid_key=m.hybridKey,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.FetchHybridKeyResult.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> FetchHybridKeyResult:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.FetchHybridKeyResult, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchHybridKeysParams:
    """`FetchHybridKeysParams` of schemas/keystore.capnp."""

    devices: tuple[bytes, ...] = ()

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.devices:
            m.devices = list(self.devices)

    @classmethod
    def read(cls, m: Any) -> FetchHybridKeysParams:
        """Read from a message."""
        return cls(
            devices=tuple(m.devices),
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.FetchHybridKeysParams.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> FetchHybridKeysParams:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.FetchHybridKeysParams, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchHybridKeysResult:
    """`FetchHybridKeysResult` of schemas/keystore.capnp."""

    hybrid_keys: tuple[bytes, ...] = ()
    """in the order asked for; empty where there is none"""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.hybrid_keys:
            m.hybridKeys = list(self.hybrid_keys)

    @classmethod
    def read(cls, m: Any) -> FetchHybridKeysResult:
        """Read from a message."""
        return cls(
            hybrid_keys=tuple(m.hybridKeys),
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.FetchHybridKeysResult.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> FetchHybridKeysResult:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.FetchHybridKeysResult, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveUserParams:
    """`ResolveUserParams` of schemas/keystore.capnp."""

    name: str = ""
    """'name' or 'name@domain'"""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.name:
            m.name = self.name

    @classmethod
    def read(cls, m: Any) -> ResolveUserParams:
        """Read from a message."""
        return cls(
            name=m.name,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.ResolveUserParams.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> ResolveUserParams:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.ResolveUserParams, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveUserResult:
    """`ResolveUserResult` of schemas/keystore.capnp."""

    account: bytes = b""
    name: str = ""
    identity_key: bytes = b""
    device_list: bytes = b""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.account:
            m.account = self.account
        if self.name:
            m.name = self.name
        if self.identity_key:
            m.identityKey = self.identity_key
        if self.device_list:
            m.deviceList = self.device_list

    @classmethod
    def read(cls, m: Any) -> ResolveUserResult:
        """Read from a message."""
        return cls(
            account=m.account,
            name=m.name,
            identity_key=m.identityKey,
            device_list=m.deviceList,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.ResolveUserResult.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> ResolveUserResult:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.ResolveUserResult, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveIdentityParams:
    """`ResolveIdentityParams` of schemas/keystore.capnp."""

    identity_key: bytes = b""
    """one of the two"""
    account: bytes = b""
    """one of the two"""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.identity_key:
            m.identityKey = self.identity_key
        if self.account:
            m.account = self.account

    @classmethod
    def read(cls, m: Any) -> ResolveIdentityParams:
        """Read from a message."""
        return cls(
            identity_key=m.identityKey,
            account=m.account,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.ResolveIdentityParams.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> ResolveIdentityParams:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.ResolveIdentityParams, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveIdentityResult:
    """`ResolveIdentityResult` of schemas/keystore.capnp."""

    account: bytes = b""
    name: str = ""
    identity_key: bytes = b""
    device_list: bytes = b""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.account:
            m.account = self.account
        if self.name:
            m.name = self.name
        if self.identity_key:
            m.identityKey = self.identity_key
        if self.device_list:
            m.deviceList = self.device_list

    @classmethod
    def read(cls, m: Any) -> ResolveIdentityResult:
        """Read from a message."""
        return cls(
            account=m.account,
            name=m.name,
            identity_key=m.identityKey,
            device_list=m.deviceList,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.ResolveIdentityResult.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> ResolveIdentityResult:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.ResolveIdentityResult, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishEndpointParams:
    """`PublishEndpointParams` of schemas/keystore.capnp."""

    endpoint: bytes = b""
    """signature: device key over 'qpq endpoint v1', device, ttlSeconds (4 bytes little-endian), endpoint"""
    ttl_seconds: int = 0
    """signature: device key over 'qpq endpoint v1', device, ttlSeconds (4 bytes little-endian), endpoint"""
    signature: bytes = b""
    """signature: device key over 'qpq endpoint v1', device, ttlSeconds (4 bytes little-endian), endpoint"""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.endpoint:
            m.endpoint = self.endpoint
        m.ttlSeconds = self.ttl_seconds
        if self.signature:
            m.signature = self.signature

    @classmethod
    def read(cls, m: Any) -> PublishEndpointParams:
        """Read from a message."""
        return cls(
            endpoint=m.endpoint,
            ttl_seconds=m.ttlSeconds,
            signature=m.signature,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.PublishEndpointParams.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> PublishEndpointParams:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.PublishEndpointParams, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishEndpointResult:
    """`PublishEndpointResult` of schemas/keystore.capnp."""

    expires_ms: int = 0

    def write(self, m: Any) -> None:
        """Write into a message."""
        m.expiresMs = self.expires_ms

    @classmethod
    def read(cls, m: Any) -> PublishEndpointResult:
        """Read from a message."""
        return cls(
            expires_ms=m.expiresMs,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.PublishEndpointResult.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> PublishEndpointResult:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.PublishEndpointResult, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveEndpointParams:
    """`ResolveEndpointParams` of schemas/keystore.capnp."""

    device: bytes = b""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.device:
            m.device = self.device

    @classmethod
    def read(cls, m: Any) -> ResolveEndpointParams:
        """Read from a message."""
        return cls(
            device=m.device,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.ResolveEndpointParams.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> ResolveEndpointParams:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.ResolveEndpointParams, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveEndpointResult:
    """`ResolveEndpointResult` of schemas/keystore.capnp."""

    endpoint: bytes = b""
    """signature: device key over 'qpq endpoint v1', device, ttlSeconds (4 bytes little-endian), endpoint"""
    expires_ms: int = 0
    signature: bytes = b""
    """signature: device key over 'qpq endpoint v1', device, ttlSeconds (4 bytes little-endian), endpoint"""
    ttl_seconds: int = 0

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.endpoint:
            m.endpoint = self.endpoint
        m.expiresMs = self.expires_ms
        if self.signature:
            m.signature = self.signature
        m.ttlSeconds = self.ttl_seconds

    @classmethod
    def read(cls, m: Any) -> ResolveEndpointResult:
        """Read from a message."""
        return cls(
            endpoint=m.endpoint,
            expires_ms=m.expiresMs,
            signature=m.signature,
            ttl_seconds=m.ttlSeconds,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.ResolveEndpointResult.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> ResolveEndpointResult:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.ResolveEndpointResult, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishDeviceListParams:
    """`PublishDeviceListParams` of schemas/keystore.capnp."""

    device_list: bytes = b""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.device_list:
            m.deviceList = self.device_list

    @classmethod
    def read(cls, m: Any) -> PublishDeviceListParams:
        """Read from a message."""
        return cls(
            device_list=m.deviceList,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.PublishDeviceListParams.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> PublishDeviceListParams:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.PublishDeviceListParams, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishDeviceListResult:
    """`PublishDeviceListResult` of schemas/keystore.capnp."""

    version: int = 0

    def write(self, m: Any) -> None:
        """Write into a message."""
        m.version = self.version

    @classmethod
    def read(cls, m: Any) -> PublishDeviceListResult:
        """Read from a message."""
        return cls(
            version=m.version,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.PublishDeviceListResult.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> PublishDeviceListResult:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.PublishDeviceListResult, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class PutAccountParams:
    """`PutAccountParams` of schemas/keystore.capnp."""

    account: bytes = b""
    name: str = ""
    identity_key: bytes = b""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.account:
            m.account = self.account
        if self.name:
            m.name = self.name
        if self.identity_key:
            m.identityKey = self.identity_key

    @classmethod
    def read(cls, m: Any) -> PutAccountParams:
        """Read from a message."""
        return cls(
            account=m.account,
            name=m.name,
            identity_key=m.identityKey,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.PutAccountParams.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> PutAccountParams:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.PutAccountParams, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class PutAccountResult:
    """`PutAccountResult` of schemas/keystore.capnp."""

    def write(self, m: Any) -> None:
        """Write into a message."""
        del m

    @classmethod
    def read(cls, m: Any) -> PutAccountResult:
        """Read from a message."""
        return cls()

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.PutAccountResult.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> PutAccountResult:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.PutAccountResult, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceListsParams:
    """`DeviceListsParams` of schemas/keystore.capnp."""

    accounts: tuple[bytes, ...] = ()
    """suites: preferred first"""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.accounts:
            m.accounts = list(self.accounts)

    @classmethod
    def read(cls, m: Any) -> DeviceListsParams:
        """Read from a message."""
        return cls(
            accounts=tuple(m.accounts),
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.DeviceListsParams.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> DeviceListsParams:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.DeviceListsParams, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceListsResult:
    """`DeviceListsResult` of schemas/keystore.capnp."""

    device_lists: tuple[bytes, ...] = ()
    """in the order asked for; empty: no such account"""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.device_lists:
            m.deviceLists = list(self.device_lists)

    @classmethod
    def read(cls, m: Any) -> DeviceListsResult:
        """Read from a message."""
        return cls(
            device_lists=tuple(m.deviceLists),
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.DeviceListsResult.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> DeviceListsResult:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.DeviceListsResult, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgeAccountParams:
    """`PurgeAccountParams` of schemas/keystore.capnp."""

    account: bytes = b""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.account:
            m.account = self.account

    @classmethod
    def read(cls, m: Any) -> PurgeAccountParams:
        """Read from a message."""
        return cls(
            account=m.account,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.PurgeAccountParams.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> PurgeAccountParams:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.PurgeAccountParams, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgeAccountResult:
    """`PurgeAccountResult` of schemas/keystore.capnp."""

    def write(self, m: Any) -> None:
        """Write into a message."""
        del m

    @classmethod
    def read(cls, m: Any) -> PurgeAccountResult:
        """Read from a message."""
        return cls()

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.PurgeAccountResult.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> PurgeAccountResult:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.PurgeAccountResult, data, cls.read)


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
)
