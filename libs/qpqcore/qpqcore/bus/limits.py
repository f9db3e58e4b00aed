"""Rate limits by GCRA (generic cell rate algorithm): one number a key, no counters to reset."""

from __future__ import annotations

import hashlib
from collections import Counter, OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from qpqcore.model.errors import ErrorCode, Refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qpqcore.obs.metrics import Reading

V = TypeVar("V")

KEYS_MAX = 200_000
"""Keys of one kind remembered in one process, some 60 MB; the one unused for longest goes, which only makes it free again."""
KEY_BYTES_MAX = 128
"""A longer key is remembered by its digest: what callers send may be part of it."""
WHOLE_AT_ONCE_MAX = 2
"""Keys of which all is there again that go when one is noted: what is not used any more goes, in steps that nobody feels."""


@dataclass(frozen=True, slots=True)
class Rate:
    """`count` in `per_seconds`, of which `burst` may come at once."""

    count: int
    per_seconds: float
    burst: int

    @property
    def interval_ms(self) -> float:
        """The time one call pays for."""
        return self.per_seconds * 1000 / self.count


KINDS = {
    b"a": "log_in", b"n": "log_in", b"r": "registration", b"b": "download", b"c": "new_channel", b"h": "handshake",
    b"m": "handshake_by_account", b"g": "signal", b"q": "enqueue_by_channel", b"e": "enqueue_by_device",
    b"k": "enqueue_by_account", b"s": "enqueue_sealed", b"f": "fetch_key_packages",
    b"d": "key_packages_of_one_account", b"u": "look_up",
    b"p": "look_up_by_domain", b"v": "chunk_by_domain", b"w": "call_by_domain", b"y": "entry_by_domain",
}  # fmt: skip
"""What a limit's key begins with, and what operators call it."""

Taking = tuple[bytes, Rate]
"""A key and its rate."""


def name_of(key: bytes) -> bytes:
    """Return what a key is remembered by: itself, or its kind and digest; of what it returned, the same."""
    return key if len(key) <= KEY_BYTES_MAX else key[:1] + hashlib.blake2b(key, digest_size=32).digest()


class Table(Generic[V]):
    """Something for each key, in a table of its own for each kind: whoever chooses keys of one pushes out none of another."""

    def __init__(self) -> None:
        self._kinds: dict[bytes, OrderedDict[bytes, V]] = {}

    def of(self, key: bytes) -> OrderedDict[bytes, V]:
        """Return the table of a key's kind, the one unused for longest first."""
        kind = key[:1]
        found = self._kinds.get(kind)
        if found is None:
            found = self._kinds[kind] = OrderedDict()
        return found

    def count(self) -> int:
        """Return how many keys there are."""
        return sum(map(len, self._kinds.values()))


def keep(kept: OrderedDict[bytes, V], key: bytes, value: V) -> None:
    """Keep a value in the table of its key's kind; past KEYS_MAX the one unused for longest goes."""
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > KEYS_MAX:
        kept.popitem(last=False)


class Limiter(Protocol):
    """Says how long a key has to wait."""

    refused: Counter[bytes]
    """Calls that `enforce` refused, by what their key begins with."""

    def take(self, key: bytes, rate: Rate, now_ms: int, count: int = 1) -> int:
        """Take `count` (1 or more), or none; return 0, or the milliseconds until so many are there.

        More than the burst never come at once: they are let through when the whole burst is there, and all are paid for,
        so that nobody waits for ever and the rate holds. Who calls bounds the count: it is the debt.

        Decided at once. Where many processes share a limit, this one learns of the others' takings a little later.
        """

    def wait_ms(self, key: bytes, rate: Rate, now_ms: int, count: int = 1) -> int:
        """Return what `take` would, and take nothing."""

    def pay(self, key: bytes, rate: Rate, now_ms: int, count: int = 1) -> None:
        """Take `count`, whatever is there: of what was looked at before, and is now known to be let through.

        Many may have looked meanwhile: what is too much they have together as a debt, so that the rate holds.
        """

    async def take_all(self, takings: Sequence[Taking], now_ms: int) -> int:
        """Take one of each key, or of none; return 0, or the milliseconds to wait.

        Decided for all processes together: for what is rare and must not be multiplied by their number.
        """


class LocalLimiter:
    """Limits within one process."""

    def __init__(self) -> None:
        self.refused: Counter[bytes] = Counter()
        self._free_at_ms: Table[float] = Table()

    @property
    def keys(self) -> int:
        """How many keys are remembered."""
        return self._free_at_ms.count()

    def take(self, key: bytes, rate: Rate, now_ms: int, count: int = 1) -> int:
        """Take `count`, or none; return 0, or the milliseconds until so many are there."""
        key = name_of(key)
        kept, interval = self._free_at_ms.of(key), rate.interval_ms
        due_ms = max(kept.get(key, 0.0), now_ms)
        early_ms = due_ms - now_ms - interval * (rate.burst - count if count < rate.burst else 0)
        if early_ms > 0:
            return int(early_ms) + 1
        _note(kept, key, due_ms + interval * count, now_ms)
        return 0

    def wait_ms(self, key: bytes, rate: Rate, now_ms: int, count: int = 1) -> int:
        """Return what `take` would, and take nothing."""
        key = name_of(key)
        left = rate.burst - count if count < rate.burst else 0
        early_ms = self._free_at_ms.of(key).get(key, 0.0) - now_ms - rate.interval_ms * left
        return int(early_ms) + 1 if early_ms > 0 else 0

    def pay(self, key: bytes, rate: Rate, now_ms: int, count: int = 1) -> None:
        """Take `count`, whatever is there."""
        key = name_of(key)
        kept = self._free_at_ms.of(key)
        _note(kept, key, max(kept.get(key, 0.0), now_ms) + rate.interval_ms * count, now_ms)

    async def take_all(self, takings: Sequence[Taking], now_ms: int) -> int:
        """Take one of each key, or of none; return 0, or the milliseconds to wait."""
        return self.take_all_nowait(takings, now_ms)

    def take_all_nowait(self, takings: Sequence[Taking], now_ms: int) -> int:
        """Do it without asking anybody."""
        wait_ms = self.wait_all_ms(takings, now_ms)
        if not wait_ms:
            for key, rate in takings:
                self.take(key, rate, now_ms)
        return wait_ms

    def wait_all_ms(self, takings: Sequence[Taking], now_ms: int) -> int:
        """Return the milliseconds until one of each key can be taken."""
        return max(self.wait_ms(key, rate, now_ms) for key, rate in takings)

    def learn(self, key: bytes, due_ms: float) -> None:
        """Note what others have taken of a key: all of it is there again at `due_ms`, or later."""
        key = name_of(key)
        kept = self._free_at_ms.of(key)
        keep(kept, key, max(kept.get(key, 0.0), due_ms))


def _note(kept: OrderedDict[bytes, float], key: bytes, due_ms: float, now_ms: int) -> None:
    keep(kept, key, due_ms)
    for _ in range(WHOLE_AT_ONCE_MAX):  # always so often: log-ins of known and unknown names take one path
        oldest = next(iter(kept))
        if kept[oldest] <= now_ms and oldest != key:
            del kept[oldest]


def readings(limiter: Limiter) -> list[Reading]:
    """Return what was refused, as `qpqcore.obs.metrics` reads it."""
    values = dict.fromkeys(KINDS.values(), 0)
    for kind, count in limiter.refused.items():
        values[KINDS[kind]] += count
    return [("qpq_rate_limited_total", "Calls that came too often, by limit.", "limit", values)]


def enforce(limiter: Limiter, key: bytes, rate: Rate, now_ms: int, count: int = 1) -> None:
    """Take `count`, or none and raise Refusal(rateLimited) with the time to wait."""
    wait_ms = limiter.take(key, rate, now_ms, count)
    if wait_ms:
        raise _refused(limiter, key, wait_ms)


def look(limiter: Limiter, key: bytes, rate: Rate, now_ms: int) -> None:
    """Raise Refusal(rateLimited) where `enforce` would, and take nothing: `pay` does, once it is known whose call it is."""
    wait_ms = limiter.wait_ms(key, rate, now_ms)
    if wait_ms:
        raise _refused(limiter, key, wait_ms)


def enforce_each(limiter: Limiter, takings: Sequence[tuple[bytes, Rate, int]], now_ms: int) -> None:
    """Take so many of each key (no key twice), or none of any and raise Refusal(rateLimited) with the longest time to wait.

    Decided at once, as by `enforce`: nothing comes between looking and taking.
    """
    wait_ms, tightest = 0, b""
    for key, rate, count in takings:
        wait_of_key_ms = limiter.wait_ms(key, rate, now_ms, count)
        if wait_of_key_ms > wait_ms:
            wait_ms, tightest = wait_of_key_ms, key
    if wait_ms:
        raise _refused(limiter, tightest, wait_ms)
    for key, rate, count in takings:
        limiter.take(key, rate, now_ms, count)


async def enforce_all(limiter: Limiter, takings: Sequence[Taking], now_ms: int) -> None:
    """Take one of each key, for all processes together, or raise Refusal(rateLimited) with the time to wait."""
    wait_ms = await limiter.take_all(takings, now_ms) if takings else 0
    if wait_ms:
        raise _refused(limiter, takings[0][0], wait_ms)


def _refused(limiter: Limiter, key: bytes, wait_ms: int) -> Refusal:
    limiter.refused[key[:1]] += 1
    return Refusal(ErrorCode.RATE_LIMITED, "too many calls; try again later", retry_after_ms=wait_ms)
