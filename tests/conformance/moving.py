"""`python -m tests.conformance.moving`: a client that moves to another address in the middle of a 50 MB download and of a
subscription, on real sockets: what was lost (nothing), and how long it took to go on.

First on a raw stream of trio_quic, then through the SDK and a whole server. The client's address changes behind its back, as
a mobile network or a router does it: its old one is dead at once, and the server learns of the new one by the client's next
datagram.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path as Folder
from typing import TYPE_CHECKING

import trio

import qpqclient
from qpqclient.transport import Network
from qpqcore.config.settings import Settings
from qpqserver.embedded import open_embedded
from tests.support.people import people, texts

from .path import Datagram, UdpPath
from .place import Stage
from .streams import pattern, told

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

ENGINES = ("native", "aioquic")
DOWNLOAD_BYTES = 50_000_000
MESSAGES = 20
PATIENCE_S = 300
RESTLESS = Network(keepalive_ms=1_000)
"""An idle client's ping is what tells the server of a move: for the figure of it, not after 25 s."""


@dataclass(frozen=True)
class Found:
    """What came of one move."""

    what: str
    engine: str
    bytes_moved_at: int
    to_go_on_ms: float
    """From the move to the first of the server's large datagrams, or pushes, at the new address."""
    in_all_s: float
    connections: int
    """How many the client needed."""

    def line(self) -> str:
        """As it is printed."""
        return (
            f"{self.what:28} {self.engine:8} moved at {self.bytes_moved_at / 1e6:6.1f} MB, went on after "
            f"{self.to_go_on_ms:7.1f} ms, whole in {self.in_all_s:5.1f} s, {self.connections} connection, nothing lost"
        )


class Mover:
    """Moves the clients of a relay once a number of bytes has come down, and times what comes next."""

    def __init__(self, path: UdpPath, after_bytes: int | None) -> None:
        self._path, self._after_bytes = path, after_bytes
        self.moved_s: float | None = None
        self.went_on_s: float | None = None
        path.rule = self._rule

    def move(self) -> None:
        """Move now."""
        self._path.move()
        self.moved_s = trio.current_time()

    def _rule(self, datagram: Datagram) -> Sequence[float]:
        # What was under way to the old address is lost with it, so all that comes after a move is for the new one.
        if self.moved_s is None:
            if self._after_bytes is not None and self._path.bytes[False] > self._after_bytes:
                self.move()
        elif self.went_on_s is None and not datagram.up and self._large(datagram):
            self.went_on_s = trio.current_time()
        return (0.0,)

    @staticmethod
    def _large(datagram: Datagram) -> bool:
        """Not the probing of the new address: data. A push of a message is larger than any acknowledgement."""
        return len(datagram.data) > 200 and not is_probe(datagram.data)

    def to_go_on_ms(self) -> float:
        """How long it took."""
        assert self.moved_s is not None and self.went_on_s is not None
        return (self.went_on_s - self.moved_s) * 1_000


def is_probe(data: bytes) -> bool:
    """RFC 9000 section 8.2.1: probing datagrams are padded to exactly 1,200 bytes."""
    return len(data) == 1_200


async def stream_download(engine: str, size: int) -> Found:
    """A download on a raw stream of trio_quic."""
    async with Stage(engine, engine).open(real=True) as place:
        client = await place.connect()
        mover = Mover(place.path, size // 2)
        started = trio.current_time()
        assert await client.open(f"give {size}").result() == f"ok {told(pattern(size))}"
        assert place.server.moved()
        return Found(
            "raw stream, download", engine, size // 2, mover.to_go_on_ms(), trio.current_time() - started,
            len(place.server.notes.some("connected")),
        )  # fmt: skip


@asynccontextmanager
async def served(engine: str, folder: Folder) -> AsyncIterator[tuple[UdpPath, object, AsyncExitStack]]:
    """A whole server, and a relay before it."""
    settings = Settings(listen="127.0.0.1:0", data_dir=str(folder / "server"), quic_engine=engine)
    with trio.fail_after(PATIENCE_S):
        async with open_embedded(settings) as server, UdpPath().running() as path, AsyncExitStack() as stack:
            server.where = "127.0.0.1:%d" % server.endpoint.address[1]
            path.aim(("127.0.0.1", server.endpoint.address[1]))
            yield path, server, stack


async def _bob(engine: str, folder: Folder, path: UdpPath, stack: AsyncExitStack) -> qpqclient.Client:
    """A person behind the relay, in the folder that he registered with."""
    host, port = path.front
    return await stack.enter_async_context(
        qpqclient.open_client(
            folder / "bob", server=f"{host}:{port}", password="store bob", engine=engine, network=RESTLESS
        )
    )


async def sdk_download(engine: str, size: int, folder: Folder) -> Found:
    """A file of the SDK, in its chunks."""
    async with served(engine, folder) as (path, server, stack):
        alice = await _talk(stack, server, folder)
        content = folder / "file.bin"
        content.write_bytes(pattern(size))
        sent = await alice.send_file(content)
        before = server.endpoint.counters()["connections_accepted"]
        bob = await _bob(engine, folder, path, stack)
        theirs = await _received(bob, alice.id, sent.id)
        mover = Mover(path, path.bytes[False] + size // 2)
        started = trio.current_time()
        got = await theirs.download(theirs.message(sent.id), folder / "got.bin")
        in_all_s = trio.current_time() - started
        assert sha256(got.read_bytes()).digest() == sha256(content.read_bytes()).digest()
        connections = server.endpoint.counters()["connections_accepted"] - before
        return Found("SDK, download of a file", engine, size // 2, mover.to_go_on_ms(), in_all_s, connections)


async def sdk_subscription(engine: str, folder: Folder) -> Found:
    """A subscriber who says nothing himself, and moves between two messages."""
    async with served(engine, folder) as (path, server, stack):
        alice = await _talk(stack, server, folder)
        first = await alice.send("0")
        before = server.endpoint.counters()["connections_accepted"]
        bob = await _bob(engine, folder, path, stack)
        theirs = await _received(bob, alice.id, first.id)
        await path.silence()
        mover = Mover(path, None)
        moved_at, started = path.bytes[False], trio.current_time()
        mover.move()
        for number in range(1, MESSAGES + 1):
            last = await alice.send(str(number))
        await _received(bob, alice.id, last.id)
        assert texts(theirs) == [str(number) for number in range(MESSAGES + 1)]
        connections = server.endpoint.counters()["connections_accepted"] - before
        return Found(
            "SDK, idle subscription", engine, moved_at, mover.to_go_on_ms(), trio.current_time() - started, connections
        )


async def _talk(stack: AsyncExitStack, server: object, folder: Folder) -> qpqclient.Conversation:
    """Alice's conversation with Bob, who has registered and is away."""
    async with AsyncExitStack() as short:
        await people(short, server, folder, "bob")
    (alice,) = await people(stack, server, folder, "alice")
    return await alice.dm("bob")


async def _received(client: qpqclient.Client, conversation: bytes, message: bytes) -> qpqclient.Conversation:
    """Wait until a message is there."""
    events = client.events()
    while True:
        for theirs in client.conversations():
            if theirs.id == conversation and any(m.id == message for m in theirs.history(1_000)):
                return theirs
        with trio.move_on_after(1.0):
            await anext(events)


def main() -> int:
    """Play all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bytes", type=int, default=DOWNLOAD_BYTES)
    size = parser.parse_args().bytes
    for engine in ENGINES:
        print(trio.run(stream_download, engine, size).line(), flush=True)
        for play in (lambda e, f: sdk_download(e, size, f), sdk_subscription):
            with tempfile.TemporaryDirectory(prefix="qpq-moving-") as folder:
                print(trio.run(play, engine, Folder(folder)).line(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
