"""A foreign implementation as an end of the suite: a program of its own, spoken to in lines.

`tests/interop/s2nquic` is s2n-quic on s2n-tls; cargo builds it when it is asked for.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from functools import cache
from math import inf
from pathlib import Path as Folder
from typing import TYPE_CHECKING

import trio

from .ends import GROUPS, RESET_KEY, CannotInitiate, ClientOptions, Exchange, Notes, Refused, ServerOptions

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from trio_quic import Limits

    from .path import UdpPath

ROOT = Folder(__file__).parents[2]
PACKAGES = {"s2n-quic": "qpq-quic-peer"}
UNCONFIRMED_S = 2.0
LIMIT_NAMES = ("idle_ms", "stream_window_bytes", "connection_window_bytes", "streams_max")


@cache
def built(kind: str) -> Folder:
    """The program, built if it was not."""
    target = Folder(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    command = ["cargo", "build", "--quiet", "--locked", "--release", "-p", PACKAGES[kind]]
    subprocess.run(command, cwd=ROOT, check=True, env=os.environ | {"CARGO_TARGET_DIR": str(target)})
    return target / "release" / PACKAGES[kind]


class Program:
    """One run of the program after the other, with files for certificates."""

    def __init__(self, kind: str, stack: AsyncExitStack) -> None:
        self.path = built(kind)
        self._folder = Folder(stack.enter_context(tempfile.TemporaryDirectory(prefix="qpq-conformance-")))
        self._stack = stack
        self.process: trio.Process | None = None

    def file(self, name: str, content: bytes) -> str:
        """Write a file; where it is."""
        where = self._folder / f"{name}.pem"
        where.write_bytes(content)
        return str(where)

    def limits(self, limits: Limits) -> dict[str, str]:
        """What the program takes of them."""
        return {name: str(getattr(limits, name)) for name in LIMIT_NAMES}

    async def start(self, role: str, wishes: dict[str, str]) -> trio.Process:
        """Run it."""
        arguments = [f"{key}={value}" for key, value in wishes.items()]
        process = await trio.lowlevel.open_process(
            [str(self.path), role, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.process = process
        self._stack.callback(_end, process)
        return process


def _end(process: trio.Process) -> None:
    if process.poll() is None:
        process.kill()
        process._proc.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            os.close(pipe.fileno()) if not pipe._fd_holder.closed else None
            pipe._fd_holder.fd = -1


async def lines(process: trio.Process):
    """What it says."""
    rest = b""
    assert process.stdout is not None
    async for piece in process.stdout:
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line.decode()


class ForeignServer:
    """The program as a server."""

    def __init__(self, program: Program, path: UdpPath, nursery: trio.Nursery, options: ServerOptions) -> None:
        self._program, self._path, self._nursery, self._options = program, path, nursery, options
        self.notes = Notes()
        self.process: trio.Process

    async def live(self) -> None:
        o, program = self._options, self._program
        host, port = self._path.listens
        wishes = {
            "listen": f"{host}:{port}",
            "alpn": ",".join(o.alpn),
            "chain": program.file("chain", o.certificate.chain_pem),
            "key": program.file("key", o.certificate.key_pem),
            "reset_key": RESET_KEY,
            **program.limits(o.limits),
        }
        if o.client_ca_pem is not None:
            wishes |= {"client_ca": program.file("client_ca", o.client_ca_pem), "client_name": o.client_name}
        if o.retry:
            wishes["retry"] = "yes"
        self.process = await program.start("server", wishes)
        self._path.aim(await self._nursery.start(self._listen, self.process))

    async def _listen(self, process: trio.Process, *, task_status) -> None:
        async for line in lines(process):
            word, _, rest = line.partition(" ")
            if word == "listening":
                host, _, port = rest.rpartition(":")
                task_status.started((host, int(port)))
            else:
                self.notes.add(rest)

    async def die(self) -> None:
        self.process.kill()
        await self.process.wait()

    def moved(self) -> bool:
        return bool(self.notes.some("path"))

    def step_keys(self) -> None:
        raise CannotInitiate


class ForeignClient:
    """The program as a client."""

    def __init__(self, process: trio.Process, nursery: trio.Nursery) -> None:
        self.process, self._nursery = process, nursery
        self.notes = Notes()
        self.alpn = self.group = ""
        self._exchanges: list[Exchange] = []
        self._wishes, self._unsaid = trio.open_memory_channel[bytes](inf)
        self._closed = trio.Event()
        self._words = ""

    @classmethod
    async def connect(
        cls, kind: str, path: UdpPath, stack: AsyncExitStack, nursery: trio.Nursery, options: ClientOptions
    ) -> ForeignClient:
        """Connect. Raises Refused."""
        program = Program(kind, stack)
        host, port = path.front
        wishes = {
            "to": f"{host}:{port}",
            "name": options.name,
            "alpn": ",".join(options.alpn),
            "ca": program.file("ca", options.ca_pem),
            "policy": "pq" if GROUPS[0] in options.groups else "classic",
            **program.limits(options.limits),
        }
        if options.certificate is not None:
            wishes |= {
                "chain": program.file("chain", options.certificate.chain_pem),
                "key": program.file("key", options.certificate.key_pem),
            }
        client = cls(await program.start("client", wishes), nursery)
        words = await nursery.start(client._listen)
        word, _, rest = words.partition(" ")
        if word != "connected":
            raise Refused(rest)
        client.alpn = rest
        # Its own handshake ends before the server has judged it. By then s2n-quic has taken a new id for the server, and
        # drops Handshake packets under the first one: that in which a native server refuses its certificate among them.
        with trio.move_on_after(UNCONFIRMED_S):
            confirmed = await client.notes.wait("confirmed", "closed")
        if not client.notes.some("confirmed"):
            raise Refused(client._words or "unconfirmed")
        client.group = confirmed.partition(" ")[2].upper()
        nursery.start_soon(client._speak)
        return client

    async def _listen(self, *, task_status) -> None:
        begun = False
        async for line in lines(self.process):
            word, _, rest = line.partition(" ")
            if word == "note":
                self.notes.add(rest)
            elif word == "closed":
                self._words = rest
                self._closed.set()
                self.notes.add(line)
            elif not begun:
                begun = True
                task_status.started(line)
            elif word == "done":
                number, _, ends = rest.partition(" ")
                exchange = self._exchanges[int(number)]
                exchange.sent, _, exchange.received = ends.partition(" | ")
                exchange.over.set()
        if not begun:
            task_status.started("failed without a word")

    def _say(self, line: str) -> None:
        self._wishes.send_nowait(f"{line}\n".encode())

    async def _speak(self) -> None:
        assert self.process.stdin is not None
        async for wish in self._unsaid:
            await self.process.stdin.send_all(wish)

    def open(self, head: str, size: int = 0, how: str = "fin", code: int = 0) -> Exchange:
        exchange = Exchange(number=len(self._exchanges))
        self._exchanges.append(exchange)
        self._say(f"open {exchange.number} {size} {how} {code} {head}")
        return exchange

    def go(self, exchange: Exchange) -> None:
        self._say(f"go {exchange.number}")

    async def closed(self) -> str:
        await self._closed.wait()
        return self._words

    def close(self, code: int) -> None:
        self._say(f"close {code}")

    def step_keys(self) -> None:
        raise CannotInitiate
