"""Reads what was counted: by package, and every module under the bar, which needs a reason in docs/operate/coverage.md."""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import coverage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ROOT = Path(__file__).parents[2]
WORK = ROOT / "build" / "coverage"
REASONS = ROOT / "docs" / "operate" / "coverage.md"
BAR_PERCENT = 90
GENERATED = "qpqcore.api (generated)"
Counts = tuple[int, int, int, int]
"""Lines, those run; branches (Rust: regions), those taken."""


def python_counts() -> dict[str, Counts]:
    """Combine what all processes wrote down, and return it by module."""
    measured = coverage.Coverage(data_file=str(WORK / "data"), config_file=str(ROOT / "pyproject.toml"))
    measured.combine([str(WORK / "python")], strict=True, keep=True)
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        # A test of the checks runs copies of the tree elsewhere, which are gone by now.
        measured.json_report(outfile=file.name, include=[f"{ROOT}/*"])
        files = json.loads(Path(file.name).read_text())["files"]
    counts = {}
    for name, found in files.items():
        s = found["summary"]
        counts[name] = (s["num_statements"], s["covered_lines"], s["num_branches"], s["covered_branches"])
    return counts


def package_of(name: str) -> str:
    """Return the package of a source file."""
    parts = Path(name).parts
    if "qpqcore/api/" in name:
        return GENERATED
    return f"{parts[1]} (Rust)" if name.endswith(".rs") else parts[2]


def share(done: int, of: int) -> float:
    """Return percent; all of nothing is everything."""
    return 100 * done / of if of else 100.0


def totals(counts: Mapping[str, Counts]) -> dict[str, Counts]:
    """Return the sums by package."""
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for name, found in counts.items():
        for place, value in enumerate(found):
            sums[package_of(name)][place] += value
    return {package: (a, b, c, d) for package, (a, b, c, d) in sorted(sums.items())}


def under(counts: Mapping[str, Counts]) -> dict[str, tuple[float, float]]:
    """Return the modules below the bar, lines and branches counted together; generated ones are left out."""
    found = {}
    for name, (lines, run, branches, taken) in sorted(counts.items()):
        if package_of(name) != GENERATED and share(run + taken, lines + branches) < BAR_PERCENT:
            found[name] = share(run, lines), share(taken, branches)
    return found


def reasons() -> dict[str, str]:
    """Return the table of docs/operate/coverage.md: module, reason."""
    rows = re.findall(r"^\| `([^`]+)` \| ([^|]+) \|$", REASONS.read_text(encoding="utf-8"), re.MULTILINE)
    return dict(rows)


def table(counts: Mapping[str, Counts]) -> Iterable[str]:
    """Write the figures by package."""
    yield "| package | lines | run | branches | taken |"
    yield "|---|---|---|---|---|"
    for package, (lines, run, branches, taken) in totals(counts).items():
        yield f"| {package} | {lines:,} | {share(run, lines):.1f} % | {branches:,} | {share(taken, branches):.1f} % |"


def report(counts: Mapping[str, Counts]) -> int:
    """Print everything; return how many modules lack a reason, or have one without need."""
    known, low = reasons(), under(counts)
    print_lines(table(counts))
    print_lines([f"\nModules of which less than {BAR_PERCENT} % was run, lines and branches together:"])
    for name, (lines, branches) in low.items():
        print_lines([f"| `{name}` | {lines:.0f} | {branches:.0f} | {known.get(name, 'NO REASON GIVEN')} |"])
    idle = sorted(name for name in known if name in counts and name not in low)
    print_lines(f"{name} has a reason and does not need one any more" for name in idle)
    return len(low.keys() - known.keys()) + len(idle)


def print_lines(lines: Iterable[str]) -> None:
    """Write lines to standard output."""
    sys.stdout.writelines(f"{line}\n" for line in lines)
