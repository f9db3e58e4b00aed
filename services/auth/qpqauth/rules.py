"""What auth accepts: pure decisions over names, lists, signatures and times."""

from __future__ import annotations

import hashlib
import hmac
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


def sha256(data: bytes) -> bytes:
    """Return the SHA-256 of `data`."""
    return hashlib.sha256(data).digest()


def check_registration_open(config: Config, token: str) -> None:
    """Refuse an account where none, or none without the token, is made."""
    if config.registration == "closed":
        raise Refusal(ErrorCode.REGISTRATION_CLOSED, "this server makes no new accounts")
    if config.registration == "token" and not hmac.compare_digest(token.encode(), config.registration_token.encode()):
        raise Refusal(ErrorCode.REGISTRATION_TOKEN_INVALID, "this server asks for a registration token")


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
