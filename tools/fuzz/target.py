"""What a target is: a function over a stranger's bytes, the errors it may answer with, and the bounds it keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

INPUT_BYTES_MAX = 4_096
"""Longer inputs repeat what shorter ones show; limits on size are met long before parsing."""
CPU_MS_MAX = 100
"""CPU time for one input, under instrumentation: a hundred times and more what it takes in the mean."""
SLOW_CPU_MS_MAX = 2_000
"""The same for targets that play a channel's whole life or open databases."""
MEMORY_BYTES_BASE = 16 * 1024 * 1024
"""How far one input may drive the process's resident memory up, whatever its length: arenas come in megabytes."""
MEMORY_FACTOR = 1_024
"""And how much more for each byte of the input."""
PYTHON_BYTES_BASE = 1024 * 1024
"""The same for Python's own allocations, which are counted exactly: caches that fill and objects of fixed size."""
PYTHON_FACTOR = 256
"""And for each byte: a Cap'n Proto list element of some bytes becomes an object of some hundred."""


class PropertyBroken(Exception):
    """A target's own property does not hold: what was read is written differently, two readers disagree."""


def demand(holds: bool, what: str) -> None:
    """Raise PropertyBroken unless a property holds."""
    if not holds:
        raise PropertyBroken(what)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One row of the table."""

    name: str
    what: str
    """What is read, in some words."""
    run: Callable[[bytes], None]
    errors: tuple[type[Exception], ...]
    """The typed errors that are answers; everything else that is raised is a finding."""
    seeds: Callable[[], Iterable[tuple[str, bytes]]]
    """(name, input) of real calls and messages: what the corpus in the repository is made from."""
    slow: bool = False
    """A genuine input takes 0.1 ms or more: it multiplies on curves, plays groups, opens databases, connects."""
    native: bool = False
    """What reads the bytes is Rust: its modules are loaded with coverage counters, which cost every input some time."""
    cpu_ms_max: int = CPU_MS_MAX
    input_bytes_max: int = INPUT_BYTES_MAX

    def memory_bytes_max(self, length: int) -> int:
        """How far an input of so many bytes may drive the resident memory up."""
        return MEMORY_BYTES_BASE + MEMORY_FACTOR * length
