"""The path between two servers: a UDP relay that can be cut, so that a partition is one without root's rights."""

from __future__ import annotations

import socket

import trio

DATAGRAM_BYTES_MAX = 65_535
FLOWS_MAX = 1_000
"""Sockets towards the server, one for each address that sends; the oldest go."""


class Relay:
    """Passes datagrams between whoever sends to `port` and a server's own port."""

    def __init__(self, port: int, target: int) -> None:
        self.port = port
        self.is_cut = False
        self.target = ("127.0.0.1", target)
        self._flows: dict[tuple[str, int], trio.socket.SocketType] = {}

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Relay until cancelled."""
        with trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as front:
            await front.bind(("127.0.0.1", self.port))
            async with trio.open_nursery() as nursery:
                task_status.started()
                while True:
                    try:
                        data, sender = await front.recvfrom(DATAGRAM_BYTES_MAX)
                    except OSError:  # what an earlier datagram met: nobody there
                        continue
                    flow = self._flows.get(sender)
                    if flow is None:
                        flow = await self._open(nursery, front, sender)
                    if not self.is_cut:
                        await _send(flow, data, self.target)

    async def _open(
        self, nursery: trio.Nursery, front: trio.socket.SocketType, sender: tuple[str, int]
    ) -> trio.socket.SocketType:
        if len(self._flows) >= FLOWS_MAX:
            self._flows.pop(next(iter(self._flows))).close()
        flow = self._flows[sender] = trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        await flow.bind(("127.0.0.1", 0))
        nursery.start_soon(self._back, front, flow, sender)
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
