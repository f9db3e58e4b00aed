"""The process that fuzzes: atheris (libFuzzer) over one target. Started by `python -m tools.fuzz`, never by hand.

Nothing of QPQ may be imported before the instrumentation stands. The Rust modules bring their own: built with
coverage counters (`tools.fuzz.instrumented`), they find libFuzzer's functions in atheris's library, which is therefore
loaded first and for all to see.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import json
import mmap
import os
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    from tools.fuzz.judge import Finding
    from tools.fuzz.target import Target

INSTRUMENTED = ["qpqcore", "qpqclient", "qpqdelivery", "qpqnative", "trio_quic", "tomllib", "precis_i18n", "aioquic"]
STATISTICS_EVERY = 1_000
WARM_INPUTS, WARM_INPUTS_SLOW = 50_000, 500
"""After so many inputs a process has warmed up: what it grows by from then on is what inputs leave behind."""
LENGTH_BYTES = 4
FOUND_EXIT_CODE = 77
"""libFuzzer's own for a crash."""


class _Replaced:
    """Finds the Rust modules where they were built with coverage counters."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find_spec(self, name: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Return where a module lies, if it is one of the two."""
        del path, target
        file = self._folder / f"{name}.so"
        return importlib.util.spec_from_file_location(name, file) if file.exists() else None


class Run:
    """One target's inputs: each is judged, costs are noted, a finding ends the process."""

    def __init__(self, target: Target, statistics: Path, current: Path) -> None:
        from tools.fuzz.judge import Meter, judge

        self._target, self._statistics = target, statistics
        self._judge, self._meter = judge, Meter()
        self._current = _mapped(current, LENGTH_BYTES + target.input_bytes_max)
        self._inputs = self._answered = 0
        self._slowest_ms = 0.0
        self._largest_bytes = self._peak_bytes = 0
        self._warm_inputs = WARM_INPUTS_SLOW if target.slow else WARM_INPUTS
        for _, seed in target.seeds():
            with suppress(*target.errors):
                target.run(seed)  # so that what is made once is made before anything is measured
        self._resident_first = self._meter.begin()
        self._begun = time.monotonic()

    def one(self, data: bytes) -> None:
        """Judge one input, which is written down first: it may end the process."""
        self._current[: LENGTH_BYTES + len(data)] = len(data).to_bytes(LENGTH_BYTES, "big") + data
        try:
            cost = self._judge(self._target, data, self._meter)
        except Exception as exc:  # noqa: BLE001 - a finding, or a fault of the harness: both end the run
            self._fail(exc)
        self._inputs += 1
        self._answered += cost.answered
        self._slowest_ms = max(self._slowest_ms, cost.cpu_ms)
        self._largest_bytes = max(self._largest_bytes, cost.memory_bytes)
        self._peak_bytes = max(self._peak_bytes, cost.peak_bytes)
        if self._inputs == self._warm_inputs:
            self._resident_first = self._meter.begin()
        if self._inputs % STATISTICS_EVERY == 0 or self._target.slow:
            self.write()

    def write(self) -> None:
        """Write the figures so far."""
        figures = {
            "inputs": self._inputs, "answered": self._answered, "slowest_ms": round(self._slowest_ms, 2),
            "largest_bytes": self._largest_bytes, "peak_bytes": self._peak_bytes,
            "resident_first": self._resident_first, "resident_last": self._meter.begin(),
            "seconds": time.monotonic() - self._begun,
        }  # fmt: skip
        self._statistics.write_text(json.dumps(figures))

    def _fail(self, exc: Exception | Finding) -> None:
        self.write()
        traceback.print_exception(exc)
        sys.stderr.flush()
        os._exit(FOUND_EXIT_CODE)


def _mapped(path: Path, length: int) -> mmap.mmap:
    """Return a file of so many bytes in memory: what is written there outlives the process, whatever ends it."""
    path.write_bytes(bytes(length))
    with path.open("r+b") as file:
        return mmap.mmap(file.fileno(), length)


def main() -> None:
    """Fuzz: MODULE NAME NATIVE STATISTICS CURRENT, then libFuzzer's own arguments. NATIVE: a folder, or empty."""
    module, name, native, statistics, current, *rest = sys.argv[1:]
    import atheris

    library = Path(atheris.path()) / "ubsan_with_fuzzer.so"
    ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)
    if native:
        sys.meta_path.insert(0, _Replaced(Path(native)))
    with atheris.instrument_imports(include=INSTRUMENTED):
        targets: tuple[Target, ...] = importlib.import_module(module).TARGETS
    target = next(each for each in targets if each.name == name)
    run = Run(target, Path(statistics), Path(current))
    atheris.Setup([sys.argv[0], *rest], run.one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
