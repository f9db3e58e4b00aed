"""Bad days between domains: one stays away, one comes at last, one does what it may not."""

from __future__ import annotations

import itertools
import time
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import trio

from qpqcore.api.delivery import Entry, EntryKind, RelayedEntry
from qpqcore.api.federation import METHODS, DeliverEntriesParams, DeliverEntriesResult, FederationHealthParams
from qpqcore.api.federation import FederationHealthResult as Health
from qpqcore.api.rpc import Call, Reply
from qpqcore.net import authority
from qpqfederation.links import ALPN, HEALTH
from tools.observability.conditions import CONDITIONS, Condition, while_running
from tools.observability.stage import OWN, PEER
from trio_quic import ClientTls, QuicConfiguration, ServerTls, open_quic_connection, serve_quic

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tools.observability.load import Load
    from tools.observability.stage import Stage
    from trio_quic import IncomingCall

DELIVER: Final = next(m.number for m in METHODS if m.name == "deliverEntries")
BOX: Final = f"decode('{(bytes(16) + PEER.encode()).hex()}', 'hex')"
FULL_ENTRIES: Final = 160_000
TWO_HOURS_MS: Final = 7_200_000


def _certificates(stage: Stage) -> tuple[bytes, bytes, bytes]:
    """Return the CA, and the other domain's chain and key."""
    own = stage.folder / "domains" / PEER
    return tuple((own / name).read_bytes() for name in (authority.PEER_CA, authority.PEER_CERT, authority.PEER_KEY))  # type: ignore[return-value]  # three


async def _put(stage: Stage, number: int) -> None:
    """Put an entry of two hours ago into the box for the other domain, which is nearly full."""
    then_ms = int(time.time() * 1000) - TWO_HOURS_MS  # noqa: TID251 - of the tool's own
    await stage.sql(
        f"INSERT INTO qpq_delivery.mailboxes VALUES ({BOX}, '', 0, 0, 0, 0, {then_ms}) ON CONFLICT DO NOTHING",  # noqa: S608 - our own numbers
        f"INSERT INTO qpq_delivery.entries VALUES ({BOX}, {number}, {int(EntryKind.GAP)}, '', 0, 0, 0, {then_ms}, 0, 0, NULL, NULL)",  # noqa: S608 - our own numbers
        f"UPDATE qpq_delivery.mailboxes SET last = {number}, entries = {FULL_ENTRIES}, bytes = 1000 WHERE device = {BOX}",  # noqa: S608 - our own numbers
    )


@asynccontextmanager
async def away(stage: Stage, load: Load) -> AsyncIterator[None]:
    """Nobody is where the other domain should be, and its box fills."""
    del load
    await _put(stage, 1)
    yield
    await stage.sql(
        f"DELETE FROM qpq_delivery.entries WHERE device = {BOX}",  # noqa: S608 - our own numbers
        f"UPDATE qpq_delivery.mailboxes SET entries = 0, bytes = 0 WHERE device = {BOX}",  # noqa: S608 - our own numbers
    )


def _answer(incoming: IncomingCall) -> None:
    call = Call.from_bytes(incoming.frame)
    if call.method == HEALTH:
        result: Any = Health(domain=PEER, version="0", protocol=1)
    else:
        entries = DeliverEntriesParams.from_bytes(call.params).entries
        result = DeliverEntriesResult(position=max(r.entry.number for r in entries if r.entry is not None))
    incoming.reply(Reply(result=result.to_bytes()).to_bytes())


async def _say(stage: Stage, domain: str, numbers: itertools.count[int]) -> None:
    """Come as the other domain's server, say which domain one is, and bring an entry."""
    ca, chain, key = _certificates(stage)
    configuration = QuicConfiguration(alpn=(ALPN,), client=ClientTls(ca_pem=ca, chain_pem=chain, key_pem=key))
    hello = FederationHealthParams(domain=domain, protocol=1)
    gap = RelayedEntry(entry=Entry(number=next(numbers), kind=EntryKind.GAP))
    async with open_quic_connection("127.0.0.1", stage.federation[1], configuration, server_name=OWN) as connection:
        for method, params in ((HEALTH, hello), (DELIVER, DeliverEntriesParams(entries=(gap,)))):
            call = Call(method=method, deadline_ms=5_000, params=params.to_bytes())
            await connection.call(call.to_bytes())


@asynccontextmanager
async def there(stage: Stage, load: Load) -> AsyncIterator[None]:
    """The other domain's server is there: it takes what waits, and brings something."""
    del load
    ca, chain, key = _certificates(stage)
    tls = ServerTls(chain_pem=chain, key_pem=key, client_ca_pem=ca, client_required=True)
    configuration = QuicConfiguration(alpn=(ALPN,), server=tls)
    ours, theirs = itertools.count(2), itertools.count(1)

    async def both() -> None:
        await _put(stage, next(ours))
        await _say(stage, PEER, theirs)

    async with trio.open_nursery() as nursery:
        await nursery.start(partial(serve_quic, _answer, configuration, host="127.0.0.1", port=stage.federation[0]))
        async with while_running(both, 1.0):
            yield
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def wrong(stage: Stage, load: Load) -> AsyncIterator[None]:
    """Somebody says that he is a domain which his certificate does not name."""
    del load
    async with while_running(lambda: _say(stage, "third.example", itertools.count(1)), 0.1):
        yield


BETWEEN_DOMAINS: Final = (
    Condition("another domain stays away", away, ("QpqPeerAway", "QpqPeerBoxFills"), 90),
    Condition("another domain comes", there, (), 90),
    Condition("another domain does what it may not", wrong, ("QpqPeerRefused",), 90),
)
ALL: Final = (*CONDITIONS, *BETWEEN_DOMAINS)
