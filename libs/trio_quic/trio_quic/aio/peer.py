"""One connection of the aioquic engine: aioquic's events and streams turned into the engine's."""

# ruff: noqa: SLF001 - aioquic has no public way to these names

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from aioquic.quic import events as aioquic_events

from trio_quic import codes, events
from trio_quic.addresses import pack
from trio_quic.engine import BLOCKED, GONE, REFUSED
from trio_quic.events import CLOSE_NUMBERS, VIOLATIONS, CloseKind, Event, ViolationName

from .floods import Meter
from .silence import Watch
from .stream import Budget, Progress, Queued, Stream, Total, framed

if TYPE_CHECKING:
    from trio_quic.configuration import Limits

    from .bounds import BoundedConnection

BUFFERED_BYTES_MAX: Final = 256 * 1024
"""What one stream may have in aioquic's send buffer, which keeps all until acknowledged."""
_VIOLATION_NUMBERS: Final[dict[ViolationName, int]] = {name: number for number, name in VIOLATIONS.items()}

ArmFrame = Callable[[int, int, str], None]
"""(connection, stream, phase): sets the deadline of a frame's part."""


class Peer:
    """A connection's streams, budget and stage."""

    def __init__(
        self,
        connection: BoundedConnection,
        number: int,
        limits: Limits,
        *,
        is_server: bool,
        framed_streams: bool,
        out: list[Event],
        counters: dict[str, int],
        arm_frame: ArmFrame,
        total: Total,
        now_us: int,
    ) -> None:
        self.connection = connection
        self.number = number
        self.is_server = is_server
        self.address = b""
        self.accepted_at = b""  # whose limits it counts for, wherever it moves
        self.meter = Meter(now_us)
        self.watch = Watch(limits, now_us)
        self.routes: set[bytes] = set()
        self.opening, self.over, self.refused = True, False, False
        self.frame_max = limits.frame_bytes_max
        self.streams: dict[int, Stream] = {}
        self.watch_idle = self.wants_available = False
        self._limits = limits
        self._framed_streams = framed_streams
        self._budget = Budget(limits.beginning_held_bytes, total)
        self._queued = Queued(total)
        self._blocked: list[int] = []
        self._out, self._counters, self._arm_frame = out, counters, arm_frame

    # --- events of aioquic

    def take(self, event: aioquic_events.QuicEvent) -> None:
        """One event of an established connection."""
        if isinstance(event, aioquic_events.StreamDataReceived):
            stream = self._stream(event.stream_id)
            if stream is None or stream.receive_done:
                self._count_consumed(event.stream_id, len(event.data))
                return
            stream.arrived += event.data
            stream.ended = event.end_stream
            self.connection.unread_bytes += len(event.data)
            self.read_stream(event.stream_id)
        elif isinstance(event, aioquic_events.StreamReset):
            self._reset_received(event.stream_id, event.error_code)
        elif isinstance(event, aioquic_events.StopSendingReceived):
            self._stopped(event.stream_id, event.error_code)

    def _stream(self, number: int) -> Stream | None:
        """The stream, made when the peer has just opened it (with all below, RFC 9000 section 2.1)."""
        stream = self.streams.get(number)
        if stream is None and (number & 1 == 0) == self.is_server and number not in self.connection.consumed:
            self.connection.consumed[number] = 0
            stream = self.streams[number] = Stream(framed=self._framed_streams, inbound=True)
            if not self._framed_streams:
                self._out.append((events.OPENED, self.number, number))
        return stream

    def accept_opened(self) -> None:
        """Streams that were opened without a byte yet: they have deadlines too."""
        for number, opened in list(self.connection._streams.items()):
            if number not in self.streams and not opened.receiver.is_finished and self._stream(number) is not None:
                self.read_stream(number)

    def _count_consumed(self, number: int, amount: int) -> None:
        if number in self.connection.consumed:
            self.connection.consumed[number] += amount

    def _consume(self, number: int, amount: int) -> None:
        self._count_consumed(number, amount)
        self.connection.unread_bytes -= amount

    def _drop_arrived(self, number: int, stream: Stream) -> None:
        self._consume(number, len(stream.arrived))
        stream.arrived.clear()
        stream.body.clear()

    def _reset_received(self, number: int, code: int) -> None:
        stream = self._stream(number)
        if stream is None or stream.receive_done:
            return
        self._drop_arrived(number, stream)
        if stream.framed:
            stream.receive_done = True
            stream.give_back(self._budget)
        else:
            stream.reset_code = code
        self._out.append((events.RESET, self.number, number, code))
        self.tidy(number)

    def _stopped(self, number: int, code: int) -> None:
        stream = self._stream(number)
        if stream is None:
            return
        self._drop_pending(stream)
        stream.send_done = True
        if stream.framed and stream.inbound:
            self._stop_receiving(number, stream, codes.NO_ERROR)
        self._out.append((events.STOPPED, self.number, number, code))
        self.tidy(number)

    def end(self, kind: CloseKind, code: int, reason: str) -> None:
        """Reports the end, once."""
        if not self.over:
            self.over = True
            self._counters["connections_broken"] += kind == "transport"
            self.streams.clear()
            for held in (self._budget, self._queued):
                held.add(-held.held)
            self._out.append((events.CLOSED, self.number, CLOSE_NUMBERS[kind], code, reason))

    # --- receiving

    def read_stream(self, number: int) -> None:
        """Reads at most one frame of a framed stream; of a raw one it only says that there is something."""
        stream = self.streams.get(number)
        if stream is None or stream.receive_done or stream.delivered:
            return
        if not stream.framed:
            self._out.append((events.READABLE, self.number, number))
            return
        progress, frame, consumed = stream.cut(self.frame_max, self._budget)
        self._consume(number, consumed)
        if progress is Progress.FRAME:
            fin = stream.ended and not stream.arrived
            stream.delivered, stream.receive_done = True, fin
            self._out.append((events.FRAME, self.number, number, frame, fin))
        elif progress is Progress.BLOCKED:
            if stream.inbound and stream.timed_phase != stream.phase:
                stream.timed_phase = stream.phase
                self._arm_frame(self.number, number, stream.phase)
        elif progress is Progress.NO_BUDGET:
            if number not in self._blocked:
                self._blocked.append(number)
                self._counters["frames_waited"] += 1
            return
        elif progress is Progress.ENDED:
            stream.receive_done = True
            self._out.append((events.FIN, self.number, number))
        else:
            self.violation(number, "truncated" if progress is Progress.TRUNCATED else "oversized")
        self.tidy(number)

    def frame_due(self, number: int, phase: str) -> None:
        """A frame's deadline has come."""
        stream = self.streams.get(number)
        if stream is None or stream.delivered or stream.receive_done:
            return
        if stream.timed_phase == phase == stream.phase:
            self.violation(number, "late")

    def violation(self, number: int, violation: ViolationName) -> None:
        """Ends a stream's receiving half for a broken rule; the application may still answer."""
        stream = self.streams[number]
        self._counters[f"frames_{violation}"] += 1
        self._stop_receiving(number, stream, codes.NO_ERROR)
        self._out.append((events.VIOLATION, self.number, number, _VIOLATION_NUMBERS[violation]))
        self.tidy(number)

    def _stop_receiving(self, number: int, stream: Stream, code: int) -> None:
        unfinished = not (stream.receive_done or stream.ended) and stream.reset_code is None
        # aioquic may have forgotten a stream whose end has arrived.
        if unfinished and number in self.connection._streams:
            self.connection.stop_stream(number, code)
        stream.receive_done = True
        stream.delivered = False
        self._drop_arrived(number, stream)
        stream.give_back(self._budget)

    def consumed(self, number: int) -> None:
        """The application is done with its frame."""
        stream = self.streams.get(number)
        if stream is not None and stream.delivered:
            stream.delivered = False
            stream.give_back(self._budget)
            self.read_stream(number)
            self._wake_blocked()

    def read(self, number: int, bytes_max: int) -> tuple[bytes, bool] | None:
        """Bytes of a raw stream."""
        stream = self.streams.get(number)
        if stream is None:
            return None
        if stream.reset_code is not None:
            stream.receive_done = True
            self.tidy(number)
            return None
        data = stream.take(bytes_max)
        self._consume(number, len(data))
        fin = stream.receive_done or (stream.ended and not stream.arrived)
        if fin:
            stream.receive_done = True
            self.tidy(number)
        return data, fin

    def stop(self, number: int, code: int) -> None:
        """Reads no more."""
        stream = self.streams.get(number)
        if stream is not None:
            self._stop_receiving(number, stream, code)
            self.tidy(number)

    def make_raw(self, number: int) -> None:
        """From here on bytes."""
        stream = self.streams.get(number)
        if stream is not None:
            stream.framed = stream.delivered = False
            stream.give_back(self._budget)
            self._wake_blocked()

    # --- sending

    def open(self, is_framed: bool) -> int:
        """A new stream's number, or BLOCKED."""
        number = self.connection.get_next_available_stream_id()
        if number // 4 >= self.connection._remote_max_streams_bidi:
            self.wants_available = True
            return BLOCKED
        self.connection.send_stream_data(number, b"")
        self.connection.consumed[number] = 0
        self.streams[number] = Stream(framed=is_framed, inbound=False)
        return number

    def send(self, number: int, frame: bytes | None, *, fin: bool, wait: bool) -> int:
        """Queues a frame, and the stream's end if `fin`; see the native engine's `operations.rs`."""
        stream = self.streams.get(number)
        if stream is None or stream.send_done or stream.pending_fin:
            return GONE
        if wait and stream.pending:
            stream.wants_writable = True
            return BLOCKED
        if frame is not None:
            stream.pending.append(framed(frame))
            self._queued.add(len(stream.pending[-1]))
        stream.pending_fin = fin
        if fin and stream.inbound:
            self._stop_receiving(number, stream, codes.NO_ERROR)
        self.push(number)
        crowded = self._queued.held > self._budget.held_max or self._queued.total.is_spent(0)
        if not wait and crowded and 0 < stream.pending_bytes < self._queued.held:
            self._counters["replies_refused"] += 1
            self.reset(number, codes.NO_ROOM)
            return REFUSED
        return 0

    def _room(self, number: int) -> int:
        """Bytes aioquic's buffer of this stream still takes."""
        stream = self.connection._streams.get(number)
        return BUFFERED_BYTES_MAX - (len(stream.sender._buffer) if stream is not None else 0)

    def push(self, number: int) -> None:
        """Hands waiting bytes to aioquic as its buffer allows."""
        stream = self.streams.get(number)
        if stream is None or stream.send_done:
            return
        while stream.pending and (room := self._room(number)) > 0:
            first = stream.pending.popleft()
            self.connection.send_stream_data(number, first[:room])
            self._queued.add(-min(room, len(first)))
            if len(first) > room:
                stream.pending.appendleft(first[room:])
        if not stream.pending:
            if stream.pending_fin:
                self.connection.send_stream_data(number, b"", end_stream=True)
                stream.send_done = True
            if stream.wants_writable and self._room(number) > 0:
                stream.wants_writable = False
                self._out.append((events.WRITABLE, self.number, number))
        self.tidy(number)

    def write(self, number: int, data: bytes, fin: bool) -> int:
        """Writes to a raw stream: bytes taken, or GONE."""
        stream = self.streams.get(number)
        if stream is None or stream.send_done:
            return GONE
        taken = min(len(data), max(0, self._room(number)))
        done = fin and taken == len(data)
        self.connection.send_stream_data(number, data[:taken], end_stream=done)
        stream.send_done = done
        stream.wants_writable = taken < len(data)
        self.tidy(number)
        return taken

    def reset(self, number: int, code: int) -> None:
        """Gives up the sending half."""
        stream = self.streams.get(number)
        if stream is None:
            return
        self._drop_pending(stream)
        self.connection.reset_stream(number, code)
        stream.send_done = True
        if stream.framed and stream.inbound:
            self._stop_receiving(number, stream, codes.NO_ERROR)
        self.tidy(number)

    def _drop_pending(self, stream: Stream) -> None:
        self._queued.add(-stream.pending_bytes)
        stream.pending.clear()

    # --- the streams as a whole

    def tidy(self, number: int) -> None:
        """Forgets a stream that is over."""
        stream = self.streams.get(number)
        if stream is not None and stream.answer_begins():
            self.watch.answered()
        if stream is not None and stream.receive_done and stream.send_done:
            stream.give_back(self._budget)
            self._drop_pending(stream)
            self._drop_arrived(number, stream)
            del self.streams[number]
        self._wake_blocked()

    def _wake_blocked(self) -> None:
        if self._blocked and self._budget.held < self._budget.held_max:
            blocked, self._blocked = self._blocked, []
            for number in blocked:
                self.read_stream(number)

    def progress(self) -> None:
        """After datagrams: goes on with what acknowledgements and new credit allow."""
        for number, stream in list(self.streams.items()):
            if stream.pending or stream.wants_writable:
                self.push(number)
        if self.wants_available:
            next_number = self.connection.get_next_available_stream_id()
            if next_number // 4 < self.connection._remote_max_streams_bidi:
                self.wants_available = False
                self._out.append((events.AVAILABLE, self.number))
        for number in self.connection.consumed.keys() - self.streams.keys() - self.connection._streams.keys():
            # aioquic has discarded the stream and so will not mention it again.
            del self.connection.consumed[number]
        address = self.connection.get_peer_address()
        if address is not None and self.address and pack(address[:2]) != self.address:
            self.address = pack(address[:2])
            self._counters["moves"] += 1
            self._out.append((events.PATH, self.number, self.address))
        self.report_idle()

    def report_idle(self) -> None:
        """Answers `watch_idle` once nothing waits to be sent or acknowledged."""
        if (
            self.watch_idle
            and not self._queued.held
            and all(
                stream.sender.is_finished or not (stream.sender._buffer or stream.sender._buffer_fin is not None)
                for stream in self.connection._streams.values()
            )
        ):
            self.watch_idle = False
            self._out.append((events.IDLE, self.number))

    def stats(self) -> dict[str, int]:
        """Figures of the connection."""
        return {
            "streams": len(self.streams),
            "held_bytes": self._budget.held,
            "queued_bytes": self._queued.held,
            "unread_bytes": self.connection.unread_bytes,
            "waiting_streams": len(self._blocked),
        }
