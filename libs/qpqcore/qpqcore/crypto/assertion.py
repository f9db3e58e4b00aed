"""Assertions: who a caller is, said by auth, checked by every service (docs/spec/wire.md#assertions).

The gateway carries them and can neither make nor change one. Each service has a MAC key of its
own, so that a service that is taken over can fool itself only.
"""

from __future__ import annotations

import hmac
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qpqcore.crypto.parts import Malformed, Reader, u8, u64
from qpqcore.model.call import ANONYMOUS, Caller, CallerKind
from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.model.ids import AccountId, DeviceId

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION = 1
LIFETIME_MS = 5 * 60 * 1000
SKEW_MS = 30 * 1000
"""How far apart the clocks of two of our machines may be."""
RETRY_MS = 1_000
"""What a caller is told whose carrier came with an assertion that has run out: the next one may be good."""
MAC_BYTES = 32
CACHE_ASSERTIONS_MAX = 65_536
"""Verified assertions remembered by a service; the oldest goes."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What an assertion says."""

    caller: Caller
    expiry_ms: int
    issuer: str
    gateway: str


def _part(data: bytes) -> bytes:
    return u8(len(data)) + data


def _body(claims: Claims) -> bytes:
    c = claims.caller
    head = u8(VERSION) + u8(c.kind) + u64(claims.expiry_ms)
    parts = (c.account, c.device, c.session, c.name.encode(), claims.issuer.encode(), claims.gateway.encode())
    return head + b"".join(map(_part, parts))


def _read(r: Reader) -> Claims:
    r.version(VERSION)
    kind, expiry_ms = CallerKind(r.number(1)), r.number(8)
    account, device, session, name, issuer, gateway = (r.take(r.number(1)) for _ in range(6))
    caller = Caller(kind, AccountId(account), DeviceId(device), session, name.decode())
    return Claims(caller, expiry_ms, issuer.decode(), gateway.decode())


def read_claims(assertion: bytes) -> Claims:
    """Return what an assertion says, unchecked: for its carrier, who has to know when it ends."""
    try:
        return _read(Reader(assertion))
    except (Malformed, ValueError) as exc:
        raise Refusal(ErrorCode.UNAUTHENTICATED, "not an assertion") from exc


class AssertionIssuer:
    """Makes assertions under one key per service; in hands of auth (accounts) or of a service (itself)."""

    def __init__(self, keys: Mapping[int, bytes], issuer: str) -> None:
        self._keys = dict(sorted(keys.items()))
        self._issuer = issuer

    def issue(self, caller: Caller, now_ms: int, *, gateway: str = "", lifetime_ms: int = LIFETIME_MS) -> bytes:
        """Return an assertion of `caller` that ends `lifetime_ms` from `now_ms`."""
        body = _body(Claims(caller, now_ms + lifetime_ms, self._issuer, gateway))
        macs = b"".join(u8(number) + hmac.digest(key, body, "sha256") for number, key in self._keys.items())
        return body + u8(len(self._keys)) + macs


class AssertionVerifier:
    """Checks assertions for one service; remembers those it has checked until they end.

    There is a key for each issuer and kind of caller: what may speak for a service can speak for no account, and for no
    other service.
    """

    def __init__(self, service: int, keys: Mapping[tuple[CallerKind, str], bytes]) -> None:
        self._service = service
        self._keys = dict(keys)
        self._known: OrderedDict[bytes, Claims] = OrderedDict()

    def verify(self, assertion: bytes, now_ms: int) -> Caller:
        """Return the caller; anonymous for an empty assertion; Refusal(unauthenticated), (unavailable).

        Who carries an assertion renews it in time. One that has run out is no session that is over, which auth alone says:
        our clocks differ, or it was long under way. Callers wait for that to pass and keep their session.
        """
        if not assertion:
            return ANONYMOUS
        claims = self._known.get(assertion) or self._check(assertion, now_ms)
        if claims.expiry_ms + SKEW_MS <= now_ms:
            self._known.pop(assertion, None)
            raise Refusal(ErrorCode.UNAVAILABLE, "an assertion has run out on its way", retry_after_ms=RETRY_MS)
        return claims.caller

    def _check(self, assertion: bytes, now_ms: int) -> Claims:
        try:
            r = Reader(assertion)
            claims = _read(r)
            body = r.consumed
            macs = {r.number(1): r.take(MAC_BYTES) for _ in range(r.number(1))}
            r.end()
        except (Malformed, ValueError) as exc:
            raise Refusal(ErrorCode.UNAUTHENTICATED, "not an assertion") from exc
        key = self._keys.get((claims.caller.kind, claims.issuer), b"")
        genuine = hmac.compare_digest(macs.get(self._service, b""), hmac.digest(key, body, "sha256"))
        own_name = claims.caller.kind is not CallerKind.SERVICE or claims.caller.name == claims.issuer
        if not key or not genuine or not own_name:
            raise Refusal(ErrorCode.UNAUTHENTICATED, "not a genuine assertion")
        self._known[assertion] = claims
        self._forget(now_ms)
        return claims

    def _forget(self, now_ms: int) -> None:
        """Let go of what has ended, the oldest first; each lives about as long."""
        while self._known:
            oldest = next(iter(self._known.values()))
            if len(self._known) <= CACHE_ASSERTIONS_MAX and oldest.expiry_ms + SKEW_MS > now_ms:
                return
            self._known.popitem(last=False)
