"""`python -m tools.fuzz`: list the targets, fuzz some of them, or run one input; exit 1 on a finding."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tools.fuzz import corpus, running
from tools.fuzz.instrumented import build
from tools.fuzz.judge import Finding, Meter, judge
from tools.fuzz.table import TARGETS

if TYPE_CHECKING:
    from tools.fuzz.target import Target


def main() -> int:
    """Parse the options and do what they say."""
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("--list", action="store_true", help="print the targets")
    parser.add_argument("--target", action="append", default=[], help="which; may be repeated; all by default")
    parser.add_argument("--kind", choices=("quick", "slow"), help="only targets of this kind")
    parser.add_argument("--seconds", type=int, default=0, help="how long for each")
    parser.add_argument("--runs", type=int, default=0, help="how many inputs for each")
    parser.add_argument("--input", type=Path, help="run this one input")
    parser.add_argument("--write-seeds", action="store_true", help="write what is missing of the corpus")
    parser.add_argument("--keep", action="store_true", help="keep some of what is found in the corpus")
    arguments = parser.parse_args()
    if arguments.list:
        for target in TARGETS.values():
            errors = ", ".join(error.__name__ for error in target.errors)
            sys.stdout.write(
                f"{target.name:30} {'slow' if target.slow else 'quick':6} {target.what}; answers: {errors}\n"
            )
        return 0
    unknown = [name for name in arguments.target if name not in TARGETS]
    if unknown:
        parser.error(f"no target {', '.join(unknown)}: --list shows them")
    targets = [TARGETS[name] for name in arguments.target] or _of_kind(arguments.kind)
    if arguments.input:
        return _one(targets[0].name, arguments.input)
    if arguments.write_seeds:
        for target in targets:
            sys.stdout.write(f"{target.name}: {corpus.write_seeds(target)} seeds\n")
        return 0
    if not arguments.seconds and not arguments.runs:
        parser.error("--seconds or --runs says how long")
    native = build()
    found = 0
    for target in targets:
        result = running.fuzz(target, native, seconds=arguments.seconds, runs=arguments.runs)
        sys.stdout.write(result.line() + "\n")
        sys.stdout.flush()
        found += result.findings
        if arguments.keep:
            corpus.add(target, running.folder_of(target) / "corpus")
    return 1 if found else 0


def _of_kind(kind: str | None) -> list[Target]:
    return [target for target in TARGETS.values() if kind is None or target.slow == (kind == "slow")]


def _one(name: str, path: Path) -> int:
    try:
        cost = judge(TARGETS[name], path.read_bytes(), Meter())
    except Finding as found:
        sys.stdout.write(f"{found}\n")
        return 1
    sys.stdout.write(f"{'refused' if cost.answered else 'taken'}, {cost.cpu_ms:.2f} ms, {cost.memory_bytes:,} bytes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
