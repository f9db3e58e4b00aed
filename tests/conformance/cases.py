"""What must hold between any server and any client."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from trio_quic import Limits
from trio_quic.testing import lossy

from .ends import ALPN, CLASSIC_GROUPS, GROUPS, LIMITS, Refused
from .path import cut, kind
from .place import OWN, Place, Stage
from .streams import pattern, told

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

CASES: dict[str, Callable[[Stage], Coroutine[object, object, None]]] = {}
POST_QUANTUM = {"native", "s2n-quic"}
IDLE_MS = 1_500
UNKNOWN_VERSION = bytes.fromhex("1a2a3a4a")  # RFC 9000 section 15: of the form that forces version negotiation
VERSION_1 = bytes.fromhex("00000001")
OVERHEAD_SHARE = 1.25  # of datagrams over the bytes that they carry
OVERHEAD_BYTES = 20_000  # acknowledgements, probes and what else goes on while a window is full
LARGE_BYTES = 1_000_000
NARROW_BYTES = 1_280  # IPv6's least: what a path may carry and no more


def case(name: str):
    """Enter a case into the suite."""

    def enter(function):
        CASES[name] = function
        return function

    return enter


async def echoes(client, size: int = 1_000) -> None:
    """The connection works, both ways."""
    assert await client.open("echo", size).result() == f"ok {told(pattern(size))}"


async def refused(place: Place, *words: str, **options) -> None:
    """No connection, or none that the server lets do anything; `words`: how the client is told, where it is."""
    try:
        client = await place.connect(**options)
    except Refused as refusal:
        assert not words or refusal.words.startswith(words), refusal.words
    else:
        # A client's own handshake ends before the server has judged it: only the first answer would tell.
        assert place.client_kind not in OWN, "connected"
        assert (await client.open("echo", 100).result()).startswith("closed")
    assert not place.server.notes.some("stream")


# --- the handshake


@case("handshake")
async def handshake(stage: Stage) -> None:
    """Both ends agree on protocol and group, and bytes go both ways."""
    async with stage.open() as place:
        client = await place.connect()
        await echoes(client)
        assert client.alpn == ALPN[0]
        both = {place.server_kind, place.client_kind} <= POST_QUANTUM
        assert client.group in (("X25519MLKEM768",) if both else ("X25519", "SECP256R1"))


@case("ALPN")
async def alpn(stage: Stage) -> None:
    """Of several protocols the common one is taken."""
    async with stage.open(alpn=("older/1", *ALPN)) as place:
        client = await place.connect(alpn=("newer/1", *ALPN))
        await echoes(client)
        assert client.alpn == ALPN[0]


@case("wrong ALPN")
async def wrong_alpn(stage: Stage) -> None:
    """Without a common protocol there is no connection."""
    async with stage.open() as place:
        await refused(place, "alpn", "transport-remote 376", "transport-remote 296", alpn=("another/1",))


@case("second hello")
async def second_hello(stage: Stage) -> None:
    """A client whose first key share is of no use to the server is asked for another (RFC 8446 section 4.1.4)."""
    async with stage.open(groups=CLASSIC_GROUPS) as place:
        first = "SECP256R1" if place.client_kind in OWN else GROUPS[0]
        client = await place.connect(groups=(first, *CLASSIC_GROUPS))
        await echoes(client)
        assert client.group == CLASSIC_GROUPS[0]


@case("Retry")
async def retry(stage: Stage) -> None:
    """A client proves its address first, and the server keeps nothing of it until then."""
    async with stage.open(retry=True) as place:
        await echoes(await place.connect())
        # One for each datagram of the first flight: with a post-quantum share that is two.
        assert place.path.kinds[False, "retry"] >= 1


@case("version negotiation: server")
async def version_of_server(stage: Stage) -> None:
    """A first packet of an unknown version is answered with what is spoken here; a negotiation packet is not."""
    async with stage.open() as place, place.path.stranger() as stranger:
        ids = b"\x08" + b"d" * 8 + b"\x08" + b"s" * 8
        for version in (bytes(4), UNKNOWN_VERSION):
            stranger.send(b"\xc0" + version + ids + bytes(1_300))
        answer = await stranger.receive()
        assert kind(answer) == "versions"
        # The ids are exchanged (RFC 9000 section 17.2.1), so the answer is to the second packet.
        assert answer[5:23] == b"\x08" + b"s" * 8 + b"\x08" + b"d" * 8
        versions = {answer[at : at + 4] for at in range(23, len(answer), 4)}
        assert VERSION_1 in versions
        assert UNKNOWN_VERSION not in versions


def negotiation(first: bytes, *versions: bytes) -> bytes:
    """A version negotiation packet in answer to a client's first datagram."""
    its_id, rest = first[6 : 6 + first[5]], first[6 + first[5] :]
    own_id = rest[1 : 1 + rest[0]]
    ids = bytes([len(own_id)]) + own_id + bytes([len(its_id)]) + its_id
    return b"\xc0" + bytes(4) + ids + b"".join(versions)


def speaks_first(place: Place, *versions: bytes) -> None:
    """Answer the client's first datagram with these versions, before the server can."""

    def rule(datagram):
        if datagram.number == 0:
            place.path.inject(negotiation(datagram.data, *versions))
        return (0.05,)

    place.path.rule = rule


@case("version negotiation: client")
async def version_of_client(stage: Stage) -> None:
    """A client gives up when its version is not spoken, and is not misled by a list that has it."""
    async with stage.open() as place:
        speaks_first(place, UNKNOWN_VERSION)
        await refused(place, "version", "transport-local", "other", "closed")
    async with stage.open() as place:
        speaks_first(place, UNKNOWN_VERSION, VERSION_1)
        await echoes(await place.connect())


# --- a connection's life


@case("key update: by the client")
async def keys_by_client(stage: Stage) -> None:
    """The keys go on, more than once, and nothing is lost."""
    async with stage.open() as place:
        client = await place.connect()
        await keys_step(place, client, client)


@case("key update: by the server")
async def keys_by_server(stage: Stage) -> None:
    """The same, begun by the other end."""
    async with stage.open() as place:
        client = await place.connect()
        await keys_step(place, client, place.server)


async def keys_step(place: Place, client, begins) -> None:
    """Step twice with traffic between."""
    await echoes(client)
    for step in (1, 2):
        begins.step_keys()
        await echoes(client, 100_000)
        await place.path.silence()
        for end in (place.server, client):
            phase = getattr(end, "key_steps", lambda: None)()
            assert phase in (None, step % 2), phase
            assert not hasattr(end, "process") or end.notes.some(f"keys {step}")


@case("migration")
async def migration(stage: Stage) -> None:
    """A client at another address goes on with what it was doing."""
    async with stage.open() as place:
        client = await place.connect()
        await echoes(client)
        moves = [LARGE_BYTES // 2, LARGE_BYTES]

        def rule(datagram):
            if moves and not datagram.up and place.path.bytes[False] > moves[0]:
                place.path.move()
                del moves[0]
            return (0.0,)

        place.path.rule = rule
        got = client.open(f"give {2 * LARGE_BYTES}")
        assert await got.result() == f"ok {told(pattern(2 * LARGE_BYTES))}"
        assert not moves
        await echoes(client)
        assert place.server.moved()


@case("stateless reset")
async def stateless_reset(stage: Stage) -> None:
    """A server that died and came back with its reset key tells its clients at once."""
    async with stage.open() as place:
        client = await place.connect()
        await echoes(client)
        await place.path.silence()
        await place.server.die()
        await place.server.live()
        asked = client.open("echo", 1_000)
        with trio.fail_after(4):
            assert await asked.result() == "closed reset 0"


@case("idle timeout")
async def idle(stage: Stage) -> None:
    """A silent peer is given up by both."""
    limits = Limits(idle_ms=IDLE_MS, datagram_bytes=LIMITS.datagram_bytes)
    async with stage.open(limits=limits) as place:
        client = await place.connect(limits=limits)
        await echoes(client)
        place.path.rule = cut
        with trio.fail_after(4 * IDLE_MS / 1000):
            for end in (await client.closed(), await place.server.notes.wait("closed")):
                assert end.removeprefix("closed ") == "idle 0", end


@case("graceful close: by the client")
async def close_by_client(stage: Stage) -> None:
    """What was sent arrives, then the code."""
    async with stage.open() as place:
        client = await place.connect()
        asked = client.open("take", 100_000)
        assert await asked.result() == f"ok {told(told(pattern(100_000)).encode())}"
        client.close(805)
        assert await place.server.notes.wait("closed") == "closed application-remote 805"


@case("graceful close: by the server")
async def close_by_server(stage: Stage) -> None:
    """The client learns the code, and so does what it had open."""
    async with stage.open() as place:
        client = await place.connect()
        held = client.open("hold", 1_000)
        await place.server.notes.wait("stream hold")
        client.open("close 806")
        assert await client.closed() == "application-remote 806"
        assert await held.result() == "closed application-remote 806"


# --- streams


@case("flow control: stream")
async def stream_window(stage: Stage) -> None:
    """Not a byte past a stream's window that is not read; reading goes on where it stood."""
    window, size = 64_000, 400_000
    limits = Limits(stream_window_bytes=window, datagram_bytes=LIMITS.datagram_bytes)
    async with stage.open(limits=limits) as place:
        client = await place.connect()
        await echoes(client)
        before = place.path.bytes[True]
        held = client.open("hold", size)
        await place.path.silence()
        sent = place.path.bytes[True] - before
        assert window / 2 < sent < window * OVERHEAD_SHARE + OVERHEAD_BYTES, sent
        assert not held.over.is_set()
        assert await client.open("release").result() == f"ok {told(b'ok')}"
        assert await held.result() == f"ok {told(told(pattern(size)).encode())}"


@case("flow control: connection")
async def connection_window(stage: Stage) -> None:
    """The same over all streams of a connection."""
    window, size = 100_000, 300_000
    limits = Limits(
        streams_max=1,
        stream_window_bytes=window,
        connection_window_bytes=window,
        datagram_bytes=LIMITS.datagram_bytes,
    )
    async with stage.open() as place:
        client = await place.connect(limits=limits)
        await echoes(client)
        before = place.path.bytes[False]
        waiting = [client.open(f"give {size}", how="wait") for _ in range(4)]
        await place.path.silence()
        sent = place.path.bytes[False] - before
        assert window / 2 < sent < window * OVERHEAD_SHARE + OVERHEAD_BYTES, sent
        for one in waiting:
            client.go(one)
        for one in waiting:
            assert await one.result() == f"ok {told(pattern(size))}"


@case("reset")
async def reset(stage: Stage) -> None:
    """Each end gives up its sending half with a code of its own; the other half is whole."""
    async with stage.open() as place:
        client = await place.connect()
        given_up = client.open("await-reset", 5_000, "reset", 801)
        await place.server.notes.wait("stream await-reset")
        client.go(given_up)
        assert await given_up.result() == f"ok {told(b'reset 801')}"
        assert await client.open("reset 802").result() == "reset 802"
        await echoes(client)


@case("stop sending")
async def stop_sending(stage: Stage) -> None:
    """Each end asks for no more, and the other learns the code."""
    async with stage.open() as place:
        client = await place.connect()
        stopped = client.open("await-stop", how="stop", code=803)
        assert await stopped.result() == "stopped"
        assert await place.server.notes.wait("stopped") == "stopped 803"
        stopped = client.open("stop 804", LARGE_BYTES)
        await stopped.over.wait()
        assert stopped.sent == "stopped 804"
        await echoes(client)


@case("many streams")
async def many_streams(stage: Stage) -> None:
    """More than the peer allows at once: the rest waits its turn."""
    limits = Limits(streams_max=20, datagram_bytes=LIMITS.datagram_bytes)
    async with stage.open(limits=limits) as place:
        client = await place.connect()
        opened = [client.open("echo", size) for size in range(300)]
        for size, one in enumerate(opened):
            assert await one.result() == f"ok {told(pattern(size))}"


# --- bad networks


async def weathered(stage: Stage, seed: int, **faults: float) -> None:
    """A handshake and a transfer through a bad network."""
    fates = lossy(seed, **faults)
    async with stage.open() as place:
        place.path.rule = lambda datagram: fates(datagram.number, ("", 0), ("", 0), b"")
        client = await place.connect()
        for _ in range(3):
            await echoes(client, 60_000)
        assert place.path.bytes[True] > 180_000


@case("loss")
async def loss(stage: Stage) -> None:
    """One datagram in twelve is lost."""
    await weathered(stage, 1, loss=1 / 12)


@case("reordering")
async def reordering(stage: Stage) -> None:
    """Datagrams overtake each other."""
    await weathered(stage, 2, jitter_s=0.03)


@case("duplication")
async def duplication(stage: Stage) -> None:
    """One in three arrives twice."""
    await weathered(stage, 3, duplication=1 / 3)


def narrow(datagram) -> tuple[float, ...]:
    """A path that drops what is larger than NARROW_BYTES with the headers of IP and UDP."""
    return (0.0,) if len(datagram.data) + 28 <= NARROW_BYTES else ()


@case("MTU: narrow path")
async def narrow_path(stage: Stage) -> None:
    """A path that carries the least that IPv6 promises, and silently no more."""
    async with stage.open() as place:
        place.path.rule = narrow
        await echoes(await place.connect(), 100_000)


@case("MTU: path that narrows")
async def narrowing_path(stage: Stage) -> None:
    """Datagrams that have arrived so far do not any more."""
    limits = Limits(datagram_bytes=1_452)
    async with stage.open(limits=limits) as place:
        client = await place.connect(limits=limits)
        await echoes(client, 100_000)
        place.path.rule = narrow
        await echoes(client, 100_000)
