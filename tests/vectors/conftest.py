"""Where the published vectors lie: ``QPQ_VECTORS``, by default ../shared/vectors; absent: skipped, with a count."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[2]
VECTORS = Path(os.environ.get("QPQ_VECTORS", PROJECT.parent / "shared" / "vectors"))

Vectors = Callable[[str, int], Any]


@pytest.fixture
def vectors() -> Vectors:
    """Reads one file of vectors; where it is absent, skips and says how many cases that loses."""

    def read(name: str, cases: int) -> Any:
        path = VECTORS / name
        if not path.is_file():
            pytest.skip(f"{cases} cases of {name} not run: no {path} (set QPQ_VECTORS)")
        return json.loads(path.read_bytes())

    return read
