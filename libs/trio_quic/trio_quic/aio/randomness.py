"""Where one engine's randomness comes from: the system, or in a simulation the configuration's seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trio_quic.configuration import QuicConfiguration

    from .seeded import Seeded


def seeded_for(configuration: QuicConfiguration) -> Seeded | None:
    """What the configuration asks for; None: the system's randomness and date."""
    if configuration.seed is None and configuration.unix_time_s is None:
        return None
    # Imported only here: it puts stand-ins into aioquic's modules.
    from .seeded import Seeded

    return Seeded(configuration.seed, configuration.unix_time_s)
