"""Runs an application's handlers so that what goes wrong in one of them stays with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


async def run_handler(handler: Coroutine[Any, Any, None], on_fault: Callable[[Exception], None]) -> bool:
    """Runs a handler to its end; whether it succeeded. Its exceptions go to `on_fault`; cancellation goes on, even
    where a nursery inside the handler has put both into one group.
    """
    try:
        await handler
    except BaseExceptionGroup as group:
        faults, rest = group.split(Exception)
        if faults is not None:
            on_fault(faults)
        if rest is not None:
            raise rest from None
        return False
    except Exception as fault:  # noqa: BLE001 - whatever it is, it is the handler's
        on_fault(fault)
        return False
    return True
