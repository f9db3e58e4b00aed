"""The caller's end of one connection of the TCP bus.

1. A caller that does not wait any longer says so: the callee ends too.
2. When the connection ends, whatever is in flight is `unavailable` that moment.
3. A callee that drains gets no new calls; the connection is closed when the last one is answered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import outcome
import structlog
import trio

from qpqcore.bus.admission import TOO_MANY
from qpqcore.bus.tcp_link import CALLS_MAX, LOST, PING_SECONDS
from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.wire.bus_frame import CALL_MAX, ENVELOPE_BYTES_MAX, Frame, FrameError, Kind, frame
from qpqcore.wire.envelope import BusReply

if TYPE_CHECKING:
    from collections.abc import Callable

    from qpqcore.bus.tcp_link import Link

log = structlog.get_logger()

SHED = BusReply.refused(TOO_MANY)
AWAY = BusReply(code=int(ErrorCode.UNAVAILABLE), detail="this part of the server is away")


class Peer:
    """A connection to one replica, at a place. `on_going` is called once, when it takes no new calls."""

    def __init__(self, service: str, link: Link, on_going: Callable[[Peer], None], *, place: bytes) -> None:
        self.service, self.place = service, place
        self._link = link
        self._on_going = on_going
        self._waiting: dict[int, trio.lowlevel.Task] = {}
        self._last = 0
        self._end = trio.CancelScope()
        self.is_going = False

    @property
    def calls(self) -> int:
        """In flight."""
        return len(self._waiting)

    async def call(self, body: bytes) -> BusReply:
        """Send an encoded Envelope; return the answer, or why there is none."""
        if len(self._waiting) >= CALLS_MAX or self._link.is_full:
            return SHED
        if len(body) > ENVELOPE_BYTES_MAX:
            return BusReply(code=int(ErrorCode.TOO_LARGE), detail="the call is too large")
        number = self._number()
        self._waiting[number] = trio.lowlevel.current_task()
        self._link.put_nowait(frame(Kind.REQUEST, number, body))

        def abort(_: object) -> trio.lowlevel.Abort:
            del self._waiting[number]
            self._link.put_nowait(frame(Kind.CANCEL, number))
            self._settle()
            return trio.lowlevel.Abort.SUCCEEDED

        answer: BusReply = await trio.lowlevel.wait_task_rescheduled(abort)
        return answer

    def _number(self) -> int:
        while True:
            self._last = self._last + 1 & CALL_MAX
            if self._last not in self._waiting:
                return self._last

    async def run(self) -> None:
        """Receive answers until the connection ends; then nobody waits any longer."""
        try:
            async with trio.open_nursery() as nursery:
                self._end = nursery.cancel_scope
                nursery.start_soon(self._write)
                nursery.start_soon(self._watch)
                await self._read()
                nursery.cancel_scope.cancel()
        finally:
            self._go()
            for task in self._waiting.values():
                trio.lowlevel.reschedule(task, outcome.Value(AWAY))
            self._waiting.clear()

    async def _read(self) -> None:
        try:
            while frames := await self._link.receive():
                for one in frames:
                    self._take(one)
        except LOST as exc:
            log.warning("bus_peer_lost", service=self.service, reason=str(exc) or type(exc).__name__)

    def _take(self, one: Frame) -> None:
        if one.kind == Kind.REPLY:
            if one.call in self._waiting:
                reply = _reply(one.body)
                trio.lowlevel.reschedule(self._waiting.pop(one.call), outcome.Value(reply))
                self._settle()
        elif one.kind == Kind.PING:
            self._link.pinged(one)
        elif one.kind == Kind.GOAWAY:
            self._go()
            self._settle()
        else:
            raise FrameError(f"a frame of kind {one.kind}")

    def _go(self) -> None:
        if not self.is_going:
            self.is_going = True
            self._on_going(self)

    def _settle(self) -> None:
        """Close what goes away once nothing is in flight."""
        if self.is_going and not self._waiting:
            self._end.cancel()

    async def _write(self) -> None:
        try:
            await self._link.write()
        except LOST:
            self._end.cancel()

    async def _watch(self) -> None:
        while self._link.ask(busy=bool(self._waiting)):
            await trio.sleep(PING_SECONDS)
        log.warning("bus_peer_lost", service=self.service, reason="silent")
        self._end.cancel()


def _reply(body: bytes) -> BusReply:
    try:
        return BusReply.from_bytes(body)
    except Refusal as exc:
        raise FrameError("not a reply") from exc
