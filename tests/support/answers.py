"""Answers of a server that a client never hears, or hears as another than it gave."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import trio

import qpqclient
from qpqcore.api.keystore import ResolveUserResult
from qpqcore.model.errors import ErrorCode, Refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


def after_the_answer(client: qpqclient.Client, params_type: type) -> trio.Event:
    """Let the server answer a kind of call, and the client never hear of it; the event says when."""
    taken = trio.Event()

    async def heard(real: Callable[[], Awaitable[Any]]) -> Any:
        await real()
        taken.set()
        await trio.sleep_forever()

    _replace(client, params_type, heard)
    return taken


def refused_once(client: qpqclient.Client, params_type: type, code: ErrorCode) -> None:
    """Have the next call of a kind refused."""
    _refuse(client, params_type, code, is_done=False)


def answer_lost_then_refused(client: qpqclient.Client, params_type: type, code: ErrorCode) -> None:
    """Have the server do the next call of a kind, and the client hear that it has no session: as when that ended between two tries."""
    _refuse(client, params_type, code, is_done=True)


def with_another_key(client: qpqclient.Client, name: str) -> Callable[..., Awaitable[Any]]:
    """Return a client's `wire.call` to a server that names another identity key for somebody."""
    real = client._core.wire.call

    async def lies(params: Any, result: Any, *, key: bytes = b"") -> Any:
        answer = await real(params, result, key=key)
        if isinstance(answer, ResolveUserResult) and answer.name == name:
            answer = replace(answer, identity_key=b"\7" * 32, device_list=b"")
        return answer

    return lies


def _refuse(client: qpqclient.Client, params_type: type, code: ErrorCode, *, is_done: bool) -> None:
    left = [1]

    async def heard(real: Callable[[], Awaitable[Any]]) -> Any:
        if not left:
            return await real()
        left.pop()
        if is_done:
            await real()
        raise qpqclient.Refused(Refusal(code))

    _replace(client, params_type, heard)


def _replace(
    client: qpqclient.Client, params_type: type, heard: Callable[[Callable[[], Awaitable[Any]]], Awaitable[Any]]
) -> None:
    """Have what is heard of a kind of call come from `heard`, which is given the call itself."""
    real = client._core.call

    async def call(params: Any, result: Any, *, key: bytes = b"") -> Any:
        if isinstance(params, params_type):
            return await heard(lambda: real(params, result, key=key))
        return await real(params, result, key=key)

    client._core.call = call  # type: ignore[method-assign]
