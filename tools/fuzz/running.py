"""One target's run: a process under atheris, its figures, and what becomes of a finding."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tools.fuzz import corpus
from tools.fuzz.child import LENGTH_BYTES
from tools.fuzz.instrumented import FOLDER, ROOT
from tools.fuzz.shrink import shrunk

if TYPE_CHECKING:
    from pathlib import Path

    from tools.fuzz.target import Target

RESIDENT_MIB_MAX = 1_024
"""Past it libFuzzer ends the process."""
HANG_SECONDS = 20
"""The same for one input's time by the clock."""
GROWTH_BYTES_MAX = 64 * 1024 * 1024
"""How much larger a process may be at its end than it was when it had warmed up: the corpus and what it has learnt."""
ALLOCATOR = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_TRIM_THRESHOLD_": "131072"}
"""What is freed goes back at once, so that each input's peak is its own."""
LOG_LINES_SHOWN = 40

_EXECUTED = re.compile(r"stat::number_of_executed_units:\s+(\d+)")
_PROGRESS = re.compile(r"cov: (\d+) ft: (\d+) corp: (\d+)/")


@dataclass(frozen=True, slots=True)
class Result:
    """What a run showed."""

    name: str
    inputs: int
    seconds: float
    edges: int
    features: int
    corpus: int
    refused: int
    slowest_ms: float
    largest_bytes: int
    peak_bytes: int
    growth_bytes: int
    findings: int

    def line(self) -> str:
        """Return the figures in one line."""
        mib = 1024 * 1024
        return (
            f"{self.name}: {self.inputs} inputs, {self.inputs / max(self.seconds, 0.001):.0f} a second, "
            f"{self.edges} edges, {self.features} features, corpus {self.corpus}, refused {self.refused}, "
            f"slowest {self.slowest_ms:.1f} ms, most memory for one {self.largest_bytes / mib:.1f} MiB, "
            f"peak {self.peak_bytes / mib:.0f} MiB, grown by {self.growth_bytes / mib:.1f} MiB, findings {self.findings}"
        )


def folder_of(target: Target) -> Path:
    """Return where a target's runs leave what they find."""
    return FOLDER / target.name


def fuzz(target: Target, native: Path, *, seconds: int = 0, runs: int = 0) -> Result:
    """Fuzz one target so long, or with so many inputs; a finding ends it."""
    folder = folder_of(target)
    (folder / "corpus").mkdir(parents=True, exist_ok=True)
    statistics, current = folder / "statistics.json", folder / "current"
    for old in (statistics, current):
        old.unlink(missing_ok=True)
    begun = time.monotonic()
    with (folder / "log").open("wb") as log:
        process = subprocess.run(  # noqa: S603 - ourselves
            _command(target, native, seconds, runs), cwd=ROOT, env={**os.environ, **ALLOCATOR}, stdout=log, stderr=log,
            check=False,
        )  # fmt: skip
    took = time.monotonic() - begun
    figures = json.loads(statistics.read_text()) if statistics.exists() else {}
    result = _result(target, (folder / "log").read_text(errors="replace"), figures, took, process.returncode)
    if process.returncode:
        _tell(target, current)
    elif result.findings:
        sys.stderr.write(f"{target.name}: the process has grown by {result.growth_bytes:,} bytes\n")
    return result


def _command(target: Target, native: Path, seconds: int, runs: int) -> list[str]:
    folder = folder_of(target)
    inputs = [str(path) for path in (folder / "corpus", *corpus.folders(target.name)) if path.is_dir()]
    return [
        sys.executable, "-m", "tools.fuzz.child", target.run.__module__, target.name, str(native) if target.native else "", str(folder / "statistics.json"),
        str(folder / "current"), *([f"-runs={runs}"] if runs else []), f"-max_total_time={seconds}",
        f"-max_len={target.input_bytes_max}", f"-timeout={HANG_SECONDS}", f"-rss_limit_mb={RESIDENT_MIB_MAX}",
        f"-artifact_prefix={folder}/", "-print_final_stats=1", *inputs,
    ]  # fmt: skip


def _result(target: Target, log: str, figures: dict[str, Any], seconds: float, code: int) -> Result:
    progress = _PROGRESS.findall(log)
    edges, features, size = map(int, progress[-1]) if progress else (0, 0, 0)
    executed = _EXECUTED.search(log)
    inputs = int(executed[1]) if executed else figures.get("inputs", 0)
    growth = figures.get("resident_last", 0) - figures.get("resident_first", 0)
    return Result(
        target.name, inputs, figures.get("seconds", seconds), edges, features, size,
        figures.get("answered", 0), figures.get("slowest_ms", 0.0), figures.get("largest_bytes", 0),
        figures.get("peak_bytes", 0), growth, int(bool(code) or growth > GROWTH_BYTES_MAX),
    )  # fmt: skip


def input_in(current: Path) -> bytes | None:
    """Return the input that a process was at when it ended."""
    written = current.read_bytes() if current.exists() else b""
    length = int.from_bytes(written[:LENGTH_BYTES], "big")
    return written[LENGTH_BYTES : LENGTH_BYTES + length] if written else None


def _tell(target: Target, current: Path) -> None:
    """Save the finding, make it smaller, and print how it is seen again."""
    folder = folder_of(target)
    log = (folder / "log").read_text(errors="replace").splitlines()
    sys.stderr.write("\n".join(log[-LOG_LINES_SHOWN:]) + "\n")
    last = input_in(current)
    if last is None:
        sys.stderr.write(f"{target.name}: the process ended before its first input; its log is {folder / 'log'}\n")
        return
    data, how = shrunk(target, last)
    (folder / "findings").mkdir(exist_ok=True)
    saved = folder / "findings" / hashlib.sha256(data).hexdigest()[:16]
    saved.write_bytes(data)
    if how == 0:
        sys.stderr.write("(not seen outside of the instrumented process: not made smaller)\n")
    sys.stderr.write(f"python -m tools.fuzz --target {target.name} --input {saved.relative_to(ROOT)}\n")
