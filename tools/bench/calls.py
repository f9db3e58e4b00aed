"""Calls over QUIC: `health` and a durable `enqueue` at the whole server, each beside the engine's bare echo.

The echo sends back frames of the same size as the call's, over as many connections, in the same repetition: the ratio
of the two CPU costs is the figure. Client and server share the process, so both costs have the client's share in them.
"""

from __future__ import annotations

import secrets
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio

import qpqclient
from qpqclient.transport import Link, Trust, frame_of, open_link
from qpqcore.api.delivery import EnqueueParams, EnqueueResult
from qpqcore.api.gateway import HealthParams, HealthResult
from qpqcore.groups.policy import group_id
from qpqserver.embedded import certificate, open_embedded
from tools.bench.measure import Effort, Row, in_flight, medians
from trio_quic import ClientTls, IncomingCall, QuicConfiguration, open_quic_connection, serve_quic

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence

    from qpqcore.config.settings import Settings
    from trio_quic import QuicConnection

CONNECTIONS = {1: 1, 32: 1, 256: 3}
"""In flight: connections; one takes 100 calls. Each repetition takes the connections of the next devices."""
DEVICES = 6
MESSAGE_BYTES = 100
FIRST_GENERATION = 1
CIPHERTEXTS = 2_000
"""A device's, in two groups: below the 1,024 that one epoch's ratchet allows a receiver to skip."""


@asynccontextmanager
async def echo(settings: Settings) -> AsyncIterator[list[QuicConnection]]:
    """Serve on the same engine what sends back what comes; connections to it."""
    tls, _, _ = certificate(settings, Path(settings.data_dir))

    def answer(call: IncomingCall) -> None:
        call.reply(call.frame)

    configuration = QuicConfiguration(alpn=(b"echo",), server=tls, client=ClientTls(first_use=True))
    async with AsyncExitStack() as stack:
        nursery = await stack.enter_async_context(trio.open_nursery())
        stack.callback(nursery.cancel_scope.cancel)

        async def run(*, task_status: trio.TaskStatus[Any] = trio.TASK_STATUS_IGNORED) -> None:
            await serve_quic(answer, configuration, host="127.0.0.1", port=0, task_status=task_status)

        endpoint = await nursery.start(run)
        yield [
            await stack.enter_async_context(
                open_quic_connection("127.0.0.1", endpoint.address[1], configuration)
            )
            for _ in range(DEVICES)
        ]  # fmt: skip


def ciphertexts(client: qpqclient.Client, channels: Sequence[bytes]) -> Iterator[EnqueueParams]:
    """Encrypt messages for a device's channels in turn, by copies of its groups: nothing is stored at the sender."""
    groups = client._core.groups  # noqa: SLF001 - real PrivateMessages, apart from the client's own outbox
    copies = [(channel, groups.copy(group_id(channel, FIRST_GENERATION))) for channel in channels]
    for number in range(CIPHERTEXTS):
        channel, group = copies[number % len(copies)]
        payload = group.encrypt(secrets.token_bytes(MESSAGE_BYTES))
        yield EnqueueParams(channel=channel, generation=FIRST_GENERATION, epoch=group.epoch, payload=payload)


async def prepared(root: Path, where: str, links: Sequence[Link]) -> list[list[EnqueueParams]]:
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
        made = []
        for client, link in zip(clients, links, strict=True):
            await client.sync()
            await client._core.account.resume(link)  # noqa: SLF001 - a second connection in the same session
            made.append(list(ciphertexts(client, [c.id for c in client.conversations()])))
        return made


def chosen(items: Sequence[Any], width: int, repetition: int) -> list[Any]:
    """Return the connections, or what goes over them, that one repetition uses at a width."""
    count = CONNECTIONS[width]
    return [items[(repetition * count + n) % len(items)] for n in range(count)]


async def pair(
    what: str, calls: Sequence[Callable[[], Awaitable[Any]]], bare: Sequence[QuicConnection], frame: bytes, width: int,
    echoes: int, count: int,
) -> dict[str, dict[str, float]]:  # fmt: skip
    """Measure the echo, then the call beside it; one repetition."""
    base_rate, base_cpu = await in_flight([partial(c.call, frame) for c in bare], echoes, width)
    rate, cpu = await in_flight(calls, count, width)
    return {
        "echo": {"per_second": base_rate, "cpu_us": base_cpu, "ratio": 1.0},
        what: {"per_second": rate, "cpu_us": cpu, "ratio": cpu / base_cpu},
    }


def rows_of(what: str, runs: Sequence[dict[str, dict[str, float]]], echoes: int, calls: int, **facts: Any) -> list[Row]:
    """Return the medians of one width as two rows, and the lowest and highest ratio."""
    ratios = [run[what]["ratio"] for run in runs]
    counts = {"echo": echoes, what: calls}
    spread = {"echo": (1.0, 1.0), what: (min(ratios), max(ratios))}
    return [
        {
            "what": name,
            "beside": what,
            **facts,
            "calls": counts[name],
            "repetitions": len(runs),
            **medians([run[name] for run in runs]),
        }
        | {"lowest": spread[name][0], "highest": spread[name][1]}
        for name in ("echo", what)
    ]


async def calls(settings: Settings, root: Path, effort: Effort) -> list[Row]:
    """Measure `health` and `enqueue` at every width."""
    rows: list[Row] = []
    async with AsyncExitStack() as stack:
        bare = await stack.enter_async_context(echo(settings))
        server = await stack.enter_async_context(open_embedded(settings))
        where = f"127.0.0.1:{server.endpoint.address[1]}"
        links = [
            await stack.enter_async_context(open_link(where, Trust(), accept=lambda _: True)) for _ in range(DEVICES)
        ]
        messages = [iter(m) for m in await prepared(root, where, links)]
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
                runs = [
                    await pair(
                        what, chosen(ways, width, n), chosen(bare, width, n), frame, width, effort.health[width], count
                    )
                    for n in range(effort.repetitions)
                ]
                facts = {"in_flight": width, "connections": CONNECTIONS[width], "frame_bytes": len(frame)}
                rows += rows_of(what, runs, effort.health[width], count, **facts)
    return rows


async def send(link: Link, waiting: Iterator[EnqueueParams]) -> None:
    """Enqueue the next message; it is answered once it is on disk."""
    done = await link.call(next(waiting), EnqueueResult)
    assert not done.duplicate
