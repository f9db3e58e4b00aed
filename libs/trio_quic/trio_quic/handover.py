"""Datagrams between processes that share one UDP address: what belongs to another worker is handed over to it.

The kernel spreads datagrams over the sockets of one address by the peer's address, and spreads them anew when a socket comes
or goes or a peer moves. A connection's id says whose it is (`QuicConfiguration.worker`): a datagram that reaches another
worker goes on to its own over a Unix datagram socket.

1. Who may hand something over: whoever may open the socket's file, in a folder of the owner's alone. Nothing else is checked,
   since a datagram handed over is no more than one from the network.
2. Nobody waits: what the other one's queue has no room for is dropped and counted, as a network would; QUIC sends it again.
3. What is taken over is never handed on: a number is its owner's.
"""

from __future__ import annotations

import os
import socket as stdlib_socket
import stat
import struct
from typing import TYPE_CHECKING, Final

import trio

if TYPE_CHECKING:
    from pathlib import Path

    from .engine import Datagram

MESSAGE_BYTES_MAX: Final = 60 * 1024
"""Datagrams of one turn are joined: a Unix socket's queue is counted in messages, often ten."""
BUFFER_BYTES: Final = 1024 * 1024
"""Of each socket: what may be under way to it."""
BATCH_MESSAGES_MAX: Final = 16
"""Taken over in one turn: then other tasks have theirs."""
WORKERS_MAX: Final = 256
"""A number is one byte."""
_HEAD: Final = struct.Struct("<BH")


def is_there(folder: Path, worker: int) -> bool:
    """Tells whether a worker takes over what is its own: the file alone says nothing, since who is killed leaves it."""
    try:
        directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        with stdlib_socket.socket(stdlib_socket.AF_UNIX, stdlib_socket.SOCK_DGRAM) as asking:
            asking.connect(f"/proc/self/fd/{directory}/{worker}.sock")
    except OSError:
        return False
    finally:
        os.close(directory)
    return True


class Handover:
    """One worker's end: what it gives to others, and what it is given. Raises OSError for a folder that is not ours alone."""

    def __init__(self, folder: Path, worker: int, workers: int) -> None:
        if not 0 <= worker < workers <= WORKERS_MAX:
            raise ValueError("worker is not one of the workers")
        self.worker = worker
        self._workers = workers
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
        if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
            raise PermissionError(f"{folder} has to be this user's alone (mode 700)")
        self._directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._path(worker).unlink(missing_ok=True)
        self._socket = stdlib_socket.socket(stdlib_socket.AF_UNIX, stdlib_socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(stdlib_socket.SOL_SOCKET, stdlib_socket.SO_SNDBUF, BUFFER_BYTES)
        self._socket.setsockopt(stdlib_socket.SOL_SOCKET, stdlib_socket.SO_RCVBUF, BUFFER_BYTES)
        try:
            self._socket.bind(self._name(worker))
        except OSError:
            self._socket.close()
            os.close(self._directory)
            raise
        self._pending: dict[int, list[bytes]] = {}
        self.given = 0
        """Datagrams handed over."""
        self.taken = 0
        """Datagrams that others handed over to this worker."""
        self.dropped = 0
        """Datagrams of others that could not be handed over: nobody there, or no room."""

    def _path(self, worker: int) -> Path:
        return self._folder / f"{worker}.sock"

    def _name(self, worker: int) -> str:
        """A name that is short however long the folder's is: a Unix socket's has 108 bytes."""
        return f"/proc/self/fd/{self._directory}/{worker}.sock"

    def give(self, worker: int, packed: bytes, data: bytes) -> None:
        """Keeps a datagram for another worker until `flush`."""
        if worker >= self._workers:
            self.dropped += 1
            return
        self._pending.setdefault(worker, []).append(_HEAD.pack(len(packed), len(data)) + packed + data)

    def flush(self) -> None:
        """Hands over what was kept."""
        for worker, parts in self._pending.items():
            message: list[bytes] = []
            size = 0
            for part in parts:
                if message and size + len(part) > MESSAGE_BYTES_MAX:
                    self._send(worker, message)
                    message, size = [], 0
                message.append(part)
                size += len(part)
            self._send(worker, message)
        self._pending.clear()

    def _send(self, worker: int, parts: list[bytes]) -> None:
        try:
            self._socket.sendto(b"".join(parts), self._name(worker))
        except OSError:
            self.dropped += len(parts)
        else:
            self.given += len(parts)

    async def wait_readable(self) -> None:
        """Waits until something was handed over."""
        await trio.lowlevel.wait_readable(self._socket.fileno())

    def receive_nowait(self) -> list[Datagram]:
        """What was handed over, without waiting."""
        batch: list[Datagram] = []
        for _ in range(BATCH_MESSAGES_MAX):
            try:
                message = self._socket.recv(MESSAGE_BYTES_MAX * 2)
            except OSError:
                break
            batch += _parts(message)
        self.taken += len(batch)
        return batch

    def close(self) -> None:
        """Gives the socket back."""
        trio.lowlevel.notify_closing(self._socket.fileno())
        self._socket.close()
        os.close(self._directory)
        self._path(self.worker).unlink(missing_ok=True)

    def counters(self) -> dict[str, int]:
        """What was counted, by name."""
        return {
            "datagrams_handed_over": self.given, "datagrams_taken_over": self.taken,
            "datagrams_not_handed_over": self.dropped,
        }  # fmt: skip


def _parts(message: bytes) -> list[Datagram]:
    """The datagrams of a message; what does not hold its form ends there."""
    found: list[Datagram] = []
    at = 0
    while at + _HEAD.size <= len(message):
        address_bytes, data_bytes = _HEAD.unpack_from(message, at)
        at += _HEAD.size
        end = at + address_bytes + data_bytes
        if end > len(message):
            break
        found.append((message[at : at + address_bytes], 0, message[at + address_bytes : end], 0))
        at = end
    return found
