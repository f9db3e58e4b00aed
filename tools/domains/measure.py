"""What a message to another domain costs, by process, beside one within a domain; and what a peer that floods costs the others.

`python -m tools.domains.measure`; figures are of this machine, at this moment.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio

from qpqclient import open_client
from qpqcore.api.delivery import EnqueueParams, Guest
from qpqcore.api.federation import METHODS, FederationHealthParams, RelayEnqueueParams
from qpqcore.api.rpc import Call, Reply
from qpqcore.net import authority
from qpqfederation.links import ALPN
from tools.demo.processes import stage
from tools.domains.world import World, found
from trio_quic import ClientTls, QuicConfiguration, QuicError, open_quic_connection

if TYPE_CHECKING:
    from qpqclient import Client, Conversation

MESSAGES = 200
PROBES = 60
FLOODERS = 32
NUMBERS = {m.name: m.number for m in METHODS}
TICKS = os.sysconf("SC_CLK_TCK")
STORE_KEY = bytes(32)
FLOODED, FLOODER = "b.example", "c.example"


def cpu_ms(world: World, domain: str) -> float:
    """Return the processor time that a domain's server has had."""
    process = world.servers[domain]._process  # noqa: SLF001 - there is no other face for its number
    assert process is not None
    fields = Path(f"/proc/{process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / TICKS


async def person(stack: AsyncExitStack, world: World, name: str, domain: str) -> Client:
    """Register somebody."""
    folder = world.root / name
    opened = open_client(folder, server=world.servers[domain].address, store_key=STORE_KEY)
    client = await stack.enter_async_context(opened)
    await client.register(name, f"secret of {name}")
    client.set_setting("receipts.delivered", "off")
    return client


async def arrived(client: Client, conversation: bytes, count: int) -> None:
    """Wait until somebody has so many messages."""
    events = client.events()
    while not any(c.id == conversation and len(c.history(100_000)) >= count for c in client.conversations()):
        with trio.move_on_after(0.5):
            await anext(events)


async def cost(world: World, what: str, sender: Client, to: Conversation, reader: Client) -> dict[str, Any]:
    """Send messages, one after another, and say what the servers had to do for each."""
    had = len(to.history(100_000))
    before = {domain: cpu_ms(world, domain) for domain in world.servers}
    begun_s = time.monotonic()
    for number in range(MESSAGES):
        await sender.wait_sent((await to.send(f"{what} {number}")).id)
    await arrived(reader, to.id, had + MESSAGES)
    each_ms = (time.monotonic() - begun_s) * 1000 / MESSAGES
    spent = {domain: round((cpu_ms(world, domain) - before[domain]) / MESSAGES, 2) for domain in world.servers}
    return {"what": what, "cpu_ms_a_message": spent, "ms_a_message": round(each_ms, 1)}


async def latency(sender: Client, to: Conversation) -> dict[str, float]:
    """Return how long messages take until the home has them: median and 95th percentile, milliseconds."""
    found_ms = []
    for number in range(PROBES):
        begun_s = time.monotonic()
        await sender.wait_sent((await to.send(f"probe {number}")).id)
        found_ms.append((time.monotonic() - begun_s) * 1000)
    found_ms.sort()
    return {"p50_ms": round(found_ms[PROBES // 2], 1), "p95_ms": round(found_ms[PROBES * 95 // 100], 1)}


async def flood(world: World, answers: dict[int, int], *, task_status: trio.TaskStatus[None]) -> None:
    """Be a peer that calls as fast as it is answered, for ever; count the answers by code."""
    own = world.root / "certificates" / FLOODER
    tls = ClientTls(
        ca_pem=(own / authority.PEER_CA).read_bytes(), chain_pem=(own / authority.PEER_CERT).read_bytes(),
        key_pem=(own / authority.PEER_KEY).read_bytes(),
    )  # fmt: skip
    port = next(r.port for (_, to), r in world.relays.items() if to == FLOODED)
    guest = Guest(account=b"a" * 16 + FLOODER.encode(), device=b"d" * 16 + FLOODER.encode())
    item = EnqueueParams(channel=b"c" * 16 + FLOODED.encode(), generation=1, epoch=1, payload=b"x" * 1000)
    hello = FederationHealthParams(domain=FLOODER, protocol=1)
    params = RelayEnqueueParams(sender=guest, item=item)
    async with open_quic_connection(
        "127.0.0.1", port, QuicConfiguration(alpn=(ALPN,), client=tls), server_name=FLOODED
    ) as peer:
        await peer.call(Call(method=NUMBERS["federationHealth"], params=hello.to_bytes()).to_bytes())
        frame = Call(method=NUMBERS["relayEnqueue"], deadline_ms=5_000, params=params.to_bytes()).to_bytes()

        async def again() -> None:
            while True:
                with suppress(QuicError):
                    code = Reply.from_bytes(await peer.call(frame)).code
                    answers[code] = answers.get(code, 0) + 1
                if peer.closed is not None:
                    return

        async with trio.open_nursery() as nursery:
            for _ in range(FLOODERS):
                nursery.start_soon(again)
            task_status.started()


async def measure(root: Path) -> None:
    """Measure everything and print a line of JSON for each figure."""
    async with stage() as nursery, AsyncExitStack() as stack:
        world = found(root, "native", nursery)
        for relay in world.relays.values():
            await nursery.start(relay.run)
        for server in world.servers.values():
            await server.start()
        alice = await person(stack, world, "alice", "a.example")
        dave = await person(stack, world, "dave", "a.example")
        bob = await person(stack, world, "bob", "b.example")
        local = await alice.dm("dave")
        group = await alice.create_group("both", ["bob@b.example"])
        await arrived(bob, group.id, 0)
        at_bob = bob.conversation(group.id)
        for figure in (
            await cost(world, "within a.example", alice, local, dave),
            await cost(world, "down, from the home a.example to b.example", alice, group, bob),
            await cost(world, "up, from b.example to the home a.example", bob, at_bob, alice),
        ):
            print(json.dumps(figure), flush=True)  # noqa: T201 - the tool's purpose
        at_home = await bob.create_group("at b", ["alice@a.example"])
        await arrived(alice, at_home.id, 0)
        there = alice.conversation(at_home.id)
        print(json.dumps({"what": "from a to b, quiet", **await latency(alice, there)}), flush=True)  # noqa: T201 - as above
        answers: dict[int, int] = {}
        async with trio.open_nursery() as flooding:
            begun_s = time.monotonic()
            await flooding.start(flood, world, answers)
            figure = await latency(alice, there)
            seconds = time.monotonic() - begun_s
            flooding.cancel_scope.cancel()
        calls = {code: round(count / seconds) for code, count in sorted(answers.items())}
        print(json.dumps({"what": "from a to b, c flooding b", **figure, "flood_a_second_by_code": calls}), flush=True)  # noqa: T201 - as above


def main() -> None:
    """Measure in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="qpq-measure-") as folder:
        trio.run(measure, Path(folder))


if __name__ == "__main__":
    main()
