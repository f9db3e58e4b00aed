"""What auth accepts: pure decisions over names, lists, signatures and times."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qpqcore.crypto.identity import DeviceList
from qpqcore.crypto.signatures import KEY_BYTES, verify
from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.model.ids import domain_of, is_id

if TYPE_CHECKING:
    from qpqauth.config import Config
    from qpqcore.api.auth import RegisterFinishParams

HASH_BYTES = 32
REGISTER_LABEL = "qpq register v1"
LOGIN_LABEL = "qpq login v1"
RESUME_LABEL = "qpq resume v1"
DELETE_LABEL = "qpq delete account v1"


@dataclass(frozen=True, slots=True)
class Entry:
    """What decides whether somebody may make an account."""

    mode: str
    """What the operator has switched registration to; empty: as configured."""
    invited: bool
    """Whether the token is an invitation that can be used now."""


def sha256(data: bytes) -> bytes:
    """Return the SHA-256 of `data`."""
    return hashlib.sha256(data).digest()


def needs_invite(config: Config, entry: Entry, token: str) -> bool:
    """Tell whether a new account has to use up an invitation; Refusal(registrationClosed) where none is made."""
    mode = entry.mode or config.registration
    if mode == "closed":
        raise Refusal(ErrorCode.REGISTRATION_CLOSED, "this server makes no new accounts")
    return mode != "open" and not _is_token(config.registration_token, token)


def check_entry(config: Config, entry: Entry, token: str) -> None:
    """Refuse a registration that could not be finished. Refusal(registrationClosed, registrationTokenInvalid)."""
    if needs_invite(config, entry, token) and not entry.invited:
        raise Refusal(ErrorCode.REGISTRATION_TOKEN_INVALID, "this server asks for a registration token")


def _is_token(expected: str, token: str) -> bool:
    """Compare a token with the configured one, if there is one: without one, invitations alone let in."""
    return bool(expected) and hmac.compare_digest(token.encode(), expected.encode())


def check_registration(config: Config, params: RegisterFinishParams, name: str) -> None:
    """Refuse a registration whose ids, sizes or signature are wrong."""
    if not is_id(params.account) or domain_of(params.account) != config.domain:
        raise Refusal(ErrorCode.MALFORMED, "the account id is not of this domain")
    if len(params.identity_key) != KEY_BYTES:
        raise Refusal(ErrorCode.MALFORMED, "the identity key has 32 bytes")
    if not 0 < len(params.wraps) <= config.wraps_bytes_max:
        raise Refusal(ErrorCode.TOO_LARGE, f"wraps have 1 to {config.wraps_bytes_max} bytes")
    genuine = verify(
        params.identity_key, params.signature, REGISTER_LABEL, name, params.account, params.identity_key,
        sha256(params.upload), sha256(params.wraps), params.wrap_version,
    )  # fmt: skip
    if not genuine:
        raise Refusal(ErrorCode.SIGNATURE_INVALID, "not signed by the account's identity key")


def next_list(config: Config, account: bytes, identity_key: bytes, stored: bytes, offered: bytes) -> DeviceList:
    """Return the offered list if it is the one that follows the stored one.

    Refusal(deviceListInvalid), Refusal(deviceListStale), Refusal(deviceLimit).
    """
    fresh = DeviceList.from_bytes(offered)
    if (fresh.account, fresh.identity_key) != (account, identity_key) or not fresh.verify():
        raise Refusal(ErrorCode.DEVICE_LIST_INVALID, "the list is not this account's, or not signed by it")
    if not fresh.follows(DeviceList.from_bytes(stored) if stored else None):
        raise Refusal(ErrorCode.DEVICE_LIST_STALE, "another list has been taken: read it, then sign the next")
    if len(fresh.devices) > config.devices_max:
        raise Refusal(ErrorCode.DEVICE_LIMIT, f"an account has at most {config.devices_max} devices")
    return fresh
