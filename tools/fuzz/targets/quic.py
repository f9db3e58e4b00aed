"""Datagrams at the native QUIC engine, and frames on a stream at both engines.

What lies inside protected packets is out of a stranger's reach, but for Initial packets: their keys follow from the
connection id that stands in them (RFC 9001 §5.2), so `quic_initial` puts any frames into one.
"""

from __future__ import annotations

import hmac
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tools.fuzz.quic_pair import CLIENT_AT, FRAME_BYTES_MAX, Pair, aioquic_server, pair, server
from tools.fuzz.target import Target, demand
from trio_quic.aio.stream import Budget, Progress, Stream, Total

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trio_quic.engine import Engine

SALT = bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a")
CONNECTION_ID = b"destined"
INITIAL_BYTES_MIN = 1_200
NUMBER_BYTES, TAG_BYTES, SAMPLE_BYTES = 4, 16, 16
STEP_US = 1_000
DATAGRAMS_MAX = 16
TIMEOUTS_MAX = 40
"""More than a handshake has probes before it is given up."""
LONG_HEADER_MASK = 0x0F


# --- datagrams


def _take(engine: Engine, datagrams: list[bytes]) -> None:
    """Give datagrams to an engine, let it answer, and let its time pass until it waits for nothing."""
    now_us = 0
    for datagram in datagrams:
        engine.receive([(CLIENT_AT, 0, datagram, 0)], now_us)
        engine.poll()
        engine.transmit(now_us)
        now_us += STEP_US
    for _ in range(TIMEOUTS_MAX):
        due = engine.next_timeout()
        if due is None:
            break
        now_us = max(now_us, due)
        engine.handle_timeout(now_us)
        engine.poll()
        engine.transmit(now_us)
    demand(engine.next_timeout() is None, "a connection that never ends")
    demand(engine.counters()["connections"] == 0, "a connection that stays")


def _split(data: bytes) -> list[bytes]:
    """Take datagrams apart, each behind two bytes of length."""
    sent: list[bytes] = []
    at = 0
    while at < len(data) and len(sent) < DATAGRAMS_MAX:
        length = int.from_bytes(data[at : at + 2], "big")
        sent.append(data[at + 2 : at + 2 + length])
        at += 2 + length
    return sent


def datagrams(data: bytes) -> None:
    """Datagrams at the native engine."""
    _take(server(), _split(data))


def initial(data: bytes) -> None:
    """Any frames, in an Initial packet of a client, at the native engine."""
    _take(server(), [protected(data)])


def aioquic(data: bytes) -> None:
    """With an even first byte datagrams, with an odd one frames, at the aioquic engine."""
    odd = data[:1] and data[0] % 2
    _take(aioquic_server(), [protected(data[1:])] if odd else _split(data[1:]))


def _expand(secret: bytes, label: bytes, length: int) -> bytes:
    """HKDF-Expand-Label of TLS 1.3 (RFC 8446 §7.1), for at most one block."""
    info = length.to_bytes(2, "big") + bytes([6 + len(label)]) + b"tls13 " + label + b"\0"
    return hmac.digest(secret, info + b"\x01", sha256)[:length]


@cache
def _keys(connection_id: bytes) -> tuple[bytes, bytes, bytes]:
    """Return (key, IV, header protection key) of a client's Initial packets (RFC 9001 §5.2)."""
    secret = _expand(hmac.digest(SALT, connection_id, sha256), b"client in", 32)
    return _expand(secret, b"quic key", 16), _expand(secret, b"quic iv", 12), _expand(secret, b"quic hp", 16)


def protected(frames: bytes) -> bytes:
    """Return an Initial packet of these frames, padded, with packet number 0 (RFC 9000 §17.2.2, RFC 9001 §5)."""
    frames = frames.ljust(INITIAL_BYTES_MIN - 48, b"\0")
    length = NUMBER_BYTES + len(frames) + TAG_BYTES
    key, iv, header_key = _keys(CONNECTION_ID)
    head = b"\xc3\x00\x00\x00\x01" + bytes([len(CONNECTION_ID)]) + CONNECTION_ID + _source() + b"\x00"
    head += (length | 1 << 31).to_bytes(4, "big") + bytes(NUMBER_BYTES)
    packet = bytearray(head + AESGCM(key).encrypt(iv, frames, head))
    at = len(head)
    mask = _mask(header_key, bytes(packet[at : at + SAMPLE_BYTES]))
    packet[0] ^= mask[0] & LONG_HEADER_MASK
    for index in range(NUMBER_BYTES):
        packet[at - NUMBER_BYTES + index] ^= mask[1 + index]
    return bytes(packet)


def _mask(key: bytes, sample: bytes) -> bytes:
    return Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(sample)  # noqa: S305 - header protection is one block


@cache
def _source() -> bytes:
    """Return the connection id, behind its length, that the genuine client gives itself: its ClientHello says it too."""
    packet = Pair().flights[0]
    at = 6 + packet[5]
    return packet[at : at + 1 + packet[at]]


def opened(packet: bytes) -> bytes:
    """Return the frames of a client's Initial packet, without their padding."""
    connection_id = packet[6 : 6 + packet[5]]
    at = 6 + len(connection_id)
    at += 1 + packet[at] + 1  # its own connection id; no token
    length = int.from_bytes(packet[at : at + 2], "big") & 0x3FFF
    at += 2
    key, iv, header_key = _keys(connection_id)
    mask = _mask(header_key, packet[at + NUMBER_BYTES : at + NUMBER_BYTES + SAMPLE_BYTES])
    first = packet[0] ^ (mask[0] & LONG_HEADER_MASK)
    width = 1 + (first & 3)
    number = bytes(b ^ m for b, m in zip(packet[at : at + width], mask[1:], strict=False))
    nonce = bytes(a ^ b for a, b in zip(iv, number.rjust(len(iv), b"\0"), strict=True))
    head = bytes([first]) + packet[1:at] + number
    return AESGCM(key).decrypt(nonce, packet[at + width : at + length], head).rstrip(b"\0")


# --- frames


def expected(data: bytes) -> tuple[list[bytes], str]:
    """Cut a whole stream into frames by the rule of docs/spec/wire.md; return (frames, how it ended)."""
    found: list[bytes] = []
    at = 0
    while len(data) - at >= 4:
        need = int.from_bytes(data[at : at + 4], "little")
        if need > FRAME_BYTES_MAX:
            return found, "oversized"
        if len(data) - at - 4 < need:
            return found, "truncated"
        found.append(data[at + 4 : at + 4 + need])
        at += 4 + need
    return found, "clean" if found and at == len(data) else "truncated"


def cut_by_aioquic(data: bytes, step: int) -> tuple[list[bytes], str]:
    """Cut a stream that arrives in pieces as the aioquic engine does."""
    stream, budget = Stream(framed=True, inbound=True), Budget(FRAME_BYTES_MAX, Total(FRAME_BYTES_MAX))
    found: list[bytes] = []
    pieces = [data[at : at + step] for at in range(0, len(data), step)]
    while True:
        progress, frame, _ = stream.cut(FRAME_BYTES_MAX, budget)
        match progress:
            case Progress.FRAME:
                found.append(frame)
                stream.give_back(budget)
            case Progress.BLOCKED:
                if pieces:
                    stream.arrived += pieces.pop(0)
                else:
                    stream.ended = True
            case Progress.ENDED:
                return found, "clean"
            case Progress.TRUNCATED:
                return found, "truncated"
            case Progress.OVERSIZED:
                return found, "oversized"
            case Progress.NO_BUDGET:
                demand(False, "an empty budget has no room for a frame")


def frames(data: bytes) -> None:
    """A stream of any bytes, in pieces (the first byte says how large): both engines cut it as the rule says."""
    step, sent = 1 + (data[0] if data else 0) * 8, data[1:]
    wanted = expected(sent)
    demand(cut_by_aioquic(sent, step) == wanted, "the aioquic engine cuts otherwise")
    demand(pair().send(sent, step) == wanted, "the native engine cuts otherwise")


def _frame_seeds() -> Iterator[tuple[str, bytes]]:
    one, two = (len(b).to_bytes(4, "little") + b for b in (b"question", b"another"))
    yield "one", b"\x01" + one
    yield "two-in-pieces", b"\x00" + one + two
    yield "empty-frame", b"\x02" + bytes(4)
    yield "cut", b"\x02" + one[:-1]
    yield "oversized", b"\x02" + (FRAME_BYTES_MAX + 1).to_bytes(4, "little")


def _datagram_seeds() -> Iterator[tuple[str, bytes]]:
    flights = Pair().flights
    for count in range(1, min(len(flights), 4) + 1):
        yield f"flights-{count}", b"".join(len(d).to_bytes(2, "big") + d for d in flights[:count])
    probe = b"\xc0\x0a\x0a\x0a\x0a\x08destined\x08fromhere".ljust(INITIAL_BYTES_MIN, b"\0")
    yield "version", len(probe).to_bytes(2, "big") + probe
    yield "short", b"\x00\x30" + b"\x40" + CONNECTION_ID.ljust(47, b"x")


def _initial_seeds() -> Iterator[tuple[str, bytes]]:
    yield "hello", opened(Pair().flights[0])
    yield "ping", b"\x01"
    yield "close", b"\x1c\x00\x00\x00"
    yield "ack", b"\x02\x00\x00\x00\x00"


def _aioquic_seeds() -> Iterator[tuple[str, bytes]]:
    for name, data in _datagram_seeds():
        yield name, b"\0" + data
    for name, data in _initial_seeds():
        yield name, b"\1" + data


TARGETS = (
    Target(name="frames", what="frames on a stream, at both engines", run=frames, errors=(), native=True, seeds=_frame_seeds, slow=True),
    Target(
        name="quic_datagrams", what="datagrams at the native engine", run=datagrams, errors=(), native=True, seeds=_datagram_seeds,
        slow=True, input_bytes_max=8_192,
    ),
    Target(
        name="quic_aioquic", what="datagrams and first packets at the aioquic engine", run=aioquic, errors=(), seeds=_aioquic_seeds, slow=True,
        input_bytes_max=8_192,
    ),
    Target(
        name="quic_initial", what="any frames in a client's first packet", run=initial, errors=(), native=True, seeds=_initial_seeds,
        slow=True, input_bytes_max=1_100,
    ),
)  # fmt: skip
