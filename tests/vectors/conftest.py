"""Where the published vectors lie: ``QPQ_VECTORS``, tests/vectors/published, ../shared/vectors, in this order.

What is in none of them (Wycheproof is not kept here) is skipped, with a count.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[1]
FOLDERS = (
    *((Path(os.environ["QPQ_VECTORS"]),) if "QPQ_VECTORS" in os.environ else ()),
    HERE / "published",
    PROJECT.parent / "shared" / "vectors",
)

Vectors = Callable[[str, int], Any]


@pytest.fixture
def vectors() -> Vectors:
    """Reads one file of vectors; where it is absent, skips and says how many cases that loses."""

    def read(name: str, cases: int) -> Any:
        for folder in FOLDERS:
            if (folder / name).is_file():
                return json.loads((folder / name).read_bytes())
        pytest.skip(f"{cases} cases of {name} not run: in none of {', '.join(map(str, FOLDERS))} (set QPQ_VECTORS)")

    return read
