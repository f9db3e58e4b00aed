"""`python -m tools.startup`: how long `qpq` takes to begin, as multiples of a bare `python -c pass`.

CPU is the process's own (its children's and threads' included), so that a busy machine changes it little; the wall clock is
shown beside it. `qpq send` talks to a real server and ends when that has the message; `qpq repl` is measured to its prompt, `qpq tui` to its first whole screen.
"""

from __future__ import annotations

import argparse
import os
import pty
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import trio

from tools.bench.served import served

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Figures = tuple[float, float]

RUNS = 7
PROMPT, SCREEN = b"qpq> ", b"Ctrl-Q end"
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
QPQ = Path(sys.executable).with_name("qpq")


def whole(words: Sequence[str], environment: Mapping[str, str]) -> Figures:
    """Run a command to its end; return its CPU and wall-clock milliseconds."""
    begun = time.perf_counter()
    process = subprocess.Popen(  # noqa: S603 - the words are this module's
        words, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, words
    return (usage.ru_utime + usage.ru_stime) * 1000, (time.perf_counter() - begun) * 1000


def until_shown(words: Sequence[str], environment: Mapping[str, str], wanted: bytes, end: bytes) -> Figures:
    """Run a command in a terminal until it shows what is wanted; return its CPU and wall-clock milliseconds until then."""
    begun = time.perf_counter()
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(words[0], list(words), {**os.environ, **environment})  # noqa: S606 - a child in a terminal of its own
    shown = b""
    while wanted not in shown:
        shown += os.read(terminal, 65_536)
    wall_ms = (time.perf_counter() - begun) * 1000
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    cpu_ms = (int(fields[11]) + int(fields[12])) * 1000 / TICKS_PER_SECOND
    os.write(terminal, end)
    with suppress(OSError):  # the terminal is gone when its program is; until then it is emptied, or the end would wait
        while os.read(terminal, 65_536):
            pass
    os.waitpid(pid, 0)
    os.close(terminal)
    return cpu_ms, wall_ms


async def measure(root: Path, runs: int) -> list[tuple[str, Figures]]:
    """Measure each step in turn, `runs` times; return the medians."""
    async with served(root / "server") as server:
        environment = {
            "QPQ_HOME": str(root / "home"), "QPQ_SERVER": server.where, "QPQ_USERNAME": "alice", "QPQ_PASSWORD": "measured",
            "TERM": "xterm",
        }  # fmt: skip
        qpq = str(QPQ)
        steps: dict[str, Callable[[], Figures]] = {
            "python -c pass": lambda: whole([sys.executable, "-c", "pass"], {}),
            "qpq --help": lambda: whole([qpq, "--help"], environment),
            "qpq send": lambda: whole([qpq, "send", "@bob", "hello"], environment),
            "qpq repl, to its prompt": lambda: until_shown([qpq, "repl"], environment, PROMPT, b"\x04"),
            "qpq tui, to its screen": lambda: until_shown([qpq, "tui"], environment, SCREEN, b"\x11"),
        }
        await trio.to_thread.run_sync(whole, [qpq, "register", "alice"], environment)
        await trio.to_thread.run_sync(whole, [qpq, "-u", "bob", "register"], environment)
        found: dict[str, list[Figures]] = {name: [] for name in steps}
        for _ in range(runs):
            for name, step in steps.items():
                found[name].append(await trio.to_thread.run_sync(step))
    return [(name, (median(c for c, _ in f), median(w for _, w in f))) for name, f in found.items()]


def main() -> int:
    """Print the table, as it stands in docs/benchmarks.md."""
    parser = argparse.ArgumentParser(prog="python -m tools.startup", description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS)
    with tempfile.TemporaryDirectory(prefix="qpq-startup-") as temporary:
        rows = trio.run(measure, Path(temporary), parser.parse_args().runs)
    bare_cpu, bare_wall = rows[0][1]
    sys.stdout.write("| | CPU, ms | times bare Python | wall clock, ms | times bare Python |\n|---|---|---|---|---|\n")
    for name, (cpu, wall) in rows:
        sys.stdout.write(f"| `{name}` | {cpu:.0f} | {cpu / bare_cpu:.1f} | {wall:.0f} | {wall / bare_wall:.1f} |\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
