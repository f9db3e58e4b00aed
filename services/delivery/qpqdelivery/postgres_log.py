"""References out of a mailbox, with payloads out of channels' logs, which may lie on other nodes (PostgreSQL). On the bridge."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from qpqcore.store.postgres.nodes import Nodes
    from qpqcore.store.postgres.pool import Connection

T = TypeVar("T")
Place = tuple[bytes, int]
"""A channel, and a number of its log."""


async def read(
    nodes: Nodes, device: bytes, body: Callable[[Connection], Awaitable[tuple[T, list[Place]]]], statement: str
) -> tuple[T, dict[int, bytes]]:
    """Return what `body` reads of a mailbox, and what a statement finds at the places that it names, by their order, from 1.

    On one server both go over one connection; else each goes to the node that has it, one after the other.
    """

    async def both(c: Connection) -> tuple[T, list[Place], dict[int, bytes] | None]:
        found, places = await body(c)
        return found, places, None if nodes.is_distributed else await _payloads(c, statement, places)

    found, places, payloads = await nodes.single(both, at=("mailboxes", device))
    if payloads is None:
        payloads = await _of_nodes(nodes, statement, places)
    return found, payloads


async def _payloads(c: Connection, statement: str, places: Sequence[Place]) -> dict[int, bytes]:
    if not places:
        return {}
    return dict(await c.fetch(statement, [channel for channel, _ in places], [number for _, number in places]))


async def _of_nodes(nodes: Nodes, statement: str, places: Sequence[Place]) -> dict[int, bytes]:
    payloads: dict[int, bytes] = {}
    for node, channels in (await nodes.spread("log", dict.fromkeys(channel for channel, _ in places))).items():
        here = set(channels)
        own = [at for at, (channel, _) in enumerate(places) if channel in here]
        wanted = [places[at] for at in own]
        some = await nodes.single_on(node, lambda c, wanted=wanted: _payloads(c, statement, wanted))  # type: ignore[misc]  # the loop's value
        payloads |= {own[at - 1] + 1: payload for at, payload in some.items()}
    return payloads
