"""The two Rust modules built with coverage counters, and with their assertions and overflow checks on.

Stable Rust does it without a sanitizer's runtime: the pass is LLVM's, its callbacks are libFuzzer's. A target triple is
named so that the flags do not reach build scripts, which have no libFuzzer to be linked with.
"""

from __future__ import annotations

import filecmp
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
FOLDER = ROOT / "build" / "fuzz"
"""What a run leaves: corpora, logs, findings, the instrumented modules."""
MODULES = {"qpqnative": "qpqnative._native", "trio_quic": "trio_quic._native"}
FLAGS = (
    "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters "
    "-Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares"
)
PROFILE = {
    "CARGO_PROFILE_RELEASE_LTO": "off", "CARGO_PROFILE_RELEASE_CODEGEN_UNITS": "16",
    "CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS": "true", "CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS": "true",
}  # fmt: skip


def _host() -> str:
    told = subprocess.run(["rustc", "-vV"], check=True, capture_output=True, text=True)  # noqa: S607 - the user's own
    return next(line.split()[1] for line in told.stdout.splitlines() if line.startswith("host:"))


def build(jobs: int = 2) -> Path:
    """Build what has changed; return the folder that holds `<module>.so` for each module."""
    host, target = _host(), FOLDER / "target"
    environment = {
        **os.environ, **PROFILE, "CARGO_TARGET_DIR": str(target), "RUSTFLAGS": FLAGS, "PYO3_PYTHON": sys.executable,
    }  # fmt: skip
    command = [
        "cargo", "build", "--quiet", "--release", "--locked", f"-j{jobs}", "--target", host,
        *(part for crate in MODULES for part in ("-p", crate, "--features", f"{crate}/python")),
    ]  # fmt: skip
    subprocess.run(command, check=True, cwd=ROOT, env=environment)  # noqa: S603 - a fixed command
    native = FOLDER / "native"
    native.mkdir(parents=True, exist_ok=True)
    for crate, module in MODULES.items():
        _put(target / host / "release" / f"lib{crate}.so", native / f"{module}.so")
    return native


def _put(built: Path, place: Path) -> None:
    """Copy a library that has changed; never over one that another run has mapped into its memory."""
    if place.exists() and filecmp.cmp(built, place, shallow=False):
        return
    fresh = place.with_suffix(".part")
    shutil.copy2(built, fresh)
    fresh.replace(place)
