"""The configuration file: not a stranger's, but whoever writes it gets a sentence, never a traceback."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from qpqcore.config.settings import ConfigError, example, load
from tools.fuzz.target import Target

REFERENCE = """
listen = "0.0.0.0:7000"
data_dir = "data"
tls_cert = "data/server-cert.der"
auth_token = "a token of some length"
store_backend = "sql"
db_key = ""
metrics_enabled = true
federation_domain = "chat.example.org"
blob_bytes_max = 1000
"""


@cache
def _file() -> Path:
    folder = Path(tempfile.gettempdir())
    fast = Path("/dev/shm")  # noqa: S108 - a file that is written a hundred thousand times
    with tempfile.NamedTemporaryFile(dir=fast if fast.is_dir() else folder, suffix=".toml", delete=False) as file:
        return Path(file.name)


def config(data: bytes) -> None:
    """Load a configuration file."""
    _file().write_bytes(data)
    load(_file(), {}, {})


def environment(data: bytes) -> None:
    """Load settings from the environment: lines of NAME=value."""
    pairs = (line.partition("=") for line in data.decode("utf-8", "surrogateescape").splitlines())
    load(None, {f"QPQ_{name.upper()}": value for name, _, value in pairs}, {})


TARGETS = (
    Target(
        name="config", what="the configuration file", run=config, errors=(ConfigError,),
        seeds=lambda: [("example", example().encode()), ("reference", REFERENCE.encode())],
    ),
    Target(
        name="environment", what="settings from the environment", run=environment, errors=(ConfigError,),
        seeds=lambda: [("some", b"LISTEN=[::1]:7000\nMETRICS_ENABLED=true\nBLOB_BYTES_MAX=5\nREGISTRATION=closed")],
    ),
)  # fmt: skip
