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
    "handshakes_limited",
    "handshakes_late",
    "handshakes_failed",
    "connections_broken",
    "floods_of_cancels",
    "floods_of_paths",
    "floods_of_idle_frames",
    "floods_by_address",
    "moves",
    "frames_oversized",
    "frames_truncated",
    "frames_late",
    "frames_waited",
    "replies_refused",
    "faults",
)
