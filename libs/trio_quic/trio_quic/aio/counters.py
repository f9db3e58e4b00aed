"""What the aioquic engine counts, under the native engine's names."""

from __future__ import annotations

from typing import Final

COUNTERS: Final = (
    "datagrams_received",
    "datagrams_sent",
    "datagrams_dropped",
    "connections_accepted",
    "connections_refused",
    "connections_ignored",
    "retries_sent",
    "handshakes_late",
    "handshakes_failed",
    "frames_oversized",
    "frames_truncated",
    "frames_late",
    "replies_refused",
    "faults",
)
