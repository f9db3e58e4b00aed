"""The path between two servers: a UDP relay that can be cut, so that a partition is one without root's rights.

Where a domain has several processes it stands for what shares the connections out among them, and does not know who lives.
"""

from __future__ import annotations

import socket
from itertools import cycle

import trio

DATAGRAM_BYTES_MAX = 65_535
FLOWS_MAX = 1_000
"""Sockets towards the server, one for each address that sends; the oldest go."""


class Relay:
    """Passes datagrams between whoever sends to `port` and a server's own port: of several the next, for each who comes."""

    def __init__(self, port: int, *targets: int) -> None:
        self.port = port
        self.is_cut = False
        self.targets = [("127.0.0.1", target) for target in targets]
        self._turns = cycle(self.targets)
        self._flows: dict[tuple[str, int], tuple[trio.socket.SocketType, tuple[str, int]]] = {}

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Relay until cancelled."""
        with trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as front:
            await front.bind(("127.0.0.1", self.port))
            try:
                async with trio.open_nursery() as nursery:
                    task_status.started()
                    await self._forth(nursery, front)
            finally:
                for flow, _ in self._flows.values():
                    flow.close()

    async def _forth(self, nursery: trio.Nursery, front: trio.socket.SocketType) -> None:
        while True:
            try:
                data, sender = await front.recvfrom(DATAGRAM_BYTES_MAX)
            except OSError:  # what an earlier datagram met: nobody there
                continue
            flow, target = self._flows.get(sender) or await self._open(nursery, front, sender)
            if not self.is_cut:
                await _send(flow, data, target)

    async def _open(
        self, nursery: trio.Nursery, front: trio.socket.SocketType, sender: tuple[str, int]
    ) -> tuple[trio.socket.SocketType, tuple[str, int]]:
        if len(self._flows) >= FLOWS_MAX:
            self._flows.pop(next(iter(self._flows)))[0].close()
        made = trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        flow = self._flows[sender] = (made, next(self._turns))
        await made.bind(("127.0.0.1", 0))
        nursery.start_soon(self._back, front, made, sender)
        return flow

    async def _back(self, front: trio.socket.SocketType, flow: trio.socket.SocketType, sender: tuple[str, int]) -> None:
        while True:
            try:
                data = await flow.recv(DATAGRAM_BYTES_MAX)
            except ConnectionError:
                continue
            except OSError:
                return
            if not self.is_cut:
                await _send(front, data, sender)


async def _send(sock: trio.socket.SocketType, data: bytes, to: tuple[str, int]) -> None:
    try:
        await sock.sendto(data, to)
    except OSError:
        return  # as a network does: it is lost
