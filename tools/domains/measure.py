"""What a message to another domain costs, by process, beside one within a domain; and what a peer that floods costs the others.

`python -m tools.domains.measure`; figures are of this machine, at this moment.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio

from qpqclient import open_client
from tools.demo.processes import ServerProcess, stage
from tools.domains.world import World, found

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from qpqclient import Client, Conversation

MESSAGES = 200
PROBES = 200
FLOODER_PROCESSES = 2
TICKS = os.sysconf("SC_CLK_TCK")
STORE_KEY = bytes(32)
FLOODED, FLOODER = "b.example", "c.example"


def cpu_ms(world: World, domain: str) -> float:
    """Return the processor time that a domain's server has had."""
    server = world.servers[domain]
    assert isinstance(server, ServerProcess)
    fields = Path(f"/proc/{server.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
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
    """Return how long messages take until the home has them: median and 99th percentile, milliseconds."""
    found_ms = []
    for number in range(PROBES):
        begun_s = time.monotonic()
        await sender.wait_sent((await to.send(f"probe {number}")).id)
        found_ms.append((time.monotonic() - begun_s) * 1000)
    found_ms.sort()
    return {"p50_ms": round(found_ms[PROBES // 2], 1), "p99_ms": round(found_ms[PROBES * 99 // 100], 1)}


async def flood(world: World, answers: dict[int, int], *, task_status: trio.TaskStatus[None]) -> None:
    """Have a peer in processes of its own that calls as fast as it is answered, for ever; add up the answers by code."""
    # Past the relay, which is this process: it would be what is flooded.
    port = next(r.targets[0][1] for (_, to), r in world.relays.items() if to == FLOODED)
    own = world.root / "certificates" / FLOODER
    command = [sys.executable, "-m", "tools.domains.flood", str(port), str(own), FLOODER, FLOODED]

    async def one(*, task_status: trio.TaskStatus[None]) -> None:
        process = await trio.lowlevel.open_process(command, stdout=subprocess.PIPE)
        assert process.stdout is not None
        is_started = False
        try:
            async for line in LineReader(process.stdout):
                for code, count in json.loads(line).items():
                    answers[int(code)] = answers.get(int(code), 0) + count
                if not is_started:
                    is_started = True
                    task_status.started()
        finally:
            process.kill()

    async with trio.open_nursery() as nursery:
        for _ in range(FLOODER_PROCESSES):
            await nursery.start(one)
        task_status.started()


class LineReader:
    """The lines of a stream."""

    def __init__(self, stream: trio.abc.ReceiveStream) -> None:
        self._stream = stream
        self._rest = b""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield them."""
        async for chunk in self._stream:
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            for line in lines:
                yield line


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
            await flooding.start(flood, world, answers)
            answers.clear()  # of the burst that a domain has at its beginning
            begun_s = time.monotonic()
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
