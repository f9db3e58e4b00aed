"""`python -m tools.hostile --seconds 4 --only NAME --write`: each attack before and after its bound, as a table."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import trio

from qpqcore.runtime import clock
from tools.hostile.attacks import ATTACKS, Attack
from tools.hostile.measure import Figures, measure

PAGE = Path(__file__).parents[2] / "docs/operate/hostile-peers.md"
BEGIN, END = "<!-- measured: begin -->\n", "<!-- measured: end -->\n"
HEAD = (
    "| attack | what it does | engine | bound | CPU before, after | memory MiB before, after | p99 ms before, after "
    "| counted after |\n|---|---|---|---|---|---|---|---|\n"
)


@dataclass(frozen=True, slots=True)
class Row:
    """An attack's two measurements."""

    attack: Attack
    lifted: Figures
    shipped: Figures

    def line(self) -> str:
        """Return it as a row of the table."""
        one, other = self.lifted, self.shipped
        seen = [f"{name} {other.counters[name]}" for name in self.attack.metrics if other.counters.get(name)]
        if "LINES" in self.attack.bound:
            seen = [f"log {one.log_kib:.0f} KiB before, {other.log_kib:.0f} after"]
        what = " ".join((self.attack.play.__doc__ or "").split())
        return (
            f"| {self.attack.name} | {what} | {self.attack.engine} | {self.attack.bound} | {one.cpu:.2f}, {other.cpu:.2f} "
            f"| {one.memory_mib:.0f}, {other.memory_mib:.0f} | {one.p99_ms:.1f}, {other.p99_ms:.1f} "
            f"| {'; '.join(seen)} |"
        )


async def run(numbers: list[int], seconds: float) -> list[Row]:
    """Measure in turn."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="qpq-hostile-") as root:
        for number in numbers:
            folder = Path(root) / str(number)
            figures = [await measure(number, mode, seconds, folder / mode) for mode in ("LIFTED", "SHIPPED")]
            rows.append(Row(ATTACKS[number], *figures))
            sys.stdout.write(rows[-1].line() + "\n")
            sys.stdout.flush()
    return rows


def write(rows: list[Row], seconds: float) -> None:
    """Put the table into the page."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    when = datetime.fromtimestamp(clock.now_ms() / 1000, UTC).date().isoformat()
    with Path("/proc/cpuinfo").open(encoding="utf-8") as info:
        model = next(line.partition(":")[2].strip() for line in info if line.startswith("model name"))
    said = f"{when}, {model}, {os.cpu_count()} cores, CPython on Linux; {seconds:.0f} s an attack.\n\n"
    table = HEAD + "\n".join(row.line() for row in rows) + "\n"
    PAGE.write_text(before + BEGIN + said + table + END + after, encoding="utf-8")


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each attack")
    parser.add_argument("--only", default="", help="names of attacks, with commas")
    parser.add_argument("--write", action="store_true", help="into docs/operate/hostile-peers.md")
    given = parser.parse_args()
    wanted = {name.strip() for name in given.only.split(",") if name.strip()}
    numbers = [n for n, attack in enumerate(ATTACKS) if not wanted or attack.name in wanted]
    sys.stdout.write(HEAD)
    rows = trio.run(run, numbers, given.seconds)
    if given.write:
        write(rows, given.seconds)


if __name__ == "__main__":
    main()
