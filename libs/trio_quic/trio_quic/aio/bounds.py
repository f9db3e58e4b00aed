"""aioquic's connection with the bounds it lacks, and the two facts it does not give.

Windows move by what the application consumed (aioquic's double whenever half is used), gaps in a stream and in the
handshake are counted, frames are counted by kind, client certificates are asked for, and the TLS exporter's secret is
kept. All of it rests on private names: the version
is pinned, PRIVATE_NAMES is tested.
"""

# ruff: noqa: SLF001 - aioquic has no public way to these names; the asserts narrow types

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aioquic import tls
from aioquic._buffer import Buffer
from aioquic.quic.connection import QuicConnection, QuicConnectionError, QuicConnectionState
from aioquic.quic.packet import QuicErrorCode

from .floods import KIND_OF_FRAME, Seen

if TYPE_CHECKING:
    from collections.abc import Callable

    from trio_quic.configuration import Limits

PRIVATE_NAMES: Final = (
    "__frame_handlers",
    "_close_event",
    "_close_pending",
    "_crypto_streams",
    "_handle_crypto_frame",
    "_handle_stream_frame",
    "_handshake_confirmed",
    "_host_cids",
    "_initialize",
    "_local_initial_source_connection_id",
    "_local_max_data",
    "_local_max_streams_bidi",
    "_local_max_streams_uni",
    "_packet_number",
    "_peer_cid",
    "_remote_max_streams_bidi",
    "_replenish_connection_ids",
    "_spaces",
    "_state",
    "_streams",
    "_streams_queue",
    "_update_traffic_key",
    "_write_connection_limits",
    "_write_stream_limits",
)
PRIVATE_TLS_NAMES: Final = (
    "_peer_certificate",
    "_peer_certificate_chain",
    "_request_client_certificate",
    "_server_handle_hello",
    "_supported_groups",
    "_x25519_private_key",
)


class BoundedConnection(QuicConnection):
    """A connection whose peer cannot make it hold more than `limits` say."""

    def __init__(
        self, limits: Limits, groups: list[tls.Group], asks_client: bool, worker: int, **arguments: Any
    ) -> None:
        super().__init__(**arguments)
        self._worker = worker
        self._mark_ids(0)
        self.host_cid = self._local_initial_source_connection_id = self._host_cids[0].cid
        self._limits = limits
        self._groups = groups
        self._asks_client = asks_client
        self.exporter_secret: bytes | None = None
        self.server_name_asked: str | None = None
        self._keys_from = 0
        """The first packet under the present keys."""
        self.unread_bytes = 0
        """Delivered by aioquic and not consumed, over all streams; kept by the owner."""
        self.consumed: dict[int, int] = {}
        """Bytes consumed, by stream; kept by the owner."""
        self.seen = Seen()
        self.window_bytes = self._local_max_data.value
        handlers = self._QuicConnection__frame_handlers  # type: ignore[attr-defined] # aioquic's private table
        for frame, kind in KIND_OF_FRAME.items():
            handler, epochs = handlers[frame]
            handlers[frame] = (self._counting(kind, handler), epochs)
        streams, one_way = self._local_max_streams_bidi, self._local_max_streams_uni
        streams.value = streams.sent = limits.streams_max
        one_way.value = one_way.sent = 0

    # --- connection ids

    def _mark_ids(self, start: int) -> None:
        """Puts the worker's number at the front of the ids made last, none of which has been sent."""
        for one in self._host_cids[start:]:
            one.cid = bytes([self._worker]) + one.cid[1:]

    def _replenish_connection_ids(self) -> None:
        before = len(self._host_cids)
        super()._replenish_connection_ids()
        self._mark_ids(before)

    # --- what TLS does

    def _initialize(self, peer_cid: bytes) -> None:
        super()._initialize(peer_cid)
        self.tls._supported_groups = list(self._groups)
        self.tls._request_client_certificate = self._asks_client
        answer_hello = self.tls._server_handle_hello

        def note_server_name(input_buf: Buffer, initial_buf: Buffer, handshake_buf: Buffer) -> None:
            whole = Buffer(data=input_buf.data_slice(0, input_buf.capacity))
            self.server_name_asked = tls.pull_client_hello(whole).server_name
            answer_hello(input_buf, initial_buf, handshake_buf)

        self.tls._server_handle_hello = note_server_name  # type: ignore[method-assign] # there is no other hook

    def _update_traffic_key(self, direction: tls.Direction, epoch: tls.Epoch, *arguments: Any) -> None:
        # RFC 8446 section 7.5: the transcript up to the server's Finished, which is where the first 1-RTT key is made.
        if epoch == tls.Epoch.ONE_RTT and self.exporter_secret is None:
            assert self.tls.key_schedule is not None
            self.exporter_secret = self.tls.key_schedule.derive_secret(b"exp master")
        super()._update_traffic_key(direction, epoch, *arguments)

    # --- keys

    def step_keys(self) -> None:
        """RFC 9001 section 6.1: not before the handshake is confirmed, nor before the last step is acknowledged."""
        if not self._handshake_confirmed or self._spaces[tls.Epoch.ONE_RTT].largest_acked_packet < self._keys_from:
            return
        self._keys_from = self._packet_number
        self.request_key_update()

    # --- bounds

    def take_datagram(self, data: bytes, address: tuple[str, int], now: float) -> bool:
        """Takes it in and notes what it does; False: an accepting side's first datagram that cannot be read."""
        before = self.get_peer_address()
        self.seen.bytes_received += len(data)
        self.receive_datagram(data, address, now)
        self.seen.paths += before is not None and self.get_peer_address() != before
        return self._is_client or self._state is not QuicConnectionState.FIRSTFLIGHT

    def _counting(self, kind: str, handler: Callable[..., None]) -> Callable[..., None]:
        def count_and_handle(context: Any, frame_type: int, buf: Buffer) -> None:
            self.seen.count(kind)
            handler(context, frame_type, buf)

        return count_and_handle

    def _check_gaps(self, receiver: Any, frame_type: int) -> None:
        if len(receiver._ranges) > self._limits.stream_gaps_max:
            raise QuicConnectionError(
                error_code=QuicErrorCode.INTERNAL_ERROR, frame_type=frame_type, reason_phrase="too many gaps"
            )

    def _handle_crypto_frame(self, context: Any, frame_type: int, buf: Buffer) -> None:
        # aioquic lets half a megabyte wait, and makes room for all of it when the last byte comes first.
        start = buf.tell()
        end = buf.pull_uint_var() + buf.pull_uint_var()
        buf.seek(start)
        receiver = self._crypto_streams[context.epoch].receiver
        if end - receiver.starting_offset() > self._limits.handshake_bytes_max:
            raise QuicConnectionError(
                error_code=QuicErrorCode.CRYPTO_BUFFER_EXCEEDED, frame_type=frame_type, reason_phrase="too much waits"
            )
        super()._handle_crypto_frame(context, frame_type, buf)
        self._check_gaps(receiver, frame_type)

    def _handle_stream_frame(self, context: Any, frame_type: int, buf: Buffer) -> None:
        start = buf.tell()
        stream_id = buf.pull_uint_var()
        buf.seek(start)
        super()._handle_stream_frame(context, frame_type, buf)
        stream = self._streams.get(stream_id)
        if stream is not None:
            self._check_gaps(stream.receiver, frame_type)

    def _write_connection_limits(self, builder: Any, space: Any) -> None:
        limit = self._local_max_data
        window = self.window_bytes
        free_up_to = limit.used - self.unread_bytes + window
        if free_up_to - limit.value >= window // 4:
            # What lies behind a hole has been counted as used, and has not been delivered yet.
            receivers = [stream.receiver for stream in self._streams.values() if not stream.receiver.is_finished]
            free_up_to -= sum(one.highest_offset - one.starting_offset() for one in receivers)
        if free_up_to - limit.value >= window // 4:
            limit.value = free_up_to
        # aioquic doubles the window when more than half is used: let it see none used.
        used, limit.used = limit.used, 0
        try:
            super()._write_connection_limits(builder, space)
        finally:
            limit.used = used

    def _write_stream_limits(self, builder: Any, space: Any, stream: Any) -> None:
        window = self._limits.stream_window_bytes
        free_up_to = self.consumed.get(stream.stream_id, 0) + window
        # Zero is a stream this side only sends on.
        if stream.max_stream_data_local and free_up_to - stream.max_stream_data_local >= window // 4:
            stream.max_stream_data_local = free_up_to
        seen, stream.receiver.highest_offset = stream.receiver.highest_offset, 0
        try:
            super()._write_stream_limits(builder, space, stream)
        finally:
            stream.receiver.highest_offset = seen
