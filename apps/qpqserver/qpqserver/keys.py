"""Assertion keys: one for each kind of caller, issuer and service that believes it; each is known to those two alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qpqcore.api.methods import SERVICES
from qpqcore.bus.allowed import may_call_of
from qpqcore.crypto.assertion import LIFETIME_MS, AssertionIssuer, AssertionVerifier
from qpqcore.model.call import Caller, CallerKind

if TYPE_CHECKING:
    from collections.abc import Callable

NUMBERS = {name: number for number, name in SERVICES.items()}
BELIEVERS = tuple(name for name in SERVICES.values() if name != "gateway")
RENEW_MS = LIFETIME_MS // 2
"""A service names itself by one assertion for so long: whom it calls has checked it before."""


def targets(kind: CallerKind, issuer: str) -> tuple[str, ...]:
    """Return the services that believe an issuer about callers of a kind."""
    if (kind, issuer) in {(CallerKind.ACCOUNT, "auth"), (CallerKind.PEER, "federation")}:
        return BELIEVERS
    return tuple(sorted(may_call_of(issuer))) if kind is CallerKind.SERVICE else ()


def key_name(kind: CallerKind, issuer: str, target: str) -> str:
    """Return what such a key is kept under."""
    return f"assert.{kind.name.lower()}.{issuer}.{target}"


def key_names(service: str) -> set[str]:
    """Return the names of all keys that a service needs: to issue, and to check."""
    return {
        key_name(kind, issuer, target)
        for kind in CallerKind
        for issuer in SERVICES.values()
        for target in targets(kind, issuer)
        if service in {issuer, target}
    }


class Keys:
    """The assertion keys of a process, read by their names."""

    def __init__(self, read: Callable[[str], bytes]) -> None:
        self._read = read

    def issuer(self, kind: CallerKind, name: str) -> AssertionIssuer:
        """Return what may speak for callers of one kind."""
        keys = {NUMBERS[target]: self._read(key_name(kind, name, target)) for target in targets(kind, name)}
        return AssertionIssuer(keys, name)

    def verifier(self, service: str) -> AssertionVerifier:
        """Return what a service checks with."""
        keys = {
            (kind, issuer): self._read(key_name(kind, issuer, service))
            for kind in CallerKind
            for issuer in SERVICES.values()
            if service in targets(kind, issuer)
        }
        return AssertionVerifier(NUMBERS[service], keys)

    def own(self, service: str, clock_ms: Callable[[], int]) -> Callable[[], bytes]:
        """Return what gives a service's assertion of itself."""
        issuer, made, until_ms = self.issuer(CallerKind.SERVICE, service), b"", 0

        def give() -> bytes:
            nonlocal made, until_ms
            now_ms = clock_ms()
            if not until_ms - RENEW_MS <= now_ms < until_ms:
                made, until_ms = issuer.issue(Caller(CallerKind.SERVICE, name=service), now_ms), now_ms + RENEW_MS
            return made

        return give
