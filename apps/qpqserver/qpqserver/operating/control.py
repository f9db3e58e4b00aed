"""The control socket: data_dir/control.sock, by which `qpqctl` on this machine asks a running server for an act.

1. One line of JSON each way, one act a connection. Who may connect: the server's own user, and root.
2. The server does the act with its own objects, so that whoever is revoked is cut off at once.
3. A socket is there as long as its server is: one that nobody listens on was left by a crash, and the next start replaces it.
"""

from __future__ import annotations

import json
import os
import socket
import struct
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog
import trio

from qpqcore.model.errors import ErrorCode, Refusal
from qpqserver.operating.acts import perform

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qpqauth.operator import Operator

log = structlog.get_logger()

SOCKET = "control.sock"
LINE_BYTES_MAX = 64 * 1024
"""An act is a name, or a hash: a kilobyte."""
ASK_SECONDS_MAX = 10.0
"""To send an act."""
ANSWER_SECONDS_MAX = 60.0
"""To do one: the longest waits for a disk that is full of other things."""
AT_ONCE_MAX = 8
"""Operators at work; one more waits."""
CREDENTIALS = struct.Struct("3i")
"""Of who has connected: process, user, group (unix(7), SO_PEERCRED)."""


class NotRunning(Exception):
    """Nobody listens on the socket."""


class ControlBroken(Exception):
    """The server on the socket does not answer as it should."""


@contextmanager
def address(folder: Path) -> Iterator[str]:
    """Give the socket's address: through a descriptor, since a path of more than 107 bytes cannot be bound."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{handle}/{SOCKET}"
    finally:
        os.close(handle)


async def serve(
    folder: Path, operator: Operator, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Do what operators ask for, for ever. The store's lock is held: no other server has the folder."""
    (folder / SOCKET).unlink(missing_ok=True)
    with trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        with address(folder) as where:
            await listening.bind(where)
        (folder / SOCKET).chmod(0o600)
        listening.listen(AT_ONCE_MAX)
        task_status.started()
        room = trio.CapacityLimiter(AT_ONCE_MAX)
        try:
            await trio.serve_listeners(partial(_attend, operator, room), [trio.SocketListener(listening)])
        finally:
            (folder / SOCKET).unlink(missing_ok=True)


async def _attend(operator: Operator, room: trio.CapacityLimiter, stream: trio.SocketStream) -> None:
    """Answer one operator; whatever the other end does ends this connection, and nothing else."""
    try:
        async with room, stream:
            answer = await _answer(stream, _user(stream), operator)
            with trio.move_on_after(ASK_SECONDS_MAX):
                await stream.send_all(json.dumps(answer).encode() + b"\n")
    except (trio.BrokenResourceError, trio.ClosedResourceError, OSError):
        log.info("operator_went_away")


def _user(stream: trio.SocketStream) -> int:
    packed = stream.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
    return int(CREDENTIALS.unpack(packed)[1])


async def _answer(stream: trio.SocketStream, user: int, operator: Operator) -> dict[str, Any]:
    try:
        asked = await _asked(stream)  # first, else a refusal would cut off who still writes, unread
        if user not in {0, os.getuid()}:
            raise Refusal(ErrorCode.FORBIDDEN, "the socket is the server's user's, and root's")
        done = await perform(operator, asked)
    except Refusal as no:
        return {"ok": False, "error": no.code.name, "detail": no.detail}
    except Exception as exc:  # a fault of ours: the server lives, the operator is told where to look
        log.exception("act_failed", reason=type(exc).__name__)
        return {"ok": False, "error": "INTERNAL", "detail": "the server's log says more"}
    log.info("act_done", act=str(asked["act"]))
    return {"ok": True, **done}


async def _asked(stream: trio.SocketStream) -> dict[str, Any]:
    line = b""
    with trio.move_on_after(ASK_SECONDS_MAX):
        while not line.endswith(b"\n") and len(line) <= LINE_BYTES_MAX:
            more = await stream.receive_some(LINE_BYTES_MAX)
            if not more:
                break
            line += more
    try:
        asked = json.loads(line)
    except (ValueError, RecursionError) as exc:
        raise Refusal(ErrorCode.MALFORMED, "not a line of JSON") from exc
    if not isinstance(asked, dict):
        raise Refusal(ErrorCode.MALFORMED, "not an act")
    return asked


def ask(folder: Path, asked: dict[str, Any]) -> dict[str, Any]:
    """Ask the server of a folder for an act, from outside; return what it says.

    NotRunning; ControlBroken; Refusal as the server refuses.
    """
    with _connected(folder) as line:
        try:
            line.sendall(json.dumps(asked).encode() + b"\n")
            answer = json.loads(_line(line))
        except (OSError, ValueError) as exc:
            raise ControlBroken(
                f"{folder / SOCKET}: no answer ({exc}); whether it was done, the server's log says"
            ) from exc
    if not isinstance(answer, dict) or not isinstance(answer.get("ok"), bool):
        raise ControlBroken(f"{folder / SOCKET}: an answer that makes no sense")
    if not answer.pop("ok"):
        code = ErrorCode.__members__.get(str(answer.get("error")), ErrorCode.INTERNAL)
        raise Refusal(code, str(answer.get("detail", "")))
    return answer


@contextmanager
def _connected(folder: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(ANSWER_SECONDS_MAX)
        try:
            with address(folder) as where:
                line.connect(where)
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError) as exc:
            raise NotRunning(str(folder)) from exc
        except OSError as exc:
            raise ControlBroken(f"{folder / SOCKET}: {exc.strerror}") from exc
        yield line


def _line(line: socket.socket) -> bytes:
    read = b""
    while not read.endswith(b"\n") and len(read) <= LINE_BYTES_MAX:
        more = line.recv(LINE_BYTES_MAX)
        if not more:
            break
        read += more
    return read
