"""KeyPackages that were drawn and are in no commit yet: what a refusal amid many people would else have thrown away.

1. What is taken is gone from here: whoever comes to no commit puts it back, and nothing is used twice.
2. It is looked at again when it is used: a device may have been revoked, or the package have run out, since.
3. It is in memory alone. A crash costs each of those people one package of their stock, which they fill up again; in the
   database it would have to be found and deleted wherever it was used, also by a process that dies at that moment.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qpqcore.api.keystore import AccountKeys

KEPT_ACCOUNTS_MAX = 2_048
"""A group has 2,000 leaves at most. Some 3 KB each; eight frames of 9 MiB from a server that fills them."""
KEPT_SECONDS = 3_600.0
"""In an hour the keystore lets 3,600 people be drawn after the first 1,024; a KeyPackage lives 90 days (groups.md)."""


class Drawn(NamedTuple):
    """What the server has handed out of an account, nothing included: that, too, was paid for."""

    keys: AccountKeys
    at_s: float
    """By trio's clock."""


class Kept:
    """Holds what was drawn, by suite and account, until it is taken, too old, or pushed out by later ones."""

    def __init__(self) -> None:
        self._drawn: OrderedDict[tuple[int, bytes], Drawn] = OrderedDict()

    def __len__(self) -> int:
        return len(self._drawn)

    def take(self, accounts: Iterable[bytes], suite: int, now_s: float) -> dict[bytes, Drawn]:
        """Return what is here of some accounts, and have it no longer."""
        for place in [place for place, drawn in self._drawn.items() if drawn.at_s + KEPT_SECONDS <= now_s]:
            del self._drawn[place]
        taken = {account: self._drawn.pop((suite, account), None) for account in accounts}
        return {account: drawn for account, drawn in taken.items() if drawn is not None}

    def put(self, drawn: dict[bytes, Drawn], suite: int) -> None:
        """Keep what came to no commit, the oldest no longer where it is too much."""
        for account, one in drawn.items():
            self._drawn[suite, account] = one
            self._drawn.move_to_end((suite, account))
        while len(self._drawn) > KEPT_ACCOUNTS_MAX:
            self._drawn.popitem(last=False)
