"""Framed calls: answers inline, from a task and in a stream; cancellation, faults, and frames that break the rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio

from trio_quic import ConnectFailed, ConnectionClosed, FrameError, IncomingCall, Limits, QuicStream, StreamReset, codes
from trio_quic.testing import Certificates, bench, echo

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from trio.testing import MockClock

Engines = tuple[Any, Any]


def head(length: int) -> bytes:
    return length.to_bytes(4, "little")


async def read_all(stream: QuicStream) -> bytes:
    whole = b""
    async for piece in stream:
        whole += piece
    return whole


async def test_many_calls_at_once(engines: Engines, certificates: Certificates, autojump_clock: MockClock) -> None:
    answers: list[bytes] = []
    async with bench(certificates, engines) as place, place.connect() as connection:

        async def one(number: int) -> None:
            frame = number.to_bytes(2, "big") * (number + 1)
            assert await connection.call(frame) == frame
            answers.append(frame)

        # More than streams_max: some have to wait for their turn.
        async with trio.open_nursery() as nursery:
            for number in range(250):
                nursery.start_soon(one, number)
        assert len(answers) == 250


@pytest.mark.parametrize("size", [0, 1, 1199, 64 * 1024, 3_000_000])
async def test_sizes(engines: Engines, size: int, certificates: Certificates, autojump_clock: MockClock) -> None:
    limits = Limits(frame_bytes_max=4_000_000)
    async with bench(certificates, engines, limits=limits) as place, place.connect(limits=limits) as connection:
        frame = bytes(range(256)) * (size // 256) + bytes(size % 256)
        assert await connection.call(frame) == frame
        assert connection.stats()["held_bytes"] == 0


async def test_inline_answer_needs_no_task(engine: Any, certificates: Certificates, autojump_clock: MockClock) -> None:
    tasks: list[trio.lowlevel.Task] = []

    def inline(call: IncomingCall) -> None:
        tasks.append(trio.lowlevel.current_task())
        call.reply(b"inline")

    def waits(call: IncomingCall) -> Coroutine[Any, Any, None] | None:
        if call.frame == b"inline":
            return inline(call)

        async def handle() -> None:
            tasks.append(trio.lowlevel.current_task())
            await trio.sleep(1)
            call.reply(b"task")

        return handle()

    async with bench(certificates, engine, waits) as place, place.connect() as connection:
        assert await connection.call(b"inline") == b"inline"
        assert await connection.call(b"inline") == b"inline"
        assert await connection.call(b"wait") == b"task"
        assert await connection.call(b"wait") == b"task"
    inline_1, inline_2, task_1, task_2 = tasks
    assert inline_1 is inline_2
    assert len({inline_1, task_1, task_2}) == 3


def streaming(count: int, sent: list[int] | None = None, size: int = 10) -> Any:
    def on_call(call: IncomingCall) -> Coroutine[Any, Any, None]:
        async def handle() -> None:
            for number in range(count):
                await call.send(number.to_bytes(4, "big") * size)
                if sent is not None:
                    sent.append(number)
            call.finish()

        return handle()

    return on_call


@pytest.mark.parametrize("count", [0, 1, 50])
async def test_streamed_answer(
    engines: Engines, count: int, certificates: Certificates, autojump_clock: MockClock
) -> None:
    async with bench(certificates, engines, streaming(count)) as place, place.connect() as connection:
        async with connection.open_call(b"go") as replies:
            frames = [frame async for frame in replies]
        assert frames == [number.to_bytes(4, "big") * 10 for number in range(count)]
        with trio.fail_after(1):
            await place.server_connections[0].wait_acknowledged()


async def test_streamed_answer_waits_for_its_reader(
    engines: Engines, certificates: Certificates, autojump_clock: MockClock
) -> None:
    sent: list[int] = []
    size = 16 * 1024 // 4
    on_call = streaming(1000, sent, size)
    async with (
        bench(certificates, engines, on_call) as place,
        place.connect() as connection,
        connection.open_call(b"go") as replies,
    ):
        assert len(await anext(replies)) == 4 * size
        await trio.sleep(5)
        # 16 MB are due; at most both windows and buffers are on their way.
        stalled = len(sent)
        assert stalled * 4 * size <= 1_000_000
        for _ in range(200):
            await anext(replies)
        assert len(sent) >= 200


async def test_leaving_a_streamed_answer_cancels_its_handler(
    engines: Engines, certificates: Certificates, autojump_clock: MockClock
) -> None:
    ended = trio.Event()

    def on_call(call: IncomingCall) -> Coroutine[Any, Any, None]:
        async def handle() -> None:
            try:
                await call.send(b"first")
                await trio.sleep_forever()
            finally:
                ended.set()

        return handle()

    async with bench(certificates, engines, on_call) as place, place.connect() as connection:
        async with connection.open_call(b"go") as replies:
            assert await anext(replies) == b"first"
        with trio.fail_after(1):
            await ended.wait()
        assert not place.faults


async def test_cancelling_a_call_cancels_its_handler(
    engines: Engines, certificates: Certificates, autojump_clock: MockClock
) -> None:
    ended = trio.Event()

    def on_call(call: IncomingCall) -> Coroutine[Any, Any, None] | None:
        if call.frame == b"quick":
            return echo(call)

        async def handle() -> None:
            try:
                await trio.sleep_forever()
            finally:
                ended.set()

        return handle()

    async with bench(certificates, engines, on_call) as place, place.connect() as connection:
        with trio.move_on_after(1) as scope:
            await connection.call(b"never")
        assert scope.cancelled_caught
        with trio.fail_after(1):
            await ended.wait()
        assert await connection.call(b"quick") == b"quick"
        assert not place.faults
        assert place.server_connections[0].calls_in_flight == 0


async def test_closing_the_connection_cancels_handlers(
    engines: Engines, certificates: Certificates, autojump_clock: MockClock
) -> None:
    ended = trio.Event()

    def on_call(call: IncomingCall) -> Coroutine[Any, Any, None]:
        async def handle() -> None:
            try:
                await trio.sleep_forever()
            finally:
                ended.set()

        return handle()

    async with bench(certificates, engines, on_call) as place, place.connect() as connection:
        async with trio.open_nursery() as nursery:

            async def call() -> None:
                with pytest.raises(ConnectionClosed) as closed:
                    await connection.call(b"never")
                assert closed.value.kind == "local"

            nursery.start_soon(call)
            await trio.sleep(1)
            connection.close(77, b"bye")
        with trio.fail_after(1):
            await ended.wait()
        (server_side,) = place.closed
        closed = await server_side.wait_closed()
        assert (closed.kind, closed.code, closed.reason) == ("peer_application", 77, "bye")


@pytest.mark.parametrize("where", ["inline", "task", "silent", "silent task"])
async def test_a_failing_handler_costs_its_stream_only(
    engines: Engines, where: str, certificates: Certificates, autojump_clock: MockClock
) -> None:
    def on_call(call: IncomingCall) -> Coroutine[Any, Any, None] | None:
        if call.frame == b"good":
            return echo(call)
        if where == "inline":
            raise LookupError("inline")
        if where == "silent":
            return None

        async def handle() -> None:
            await trio.sleep(1)
            if where == "task":
                raise LookupError("task")

        return handle()

    async with bench(certificates, engines, on_call) as place, place.connect() as connection:
        with pytest.raises(StreamReset) as reset:
            await connection.call(b"bad")
        assert reset.value.code == codes.HANDLER_FAULT
        assert await connection.call(b"good") == b"good"
        assert [str(fault) for fault in place.faults] == ([where] if where in ("inline", "task") else [])


def answer_violations(call: IncomingCall) -> None:
    call.reply(b"refused: " + call.violation.encode() if call.violation else call.frame)


@pytest.mark.parametrize(
    ("sent", "end", "violation"),
    [
        (head(64 * 1024 + 1), False, b"oversized"),
        (head(0xFFFFFFFF) + b"x" * 1000, False, b"oversized"),
        (b"", True, b"truncated"),
        (b"\x01\x00", True, b"truncated"),
        (head(10) + b"only 9...", True, b"truncated"),
        (b"\x01", False, b"late"),
        (head(10) + b"only 9...", False, b"late"),
    ],
)
async def test_bad_frames_are_answered(
    engines: Engines,
    sent: bytes,
    end: bool,
    violation: bytes,
    certificates: Certificates,
    autojump_clock: MockClock,
) -> None:
    async with bench(certificates, engines, answer_violations) as place, place.connect() as connection:
        stream = await connection.open_stream()
        await stream.send_all(sent)
        if end:
            await stream.send_eof()
        with trio.fail_after(31):
            answer = await read_all(stream)
        assert answer == head(len(answer) - 4) + b"refused: " + violation
        await stream.aclose()
        assert await connection.call(b"still here") == b"still here"
        assert place.endpoint.counters()[f"frames_{violation.decode()}"] == 1
        assert place.server_connections[0].stats()["held_bytes"] == 0


@pytest.mark.parametrize(("sent", "seconds"), [(b"\x01", 5), (head(10) + b"x", 30)])
async def test_late_means_exactly_then(
    engine: Any, sent: bytes, seconds: float, certificates: Certificates, autojump_clock: MockClock
) -> None:
    limits = Limits(idle_ms=600_000)
    at: list[float] = []

    def on_call(call: IncomingCall) -> None:
        at.append(trio.current_time())
        call.reset(9)

    async with bench(certificates, engine, on_call, limits=limits) as place, place.connect() as connection:
        stream = await connection.open_stream()
        started = trio.current_time()
        await stream.send_all(sent)
        with pytest.raises(trio.BrokenResourceError) as broken:
            await stream.receive_some()
        assert isinstance(broken.value.__cause__, StreamReset)
        assert broken.value.__cause__.code == 9
        assert at == [pytest.approx(started + seconds, abs=0.1)]


async def test_what_follows_the_first_frame_is_not_a_call(
    engines: Engines, certificates: Certificates, autojump_clock: MockClock
) -> None:
    calls: list[bytes] = []

    def on_call(call: IncomingCall) -> None:
        calls.append(call.frame)
        call.reply(b"once")

    async with bench(certificates, engines, on_call) as place, place.connect() as connection:
        stream = await connection.open_stream()
        await stream.send_all(head(1) + b"a" + head(1) + b"b")
        assert await read_all(stream) == head(4) + b"once"
        await stream.aclose()
        assert await connection.call(b"c") == b"once"
        assert calls == [b"a", b"c"]


async def test_frame_limit_can_be_raised_for_one_peer(
    engines: Engines, certificates: Certificates, autojump_clock: MockClock
) -> None:
    large = bytes(100_000)
    async with (
        bench(certificates, engines, answer_violations) as place,
        place.connect() as one,
        place.connect() as other,
    ):
        one.set_frame_limit(200_000)
        other.set_frame_limit(200_000)
        assert await one.call(large) == b"refused: oversized"
        place.server_connections[0].set_frame_limit(100_000)
        assert await one.call(large) == large
        assert await other.call(large) == b"refused: oversized"


async def test_an_oversized_reply_fails_its_call_only(
    engines: Engines, certificates: Certificates, autojump_clock: MockClock
) -> None:
    def on_call(call: IncomingCall) -> None:
        call.reply(bytes(int(call.frame)))

    async with bench(certificates, engines, on_call) as place, place.connect() as connection:
        with pytest.raises(FrameError, match="oversized"):
            await connection.call(b"70000")
        assert len(await connection.call(b"60000")) == 60000


async def test_frames_wait_for_the_byte_budget(
    engines: Engines, certificates: Certificates, autojump_clock: MockClock
) -> None:
    limits = Limits(held_bytes_max=100_000)
    held: list[IncomingCall] = []
    release = trio.Event()

    def on_call(call: IncomingCall) -> Coroutine[Any, Any, None]:
        async def handle() -> None:
            held.append(call)
            await release.wait()
            call.reply(b"%d" % len(call.frame))

        return handle()

    answers: list[bytes] = []
    async with bench(certificates, engines, on_call, limits=limits) as place, place.connect() as connection:

        async def call() -> None:
            answers.append(await connection.call(bytes(40_000)))

        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(call)
            await trio.sleep(3)
            # Two of them fit; the others stay in QUIC's window.
            assert len(held) == 2
            stats = place.server_connections[0].stats()
            assert stats["held_bytes"] == 80_000
            assert stats["waiting_streams"] == 8
            release.set()
        assert answers == [b"40000"] * 10
        assert place.server_connections[0].stats()["held_bytes"] == 0


async def test_replies_nobody_reads_are_bounded(
    engines: Engines, certificates: Certificates, autojump_clock: MockClock
) -> None:
    limits = Limits(held_bytes_max=1_000_000, frame_bytes_max=1_000_000)

    def on_call(call: IncomingCall) -> None:
        call.reply(bytes(900_000))

    async with bench(certificates, engines, on_call, limits=limits) as place, place.connect() as connection:
        streams = [await connection.open_stream() for _ in range(20)]
        for stream in streams:
            await stream.send_all(head(1) + b"x")
            await stream.send_eof()
        await trio.sleep(5)
        server_side = place.server_connections[0]
        assert server_side.stats()["queued_bytes"] <= 2_000_000
        assert place.endpoint.counters()["replies_refused"] > 0
        causes: list[BaseException | None] = []
        for stream in streams:
            try:
                whole = await read_all(stream)
            except trio.BrokenResourceError as error:
                causes.append(error.__cause__)
            else:
                assert whole == head(900_000) + bytes(900_000)
        assert {getattr(cause, "code", None) for cause in causes} == {codes.NO_ROOM}
        assert len(causes) == place.endpoint.counters()["replies_refused"]
        assert server_side.stats()["queued_bytes"] == 0


async def test_a_reset_request_never_becomes_a_call(
    engines: Engines, certificates: Certificates, autojump_clock: MockClock
) -> None:
    calls: list[IncomingCall] = []
    async with bench(certificates, engines, calls.append) as place, place.connect() as connection:
        stream = await connection.open_stream()
        await stream.send_all(head(10) + b"half")
        await trio.sleep(1)
        assert place.server_connections[0].stats()["held_bytes"] == 10
        stream.reset(5)
        stream.stop_sending(5)
        await trio.sleep(1)
        assert not calls
        stats = place.server_connections[0].stats()
        assert (stats["held_bytes"], stats["streams"]) == (0, 0)


async def test_drain_lets_calls_finish_and_takes_no_new_ones(
    engines: Engines, certificates: Certificates, autojump_clock: MockClock
) -> None:
    def on_call(call: IncomingCall) -> Coroutine[Any, Any, None]:
        async def handle() -> None:
            await trio.sleep(3)
            call.reply(call.frame)

        return handle()

    async with (
        bench(certificates, engines, on_call) as place,
        place.connect() as connection,
        trio.open_nursery() as nursery,
    ):
        answers: list[bytes] = []

        async def call() -> None:
            answers.append(await connection.call(b"in flight"))

        nursery.start_soon(call)
        await trio.sleep(1)
        nursery.start_soon(place.endpoint.drain, 42, b"going away")
        await trio.sleep(0.5)
        with pytest.raises(StreamReset) as reset:
            await connection.call(b"new")
        assert reset.value.code == codes.DRAINING
        closed = await connection.wait_closed()
        assert answers == [b"in flight"]
        assert (closed.kind, closed.code, closed.reason) == ("peer_application", 42, "going away")
        with pytest.raises(ConnectionClosed):
            await connection.call(b"too late")
        assert not place.endpoint.connections


async def test_drained_endpoints_refuse_new_peers(
    engines: Engines, certificates: Certificates, autojump_clock: MockClock
) -> None:
    async with bench(certificates, engines) as place:
        await place.endpoint.drain()
        with pytest.raises(ConnectFailed, match="peer_transport"):
            async with place.connect():
                raise AssertionError("connected")
        # One for each datagram of the first flight, which are two with ML-KEM.
        assert place.endpoint.counters()["connections_refused"] in (1, 2)


async def test_faults_and_cancellation_in_one_group_stay_with_their_call(
    engine: Any, certificates: Certificates, autojump_clock: MockClock
) -> None:
    """A handler with a nursery, cancelled because its caller left, that fails while it is cleaning up."""

    def on_call(call: IncomingCall) -> Coroutine[Any, Any, None] | None:
        if call.frame == b"good":
            call.reply(call.frame)
            return None

        async def fails_when_cancelled() -> None:
            try:
                await trio.sleep_forever()
            finally:
                raise LookupError("clean-up")

        async def handle() -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(fails_when_cancelled)
                nursery.start_soon(trio.sleep_forever)

        return handle()

    async with bench(certificates, engine, on_call) as place, place.connect() as connection:
        with trio.move_on_after(1):
            await connection.call(b"bad")
        await trio.sleep(1)
        assert await connection.call(b"good") == b"good"
        (fault,) = place.faults
        assert isinstance(fault, ExceptionGroup)
        assert fault.subgroup(LookupError) is not None
