"""`python -m tools.hostile.server LIFTED|SHIPPED [options of qpq-server]`: the server, on request without its bounds."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from qpqcore.bus.limits import Rate
from qpqcore.obs import logs
from qpqserver import composition
from qpqserver.main import main
from tools.soak.fuse import around

if TYPE_CHECKING:
    from collections.abc import Callable

    from trio_quic import QuicConfiguration

HUGE = 1 << 30
LONG_MS = 600_000
NO_RATE = Rate(HUGE, 1.0, HUGE)
LIFTED: dict[str, Any] = {
    "held_bytes_max": HUGE, "held_total_bytes_max": 1 << 40, "connections_max": HUGE,
    "connections_per_address_max": HUGE, "handshakes_per_address_max": HUGE, "half_open_max": HUGE,
    "retry_from_half_open": HUGE, "handshake_ms": LONG_MS, "handshake_bytes_max": 1 << 20, "frame_head_ms": LONG_MS,
    "frame_ms": LONG_MS, "first_window_bytes": 0, "cancels_per_second_max": HUGE, "paths_per_second_max": HUGE,
    "idle_frames_per_second_max": HUGE, "stream_gaps_max": HUGE,
}  # fmt: skip
"""Each of trio_quic's Limits that can be lifted, and how far; what rests on QUIC's own rules stays."""


def lift() -> None:
    """Take the bounds off, in this process."""

    def without_limits(as_shipped: Callable[..., QuicConfiguration]) -> Callable[..., QuicConfiguration]:
        def made(*arguments: Any) -> QuicConfiguration:
            configuration = as_shipped(*arguments)
            return replace(configuration, limits=replace(configuration.limits, **LIFTED))

        return made

    rates = dict.fromkeys(("login_per_name", "login_per_address", "register_per_address"), NO_RATE)
    around(composition, "quic_configuration", without_limits)
    around(composition, "AuthConfig", lambda config: partial(config, **rates))
    logs.LINES_PER_SECOND_MAX = HUGE


if __name__ == "__main__":
    if sys.argv.pop(1) == "LIFTED":
        lift()
    main(prog_name="qpq-server")
