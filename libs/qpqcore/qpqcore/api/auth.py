"""The contract of auth: its messages, methods and Protocol.

Generated from schemas/auth.capnp by `make regenerate`: do not edit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from qpqcore.model.method import CallerClass, Method
from qpqcore.model.record import record
from qpqcore.wire.message import Layout, decode

if TYPE_CHECKING:
    from qpqcore.model.call import CallContext

REGISTER_START_PARAMS_LAYOUT = Layout(
    0, 3, None, [("text", 0, None, None), ("data", 1, None, None), ("text", 2, None, None)]
)
REGISTER_START_RESULT_LAYOUT = Layout(0, 1, None, [("data", 0, None, None)])
REGISTER_FINISH_PARAMS_LAYOUT = Layout(
    1,
    7,
    None,
    [
        ("text", 0, None, None),
        ("data", 1, None, None),
        ("data", 2, None, None),
        ("data", 3, None, None),
        ("data", 4, None, None),
        ("uint64", 0, None, None),
        ("text", 5, None, None),
        ("data", 6, None, None),
    ],
)
REGISTER_FINISH_RESULT_LAYOUT = Layout(
    2, 1, None, [("data", 0, None, None), ("uint64", 0, None, None), ("uint32", 2, None, None)]
)
LOGIN_START_PARAMS_LAYOUT = Layout(0, 2, None, [("text", 0, None, None), ("data", 1, None, None)])
LOGIN_START_RESULT_LAYOUT = Layout(0, 2, None, [("data", 0, None, None), ("data", 1, None, None)])
LOGIN_FINISH_PARAMS_LAYOUT = Layout(
    0, 4, None, [("data", 0, None, None), ("data", 1, None, None), ("data", 2, None, None), ("data", 3, None, None)]
)
LOGIN_FINISH_RESULT_LAYOUT = Layout(
    2,
    5,
    None,
    [
        ("data", 0, None, None),
        ("data", 1, None, None),
        ("uint64", 0, None, None),
        ("data", 2, None, None),
        ("data", 3, None, None),
        ("uint64", 1, None, None),
        ("data", 4, None, None),
    ],
)
RESUME_PARAMS_LAYOUT = Layout(0, 3, None, [("data", 0, None, None), ("data", 1, None, None), ("data", 2, None, None)])
RESUME_RESULT_LAYOUT = Layout(
    2, 1, None, [("data", 0, None, None), ("uint64", 0, None, None), ("uint64", 1, None, None)]
)
LOGOUT_PARAMS_LAYOUT = Layout(1, 0, None, [("bool", 0, None, None)])
LOGOUT_RESULT_LAYOUT = Layout(1, 0, None, [("uint32", 0, None, None)])
REGISTER_DEVICE_PARAMS_LAYOUT = Layout(
    0, 4, None, [("data", 0, None, None), ("data", 1, None, None), ("data", 2, None, None), ("data", 3, None, None)]
)
REGISTER_DEVICE_RESULT_LAYOUT = Layout(1, 0, None, [("uint64", 0, None, None)])
LIST_DEVICES_PARAMS_LAYOUT = Layout(0, 0, None, [])
DEVICE_INFO_LAYOUT = Layout(
    3,
    2,
    None,
    [
        ("data", 0, None, None),
        ("data", 1, None, None),
        ("uint64", 0, None, None),
        ("uint64", 1, None, None),
        ("bool", 128, None, None),
    ],
)
LIST_DEVICES_RESULT_LAYOUT = Layout(0, 2, None, [("list struct", 0, None, DEVICE_INFO_LAYOUT), ("data", 1, None, None)])
REVOKE_DEVICE_PARAMS_LAYOUT = Layout(0, 1, None, [("data", 0, None, None)])
REVOKE_DEVICE_RESULT_LAYOUT = Layout(1, 1, None, [("uint64", 0, None, None), ("list data", 0, None, None)])
DELETE_ACCOUNT_PARAMS_LAYOUT = Layout(0, 2, None, [("data", 0, None, None), ("data", 1, None, None)])
DELETE_ACCOUNT_RESULT_LAYOUT = Layout(0, 0, None, [])
RENEW_ASSERTION_PARAMS_LAYOUT = Layout(0, 1, None, [("data", 0, None, None)])
RENEW_ASSERTION_RESULT_LAYOUT = Layout(0, 0, None, [])
CURRENT_DEVICE_LIST_PARAMS_LAYOUT = Layout(0, 1, None, [("data", 0, None, None)])
CURRENT_DEVICE_LIST_RESULT_LAYOUT = Layout(0, 1, None, [("data", 0, None, None)])


@record
class RegisterStartParams:
    """`RegisterStartParams` of schemas/auth.capnp."""

    name: str = ""
    request: bytes = b""
    token: str = ""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.name,
            self.request,
            self.token,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> RegisterStartParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            name=v[0],
            request=v[1],
            token=v[2],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return REGISTER_START_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> RegisterStartParams:
        """Decode one message; Refusal(malformed)."""
        return decode(REGISTER_START_PARAMS_LAYOUT, data, cls.from_values)


@record
class RegisterStartResult:
    """`RegisterStartResult` of schemas/auth.capnp."""

    response: bytes = b""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (self.response,)

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> RegisterStartResult:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            response=v[0],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return REGISTER_START_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> RegisterStartResult:
        """Decode one message; Refusal(malformed)."""
        return decode(REGISTER_START_RESULT_LAYOUT, data, cls.from_values)


@record
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

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.name,
            self.upload,
            self.account,
            self.identity_key,
            self.wraps,
            self.wrap_version,
            self.token,
            self.signature,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> RegisterFinishParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            name=v[0],
            upload=v[1],
            account=v[2],
            identity_key=v[3],
            wraps=v[4],
            wrap_version=v[5],
            token=v[6],
            signature=v[7],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return REGISTER_FINISH_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> RegisterFinishParams:
        """Decode one message; Refusal(malformed)."""
        return decode(REGISTER_FINISH_PARAMS_LAYOUT, data, cls.from_values)


@record
class RegisterFinishResult:
    """`RegisterFinishResult` of schemas/auth.capnp."""

    account: bytes = b""
    wrap_version: int = 0
    sessions_ended: int = 0

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.account,
            self.wrap_version,
            self.sessions_ended,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> RegisterFinishResult:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            account=v[0],
            wrap_version=v[1],
            sessions_ended=v[2],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return REGISTER_FINISH_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> RegisterFinishResult:
        """Decode one message; Refusal(malformed)."""
        return decode(REGISTER_FINISH_RESULT_LAYOUT, data, cls.from_values)


@record
class LoginStartParams:
    """`LoginStartParams` of schemas/auth.capnp."""

    name: str = ""
    request: bytes = b""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.name,
            self.request,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> LoginStartParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            name=v[0],
            request=v[1],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return LOGIN_START_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> LoginStartParams:
        """Decode one message; Refusal(malformed)."""
        return decode(LOGIN_START_PARAMS_LAYOUT, data, cls.from_values)


@record
class LoginStartResult:
    """`LoginStartResult` of schemas/auth.capnp."""

    response: bytes = b""
    state: bytes = b""
    """state: sealed by the server, single-use, 60 s"""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.response,
            self.state,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> LoginStartResult:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            response=v[0],
            state=v[1],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return LOGIN_START_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> LoginStartResult:
        """Decode one message; Refusal(malformed)."""
        return decode(LOGIN_START_RESULT_LAYOUT, data, cls.from_values)


@record
class LoginFinishParams:
    """`LoginFinishParams` of schemas/auth.capnp."""

    state: bytes = b""
    finalization: bytes = b""
    device: bytes = b""
    """empty: the session is not bound to a device yet"""
    device_signature: bytes = b""
    """device key over 'qpq login v1', challenge, SHA-256(state), device"""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.state,
            self.finalization,
            self.device,
            self.device_signature,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> LoginFinishParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            state=v[0],
            finalization=v[1],
            device=v[2],
            device_signature=v[3],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return LOGIN_FINISH_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> LoginFinishParams:
        """Decode one message; Refusal(malformed)."""
        return decode(LOGIN_FINISH_PARAMS_LAYOUT, data, cls.from_values)


@record
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

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.account,
            self.session,
            self.expires_ms,
            self.identity_key,
            self.wraps,
            self.wrap_version,
            self.device_list,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> LoginFinishResult:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            account=v[0],
            session=v[1],
            expires_ms=v[2],
            identity_key=v[3],
            wraps=v[4],
            wrap_version=v[5],
            device_list=v[6],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return LOGIN_FINISH_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> LoginFinishResult:
        """Decode one message; Refusal(malformed)."""
        return decode(LOGIN_FINISH_RESULT_LAYOUT, data, cls.from_values)


@record
class ResumeParams:
    """`ResumeParams` of schemas/auth.capnp."""

    session: bytes = b""
    """signature: device key over 'qpq resume v1', challenge, SHA-256(session), device"""
    device: bytes = b""
    """signature: device key over 'qpq resume v1', challenge, SHA-256(session), device"""
    signature: bytes = b""
    """signature: device key over 'qpq resume v1', challenge, SHA-256(session), device"""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.session,
            self.device,
            self.signature,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> ResumeParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            session=v[0],
            device=v[1],
            signature=v[2],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return RESUME_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> ResumeParams:
        """Decode one message; Refusal(malformed)."""
        return decode(RESUME_PARAMS_LAYOUT, data, cls.from_values)


@record
class ResumeResult:
    """`ResumeResult` of schemas/auth.capnp."""

    account: bytes = b""
    expires_ms: int = 0
    device_list_version: int = 0

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.account,
            self.expires_ms,
            self.device_list_version,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> ResumeResult:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            account=v[0],
            expires_ms=v[1],
            device_list_version=v[2],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return RESUME_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> ResumeResult:
        """Decode one message; Refusal(malformed)."""
        return decode(RESUME_RESULT_LAYOUT, data, cls.from_values)


@record
class LogoutParams:
    """`LogoutParams` of schemas/auth.capnp."""

    everywhere: bool = False

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (self.everywhere,)

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> LogoutParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            everywhere=v[0],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return LOGOUT_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> LogoutParams:
        """Decode one message; Refusal(malformed)."""
        return decode(LOGOUT_PARAMS_LAYOUT, data, cls.from_values)


@record
class LogoutResult:
    """`LogoutResult` of schemas/auth.capnp."""

    sessions_ended: int = 0

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (self.sessions_ended,)

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> LogoutResult:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            sessions_ended=v[0],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return LOGOUT_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> LogoutResult:
        """Decode one message; Refusal(malformed)."""
        return decode(LOGOUT_RESULT_LAYOUT, data, cls.from_values)


@record
class RegisterDeviceParams:
    """`RegisterDeviceParams` of schemas/auth.capnp."""

    device_list: bytes = b""
    device: bytes = b""
    """signature: device key over 'qpq resume v1', challenge, SHA-256(session), device"""
    label: bytes = b""
    session_hash: bytes = b""
    """not empty: a linked device (docs/spec/recovery.md#linking-a-device); SHA-256 of the token of a session that is to be that device's. The session that brings it stays as it is."""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.device_list,
            self.device,
            self.label,
            self.session_hash,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> RegisterDeviceParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            device_list=v[0],
            device=v[1],
            label=v[2],
            session_hash=v[3],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return REGISTER_DEVICE_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> RegisterDeviceParams:
        """Decode one message; Refusal(malformed)."""
        return decode(REGISTER_DEVICE_PARAMS_LAYOUT, data, cls.from_values)


@record
class RegisterDeviceResult:
    """`RegisterDeviceResult` of schemas/auth.capnp."""

    version: int = 0

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (self.version,)

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> RegisterDeviceResult:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            version=v[0],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return REGISTER_DEVICE_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> RegisterDeviceResult:
        """Decode one message; Refusal(malformed)."""
        return decode(REGISTER_DEVICE_RESULT_LAYOUT, data, cls.from_values)


@record
class ListDevicesParams:
    """`ListDevicesParams` of schemas/auth.capnp."""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return ()

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> ListDevicesParams:
        """Make one of what a message holds, in the order of its layout."""
        del v
        return cls()

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return LIST_DEVICES_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> ListDevicesParams:
        """Decode one message; Refusal(malformed)."""
        return decode(LIST_DEVICES_PARAMS_LAYOUT, data, cls.from_values)


@record
class ListDevicesResult:
    """`ListDevicesResult` of schemas/auth.capnp."""

    devices: tuple[DeviceInfo, ...] = ()
    device_list: bytes = b""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            tuple([x.to_values() for x in self.devices]),
            self.device_list,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> ListDevicesResult:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            devices=tuple([DeviceInfo.from_values(x) for x in v[0]]),
            device_list=v[1],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return LIST_DEVICES_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> ListDevicesResult:
        """Decode one message; Refusal(malformed)."""
        return decode(LIST_DEVICES_RESULT_LAYOUT, data, cls.from_values)


@record
class DeviceInfo:
    """`DeviceInfo` of schemas/auth.capnp."""

    device: bytes = b""
    label: bytes = b""
    registered_ms: int = 0
    last_seen_ms: int = 0
    current: bool = False

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.device,
            self.label,
            self.registered_ms,
            self.last_seen_ms,
            self.current,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> DeviceInfo:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            device=v[0],
            label=v[1],
            registered_ms=v[2],
            last_seen_ms=v[3],
            current=v[4],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return DEVICE_INFO_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> DeviceInfo:
        """Decode one message; Refusal(malformed)."""
        return decode(DEVICE_INFO_LAYOUT, data, cls.from_values)


@record
class RevokeDeviceParams:
    """`RevokeDeviceParams` of schemas/auth.capnp."""

    device_list: bytes = b""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (self.device_list,)

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> RevokeDeviceParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            device_list=v[0],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return REVOKE_DEVICE_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> RevokeDeviceParams:
        """Decode one message; Refusal(malformed)."""
        return decode(REVOKE_DEVICE_PARAMS_LAYOUT, data, cls.from_values)


@record
class RevokeDeviceResult:
    """`RevokeDeviceResult` of schemas/auth.capnp."""

    version: int = 0
    revoked: tuple[bytes, ...] = ()

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.version,
            tuple(self.revoked),
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> RevokeDeviceResult:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            version=v[0],
            revoked=v[1],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return REVOKE_DEVICE_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> RevokeDeviceResult:
        """Decode one message; Refusal(malformed)."""
        return decode(REVOKE_DEVICE_RESULT_LAYOUT, data, cls.from_values)


@record
class DeleteAccountParams:
    """`DeleteAccountParams` of schemas/auth.capnp."""

    account: bytes = b""
    signature: bytes = b""
    """signature: identity key over 'qpq delete account v1', account, challenge"""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.account,
            self.signature,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> DeleteAccountParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            account=v[0],
            signature=v[1],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return DELETE_ACCOUNT_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> DeleteAccountParams:
        """Decode one message; Refusal(malformed)."""
        return decode(DELETE_ACCOUNT_PARAMS_LAYOUT, data, cls.from_values)


@record
class DeleteAccountResult:
    """`DeleteAccountResult` of schemas/auth.capnp."""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return ()

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> DeleteAccountResult:
        """Make one of what a message holds, in the order of its layout."""
        del v
        return cls()

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return DELETE_ACCOUNT_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> DeleteAccountResult:
        """Decode one message; Refusal(malformed)."""
        return decode(DELETE_ACCOUNT_RESULT_LAYOUT, data, cls.from_values)


@record
class RenewAssertionParams:
    """`RenewAssertionParams` of schemas/auth.capnp."""

    assertion: bytes = b""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (self.assertion,)

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> RenewAssertionParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            assertion=v[0],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return RENEW_ASSERTION_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> RenewAssertionParams:
        """Decode one message; Refusal(malformed)."""
        return decode(RENEW_ASSERTION_PARAMS_LAYOUT, data, cls.from_values)


@record
class RenewAssertionResult:
    """`RenewAssertionResult` of schemas/auth.capnp."""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return ()

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> RenewAssertionResult:
        """Make one of what a message holds, in the order of its layout."""
        del v
        return cls()

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return RENEW_ASSERTION_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> RenewAssertionResult:
        """Decode one message; Refusal(malformed)."""
        return decode(RENEW_ASSERTION_RESULT_LAYOUT, data, cls.from_values)


@record
class CurrentDeviceListParams:
    """`CurrentDeviceListParams` of schemas/auth.capnp."""

    account: bytes = b""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (self.account,)

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> CurrentDeviceListParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            account=v[0],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return CURRENT_DEVICE_LIST_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> CurrentDeviceListParams:
        """Decode one message; Refusal(malformed)."""
        return decode(CURRENT_DEVICE_LIST_PARAMS_LAYOUT, data, cls.from_values)


@record
class CurrentDeviceListResult:
    """`CurrentDeviceListResult` of schemas/auth.capnp."""

    device_list: bytes = b""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (self.device_list,)

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> CurrentDeviceListResult:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            device_list=v[0],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return CURRENT_DEVICE_LIST_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> CurrentDeviceListResult:
        """Decode one message; Refusal(malformed)."""
        return decode(CURRENT_DEVICE_LIST_RESULT_LAYOUT, data, cls.from_values)


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
