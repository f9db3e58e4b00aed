"""Where the secrets lie that a backup has: in data_dir, or in the folders that `qpqctl secrets init` made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qpqserver.secrecy import EDGE_CERT, EDGE_KEY, edge_folder

if TYPE_CHECKING:
    from qpqcore.config.settings import Settings

SETUP = "opaque-setup-"
"""How the names of OPAQUE setups begin."""
SETUPS_MAX = 64
SENDER = "external-sender"
"""By it groups know the server's proposals."""
RESET = "quic-reset"
"""With it a server that is put back tells clients of its former life that that is over; without, they find out by a ping."""
OF_ROOT = {SETUP: "auth", SENDER: "delivery", RESET: "gateway", EDGE_CERT: "gateway", EDGE_KEY: "gateway"}


class Places:
    """The path of each secret by its name."""

    def __init__(self, folders: dict[str, Path]) -> None:
        self._folders = folders

    def path(self, name: str) -> Path:
        """Return where a secret lies, or is put. KeyError for one that is none of these."""
        return self._folders[SETUP if name.startswith(SETUP) else name] / name

    def names(self) -> list[str]:
        """Return the names of those that are there."""
        setups = sorted(p.name for p in self._folders[SETUP].glob(SETUP + "*") if p.name.removeprefix(SETUP).isdigit())
        others = [name for name in OF_ROOT if name != SETUP and self.path(name).exists()]
        return setups[:SETUPS_MAX] + others


def of(settings: Settings, root: Path | None) -> Places:
    """Return where the secrets of a server are: under `root`, else where its settings say."""
    if root is not None:
        return Places({name: root / service for name, service in OF_ROOT.items()})
    data = Path(settings.data_dir)
    secrets = Path(settings.secrets_dir) if settings.secrets_dir else data / "secrets"
    edge = edge_folder(settings)
    return Places({SETUP: secrets, SENDER: secrets, RESET: secrets, EDGE_CERT: edge, EDGE_KEY: edge})


def found(places: Places) -> dict[str, bytes]:
    """Return the secrets that are there. OSError."""
    return {name: places.path(name).read_bytes() for name in places.names()}
