"""`python -m tools.simulation`: one seed with all its detail, or a range of seeds; exit 1 on a finding."""

from __future__ import annotations

import argparse
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any, get_args

import structlog

from tests.oracle.history import to_line
from tools.simulation import base, plan, play
from tools.simulation.shrink import from_text, shrink, to_text
from trio_quic import EngineName

FAST_FOLDER = Path("/dev/shm")  # noqa: S108 - the simulated disks decide what is durable, so memory will do
FINDINGS_SHOWN_MAX = 10


def main() -> int:
    """Parse the options and run."""
    parser = argparse.ArgumentParser(prog="simulate", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", help="a range: 1-2000")
    parser.add_argument("--every", type=int, default=1, help="play every so-manieth seed of the range only")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes for a range")
    parser.add_argument("--steps", type=int, default=plan.STEPS_DEFAULT)
    parser.add_argument("--people", type=int, default=0, help="how many; 0: as the seed says")
    parser.add_argument("--engine", choices=get_args(EngineName), default="native", help="QUIC, at both ends")
    parser.add_argument("--without", default="", help="steps to leave out: 3,7-12")
    parser.add_argument("--no-shrink", action="store_true", help="do not make a failing plan smaller")
    parser.add_argument("--history", type=Path, help="write what was noted as JSON lines")
    parser.add_argument("--json", action="store_true", help="one line of JSON for each seed (used with --seeds)")
    arguments = parser.parse_args()
    if os.environ.get("PYTHONHASHSEED") != "0":
        # Sets of bytes are walked in an order that Python draws anew for each process, unless it is told not to.
        command = [sys.executable, "-m", "tools.simulation", *sys.argv[1:]]
        return subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": "0"}, check=False).returncode  # noqa: S603 - itself
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    if arguments.seeds and not arguments.json:
        return _range(arguments)
    seeds = _seeds(arguments.seeds or str(arguments.seed))[:: arguments.every]
    root = Path(tempfile.mkdtemp(prefix="qpq-simulation-", dir=FAST_FOLDER if FAST_FOLDER.is_dir() else None))
    try:
        stage = _Stage(root, arguments)
        return max([stage.one(seed) for seed in seeds], default=0)
    finally:
        shutil.rmtree(root, ignore_errors=True)


class _Stage:
    """A folder to play in."""

    def __init__(self, root: Path, arguments: argparse.Namespace) -> None:
        self._root, self._arguments = root, arguments
        self._base = base.build(root / "base")

    def play(self, what: plan.Plan) -> play.Outcome:
        """Play a plan in a fresh copy of the world."""
        folder = self._root / "run"
        shutil.rmtree(folder, ignore_errors=True)
        return play.run(what, self._base, folder, engine=self._arguments.engine)

    def one(self, seed: int) -> int:
        """Play a seed and tell; return the exit code."""
        a = self._arguments
        what = plan.make(seed, a.steps, a.people).without(from_text(a.without))
        began = time.monotonic()
        outcome = self.play(what)
        seconds = time.monotonic() - began
        if a.json:
            sys.stdout.write(json.dumps(_as_json(seed, outcome, seconds)) + "\n")
            sys.stdout.flush()
            return int(bool(outcome.findings))
        if a.history:
            a.history.write_text("".join(to_line(n) + "\n" for n in outcome.noted))
        say(
            f"seed {seed}: {len(what.steps)} steps, {what.people} people, {outcome.simulated_s:.0f} simulated seconds in "
            f"{seconds:.1f} s, {len(outcome.noted)} notes, trace {outcome.trace}"
        )
        say("  " + ", ".join(f"{name} {count}" for name, count in sorted(outcome.counts.items())))
        for finding in outcome.findings[:FINDINGS_SHOWN_MAX]:
            say(f"  OFF: {finding.rule}: {finding.what}")
        if outcome.findings and not a.no_shrink:
            self._shrink(what, outcome.findings[0].rule)
        return int(bool(outcome.findings))

    def _shrink(self, what: plan.Plan, rule: str) -> None:
        out = shrink(what, lambda smaller: any(f.rule == rule for f in self.play(smaller).findings))
        out |= from_text(self._arguments.without)
        a = self._arguments
        say(f"  {len(what.steps) - len(out)} of {len(what.steps)} steps break `{rule}`:")
        for step in what.without(out).steps:
            say(f"    {step.number} {step.kind}")
        people = f" PEOPLE={a.people}" if a.people else ""
        engine = f" ENGINE={a.engine}" if a.engine != "native" else ""
        say(f"  make simulate SEED={what.seed} STEPS={a.steps}{people}{engine} WITHOUT={to_text(out)}")


def _as_json(seed: int, outcome: play.Outcome, seconds: float) -> dict[str, object]:
    return {
        "seed": seed, "trace": outcome.trace, "simulated_s": outcome.simulated_s, "seconds": seconds,
        "notes": len(outcome.noted), "counts": outcome.counts,
        "findings": [(f.rule, f.what) for f in outcome.findings],
    }  # fmt: skip


def _range(a: argparse.Namespace) -> int:
    """Play a range of seeds in several processes; tell the totals."""
    seeds = _seeds(a.seeds)
    jobs = min(a.jobs, len(seeds))
    command = [sys.executable, "-m", "tools.simulation", "--json", "--steps", str(a.steps), "--people", str(a.people)]
    command += ["--engine", a.engine]
    began = time.monotonic()
    totals = _Totals()
    # Every jobs-th seed to each, so that a finding is told when it is found, and no process is left with the dear ones.
    workers = [
        subprocess.Popen(  # noqa: S603 - itself
            [*command, "--seeds", f"{seeds[i]}-{seeds[-1]}", "--every", str(jobs)], stdout=subprocess.PIPE, text=True
        )
        for i in range(jobs)
    ]
    readers = [threading.Thread(target=totals.read, args=(worker,)) for worker in workers]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    seconds = time.monotonic() - began
    hours = totals.simulated_s / 3600
    say(
        f"{totals.done} of {len(seeds)} seeds, {hours:.1f} simulated hours in {seconds:.0f} s "
        f"({hours / seconds:.3f} simulated hours a second), findings: {dict(totals.rules) or 'none'}"
    )
    say("  " + ", ".join(f"{name} {count}" for name, count in sorted(totals.counts.items())))
    return int(bool(totals.rules) or totals.done != len(seeds))


class _Totals:
    """What the processes of a range have told so far."""

    def __init__(self) -> None:
        self.done, self.simulated_s = 0, 0.0
        self.rules: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()
        self._one = threading.Lock()

    def read(self, worker: subprocess.Popen[str]) -> None:
        """Take a process's lines until it ends."""
        assert worker.stdout is not None
        for line in worker.stdout:
            with self._one:
                self._take(json.loads(line))
        worker.wait()

    def _take(self, value: dict[str, Any]) -> None:
        self.done += 1
        self.simulated_s += value["simulated_s"]
        self.counts.update(value["counts"])
        self.rules.update({f[0] for f in value["findings"]})
        if value["findings"]:
            rule, what = value["findings"][0]
            say(f"  OFF: seed {value['seed']}: {rule}: {what}")


def _seeds(text: str) -> range:
    """Return the seeds of "3" or "1-2000"."""
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def say(line: str) -> None:
    """Tell the person at the terminal."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
