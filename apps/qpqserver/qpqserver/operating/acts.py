"""The acts by name: what a control socket is asked for, and what the answer says. Bytes travel as hexadecimal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qpqcore.model.errors import ErrorCode, Refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from qpqauth.operator import Operator

    Act = Callable[[Operator, dict[str, Any]], Awaitable[dict[str, Any]]]


async def _ended(ending: Awaitable[int]) -> dict[str, Any]:
    return {"sessions_ended": await ending}


async def _done(doing: Awaitable[None]) -> dict[str, Any]:
    await doing
    return {}


async def _invited(inviting: Awaitable[str]) -> dict[str, Any]:
    return {"token": await inviting}


async def _withdrawn(withdrawing: Awaitable[bool]) -> dict[str, Any]:
    return {"withdrawn": await withdrawing}


ACTS: dict[str, Act] = {
    "suspend": lambda operator, given: _ended(operator.suspend(_text(given, "name"))),
    "reopen": lambda operator, given: _done(operator.reopen(_text(given, "name"))),
    "delete": lambda operator, given: _done(operator.delete(_text(given, "name"))),
    "logout": lambda operator, given: _ended(operator.end_sessions(_text(given, "name"))),
    "end_session": lambda operator, given: _ended(
        operator.end_session(_hash(given, "account"), _hash(given, "session"))
    ),
    "invite": lambda operator, given: _invited(
        operator.invite(int(given["uses"]), int(given["lifetime_ms"]), _text(given, "note"))
    ),
    "withdraw": lambda operator, given: _withdrawn(operator.withdraw(_hash(given, "invite"))),
    "registration": lambda operator, given: _done(operator.set_registration(_text(given, "mode"))),
}
"""Each reads what is given, at once, and returns what is still to be awaited: a fault in there is not the asker's."""


def _text(given: dict[str, Any], name: str) -> str:
    value = given[name]
    if not isinstance(value, str):
        raise TypeError(name)
    return value


def _hash(given: dict[str, Any], name: str) -> bytes:
    return bytes.fromhex(_text(given, name))


async def perform(operator: Operator, asked: dict[str, Any]) -> dict[str, Any]:
    """Do what is asked for. Refusal, also for what cannot be read."""
    act = ACTS.get(str(asked.get("act")))
    if act is None:
        raise Refusal(ErrorCode.UNKNOWN_METHOD, "no such act: another version's qpqctl?")
    try:
        doing = act(operator, asked)
    except (KeyError, TypeError, ValueError, OverflowError) as exc:
        raise Refusal(ErrorCode.MALFORMED, f"the act lacks something: {exc}") from exc
    return await doing
