"""What is known of who owns which rows, in memory: shards' nodes, and values' shards. No I/O.

It may be old: then what it says is slow, never wrong (`nodes`).
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, TypeVar

from qpqcore.store.postgres import limits

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Value = TypeVar("Value", bound=bytes | str)
Place = tuple[str, "bytes | str"]
"""A table, and a value of the column by which it is distributed."""
Address = tuple[str, int]
"""Host and port of a node; None stands for the server that the database_url names, the coordinator."""


class Shards:
    """For each table that speaks for its group where its shards lie, and in which shard a value's rows are."""

    def __init__(self) -> None:
        self._nodes: dict[str, dict[int, Address | None]] = {}
        self._known: OrderedDict[tuple[str, bytes | str], int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def replace(self, rows: Iterable[tuple[str, int, Address | None]]) -> None:
        """Take a new map: rows of table, shard, node. Where shards were split or made anew no value's shard is known."""
        nodes: dict[str, dict[int, Address | None]] = {}
        for table, shard, node in rows:
            nodes.setdefault(table, {})[shard] = node
        if {table: set(of) for table, of in nodes.items()} != {table: set(of) for table, of in self._nodes.items()}:
            self._known.clear()
        self._nodes = nodes

    @property
    def addresses(self) -> set[Address]:
        """All nodes that own something."""
        return {node for of in self._nodes.values() for node in of.values() if node is not None}

    def is_spread(self, table: str) -> bool:
        """Tell whether a table lies on other nodes than the coordinator."""
        return any(node is not None for node in self._nodes.get(table, {}).values())

    def unknown(self, table: str, values: Iterable[Value]) -> list[Value]:
        """Return those values whose shard is not known."""
        return [value for value in values if (table, value) not in self._known]

    def learn(self, table: str, values: Sequence[Value], shards: Sequence[int]) -> None:
        """Note values' shards; what was not asked for longest is forgotten."""
        for value, shard in zip(values, shards, strict=True):
            self._known[table, value] = shard
        while len(self._known) > limits.VALUES_KNOWN_MAX:
            self._known.popitem(last=False)

    def owner(self, table: str, value: bytes | str) -> Address | None:
        """Return the node that owns a value's rows; None where that is the coordinator, or not known."""
        shard = self._known.get((table, value))
        if shard is None:
            return None
        self._known.move_to_end((table, value))
        return self._nodes.get(table, {}).get(shard)
