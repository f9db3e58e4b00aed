"""The Rust modules, built so that they count what they run; read with the toolchain's own llvm-profdata and llvm-cov."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
CRATES = ("trio_quic", "qpqnative")
WRAPPER = '#!/bin/sh\nexec "$@" -C instrument-coverage\n'
"""Round rustc, for this workspace's crates only."""


def llvm_tools() -> Path | None:
    """Return the folder of the toolchain's llvm tools; None: `rustup component add llvm-tools` was not run."""
    libraries = subprocess.run(["rustc", "--print", "target-libdir"], capture_output=True, text=True, check=True)  # noqa: S607 - the developer's own toolchain
    folder = Path(libraries.stdout.strip()).parent / "bin"
    return folder if (folder / "llvm-profdata").exists() and (folder / "llvm-cov").exists() else None


def counting(work: Path) -> dict[str, str]:
    """Return the environment in which cargo builds modules that count, and in which they write into `work`."""
    wrapper = work / "rustc-counting"
    wrapper.write_text(WRAPPER)
    wrapper.chmod(wrapper.stat().st_mode | stat.S_IXUSR)
    profiles = work / "rust" / "%4m.profraw"  # four files that processes take turns to add to
    # A folder of its own: cargo names a module alike with and without counters, and took one for the other.
    target = ROOT / "target" / "counting"
    return {
        **os.environ, "RUSTC_WORKSPACE_WRAPPER": str(wrapper), "LLVM_PROFILE_FILE": str(profiles),
        "CARGO_TARGET_DIR": str(target),
    }  # fmt: skip


def build(environment: dict[str, str]) -> None:
    """Build both modules in place."""
    for crate in CRATES:
        develop = [sys.executable, "-m", "maturin", "develop", "--release", "--quiet", "--locked"]
        subprocess.run(develop, cwd=ROOT / "libs" / crate, env=environment, check=True)


def run_own_tests(environment: dict[str, str]) -> list[Path]:
    """Run the crates' own tests; return their programs, for the report."""
    command = ["cargo", "test", "--release", "--locked", "--lib", *(f"-p={crate}" for crate in CRATES)]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
    built = subprocess.run(
        [*command, "--no-run", "--message-format=json"], cwd=ROOT, env=environment, check=True, capture_output=True
    )
    found = (json.loads(line).get("executable") for line in built.stdout.splitlines())
    return [Path(path) for path in found if path]


def figures(work: Path, tools: Path, programs: list[Path]) -> dict[str, tuple[int, int, int, int]]:
    """Return lines, those run, regions, those run, of each source file of the crates."""
    merged = work / "rust" / "all.profdata"
    raw = sorted((work / "rust").glob("*.profraw"))
    subprocess.run([tools / "llvm-profdata", "merge", "--sparse", *raw, "-o", merged], check=True)
    modules = [next((ROOT / "libs" / crate / crate).glob("*.so")) for crate in CRATES]
    first, *others = [*modules, *programs]
    objects = (f"--object={other}" for other in others)
    command = [str(tools / "llvm-cov"), "export", "--summary-only", f"--instr-profile={merged}", str(first), *objects]
    done = subprocess.run(command, check=True, capture_output=True)
    counts = {}
    for file in json.loads(done.stdout)["data"][0]["files"]:
        name = Path(file["filename"])
        if name.is_relative_to(ROOT / "libs") and not name.stem.startswith("test"):
            lines, regions = file["summary"]["lines"], file["summary"]["regions"]
            place = name.relative_to(ROOT).as_posix()
            counts[place] = (lines["count"], lines["covered"], regions["count"], regions["covered"])
    return counts
