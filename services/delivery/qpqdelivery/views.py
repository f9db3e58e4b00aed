"""The public views of groups, kept in memory while they are current, loaded from the store otherwise.

A view is a value: each check returns the next one. What is cached is keyed by the very state it
belongs to, so a stale one can never be used.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

import trio

import qpqnative
from qpqcore.model.errors import ErrorCode, Refusal

if TYPE_CHECKING:
    from qpqdelivery.store import Channel, Store

Key = tuple[bytes, bytes, int, int, int]
"""The birth besides the channel: one that was dropped can be made again under its id."""

REFUSALS = {
    "malformed": ErrorCode.MALFORMED,
    "wrong_epoch": ErrorCode.EPOCH_CONFLICT,
}


def refusal_of(exc: qpqnative.MlsError, otherwise: ErrorCode) -> Refusal:
    """Turn an MLS error into what the caller is told."""
    return Refusal(REFUSALS.get(exc.kind, otherwise), f"MLS: {exc.kind.replace('_', ' ')}")


class Views:
    """Loads, checks and remembers public views."""

    def __init__(self, store: Store, cached_max: int) -> None:
        self._store = store
        self._cached_max = cached_max
        self._known: OrderedDict[Key, qpqnative.GroupView] = OrderedDict()

    @staticmethod
    def _key(state: Channel) -> Key:
        return state.channel, state.birth_hash, state.generation, state.epoch, state.proposals_version

    async def of(self, state: Channel) -> qpqnative.GroupView:
        """Return the view that belongs to a channel's state."""
        key = self._key(state)
        view = self._known.get(key)
        if view is None:
            tree = await self._store.tree(state.channel, state.tree_hash)
            if tree is None:
                raise RuntimeError("a channel without its tree")
            view = await trio.to_thread.run_sync(qpqnative.GroupView.load, state.snapshot, tree)
            self.remember(state, view)
        else:
            self._known.move_to_end(key)
        return view

    def remember(self, state: Channel, view: qpqnative.GroupView) -> None:
        """Keep a view; the one unused for longest goes."""
        self._known[self._key(state)] = view
        if len(self._known) > self._cached_max:
            self._known.popitem(last=False)
