"""`qpqctl bench`: what a running server gives its clients now, by accounts that exist for as long as it takes."""

from __future__ import annotations

import secrets
import tempfile
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qpqclient import Client
    from qpqserver.ctl.given import Given

PAIRS_MAX, SECONDS_MAX = 64, 300.0
"""It is a look at a server, not a load: one connection each, one message under way each."""
STORE_KEY_BYTES = 32
END_SECONDS_MAX = 30.0
"""For registrations, and again for deletions."""


@dataclass(slots=True)
class Figures:
    """What came of it."""

    registered: list[float] = field(default_factory=list)
    """Seconds of each registration, the password's work on this machine included."""
    arrived: list[float] = field(default_factory=list)
    """Seconds from a message's sending to its reception."""


@click.command()
@click.option("--server", default="127.0.0.1:7000", show_default=True)
@click.option("--ca-cert", type=click.Path(path_type=Path, exists=True), help="Certificate to trust; else first use.")
@click.option(
    "--pairs", type=click.IntRange(1, PAIRS_MAX), default=4, show_default=True, help="Who talk to each other."
)
@click.option("--seconds", type=click.FloatRange(0.1, SECONDS_MAX), default=5.0, show_default=True)
@click.pass_obj
def bench(given: Given, server: str, ca_cert: Path | None, pairs: int, seconds: float) -> None:
    """Measure a running server: pairs of new accounts send each other messages, one at a time; all are deleted again."""
    import trio

    from qpqclient import QpqError

    try:
        figures = trio.run(measure, server, given.settings.auth_token, ca_cert, pairs, seconds)
    except QpqError as exc:
        given.fail(exc)
    found = {
        "pairs": pairs, "seconds": seconds, "messages": len(figures.arrived),
        "messages_per_s": round(len(figures.arrived) / seconds, 1),
        "register_p50_s": quantile(figures.registered, 0.5), "message_p50_s": quantile(figures.arrived, 0.5),
        "message_p99_s": quantile(figures.arrived, 0.99),
    }  # fmt: skip
    shown = {name: "none" if value is None else value for name, value in found.items()}
    given.tell(
        {"ok": True, **found},
        f"{server}: {shown['messages']} messages, {shown['messages_per_s']}/s by {pairs} pairs; sent to received: "
        f"{shown['message_p50_s']} s (p50), {shown['message_p99_s']} s (p99); a registration {shown['register_p50_s']} s",
    )


def quantile(seconds: Sequence[float], share: float) -> float | None:
    """Return a quantile, to a tenth of a millisecond; None of nothing."""
    ordered = sorted(seconds)
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 4) if ordered else None


async def measure(server: str, token: str, ca_cert: Path | None, pairs: int, seconds: float) -> Figures:
    """Return the figures. QpqError; Unreachable where registration or deletion does not come to an end.

    Whatever comes in between, the accounts are deleted again; the error says which could not be.
    """
    from qpqclient import QpqError, Unreachable, open_client

    figures = Figures()
    with tempfile.TemporaryDirectory(prefix="qpqctl-bench-") as folder:
        async with AsyncExitStack() as stack:
            clients = [
                await stack.enter_async_context(
                    open_client(
                        Path(folder) / str(index), server=server, ca_cert=ca_cert,
                        store_key=secrets.token_bytes(STORE_KEY_BYTES),
                    )
                )
                for index in range(2 * pairs)
            ]  # fmt: skip
            problem: QpqError | None = None
            try:
                await _play(clients, token, seconds, figures)
            except QpqError as exc:
                problem = exc
            finally:
                left = await _delete(clients)
            if left:
                raise Unreachable(f"{problem or 'the server is too slow for this'}; accounts stay: {', '.join(left)}")
            if problem is not None:
                raise problem
    return figures


async def _play(clients: Sequence[Client], token: str, seconds: float, figures: Figures) -> None:
    """Register all, then let each two talk. QpqError, of the first whom anything keeps from it."""
    import trio

    from qpqclient import QpqError, Unreachable

    names = [f"bench-{secrets.token_hex(8)}" for _ in clients]
    with trio.move_on_after(END_SECONDS_MAX) as registering:
        for client, name in zip(clients, names, strict=True):
            begun = trio.current_time()
            await client.register(name, secrets.token_hex(16), token=token)
            figures.registered.append(trio.current_time() - begun)
    if registering.cancelled_caught:
        raise Unreachable("the server is too slow for this")
    problems: list[QpqError] = []

    async def talk(index: int) -> None:
        try:
            await _talk(clients[index], clients[index + 1], names[index + 1], figures)
        except QpqError as exc:
            problems.append(exc)
            talking.cancel()

    with trio.move_on_after(seconds) as talking:
        async with trio.open_nursery() as nursery:
            for index in range(0, len(clients), 2):
                nursery.start_soon(talk, index)
    if problems:
        raise problems[0]


async def _delete(clients: Sequence[Client]) -> list[str]:
    """Delete the accounts that there are; return the names of those that stay. Bounded, and done even where we are cancelled."""
    import trio

    from qpqclient import QpqError

    with trio.move_on_after(END_SECONDS_MAX, shield=True):
        for client in clients:
            with suppress(QpqError):
                if client.known:
                    await client.delete_account()
    return [client.name for client in clients if client.known]


async def _talk(one: Client, two: Client, name: str, figures: Figures) -> None:
    """Send, wait until it is there, send the next, for ever."""
    import trio

    from qpqclient import MessageReceived

    events = two.events()
    conversation = await one.dm(name)
    while True:
        text, begun = secrets.token_hex(16), trio.current_time()
        await conversation.send(text)
        async for event in events:
            if isinstance(event, MessageReceived) and event.message.text == text:
                figures.arrived.append(trio.current_time() - begun)
                break
