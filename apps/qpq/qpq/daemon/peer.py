"""One program at the other end: its requests run, its answers and events go out in order through one bounded queue."""

from __future__ import annotations

import sys
import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import trio

from qpq.commands.naming import find
from qpq.daemon import rpc
from qpq.here import Here
from qpq.table.commands import RPC
from qpq.table.model import Face, Mistake, Needs
from qpqclient import QpqError

if TYPE_CHECKING:
    from collections.abc import Callable

    from qpq.profile import Profile
    from qpqclient import Client

LINE_BYTES_MAX = 1024 * 1024
"""Of one frame from a program: a text of 32 KiB is 192 KiB where every byte is escaped, a batch has several."""
RECEIVE_BYTES = 64 * 1024
WAITING_MAX = 1_000
"""Frames that wait for one program; it is cut off when more would: its own history has what it misses."""
CALLS_MAX = 16
"""Calls of one program under way at a time; its next line is not read before."""


@dataclass(slots=True)
class Collector:
    """The listener of a call (`qpq.here.Listener`): collects what is told, and asks nobody."""

    notify: Callable[[str, dict[str, Any]], None]
    values: list[dict[str, Any]] = field(default_factory=list)

    def tell(self, value: dict[str, Any], *lines: str) -> None:
        """Collect one value."""
        del lines
        self.values.append(value)

    async def ask(self, question: str) -> str:
        """Refuse: what would be asked for is a parameter."""
        raise Mistake(f"{question}: say it in the parameters")

    async def ask_secret(self, question: str) -> str:
        """Refuse likewise."""
        raise Mistake(f"{question}: say it in the parameters")

    def progress(self, what: str, done_bytes: int, total_bytes: int) -> None:
        """Tell how far a file has come."""
        self.notify("progress", {"what": what, "done_bytes": done_bytes, "total_bytes": total_bytes})


class Peer:
    """A connected program."""

    def __init__(self, profile: Profile, client: Client, stream: trio.abc.Stream) -> None:
        self._profile, self._client, self._stream = profile, client, stream
        self._out, self._queue = trio.open_memory_channel[bytes](WAITING_MAX)
        self._calls = trio.CapacityLimiter(CALLS_MAX)
        self._scope = trio.CancelScope()
        self._numbers: dict[bytes, list[bytes]] = {}

    async def run(self) -> None:
        """Serve the program until it ends, breaks the protocol, or reads too slowly."""
        with self._scope:
            async with self._stream, trio.open_nursery() as nursery:
                nursery.start_soon(self._write)
                async with trio.open_nursery() as calls:
                    await self._read(calls)
                await self._out.aclose()  # what is answered already still goes out

    def notify(self, name: str, params: dict[str, Any]) -> None:
        """Tell the program of an event."""
        self._put(rpc.notification(name, params))

    def _put(self, answer: dict[str, Any] | list[dict[str, Any]]) -> None:
        try:
            self._out.send_nowait(rpc.frame(answer))
        except trio.WouldBlock:
            self._scope.cancel()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return

    async def _write(self) -> None:
        async with self._queue:
            try:
                async for frame in self._queue:
                    await self._stream.send_all(frame)
            except (trio.BrokenResourceError, trio.ClosedResourceError, OSError):
                self._scope.cancel()

    async def _read(self, calls: trio.Nursery) -> None:
        buffer = bytearray()
        while True:
            try:
                data = await self._stream.receive_some(RECEIVE_BYTES)
            except (trio.BrokenResourceError, trio.ClosedResourceError, OSError):
                return
            if not data:
                return
            buffer += data
            *lines, rest = buffer.split(b"\n")
            buffer = bytearray(rest)
            if max(map(len, (*lines, rest))) > LINE_BYTES_MAX:
                too_long = f"a line has at most {LINE_BYTES_MAX} bytes"
                self._put(rpc.error(None, rpc.RpcError(rpc.INVALID_REQUEST, too_long)))
                return
            for line in lines:
                if line.strip():
                    await self._begin(calls, bytes(line))

    async def _begin(self, calls: trio.Nursery, line: bytes) -> None:
        token = object()
        await self._calls.acquire_on_behalf_of(token)
        calls.start_soon(self._serve, line, token)

    async def _serve(self, line: bytes, token: object) -> None:
        try:
            requests, batch = rpc.read_frame(line)
            answers = [answer for r in requests if (answer := await self._answer(r)) is not None]
            if batch and answers:
                self._put(answers)
            elif answers:
                self._put(answers[0])
        finally:
            self._calls.release_on_behalf_of(token)

    async def _answer(self, request: rpc.Request | rpc.RpcError) -> dict[str, Any] | None:
        if isinstance(request, rpc.RpcError):
            return rpc.error(None, request)
        try:
            answer = rpc.result(request.id, await self._call(request))
        except rpc.RpcError as exc:
            answer = rpc.error(request.id, exc)
        except Mistake as exc:
            answer = rpc.error(request.id, rpc.RpcError(rpc.INVALID_PARAMS, str(exc)))
        except QpqError as exc:
            answer = rpc.error(request.id, rpc.RpcError(exc.exit_code, str(exc), {"name": exc.name}))
        except OSError as exc:
            answer = rpc.error(request.id, rpc.RpcError(rpc.INVALID_PARAMS, f"{exc.strerror}: {exc.filename or ''}"))
        except Exception:  # noqa: BLE001 - a fault of one call is not the end of the daemon; its text stays inside
            traceback.print_exc(file=sys.stderr)
            answer = rpc.error(request.id, rpc.RpcError(rpc.INTERNAL, "a fault inside; standard error has it"))
        return answer if request.answered else None

    async def _call(self, request: rpc.Request) -> list[dict[str, Any]]:
        command = RPC.get(request.method)
        if command is None:
            raise rpc.RpcError(rpc.UNKNOWN_METHOD, f"there is no method {request.method[:40]!r}: `help` lists all")
        target, values = rpc.arguments_of(command, request.params)
        listener = Collector(self.notify)
        here = Here(self._profile, listener, Face.RPC, numbers=self._numbers)
        here.client = self._client
        if command.needs is Needs.CONVERSATION:
            here.conversation = await find(self._client, target, begin=command.begins)
        await command.call(here, values)
        return listener.values
