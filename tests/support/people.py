"""People with the SDK's own client, and how a test waits for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import qpqclient
import qpqnative
from qpqclient.commits import Commits

if TYPE_CHECKING:
    from contextlib import AsyncExitStack
    from pathlib import Path

    import pytest


async def people(stack: AsyncExitStack, server: Any, tmp_path: Path, *names: str) -> list[qpqclient.Client]:
    """Register people, each in a folder of the same name."""
    found = []
    for name in names:
        client = await stack.enter_async_context(
            qpqclient.open_client(tmp_path / name, server=server.where, password=f"store {name}")
        )
        await client.register(name, f"secret {name}")
        found.append(client)
    return found


def texts(conversation: qpqclient.Conversation) -> list[str]:
    """Return what a conversation shows."""
    return [m.text for m in conversation.history(1000)]


async def settle(*clients: qpqclient.Client) -> None:
    """Let everybody send all and read all."""
    for _ in range(2):
        for client in clients:
            await client.flush()
            await client.sync()


def break_first_generation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no client join a group of a channel's first generation by itself: whoever has to begins the group anew."""
    real = Commits.join_externally

    async def stuck(self: Commits, channel: bytes, info: Any, tree: bytes) -> None:
        if info.generation == 1:
            raise qpqnative.MlsError("invalid", "as if the group's state were broken")
        await real(self, channel, info, tree)

    monkeypatch.setattr(Commits, "join_externally", stuck)
