"""Signals: typing, sealed under the epoch's exporter key, never stored anywhere (docs/spec/content.md#signals)."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from qpqcore.api import delivery
from qpqcore.api.content import Signal
from qpqcore.crypto.parts import Malformed, Reader, u32, u64, vec
from qpqcore.model.errors import ErrorCode, Refusal

if TYPE_CHECKING:
    import qpqnative
    from qpqcore.api.gateway import SubscribeEventSignal

LABEL = b"qpq signal"
KEY_BYTES = 16
NONCE_BYTES = 12


def _aad(channel: bytes, generation: int, epoch: int, device: bytes) -> bytes:
    return vec(channel) + u32(generation) + u64(epoch) + vec(device)


def seal_signal(
    group: qpqnative.Group, channel: bytes, generation: int, device: bytes, signal: Signal
) -> delivery.SignalParams:
    """Return the call that sends a signal in the group's epoch."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    aad = _aad(channel, generation, group.epoch, device)
    sealed = AESGCM(group.export(LABEL, b"", KEY_BYTES)).encrypt(nonce, signal.to_bytes(), aad)
    return delivery.SignalParams(
        channel=channel, generation=generation, epoch=group.epoch, payload=vec(device) + nonce + sealed
    )


def open_signal(group: qpqnative.Group, event: SubscribeEventSignal) -> tuple[bytes, Signal]:
    """Return (sender device, signal); Refusal(malformed) for one that is not of this epoch or not genuine."""
    try:
        r = Reader(event.payload)
        device = r.vec()
        sealed = event.payload[len(vec(device)) :]
        aad = _aad(event.channel, event.generation, event.epoch, device)
        key = AESGCM(group.export(LABEL, b"", KEY_BYTES))
        plain = key.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], aad)
    except (Malformed, InvalidTag, ValueError) as exc:
        raise Refusal(ErrorCode.MALFORMED, "a signal that cannot be opened") from exc
    return device, Signal.from_bytes(plain)
