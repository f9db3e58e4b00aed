"""The acts by name: what a control socket is asked for, and what the answer says. Bytes travel as hexadecimal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qpqcore.model.errors import ErrorCode, Refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from qpqauth.operator import Operator

    Act = Callable[[Operator, dict[str, Any]], Awaitable[dict[str, Any]]]


async def _suspend(operator: Operator, given: dict[str, Any]) -> dict[str, Any]:
    return {"sessions_ended": await operator.suspend(_text(given, "name"))}


async def _reopen(operator: Operator, given: dict[str, Any]) -> dict[str, Any]:
    await operator.reopen(_text(given, "name"))
    return {}


async def _delete(operator: Operator, given: dict[str, Any]) -> dict[str, Any]:
    await operator.delete(_text(given, "name"))
    return {}


async def _logout(operator: Operator, given: dict[str, Any]) -> dict[str, Any]:
    return {"sessions_ended": await operator.end_sessions(_text(given, "name"))}


async def _end_session(operator: Operator, given: dict[str, Any]) -> dict[str, Any]:
    ended = await operator.end_session(bytes.fromhex(_text(given, "account")), bytes.fromhex(_text(given, "session")))
    return {"sessions_ended": ended}


async def _invite(operator: Operator, given: dict[str, Any]) -> dict[str, Any]:
    uses, lifetime_ms = int(given["uses"]), int(given["lifetime_ms"])
    return {"token": await operator.invite(uses, lifetime_ms, _text(given, "note"))}


async def _withdraw(operator: Operator, given: dict[str, Any]) -> dict[str, Any]:
    return {"withdrawn": await operator.withdraw(bytes.fromhex(_text(given, "invite")))}


async def _registration(operator: Operator, given: dict[str, Any]) -> dict[str, Any]:
    await operator.set_registration(_text(given, "mode"))
    return {}


ACTS: dict[str, Act] = {
    "suspend": _suspend, "reopen": _reopen, "delete": _delete, "logout": _logout, "end_session": _end_session,
    "invite": _invite, "withdraw": _withdraw, "registration": _registration,
}  # fmt: skip


def _text(given: dict[str, Any], name: str) -> str:
    value = given[name]
    if not isinstance(value, str):
        raise TypeError(name)
    return value


async def perform(operator: Operator, asked: dict[str, Any]) -> dict[str, Any]:
    """Do what is asked for. Refusal, also for what cannot be read."""
    act = ACTS.get(str(asked.get("act")))
    if act is None:
        raise Refusal(ErrorCode.UNKNOWN_METHOD, "no such act: another version's qpqctl?")
    try:
        return await act(operator, asked)
    except (KeyError, TypeError, ValueError) as exc:
        raise Refusal(ErrorCode.MALFORMED, f"the act lacks something: {exc}") from exc
