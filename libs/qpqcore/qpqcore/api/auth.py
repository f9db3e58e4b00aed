"""The contract of auth: its messages, methods and Protocol.

Generated from schemas/auth.capnp by `make regenerate`: do not edit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from qpqcore.model.method import CallerClass, Method
from qpqcore.wire.message import decode, schema, structs

if TYPE_CHECKING:
    from qpqcore.model.call import CallContext

_file = schema("auth")


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterStartParams:
    """`RegisterStartParams` of schemas/auth.capnp."""

    name: str = ""
    request: bytes = b""
    token: str = ""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.name:
            m.name = self.name
        if self.request:
            m.request = self.request
        if self.token:
            m.token = self.token

    @classmethod
    def read(cls, m: Any) -> RegisterStartParams:
        """Read from a message."""
        return cls(
            name=m.name,
            request=m.request,
            token=m.token,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.RegisterStartParams.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> RegisterStartParams:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.RegisterStartParams, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterStartResult:
    """`RegisterStartResult` of schemas/auth.capnp."""

    response: bytes = b""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.response:
            m.response = self.response

    @classmethod
    def read(cls, m: Any) -> RegisterStartResult:
        """Read from a message."""
        return cls(
            response=m.response,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.RegisterStartResult.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> RegisterStartResult:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.RegisterStartResult, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterFinishParams:
    """`RegisterFinishParams` of schemas/auth.capnp."""

    name: str = ""
    upload: bytes = b""
    """OPAQUE RegistrationRecord"""
    account: bytes = b""
    """account id: 16 random bytes chosen by the client, then the domain; with a session: the session's"""
    identity_key: bytes = b""
    """Ed25519 public key; with a session: unchanged"""
    wraps: bytes = b""
    """the account root key's wraps, sealed by the client (docs/spec/recovery.md)"""
    wrap_version: int = 0
    """1 for a new account, else the stored one + 1: compare-and-set"""
    token: str = ""
    """registration token where the server asks for one"""
    signature: bytes = b""
    """identity key over 'qpq register v1' and the fields above (docs/spec/identity.md)"""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.name:
            m.name = self.name
        if self.upload:
            m.upload = self.upload
        if self.account:
            m.account = self.account
        if self.identity_key:
            m.identityKey = self.identity_key
        if self.wraps:
            m.wraps = self.wraps
        m.wrapVersion = self.wrap_version
        if self.token:
            m.token = self.token
        if self.signature:
            m.signature = self.signature

    @classmethod
    def read(cls, m: Any) -> RegisterFinishParams:
        """Read from a message."""
        return cls(
            name=m.name,
            upload=m.upload,
            account=m.account,
            identity_key=m.identityKey,
            wraps=m.wraps,
            wrap_version=m.wrapVersion,
            token=m.token,
            signature=m.signature,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.RegisterFinishParams.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> RegisterFinishParams:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.RegisterFinishParams, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterFinishResult:
    """`RegisterFinishResult` of schemas/auth.capnp."""

    account: bytes = b""
    wrap_version: int = 0
    sessions_ended: int = 0

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.account:
            m.account = self.account
        m.wrapVersion = self.wrap_version
        m.sessionsEnded = self.sessions_ended

    @classmethod
    def read(cls, m: Any) -> RegisterFinishResult:
        """Read from a message."""
        return cls(
            account=m.account,
            wrap_version=m.wrapVersion,
            sessions_ended=m.sessionsEnded,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.RegisterFinishResult.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> RegisterFinishResult:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.RegisterFinishResult, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginStartParams:
    """`LoginStartParams` of schemas/auth.capnp."""

    name: str = ""
    request: bytes = b""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.name:
            m.name = self.name
        if self.request:
            m.request = self.request

    @classmethod
    def read(cls, m: Any) -> LoginStartParams:
        """Read from a message."""
        return cls(
            name=m.name,
            request=m.request,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.LoginStartParams.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> LoginStartParams:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.LoginStartParams, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginStartResult:
    """`LoginStartResult` of schemas/auth.capnp."""

    response: bytes = b""
    state: bytes = b""
    """state: sealed by the server, single-use, 60 s"""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.response:
            m.response = self.response
        if self.state:
            m.state = self.state

    @classmethod
    def read(cls, m: Any) -> LoginStartResult:
        """Read from a message."""
        return cls(
            response=m.response,
            state=m.state,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.LoginStartResult.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> LoginStartResult:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.LoginStartResult, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginFinishParams:
    """`LoginFinishParams` of schemas/auth.capnp."""

    state: bytes = b""
    finalization: bytes = b""
    device: bytes = b""
    """empty: the session is not bound to a device yet"""
    device_signature: bytes = b""
    """device key over 'qpq login v1', challenge, SHA-256(state), device"""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.state:
            m.state = self.state
        if self.finalization:
            m.finalization = self.finalization
        if self.device:
            m.device = self.device
        if self.device_signature:
            m.deviceSignature = self.device_signature

    @classmethod
    def read(cls, m: Any) -> LoginFinishParams:
        """Read from a message."""
        return cls(
            state=m.state,
            finalization=m.finalization,
            device=m.device,
            device_signature=m.deviceSignature,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.LoginFinishParams.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> LoginFinishParams:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.LoginFinishParams, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginFinishResult:
    """`LoginFinishResult` of schemas/auth.capnp."""

    account: bytes = b""
    session: bytes = b""
    """32-byte token; the server keeps its hash"""
    expires_ms: int = 0
    """sliding: 30 days from the last use"""
    identity_key: bytes = b""
    """Ed25519 public key; with a session: unchanged"""
    wraps: bytes = b""
    """the account root key's wraps, sealed by the client (docs/spec/recovery.md)"""
    wrap_version: int = 0
    """1 for a new account, else the stored one + 1: compare-and-set"""
    device_list: bytes = b""
    """the account's current signed list; empty: none yet"""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.account:
            m.account = self.account
        if self.session:
            m.session = self.session
        m.expiresMs = self.expires_ms
        if self.identity_key:
            m.identityKey = self.identity_key
        if self.wraps:
            m.wraps = self.wraps
        m.wrapVersion = self.wrap_version
        if self.device_list:
            m.deviceList = self.device_list

    @classmethod
    def read(cls, m: Any) -> LoginFinishResult:
        """Read from a message."""
        return cls(
            account=m.account,
            session=m.session,
            expires_ms=m.expiresMs,
            identity_key=m.identityKey,
            wraps=m.wraps,
            wrap_version=m.wrapVersion,
            device_list=m.deviceList,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.LoginFinishResult.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> LoginFinishResult:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.LoginFinishResult, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeParams:
    """`ResumeParams` of schemas/auth.capnp."""

    session: bytes = b""
    """signature: device key over 'qpq resume v1', challenge, SHA-256(session), device"""
    device: bytes = b""
    """signature: device key over 'qpq resume v1', challenge, SHA-256(session), device"""
    signature: bytes = b""
    """signature: device key over 'qpq resume v1', challenge, SHA-256(session), device"""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.session:
            m.session = self.session
        if self.device:
            m.device = self.device
        if self.signature:
            m.signature = self.signature

    @classmethod
    def read(cls, m: Any) -> ResumeParams:
        """Read from a message."""
        return cls(
            session=m.session,
            device=m.device,
            signature=m.signature,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.ResumeParams.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> ResumeParams:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.ResumeParams, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeResult:
    """`ResumeResult` of schemas/auth.capnp."""

    account: bytes = b""
    expires_ms: int = 0
    device_list_version: int = 0

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.account:
            m.account = self.account
        m.expiresMs = self.expires_ms
        m.deviceListVersion = self.device_list_version

    @classmethod
    def read(cls, m: Any) -> ResumeResult:
        """Read from a message."""
        return cls(
            account=m.account,
            expires_ms=m.expiresMs,
            device_list_version=m.deviceListVersion,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.ResumeResult.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> ResumeResult:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.ResumeResult, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogoutParams:
    """`LogoutParams` of schemas/auth.capnp."""

    everywhere: bool = False

    def write(self, m: Any) -> None:
        """Write into a message."""
        m.everywhere = self.everywhere

    @classmethod
    def read(cls, m: Any) -> LogoutParams:
        """Read from a message."""
        return cls(
            everywhere=m.everywhere,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.LogoutParams.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> LogoutParams:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.LogoutParams, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogoutResult:
    """`LogoutResult` of schemas/auth.capnp."""

    sessions_ended: int = 0

    def write(self, m: Any) -> None:
        """Write into a message."""
        m.sessionsEnded = self.sessions_ended

    @classmethod
    def read(cls, m: Any) -> LogoutResult:
        """Read from a message."""
        return cls(
            sessions_ended=m.sessionsEnded,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.LogoutResult.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> LogoutResult:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.LogoutResult, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterDeviceParams:
    """`RegisterDeviceParams` of schemas/auth.capnp."""

    device_list: bytes = b""
    """label: a name for the owner's eyes, sealed under the account root key, at most 256 bytes"""
    device: bytes = b""
    """signature: device key over 'qpq resume v1', challenge, SHA-256(session), device"""
    label: bytes = b""
    """label: a name for the owner's eyes, sealed under the account root key, at most 256 bytes"""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.device_list:
            m.deviceList = self.device_list
        if self.device:
            m.device = self.device
        if self.label:
            m.label = self.label

    @classmethod
    def read(cls, m: Any) -> RegisterDeviceParams:
        """Read from a message."""
        return cls(
            device_list=m.deviceList,
            device=m.device,
            label=m.label,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.RegisterDeviceParams.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> RegisterDeviceParams:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.RegisterDeviceParams, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterDeviceResult:
    """`RegisterDeviceResult` of schemas/auth.capnp."""

    version: int = 0

    def write(self, m: Any) -> None:
        """Write into a message."""
        m.version = self.version

    @classmethod
    def read(cls, m: Any) -> RegisterDeviceResult:
        """Read from a message."""
        return cls(
            version=m.version,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.RegisterDeviceResult.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> RegisterDeviceResult:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.RegisterDeviceResult, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListDevicesParams:
    """`ListDevicesParams` of schemas/auth.capnp."""

    def write(self, m: Any) -> None:
        """Write into a message."""
        del m

    @classmethod
    def read(cls, m: Any) -> ListDevicesParams:
        """Read from a message."""
        return cls()

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.ListDevicesParams.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> ListDevicesParams:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.ListDevicesParams, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListDevicesResult:
    """`ListDevicesResult` of schemas/auth.capnp."""

    devices: tuple[DeviceInfo, ...] = ()
    device_list: bytes = b""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.devices:
            items = m.init("devices", len(self.devices))
            for i, item in enumerate(self.devices):
                item.write(items[i])
        if self.device_list:
            m.deviceList = self.device_list

    @classmethod
    def read(cls, m: Any) -> ListDevicesResult:
        """Read from a message."""
        return cls(
            devices=tuple([DeviceInfo.read(x) for x in structs(m.devices)]),
            device_list=m.deviceList,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.ListDevicesResult.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> ListDevicesResult:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.ListDevicesResult, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceInfo:
    """`DeviceInfo` of schemas/auth.capnp."""

    device: bytes = b""
    label: bytes = b""
    registered_ms: int = 0
    last_seen_ms: int = 0
    current: bool = False

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.device:
            m.device = self.device
        if self.label:
            m.label = self.label
        m.registeredMs = self.registered_ms
        m.lastSeenMs = self.last_seen_ms
        m.current = self.current

    @classmethod
    def read(cls, m: Any) -> DeviceInfo:
        """Read from a message."""
        return cls(
            device=m.device,
            label=m.label,
            registered_ms=m.registeredMs,
            last_seen_ms=m.lastSeenMs,
            current=m.current,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.DeviceInfo.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> DeviceInfo:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.DeviceInfo, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeDeviceParams:
    """`RevokeDeviceParams` of schemas/auth.capnp."""

    device_list: bytes = b""
    """label: a name for the owner's eyes, sealed under the account root key, at most 256 bytes"""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.device_list:
            m.deviceList = self.device_list

    @classmethod
    def read(cls, m: Any) -> RevokeDeviceParams:
        """Read from a message."""
        return cls(
            device_list=m.deviceList,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.RevokeDeviceParams.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> RevokeDeviceParams:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.RevokeDeviceParams, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeDeviceResult:
    """`RevokeDeviceResult` of schemas/auth.capnp."""

    version: int = 0
    revoked: tuple[bytes, ...] = ()

    def write(self, m: Any) -> None:
        """Write into a message."""
        m.version = self.version
        if self.revoked:
            m.revoked = list(self.revoked)

    @classmethod
    def read(cls, m: Any) -> RevokeDeviceResult:
        """Read from a message."""
        return cls(
            version=m.version,
            revoked=tuple(m.revoked),
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.RevokeDeviceResult.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> RevokeDeviceResult:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.RevokeDeviceResult, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteAccountParams:
    """`DeleteAccountParams` of schemas/auth.capnp."""

    account: bytes = b""
    signature: bytes = b""
    """signature: identity key over 'qpq delete account v1', account, challenge"""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.account:
            m.account = self.account
        if self.signature:
            m.signature = self.signature

    @classmethod
    def read(cls, m: Any) -> DeleteAccountParams:
        """Read from a message."""
        return cls(
            account=m.account,
            signature=m.signature,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.DeleteAccountParams.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> DeleteAccountParams:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.DeleteAccountParams, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteAccountResult:
    """`DeleteAccountResult` of schemas/auth.capnp."""

    def write(self, m: Any) -> None:
        """Write into a message."""
        del m

    @classmethod
    def read(cls, m: Any) -> DeleteAccountResult:
        """Read from a message."""
        return cls()

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.DeleteAccountResult.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> DeleteAccountResult:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.DeleteAccountResult, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewAssertionParams:
    """`RenewAssertionParams` of schemas/auth.capnp."""

    assertion: bytes = b""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.assertion:
            m.assertion = self.assertion

    @classmethod
    def read(cls, m: Any) -> RenewAssertionParams:
        """Read from a message."""
        return cls(
            assertion=m.assertion,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.RenewAssertionParams.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> RenewAssertionParams:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.RenewAssertionParams, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewAssertionResult:
    """`RenewAssertionResult` of schemas/auth.capnp."""

    def write(self, m: Any) -> None:
        """Write into a message."""
        del m

    @classmethod
    def read(cls, m: Any) -> RenewAssertionResult:
        """Read from a message."""
        return cls()

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.RenewAssertionResult.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> RenewAssertionResult:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.RenewAssertionResult, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentDeviceListParams:
    """`CurrentDeviceListParams` of schemas/auth.capnp."""

    account: bytes = b""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.account:
            m.account = self.account

    @classmethod
    def read(cls, m: Any) -> CurrentDeviceListParams:
        """Read from a message."""
        return cls(
            account=m.account,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.CurrentDeviceListParams.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> CurrentDeviceListParams:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.CurrentDeviceListParams, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentDeviceListResult:
    """`CurrentDeviceListResult` of schemas/auth.capnp."""

    device_list: bytes = b""
    """label: a name for the owner's eyes, sealed under the account root key, at most 256 bytes"""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.device_list:
            m.deviceList = self.device_list

    @classmethod
    def read(cls, m: Any) -> CurrentDeviceListResult:
        """Read from a message."""
        return cls(
            device_list=m.deviceList,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.CurrentDeviceListResult.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> CurrentDeviceListResult:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.CurrentDeviceListResult, data, cls.read)


class AuthApi(Protocol):
    """What Auth offers; each method may refuse."""

    async def register_start(self, call: CallContext, params: RegisterStartParams) -> RegisterStartResult:
        """Number 0x0100; docs/spec has its rules."""

    async def register_finish(self, call: CallContext, params: RegisterFinishParams) -> RegisterFinishResult:
        """Anonymous: a new account. With a session of the account: a new password, record and
        wraps in one step; every other session of the account ends."""

    async def login_start(self, call: CallContext, params: LoginStartParams) -> LoginStartResult:
        """Number 0x0102; docs/spec has its rules."""

    async def login_finish(self, call: CallContext, params: LoginFinishParams) -> LoginFinishResult:
        """Number 0x0103; docs/spec has its rules."""

    async def resume(self, call: CallContext, params: ResumeParams) -> ResumeResult:
        """Number 0x0104; docs/spec has its rules."""

    async def logout(self, call: CallContext, params: LogoutParams) -> LogoutResult:
        """Number 0x0105; docs/spec has its rules."""

    async def register_device(self, call: CallContext, params: RegisterDeviceParams) -> RegisterDeviceResult:
        """Takes the next signed device list, which holds one device more; binds this session to
        it."""

    async def list_devices(self, call: CallContext, params: ListDevicesParams) -> ListDevicesResult:
        """Number 0x0107; docs/spec has its rules."""

    async def revoke_device(self, call: CallContext, params: RevokeDeviceParams) -> RevokeDeviceResult:
        """Takes the next signed device list, which lacks one or more devices: they are cut off
        at once, everywhere."""

    async def delete_account(self, call: CallContext, params: DeleteAccountParams) -> DeleteAccountResult:
        """Number 0x0109; docs/spec has its rules."""


class AuthInternalApi(Protocol):
    """What AuthInternal offers; each method may refuse."""

    async def renew_assertion(self, call: CallContext, params: RenewAssertionParams) -> RenewAssertionResult:
        """Number 0x0180; docs/spec has its rules."""

    async def current_device_list(self, call: CallContext, params: CurrentDeviceListParams) -> CurrentDeviceListResult:
        """Number 0x0181; docs/spec has its rules."""


METHODS: tuple[Method, ...] = (
    Method(
        number=0x0100,
        service="auth",
        name="registerStart",
        caller=CallerClass("anonymous"),
        by=(),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=RegisterStartParams,
        result=RegisterStartResult,
    ),
    Method(
        number=0x0101,
        service="auth",
        name="registerFinish",
        caller=CallerClass("anonymous"),
        by=(),
        streams=False,
        idempotent=False,
        keyed=True,
        frame_bytes_max=2097152,
        params=RegisterFinishParams,
        result=RegisterFinishResult,
    ),
    Method(
        number=0x0102,
        service="auth",
        name="loginStart",
        caller=CallerClass("anonymous"),
        by=(),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=LoginStartParams,
        result=LoginStartResult,
    ),
    Method(
        number=0x0103,
        service="auth",
        name="loginFinish",
        caller=CallerClass("anonymous"),
        by=(),
        streams=False,
        idempotent=False,
        keyed=False,
        frame_bytes_max=2097152,
        params=LoginFinishParams,
        result=LoginFinishResult,
    ),
    Method(
        number=0x0104,
        service="auth",
        name="resume",
        caller=CallerClass("anonymous"),
        by=(),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=ResumeParams,
        result=ResumeResult,
    ),
    Method(
        number=0x0105,
        service="auth",
        name="logout",
        caller=CallerClass("account"),
        by=(),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=LogoutParams,
        result=LogoutResult,
    ),
    Method(
        number=0x0106,
        service="auth",
        name="registerDevice",
        caller=CallerClass("account"),
        by=(),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=RegisterDeviceParams,
        result=RegisterDeviceResult,
    ),
    Method(
        number=0x0107,
        service="auth",
        name="listDevices",
        caller=CallerClass("account"),
        by=(),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=ListDevicesParams,
        result=ListDevicesResult,
    ),
    Method(
        number=0x0108,
        service="auth",
        name="revokeDevice",
        caller=CallerClass("account"),
        by=(),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=RevokeDeviceParams,
        result=RevokeDeviceResult,
    ),
    Method(
        number=0x0109,
        service="auth",
        name="deleteAccount",
        caller=CallerClass("account"),
        by=(),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=DeleteAccountParams,
        result=DeleteAccountResult,
    ),
    Method(
        number=0x0180,
        service="auth",
        name="renewAssertion",
        caller=CallerClass("service"),
        by=("gateway",),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=RenewAssertionParams,
        result=RenewAssertionResult,
    ),
    Method(
        number=0x0181,
        service="auth",
        name="currentDeviceList",
        caller=CallerClass("service"),
        by=("keystore",),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=CurrentDeviceListParams,
        result=CurrentDeviceListResult,
    ),
)
