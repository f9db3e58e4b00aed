"""What this process listens to: the channels that somebody here waits for, and those left a moment ago.

A channel counts as heard once its server has confirmed it; who waited before then is told to look, since what was published
in between reached nobody. A channel is left LINGER_SECONDS after its last waiter: most come back at once (fetchWait again).
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import Callable

    from qpqcore.bus.redis.node import Node
    from qpqcore.bus.redis.shards import Shards

LINGER_SECONDS = 5.0
CHANNELS_MAX = 200_000
"""Twenty times a gateway's connections; past it a waiter looks by itself every 30 s."""
NAMES_MAX = 500
"""In one command: 25 KiB, half a millisecond of the server."""


class Channel:
    """One channel that is listened to."""

    __slots__ = ("confirmed", "node", "users")

    def __init__(self, node: Node | None) -> None:
        self.node = node
        self.users = 0
        self.confirmed = False


class Channels:
    """All channels; `run` sends what there is to (un)subscribe, in batches."""

    def __init__(self, shards: Shards, heard: Callable[[bytes], None]) -> None:
        self._shards = shards
        self._heard = heard
        self._all: dict[bytes, Channel] = {}
        self._fresh: dict[bytes, None] = {}
        self._left: OrderedDict[bytes, float] = OrderedDict()
        self._wake = trio.Event()

    def __len__(self) -> int:
        return len(self._all)

    def add(self, name: bytes) -> None:
        """Listen to a channel, for one more waiter."""
        channel = self._all.get(name)
        if channel is None:
            if len(self._all) >= CHANNELS_MAX:
                return
            channel = self._all[name] = Channel(self._shards.node_of(name))
            self._subscribe(name)
        channel.users += 1
        self._left.pop(name, None)

    def remove(self, name: bytes) -> None:
        """A waiter has gone."""
        channel = self._all.get(name)
        if channel is None or not channel.users:
            return
        channel.users -= 1
        if not channel.users:
            self._left[name] = trio.current_time() + LINGER_SECONDS
            if len(self._left) == 1:
                self._wake.set()

    def _subscribe(self, name: bytes) -> None:
        self._fresh[name] = None
        self._wake.set()

    def is_confirmed(self, name: bytes) -> bool:
        """Tell whether what is published from now on is heard."""
        channel = self._all.get(name)
        return channel is not None and channel.confirmed

    # --- what the servers say

    def on_up(self, node: Node) -> None:
        """Subscribe to all that the server has."""
        for name, channel in self._all.items():
            if channel.node is node:
                self._subscribe(name)

    def on_down(self, node: Node) -> None:
        """Hear nothing of it."""
        for channel in self._all.values():
            if channel.node is node:
                channel.confirmed = False

    def on_layout(self) -> None:
        """Follow the channels that have another server now."""
        gone: dict[Node, list[bytes]] = {}
        for name, channel in self._all.items():
            node = self._shards.node_of(name)
            if node is not channel.node:
                if channel.node is not None:
                    gone.setdefault(channel.node, []).append(name)
                channel.node, channel.confirmed = node, False
                self._subscribe(name)
        for node, names in gone.items():
            self._send(node, names, leave=True)

    def on_confirmed(self, node: Node, name: bytes) -> None:
        """Tell the waiters that came before to look."""
        channel = self._all.get(name)
        if channel is not None and channel.node is node:
            channel.confirmed = True
            self._heard(name)

    def on_ended(self, node: Node, name: bytes) -> None:
        """A cluster ends what has moved to another server."""
        channel = self._all.get(name)
        if channel is not None and channel.node is node and name not in self._fresh:
            channel.confirmed = False
            self._shards.look_again()

    # --- what is said to them

    async def run(self) -> None:
        """Do it, for ever."""
        while True:
            until = next(iter(self._left.values()), float("inf"))
            with trio.move_on_at(until):
                await self._wake.wait()
            self._wake = trio.Event()
            fresh, self._fresh = self._fresh, {}
            self._by_node(list(fresh), leave=False)
            self._leave()

    def _leave(self) -> None:
        now, over = trio.current_time(), []
        while self._left and next(iter(self._left.values())) <= now:
            over.append(self._left.popitem(last=False)[0])
        self._by_node(over, leave=True)
        for name in over:
            del self._all[name]

    def _by_node(self, names: list[bytes], *, leave: bool) -> None:
        of_nodes: dict[Node, list[bytes]] = {}
        for name in names:
            channel = self._all.get(name)
            if channel is not None and channel.node is not None:
                of_nodes.setdefault(channel.node, []).append(name)
        for node, own in of_nodes.items():
            self._send(node, own, leave=leave)

    def _send(self, node: Node, names: list[bytes], *, leave: bool) -> None:
        if self._shards.cluster:
            # Channels of one command have to be of one slot.
            for name in names:
                node.subscribe(b"SUNSUBSCRIBE" if leave else b"SSUBSCRIBE", [name])
        else:
            for first in range(0, len(names), NAMES_MAX):
                node.subscribe(b"UNSUBSCRIBE" if leave else b"SUBSCRIBE", names[first : first + NAMES_MAX])
