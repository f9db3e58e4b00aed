"""User names: PRECIS UsernameCaseMapped (RFC 8265), and the form name@domain."""

from __future__ import annotations

from precis_i18n import get_profile

from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.model.ids import is_domain

NAME_CHARS_MAX = 64
NAME_BYTES_MAX = 255

_profile = get_profile("UsernameCaseMapped")


def normalise_name(name: str) -> str:
    """Return the one form under which a name is stored and compared; Refusal(nameInvalid)."""
    if not 0 < len(name) <= NAME_CHARS_MAX or "@" in name:
        raise Refusal(ErrorCode.NAME_INVALID, "a name has 1 to 64 characters and no @")
    try:
        normal = str(_profile.enforce(name))
    except UnicodeError as exc:
        raise Refusal(ErrorCode.NAME_INVALID, "a character that user names may not have") from exc
    if len(normal.encode()) > NAME_BYTES_MAX:
        raise Refusal(ErrorCode.NAME_INVALID, "a name has at most 255 bytes")
    return normal


def split_name(text: str, own_domain: str) -> tuple[str, str]:
    """Split "name" or "name@domain" into the normalised name and the domain; Refusal(nameInvalid)."""
    name, at, domain = text.partition("@")
    domain = domain.lower() if at else own_domain
    if not is_domain(domain):
        raise Refusal(ErrorCode.NAME_INVALID, "not a domain after the @")
    return normalise_name(name), domain
