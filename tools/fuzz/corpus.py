"""The inputs in the repository: `corpus/` holds seeds made from real calls and messages and what runs have added,
`regressions/` what once was a finding.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from tools.fuzz.instrumented import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tools.fuzz.target import Target

KEPT = ROOT / "tests" / "fuzz"
ADDED_INPUTS_MAX = 24
"""How many inputs that a run has found are kept for one target."""
ADDED_BYTES_MAX = 1_024
"""The longest of them."""


def folders(name: str) -> tuple[Path, Path]:
    """Return a target's seeds and its regressions."""
    return KEPT / "corpus" / name, KEPT / "regressions" / name


def inputs(name: str) -> list[Path]:
    """Return the files of a target's inputs in the repository."""
    return sorted(path for folder in folders(name) if folder.is_dir() for path in folder.iterdir())


def write_seeds(target: Target) -> int:
    """Write the seeds that are missing; return how many there are."""
    folder, _ = folders(target.name)
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for name, data in target.seeds():
        count += 1
        path = folder / name
        if not path.exists():
            path.write_bytes(data)
    return count


def add(target: Target, found: Path) -> int:
    """Keep some of what a run has found: of evenly spread sizes, the small ones; return how many."""
    folder, _ = folders(target.name)
    for path in folder.glob("run-*"):
        path.unlink()
    known = {path.read_bytes() for path in inputs(target.name)}
    fresh = sorted({data for path in found.iterdir() if len(data := path.read_bytes()) <= ADDED_BYTES_MAX} - known)
    fresh.sort(key=len)
    step = max(1, -(-len(fresh) // ADDED_INPUTS_MAX))
    for data in fresh[::step]:
        (folder / f"run-{hashlib.sha256(data).hexdigest()[:12]}").write_bytes(data)
    return len(fresh[::step])
