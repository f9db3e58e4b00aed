"""Calls over QUIC: `health` and a durable `enqueue` at the whole server, each beside the engines' bare echo.

Server and echoes are processes of their own, and their CPU is what is measured. An echo sends back frames of the same size
as the call's, over as many connections, in the same repetition: the ratio of the two costs is the figure.
"""

from __future__ import annotations

import secrets
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import qpqclient
from qpqclient.transport import Link, Trust, frame_of, open_link
from qpqcore.api.delivery import EnqueueParams, EnqueueResult
from qpqcore.api.gateway import HealthParams, HealthResult
from qpqcore.groups.policy import group_id
from tools.bench.measure import Effort, Row, in_flight, medians
from tools.bench.served import ALPN_ECHO, Served, served
from trio_quic import ClientTls, QuicConfiguration, open_quic_connection

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
    from pathlib import Path

    from trio_quic import EngineName, QuicConnection

ENGINES: Final[tuple[EngineName, ...]] = ("native", "aioquic")
CONNECTIONS = {1: 1, 32: 1, 128: 4, 256: 3}
"""In flight: connections; one takes 100 calls. Each repetition takes the connections of the next devices."""
DEVICES = 6
MESSAGE_BYTES = 100
FIRST_GENERATION = 1
CIPHERTEXTS = 2_000
"""A device's, in two groups: below the 1,024 that one epoch's ratchet allows a receiver to skip."""


@asynccontextmanager
async def connected(where: tuple[str, int], count: int) -> AsyncIterator[list[QuicConnection]]:
    """Open connections to an echo."""
    configuration = QuicConfiguration(alpn=(ALPN_ECHO,), client=ClientTls(first_use=True))
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(open_quic_connection(*where, configuration)) for _ in range(count)
        ]  # fmt: skip


def ciphertexts(
    client: qpqclient.Client, channels: Sequence[bytes], count: int = CIPHERTEXTS
) -> Iterator[EnqueueParams]:
    """Encrypt messages for a device's channels in turn, by copies of its groups: nothing is stored at the sender."""
    groups = client._core.groups  # noqa: SLF001 - real PrivateMessages, apart from the client's own outbox
    copies = [(channel, groups.copy(group_id(channel, FIRST_GENERATION))) for channel in channels]
    for number in range(count):
        channel, group = copies[number % len(copies)]
        payload = group.encrypt(secrets.token_bytes(MESSAGE_BYTES))
        yield EnqueueParams(channel=channel, generation=FIRST_GENERATION, epoch=group.epoch, payload=payload)


async def prepared(
    root: Path, where: str, links: Sequence[Link], count: int = CIPHERTEXTS
) -> list[Iterator[EnqueueParams]]:
    """Make a device for each link, a conversation with the next one, and messages; log the links in; close the clients.

    So the mailboxes written to are those of devices that are away: nobody decrypts while it is measured.
    """
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(qpqclient.open_client(root / f"{n}", server=where, password="x"))  # noqa: S106 - a bench's
            for n in range(DEVICES)
        ]
        for number, client in enumerate(clients):
            await client.register(f"user{number}", f"secret of {number}")
        for number, client in enumerate(clients):
            await client.dm(f"user{(number + 1) % DEVICES}")
        made: list[Iterator[EnqueueParams]] = []
        for client, link in zip(clients, links, strict=True):
            await client.sync()
            await client._core.account.resume(link)  # noqa: SLF001 - a second connection in the same session
            waiting = ciphertexts(client, [c.id for c in client.conversations()], count)
            made.append(chain([next(waiting)], waiting))  # the groups are copied while the client is open
        return made


def chosen(items: Sequence[Any], width: int, repetition: int) -> list[Any]:
    """Return the connections, or what goes over them, that one repetition uses at a width."""
    count = CONNECTIONS[width]
    return [items[(repetition * count + n) % len(items)] for n in range(count)]


async def measured(
    served_by: Served, calls: Sequence[Callable[[], Awaitable[Any]]], count: int, width: int
) -> dict[str, float]:
    """Run calls; return how many a second, and the CPU that one took where they are served."""
    before = await served_by.usage()
    rate, _ = await in_flight(calls, count, width)
    return {"per_second": rate, "cpu_us": ((await served_by.usage()).cpu_s - before.cpu_s) * 1e6 / count}


async def calls(root: Path, effort: Effort) -> list[Row]:
    """Measure `health` and `enqueue` at every width, each beside both engines' echoes."""
    rows: list[Row] = []
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        server = await enter(served(root / "server"))
        echoes = {name: await enter(served(root / name, "echo", name)) for name in ENGINES}
        bare = {name: await enter(connected(echo.address, DEVICES)) for name, echo in echoes.items()}
        links = [await enter(open_link(server.where, Trust(), accept=lambda _: True)) for _ in range(DEVICES)]
        messages = await prepared(root, server.where, links)
        health = [partial(link.call, HealthParams(), HealthResult) for link in links]
        enqueue = [partial(send, link, waiting) for link, waiting in zip(links, messages, strict=True)]
        sample = next(messages[0])
        for what, ways, frame, counts in (
            ("health", health, frame_of(HealthParams()), effort.health),
            ("enqueue", enqueue, frame_of(sample), effort.enqueue),
        ):
            for way in ways:
                await way()
            for width, count in counts.items():
                runs = []
                for n in range(effort.repetitions):
                    found = {
                        name: await measured(
                            echoes[name], [partial(c.call, frame) for c in chosen(bare[name], width, n)], effort.health[width], width
                        )
                        for name in ENGINES
                    }  # fmt: skip
                    runs.append(found | {what: await measured(server, chosen(ways, width, n), count, width)})
                rows.append(row_of(what, runs, width, count, len(frame)))
    return rows


def row_of(what: str, runs: Sequence[dict[str, dict[str, float]]], width: int, count: int, frame_bytes: int) -> Row:
    """Return the medians of one width, and the lowest and highest ratio to the native echo."""
    ratios = sorted(run[what]["cpu_us"] / run["native"]["cpu_us"] for run in runs)
    figures = [
        run[what]
        | {"native_echo_us": run["native"]["cpu_us"], "aioquic_echo_us": run["aioquic"]["cpu_us"]}
        | {"ratio": run[what]["cpu_us"] / run["native"]["cpu_us"]}
        for run in runs
    ]
    facts = {"what": what, "in_flight": width, "connections": CONNECTIONS[width], "frame_bytes": frame_bytes}
    return facts | {"calls": count} | medians(figures) | {"lowest": ratios[0], "highest": ratios[-1]}


async def send(link: Link, waiting: Iterator[EnqueueParams]) -> None:
    """Enqueue the next message; it is answered once it is on disk."""
    done = await link.call(next(waiting), EnqueueResult)
    assert not done.duplicate
