"""Run the suite and count: `python -m tools.coverage [pytest's arguments]`; `--report` reads the last run again."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

from tools.coverage import report, rust
from tools.coverage.report import WORK

RUST_COUNTS = WORK / "rust.json"
SUITE = (["--ignore=tests/oracle", "--dist", "loadfile", "--spread"], ["tests/oracle"])
"""As `make test` runs it."""


def measure(arguments: list[str]) -> bool:
    """Run everything under the counters; tell whether the tests passed."""
    shutil.rmtree(WORK, ignore_errors=True)
    (WORK / "python").mkdir(parents=True)
    (WORK / "rust").mkdir()
    tools, environment = rust.llvm_tools(), dict(os.environ)
    if tools:
        environment = rust.counting(WORK)
        rust.build(environment)
    else:
        sys.stdout.write("Rust is not counted: `rustup component add llvm-tools` brings what reads its counters.\n")
    pytest = [sys.executable, "-m", "coverage", "run", "-m", "pytest", "-q", "-ra", "-n", "auto", "--maxprocesses", "4"]
    try:
        passed = True
        for part in [arguments] if arguments else SUITE:
            passed = (
                subprocess.run([*pytest, *part], cwd=rust.ROOT, env=environment, check=False).returncode == 0 and passed
            )
        if tools:
            programs = rust.run_own_tests(environment)
            RUST_COUNTS.write_text(json.dumps(rust.figures(WORK, tools, programs)))
    finally:
        if tools:
            rust.build(dict(os.environ))
    return passed


def main() -> int:
    """Measure unless told to read only; 1 when a test failed or a module lacks its reason."""
    arguments = sys.argv[1:]
    passed = "--report" in arguments or measure(arguments)
    counts: dict[str, report.Counts] = report.python_counts()
    if RUST_COUNTS.exists():
        counts |= {name: (a, b, c, d) for name, (a, b, c, d) in json.loads(RUST_COUNTS.read_text()).items()}
    return 1 if report.report(counts) or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
