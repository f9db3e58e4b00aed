"""One name for all gateways of a stage."""

from __future__ import annotations

import os
import socket
from typing import Any

import trio

from tools.rolling.stage import NAME


class Resolver(trio.abc.HostnameResolver):
    """Answers for the gateways' name with all their addresses, as a headless service's DNS does."""

    def __init__(self, hosts: list[str]) -> None:
        self._hosts = hosts

    async def getaddrinfo(
        self, host: bytes | None, port: bytes | str | int | None, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0  # noqa: A002 - Trio's name
    ) -> list[Any]:  # fmt: skip
        """Look a name up."""
        if host is not None and os.fsdecode(host) == NAME:
            found = [
                await trio.to_thread.run_sync(socket.getaddrinfo, h, port, family, type, proto) for h in self._hosts
            ]
            return [answer for answers in found for answer in answers]
        return await trio.to_thread.run_sync(socket.getaddrinfo, host, port, family, type, proto, flags)

    async def getnameinfo(self, sockaddr: tuple[str, int] | tuple[str, int, int, int], flags: int) -> tuple[str, str]:
        """Look an address up."""
        return await trio.to_thread.run_sync(socket.getnameinfo, sockaddr, flags)
