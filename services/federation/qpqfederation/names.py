"""How a domain is written: one way, or not at all (docs/spec/federation.md#names). Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.model.ids import is_peer_name

if TYPE_CHECKING:
    from collections.abc import Sequence

LABELS_MIN = 2
"""A name without a dot is of a machine's own network: such a peer is in the configuration or not at all."""


def is_discoverable(domain: str) -> bool:
    """Tell whether a domain may be looked for in the DNS."""
    return is_peer_name(domain) and len(domain.split(".")) >= LABELS_MIN


def check_claim(claimed: str, own: str, certified: Sequence[str]) -> None:
    """Refuse a peer that says it is a domain that its certificate does not name, letter by letter. Refusal(peerMismatch).

    A wildcard in a certificate names nobody here: one key would be every domain's below it.
    """
    if not is_peer_name(claimed) or claimed == own or claimed not in certified:
        raise Refusal(ErrorCode.PEER_MISMATCH, "the certificate is not that domain's")
