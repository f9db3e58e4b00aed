"""The one table of targets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.fuzz.targets import channel, config, content, database, identity, mls, opaque, quic, wire

if TYPE_CHECKING:
    from tools.fuzz.target import Target

TARGETS: dict[str, Target] = {
    target.name: target
    for target in (
        *wire.TARGETS,
        *identity.TARGETS,
        *content.TARGETS,
        *opaque.TARGETS,
        *mls.TARGETS,
        *quic.TARGETS,
        *config.TARGETS,
        *database.TARGETS,
        *channel.TARGETS,
    )
}
"""Every target by its name."""
