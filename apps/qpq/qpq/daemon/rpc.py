"""JSON-RPC 2.0 (jsonrpc.org/specification), without I/O: frames in, requests out; answers in, frames out.

A frame is one line of UTF-8: a request, a notification, or a batch of them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from qpq.table.model import Command, Mistake, Needs
from qpq.table.parsing import finish

BATCH_MAX = 100
"""Requests in one batch."""
PARSE_ERROR, INVALID_REQUEST, UNKNOWN_METHOD, INVALID_PARAMS, INTERNAL = -32700, -32600, -32601, -32602, -32603
CONVERSATION = "conversation"


class RpcError(Exception):
    """An answer that is an error."""

    def __init__(self, code: int, message: str, data: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.data = code, message, data


@dataclass(frozen=True, slots=True)
class Request:
    """One call; a notification has no id and gets no answer."""

    method: str
    params: dict[str, Any] | list[Any]
    id: str | int | float | None = None
    answered: bool = True


def read_frame(line: bytes) -> tuple[list[Request | RpcError], bool]:
    """Return what a line holds, and whether it was a batch; what is no request stands there as its error."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return [RpcError(PARSE_ERROR, "this is no JSON")], False
    if not isinstance(found, list):
        return [read_request(found)], False
    if not 0 < len(found) <= BATCH_MAX:
        return [RpcError(INVALID_REQUEST, f"a batch has 1 to {BATCH_MAX} requests")], False
    return [read_request(item) for item in found], True


def read_request(found: Any) -> Request | RpcError:
    """Return the request in a decoded value, or what is wrong with it."""
    if not isinstance(found, dict) or found.get("jsonrpc") != "2.0" or not isinstance(found.get("method"), str):
        return RpcError(INVALID_REQUEST, 'a request has "jsonrpc": "2.0" and a "method"')
    ident, params = found.get("id"), found.get("params", {})
    if isinstance(ident, bool) or not isinstance(ident, str | int | float | None):
        return RpcError(INVALID_REQUEST, "an id is a text or a number")
    if not isinstance(params, dict | list):
        return RpcError(INVALID_REQUEST, "params are an object or a list")
    return Request(found["method"], params, ident, "id" in found)


def arguments_of(command: Command, params: dict[str, Any] | list[Any]) -> tuple[str, dict[str, Any]]:
    """Return the conversation that is meant (empty: the command needs none) and the arguments of a call; Mistake."""
    needs = command.needs is Needs.CONVERSATION
    if isinstance(params, list):
        names = [CONVERSATION] * needs + [a.name for a in command.arguments]
        if len(params) > len(names):
            raise Mistake(f"{len(params)} parameters, of at most {len(names)}: {', '.join(names)}")
        params = dict(zip(names, params, strict=False))
    given = {name.replace("_", "-"): value for name, value in params.items() if value is not None}
    target = given.pop(CONVERSATION, "") if needs else ""
    if needs and not (isinstance(target, str) and target.strip()):
        raise Mistake('"conversation" is missing: "@person", "#group", or an id')
    for argument in command.arguments:
        value = given.get(argument.name)
        if argument.collects and value is not None and not isinstance(value, list):
            raise Mistake(f"{argument.name}: a list is wanted")
    return target, finish(command, given, slash=False)


def result(ident: Any, values: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the answer of a call that was done."""
    return {"jsonrpc": "2.0", "id": ident, "result": values}


def error(ident: Any, exc: RpcError) -> dict[str, Any]:
    """Return the answer of a call that was not."""
    body: dict[str, Any] = {"code": exc.code, "message": exc.message}
    if exc.data:
        body["data"] = exc.data
    return {"jsonrpc": "2.0", "id": ident, "error": body}


def notification(method: str, params: dict[str, Any]) -> dict[str, Any]:
    """Return an event."""
    return {"jsonrpc": "2.0", "method": method, "params": params}


def frame(answer: dict[str, Any] | list[dict[str, Any]]) -> bytes:
    """Return an answer, a batch of them, or an event as a line: ASCII only, others' text escaped."""
    return json.dumps(answer, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"
