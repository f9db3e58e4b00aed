"""Which secrets each service has, and where from: made at need by a server of one process, read by one of many.

`qpqctl secrets init DIR` makes a folder for each service, with what that one needs and no more (docs/operate/secrets.md).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import qpqnative
from qpqcore.api.methods import SERVICES
from qpqcore.net import certificates
from qpqcore.net.certificates import write_secret
from qpqcore.runtime import secrets
from qpqserver.keys import key_names
from qpqserver.sharing import SEAL

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from qpqcore.config.settings import Settings


def opaque_setup() -> bytes:
    """Return a new OPAQUE setup."""
    return qpqnative.OpaqueServerSetup.new().to_bytes()


MADE: dict[str, Callable[[], bytes]] = {"opaque-setup-1": opaque_setup}
"""How a secret is made that is no random key."""
OWN = {
    "gateway": ("quic-reset", "quic-retry", SEAL),
    "auth": ("opaque-setup-1", "login-state", "db.key", SEAL),
    "keystore": ("db.key", SEAL),
    "delivery": ("external-sender", "db.key", SEAL),
    "blob": ("db.key", SEAL),
    "federation": (SEAL,),
}
"""Beside assertion keys."""


EDGE_CERT, EDGE_KEY = "server-cert.der", "server-key.der"
"""What clients are shown where no tls_cert is given."""


def edge_folder(settings: Settings) -> Path:
    """Return where the edge's certificate and key are, or are made, unless the settings name them."""
    given = Path(settings.secrets_dir) if settings.secrets_dir else None
    return given if given is not None and (given / EDGE_CERT).exists() else Path(settings.data_dir)


def edge_files(settings: Settings) -> tuple[Path, Path]:
    """Return the edge's certificate and its key: those that the settings name, else the server's own."""
    own = edge_folder(settings)
    return Path(settings.tls_cert or own / EDGE_CERT), Path(settings.tls_key or own / EDGE_KEY)


class SecretMissing(Exception):
    """A secret is not in the folder."""


def make(name: str) -> bytes:
    """Make a secret."""
    return MADE.get(name, secrets.random_key)()


def read(folder: Path, name: str) -> bytes:
    """Read a secret. SecretMissing."""
    try:
        return (folder / name).read_bytes()
    except OSError as exc:
        raise SecretMissing(f"{folder / name}: {exc.strerror}; `qpqctl secrets init` makes what is missing") from exc


def needed(service: str) -> set[str]:
    """Return the names of a service's secrets."""
    return {*OWN[service], *key_names(service)}


def common(service: str) -> set[str]:
    """Return the names of those that it has in common with others."""
    return {*key_names(service), SEAL} & needed(service)


def init(root: Path, domain: str, now: datetime) -> list[Path]:
    """Make what is missing of root/SERVICE/NAME for every service, overwriting nothing; return what was made.

    A key that services share is the same in all their folders, though we die in between.
    """
    made = []
    for service in SERVICES.values():
        for name in sorted(needed(service)):
            path = root / service / name
            if path.exists():
                continue
            there = [root / other / name for other in SERVICES.values() if name in common(service) & needed(other)]
            known = next((p.read_bytes() for p in there if p.exists()), None)
            write_secret(path, make(name) if known is None else known)
            made.append(path)
    cert, key = root / "gateway" / EDGE_CERT, root / "gateway" / EDGE_KEY
    if certificates.ensure(cert, key, domain, now):  # for development: all gateways show the same
        made += [cert, key]
    return made
