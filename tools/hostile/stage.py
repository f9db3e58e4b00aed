"""What attacks are played with: hostile clients on sockets of their own, at loopback addresses of their own."""

from __future__ import annotations

import select
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from qpqgateway.main import ALPN
from trio_quic.testing.hostile import HostileClient

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from trio_quic.addresses import Address

DATAGRAM_BYTES_MAX = 65_535
HANDSHAKE_SECONDS_MAX = 1.0
"""A server that has not answered by then does not want to."""
SILENT_SECONDS = 0.3
"""An end that the server has forgotten is not told."""
RECEIVE_BUFFER_BYTES = 1 << 20
BATCH_PACKETS = 16
"""Sent before it is looked at what has come back."""


class Attacker:
    """One hostile client with its socket."""

    def __init__(self, target: Address, host: str) -> None:
        self._target = target
        self.client = HostileClient(ALPN)
        self.socket = make_socket(host)
        self._heard = time.monotonic()

    def connect(self) -> bool:
        """Do the handshake; whether the server would."""
        self.send(self.client.connect(time.monotonic()))
        end = time.monotonic() + HANDSHAKE_SECONDS_MAX
        while not self.client.is_open and self.client.close_code is None and time.monotonic() < end:
            select.select([self.socket], [], [], 0.02)
            self.pump()
        return self.is_welcome

    @property
    def is_welcome(self) -> bool:
        """Whether the connection stands and the server still answers."""
        silent = time.monotonic() - self._heard > SILENT_SECONDS
        return self.client.is_open and self.client.close_code is None and not silent

    @property
    def streams_allowed(self) -> int:
        """How many streams the server has given so far."""
        return int(self.client.state._remote_max_streams_bidi)  # noqa: SLF001 - aioquic tells it in no other way

    def send(self, datagrams: Sequence[bytes]) -> None:
        """Send as they are; what the machine has no room for is lost."""
        for data in datagrams:
            with suppress(OSError):
                self.socket.sendto(data, self._target)

    def flood(self, packets: Sequence[bytes]) -> None:
        """Send many, and look now and then at what comes back."""
        for start in range(0, len(packets), BATCH_PACKETS):
            self.send(packets[start : start + BATCH_PACKETS])
            self.pump()

    def pump(self) -> None:
        """Take in what has come, and send what a client answers."""
        now = time.monotonic()
        with suppress(OSError):
            while True:
                self.client.receive(self.socket.recv(DATAGRAM_BYTES_MAX), now)
                self._heard = now
        self.send(self.client.take(now))

    def leave(self) -> None:
        """Close the socket; the server is not told."""
        self.socket.close()


def make_socket(host: str) -> socket.socket:
    """Return a UDP socket that does not block."""
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setblocking(False)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
    made.bind((host, 0))
    return made


class Stage:
    """The server's address and the time an attack may take."""

    def __init__(self, target: Address, seconds: float) -> None:
        self.target = target
        self._end = time.monotonic() + seconds
        self._hosts = 0
        self.connections = 0
        self.refused = 0

    @property
    def goes_on(self) -> bool:
        """Whether there is time left."""
        return time.monotonic() < self._end

    def wait(self) -> None:
        """Do nothing until the end."""
        time.sleep(max(0.0, self._end - time.monotonic()))

    def new_host(self) -> str:
        """Return the next of 65,000 addresses."""
        self._hosts += 1
        return f"127.1.{self._hosts >> 8 & 255}.{self._hosts & 255}"

    def opened(self, host: str = "127.0.0.2") -> Attacker | None:
        """Return a connected client, or None when the server refuses."""
        attacker = Attacker(self.target, host)
        if attacker.connect():
            self.connections += 1
            return attacker
        self.refused += 1
        attacker.leave()
        return None

    def welcomed(self, host: str = "127.0.0.2") -> Iterator[Attacker]:
        """Yield one client for as long as it is welcome, then another, until the end."""
        while self.goes_on:
            attacker = self.opened(host)
            if attacker is None:
                time.sleep(0.05)
                continue
            while self.goes_on and attacker.is_welcome:
                yield attacker
            attacker.leave()
