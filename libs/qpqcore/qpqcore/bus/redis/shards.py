"""Which server has what: one server that has everything, or a cluster that says so itself.

A cluster's map is read again when something shows that it is old, and every LOOK_SECONDS. A stale map is slow, never wrong.
"""

from __future__ import annotations

import binascii
from typing import TYPE_CHECKING, Any, Protocol

import structlog
import trio
from coredis.exceptions import RedisError

from qpqcore.bus.redis.node import AGAIN_SECONDS_MAX, Away, Hearer, Node, connections

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qpqcore.bus.redis.address import Address

log = structlog.get_logger()

SLOTS = 16_384
"""Of every cluster."""
PORT_MAX = 65_535
LOOK_SECONDS = 30.0
Layout = list[tuple[int, int, tuple[str, int]]]
"""From slot, to slot, server."""


class Owner(Hearer, Protocol):
    """Whom the shards tell, beside what their nodes do."""

    def on_layout(self) -> None:
        """The map was read: servers may have come, gone or taken over from each other."""


def slot_of(name: bytes) -> int:
    """Return a name's slot: of what stands in its first braces, if something does (Redis cluster specification)."""
    _, opened, rest = name.partition(b"{")
    inner, closed, _ = rest.partition(b"}")
    return binascii.crc_hqx(inner if opened and closed and inner else name, 0) % SLOTS


def layout_of(answer: Any, asked: str) -> Layout:
    """Read the answer to CLUSTER SLOTS; a server without a name is the one that was asked. RedisError for nonsense."""
    found: Layout = []
    try:
        for first, last, primary, *_ in answer:
            host = (primary[0] or b"").decode()
            if not (0 <= first <= last < SLOTS and 0 < primary[1] <= PORT_MAX):
                raise ValueError(first, last, primary)
            found.append((first, last, (host if host not in {"", "?"} else asked, primary[1])))
    except (TypeError, ValueError, IndexError, AttributeError) as exc:
        raise RedisError(f"not a map of a cluster: {exc}") from exc
    return found


class Shards:
    """All servers; `run` keeps them up."""

    def __init__(self, address: Address, owner: Owner) -> None:
        self._address = address
        self._owner = owner
        self._slots: list[Node | None] = [None] * SLOTS
        self._old = trio.Event()
        self._said = False
        self.nodes: dict[tuple[str, int], Node] = {}
        self.cluster = False

    def node_of(self, name: bytes) -> Node | None:
        """Return the server of a key or channel; None while it is not known."""
        return self._slots[slot_of(name) if self.cluster else 0]

    def name_at(self, node: Node, names: Iterable[bytes]) -> bytes | None:
        """Return the first of some names that a server has."""
        return next((name for name in names if self.node_of(name) is node), None)

    def look_again(self) -> None:
        """Say that a cluster's map is old; one server alone has nothing to look up."""
        if self.cluster:
            self._old.set()

    @property
    def reason(self) -> str:
        """Why something is away; empty when nothing is."""
        if not self.nodes:
            return "connecting"
        return next((node.reason for node in self.nodes.values() if node.reason), "")

    async def run(self) -> None:
        """Find the servers and keep them up, for ever."""
        async with trio.open_nursery() as nursery:
            while True:
                self._old = trio.Event()
                layout = await self._layout()
                if layout is not None:
                    self._apply(layout, nursery)
                # At most one look in this time: a cluster in motion gives many signs.
                await trio.sleep(AGAIN_SECONDS_MAX)
                if layout is not None:
                    with trio.move_on_after(LOOK_SECONDS if self.cluster else float("inf")):
                        await self._old.wait()
                        self._ask_another()

    def _ask_another(self) -> None:
        """Ask another server first from now on: the one before may be cut off from the others, and its map old for good."""
        if self.nodes:
            first = next(iter(self.nodes))
            self.nodes[first] = self.nodes.pop(first)

    async def _layout(self) -> Layout | None:
        """Ask whoever answers."""
        for node in list(self.nodes.values()):
            try:
                return layout_of(await node.ask(b"CLUSTER SLOTS"), node.server[0])
            except (Away, RedisError):
                continue
        for server in self._address.servers:
            try:
                async with connections(self._address, server, 1) as ((connection,), _):
                    return await self._asked(connection, server)
            except Away as away:
                self._say(server, str(away))
        return None

    def _say(self, server: tuple[str, int], reason: str) -> None:
        if not self.nodes and not self._said:
            log.warning("redis_away", port=server[1], reason=reason)
            self._said = True

    async def _asked(self, connection: Any, server: tuple[str, int]) -> Layout | None:
        try:
            layout = layout_of(await connection.create_request(b"CLUSTER SLOTS"), server[0])
        except RedisError as no:
            if "cluster support disabled" not in str(no):
                self._say(server, str(no))
                return None
            return [(0, 0, server)]
        except TimeoutError:
            return None
        self.cluster = True
        return layout or None

    def _apply(self, layout: Layout, nursery: trio.Nursery) -> None:
        after: list[Node | None] = [None] * SLOTS
        wanted = {server for _, _, server in layout}
        for server in wanted - self.nodes.keys():
            node = self.nodes[server] = Node(self._address, server, self._owner)
            nursery.start_soon(node.run)
        for first, last, server in layout:
            after[first : last + 1] = [self.nodes[server]] * (last + 1 - first)
        for server in self.nodes.keys() - wanted:
            self.nodes.pop(server).retire()
        self._slots = after
        self._owner.on_layout()
