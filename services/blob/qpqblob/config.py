"""Settings of the blob service."""

from __future__ import annotations

from dataclasses import dataclass

from qpqcore.bus.limits import Rate

DAY_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Every field has a working default."""

    federated: bool = False
    """Whether files of other domains are fetched through federation."""

    domain: str = "localhost"
    """The home domain of the blobs kept here."""

    blob_bytes_max: int = 50 * 1024 * 1024 + 64 * 1024
    """The largest ciphertext: 50 MiB of file and its authentication tags; up to 1 GiB by configuration."""

    chunk_bytes_max: int = 256 * 1024
    """One chunk of an upload or download."""

    account_bytes_max: int = 2 * 1024 * 1024 * 1024
    """What one account may keep here."""

    default_ttl_seconds: int = 30 * DAY_SECONDS
    """How long a blob is kept, unless its uploader says less."""

    incomplete_ttl_seconds: int = DAY_SECONDS
    """An upload that has not gone on for so long is dropped."""

    download_per_blob: Rate = Rate(4_000, 1, 8_000)
    """Chunks read of one blob."""

    chunks_per_peer: Rate = Rate(1_000, 1, 2_000)
    """Chunks read by one other domain: 250 MB a second."""

    sweep_seconds: float = 300.0
    """How often what is over is collected."""
