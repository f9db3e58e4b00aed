"""Payloads out of channels' logs, for mailboxes that may lie on other nodes than they (PostgreSQL). On the bridge."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qpqcore.store.postgres.nodes import Nodes


async def read(nodes: Nodes, statement: str, places: Sequence[tuple[bytes, int]]) -> dict[int, bytes]:
    """Return what a statement finds of some channels' numbers, by their place in `places`, from 1; the rest is missing."""
    found: dict[int, bytes] = {}
    for node, channels in (await nodes.spread("log", dict.fromkeys(channel for channel, _ in places))).items():
        here = set(channels)
        own = [at for at, (channel, _) in enumerate(places) if channel in here]
        columns = [places[at][0] for at in own], [places[at][1] for at in own]
        rows = await nodes.single_on(node, lambda c, columns=columns: c.fetch(statement, *columns))  # type: ignore[misc]  # the loop's value
        found |= {own[row[0] - 1] + 1: row[1] for row in rows}
    return found
