"""What the keystore accepts: pure decisions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qpqcore.crypto.identity import Credential, DeviceList
from qpqcore.model.errors import ErrorCode, Refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qpqkeystore.config import Config


@dataclass(frozen=True, slots=True)
class Package:
    """A KeyPackage that has been checked."""

    reference: bytes
    suite: int
    data: bytes
    expires_ms: int
    last_resort: bool


def check_upload(config: Config, packages: Sequence[bytes], last_resort: Sequence[bytes]) -> None:
    """Refuse an upload of too many or too large packages."""
    if len(packages) > config.packages_per_call_max or len(last_resort) > len(config.suites):
        raise Refusal(ErrorCode.KEY_PACKAGE_LIMIT, f"at most {config.packages_per_call_max} packages in a call")
    if any(not 0 < len(p) <= config.package_bytes_max for p in (*packages, *last_resort)):
        raise Refusal(ErrorCode.TOO_LARGE, f"a KeyPackage has at most {config.package_bytes_max} bytes")


def check_owner(credential: bytes, device_key: bytes, account: bytes, device: bytes, stored: DeviceList | None) -> None:
    """Refuse a package that is not the calling device's own, active in its account's list.

    Refusal(keyPackageOwner), Refusal(credentialInvalid).
    """
    named = Credential.from_bytes(credential)
    if not named.verify(device_key):
        raise Refusal(ErrorCode.CREDENTIAL_INVALID, "the account's identity key has not signed this device's key")
    if (named.account, named.device) != (account, device):
        raise Refusal(ErrorCode.KEY_PACKAGE_OWNER, "a KeyPackage of another device")
    if stored is None or stored.identity_key != named.identity_key or stored.key_of(device) != device_key:
        raise Refusal(ErrorCode.KEY_PACKAGE_OWNER, "this device is not in its account's list")
