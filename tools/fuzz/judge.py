"""Runs one input and says what it cost; a finding is whatever a stranger's bytes must not do.

1. Only the target's own errors are answers, and what callers get to read holds nothing of a library's or of this
   machine. (An operator's errors quote his file.)
2. CPU time and the rise of resident memory stay under the target's bounds. Time that is over is measured again: a
   garbage collection or a busy machine is not the input's fault, and what is slow is slow thrice.
"""

from __future__ import annotations

import os
import resource
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from qpqcore.model.errors import Refusal
from qpqnative import NativeError

if TYPE_CHECKING:
    from tools.fuzz.target import Target

Kind = Literal["crash", "slow", "hungry"]
SLOW_TIMES = 3
"""So often in a row an input is over its time before that is a finding."""
FOREIGN_TEXTS = (".c++", "kj/", "capnp", "panicked", ".rs:", "/src/", "0x")
"""What errors of the libraries below would bring along."""
OUR_FAULT_KINDS = frozenset({"internal", "poisoned"})
_RESET_PEAK = b"5"
"""proc(5), clear_refs: begins the peak of resident memory anew."""


class Finding(Exception):
    """An input that does what no input may."""

    def __init__(self, kind: Kind, sentence: str) -> None:
        super().__init__(f"{kind}: {sentence}")
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Cost:
    """What an input cost."""

    cpu_ms: float
    memory_bytes: int
    """How far it drove the resident memory up."""
    peak_bytes: int
    """How far that was in all."""
    answered: bool
    """Whether it was refused with a typed error."""


class Meter:
    """Measures the peak of this process's resident memory, anew for each input."""

    def __init__(self) -> None:
        self._clear = os.open("/proc/self/clear_refs", os.O_WRONLY)

    def begin(self) -> int:
        """Begin anew; return what is resident now, in bytes."""
        os.write(self._clear, _RESET_PEAK)
        return self.peak()

    @staticmethod
    def peak() -> int:
        """Return the peak in bytes."""
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def judge(target: Target, data: bytes, meter: Meter) -> Cost:
    """Run a target over an input; raise Finding."""
    cost = _once(target, data, meter)
    if cost.memory_bytes > target.memory_bytes_max(len(data)):
        raise Finding("hungry", f"{cost.memory_bytes:,} bytes of memory for an input of {len(data):,}")
    again = cost
    for _ in range(SLOW_TIMES - 1):
        if again.cpu_ms <= target.cpu_ms_max:
            return cost
        again = _once(target, data, meter)
    if again.cpu_ms > target.cpu_ms_max:
        raise Finding("slow", f"{again.cpu_ms:.0f} ms of CPU time, {target.cpu_ms_max} are allowed")
    return cost


def _once(target: Target, data: bytes, meter: Meter) -> Cost:
    before, begun, answered = meter.begin(), time.process_time(), False
    try:
        target.run(data)
    except target.errors as exc:
        _check_answer(exc)
        answered = True
    except Exception as exc:
        raise Finding("crash", f"{type(exc).__name__}: {exc}") from exc
    spent = (time.process_time() - begun) * 1000
    peak = meter.peak()
    return Cost(spent, max(0, peak - before), peak, answered)


def _check_answer(exc: Exception) -> None:
    text = str(exc)
    if isinstance(exc, (Refusal, NativeError)) and any(foreign in text for foreign in FOREIGN_TEXTS):
        raise Finding("crash", f"a text that is not ours: {text!r}") from exc
    if isinstance(exc, NativeError) and exc.kind in OUR_FAULT_KINDS:
        raise Finding("crash", f"{type(exc).__name__}: {text}") from exc
    if isinstance(exc, Refusal) and not exc.code:
        raise Finding("crash", "a refusal without a code") from exc
