"""The daemon: one profile, kept connected, for all programs that come to its socket."""

from __future__ import annotations

import os
import signal
import socket
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import trio

from qpq.daemon.events import told, unshown
from qpq.daemon.peer import Peer
from qpq.entering import enter, renew
from qpq.table.model import Mistake
from qpqclient import QpqError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from qpq.profile import Profile
    from qpqclient import Client, Events

SOCKET = "daemon.sock"
PATH_BYTES_MAX = 107
"""Of a Unix socket's path, by the kernel."""
BACKLOG = 16
PEERS_MAX = 32
"""Programs connected at a time; the next one waits in the backlog."""
LOOK_SECONDS = 30.0
"""A listener that fell behind the SDK's bound missed some events: everything is looked at again so often."""


class Daemon:
    """A profile and the programs that use it."""

    def __init__(self, profile: Profile, client: Client) -> None:
        self._profile, self._client = profile, client
        self._peers: set[Peer] = set()
        self._room = trio.CapacityLimiter(PEERS_MAX)

    async def serve(self, path: Path, ready: Callable[[], None]) -> None:
        """Serve the programs that come to a socket, until SIGTERM or SIGINT."""
        with listening(path) as listener:
            async with trio.open_nursery() as nursery:
                self._start(nursery)
                ready()
                while True:
                    await self._room.acquire_on_behalf_of(token := object())
                    connection, _ = await listener.accept()
                    nursery.start_soon(self._serve_one, trio.SocketStream(connection), token)

    async def serve_stdio(self) -> None:
        """Serve the program at standard input and output until it ends."""
        async with trio.open_nursery() as nursery:
            self._start(nursery)
            token = object()
            await self._room.acquire_on_behalf_of(token)
            await self._serve_one(StandardStreams(), token)
            nursery.cancel_scope.cancel()

    def _start(self, nursery: trio.Nursery) -> None:
        nursery.start_soon(self._tell, self._client.events())
        nursery.start_soon(self._catch_up)
        nursery.start_soon(_end_on_signals, nursery.cancel_scope)

    async def _serve_one(self, stream: trio.abc.Stream, token: object) -> None:
        peer = Peer(self._profile, self._client, stream)
        self._peers.add(peer)
        try:
            self._tell_all(unshown(self._client, None))  # what came while no program was there
            await peer.run()
        finally:
            self._peers.discard(peer)
            self._room.release_on_behalf_of(token)

    async def _tell(self, events: Events) -> None:
        while True:
            event = None
            with trio.move_on_after(LOOK_SECONDS):
                event = await anext(events)
            if not self._peers or not self._client.known:
                continue  # messages stay as new until a program is there
            self._tell_all(unshown(self._client, event))
            if event is not None and (one := told(self._client, event)) is not None:
                self._tell_all([one])

    def _tell_all(self, found: list[tuple[str, dict[str, Any]]]) -> None:
        for name, params in found:
            for peer in list(self._peers):
                peer.notify(name, params)

    async def _catch_up(self) -> None:
        try:
            await renew(self._client, self._profile)
        except QpqError as exc:
            print(f"qpq: {exc}", file=sys.stderr)  # noqa: T201 - standard output is for frames


@contextmanager
def listening(path: Path) -> Iterator[trio.socket.SocketType]:
    """Open the socket, for this user alone; an old one is nobody's, for the folder's lock is held. Mistake."""
    if len(os.fsencode(path)) > PATH_BYTES_MAX:
        raise Mistake(f"a socket's path has at most {PATH_BYTES_MAX} bytes: give a shorter one with --socket")
    path.unlink(missing_ok=True)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)  # no moment in which others could connect
    try:
        made.bind(os.fspath(path))
    finally:
        os.umask(before)
    try:
        made.listen(BACKLOG)
        yield trio.socket.from_stdlib_socket(made)
    finally:
        made.close()
        path.unlink(missing_ok=True)


class StandardStreams(trio.abc.Stream):
    """Standard input and output, whatever they are: files, pipes, a terminal."""

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Return what comes next."""
        return await trio.to_thread.run_sync(os.read, 0, max_bytes or 65_536, abandon_on_cancel=True)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Write all of it."""
        await trio.to_thread.run_sync(_write_out, bytes(data))

    async def wait_send_all_might_not_block(self) -> None:
        """Writing is a thread's."""

    async def aclose(self) -> None:
        """They stay open: they are the process's."""


def _write_out(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


async def _end_on_signals(scope: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as received:
        async for _ in received:
            scope.cancel()


async def daemon(profile: Profile, path: Path | None, *, stdio: bool, ready: Callable[[Path, str], None]) -> None:
    """Open the profile and serve programs."""
    async with profile.open() as client:
        what = await enter(client, profile)
        served = Daemon(profile, client)
        if stdio:
            await served.serve_stdio()
            return
        at = path or profile.folder() / SOCKET
        await served.serve(at, lambda: ready(at, what))
