"""Where the published vectors lie: tests/vectors/published; Wycheproof's are packed."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parent / "published"

Vectors = Callable[[str, int], Any]


@pytest.fixture
def vectors() -> Vectors:
    """Reads one file of vectors; the caller knows how many cases it holds."""

    def read(name: str, cases: int) -> Any:
        assert cases > 0
        packed = FOLDER / f"{name}.gz"
        return json.loads(gzip.decompress(packed.read_bytes()) if packed.exists() else (FOLDER / name).read_bytes())

    return read
