"""A client of a world that is opened again on its folder, and how long it is waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio

import qpqclient
from tests.support.world import STORE_KEY

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    import pytest

    from tests.support.world import World

PATIENCE_SECONDS = 20


def opened(w: World, name: str, **more: Any) -> AbstractAsyncContextManager[qpqclient.Client]:
    """Open the client of a name on the folder that it had."""
    return qpqclient.open_client(w.folder / name, server=w.where, store_key=STORE_KEY, **more)


async def arrived(client: qpqclient.Client, text: str) -> Any:
    """Wait until a message is told of; return it."""
    with trio.fail_after(PATIENCE_SECONDS):
        async for event in client.events():
            if isinstance(event, qpqclient.MessageReceived) and event.message.text == text:
                return event.message
    raise AssertionError("the events ended")


def dying_at(patched: pytest.MonkeyPatch, where: type[Any], kind: type[Any], *, answered: bool) -> trio.Event:
    """Let every call of a kind, made by a `where`, stand still for ever: before it is sent, or once it was answered.

    Return what is set then: there whoever made it dies (`until`).
    """
    real, reached = where.call, trio.Event()

    async def dies(self: Any, params: Any, result: Any, **more: Any) -> Any:
        if isinstance(params, kind):
            if answered:
                await real(self, params, result, **more)
            reached.set()
            await trio.sleep_forever()
        return await real(self, params, result, **more)

    patched.setattr(where, "call", dies)
    return reached


async def until(reached: trio.Event, function: Callable[..., Awaitable[Any]], *args: Any) -> None:
    """Run a function until a point in it is reached, and no further."""
    with trio.fail_after(PATIENCE_SECONDS):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(function, *args)
            await reached.wait()
            nursery.cancel_scope.cancel()
