"""`make test-forms`: the integration suite in all four forms of a server, and whether each played as many tests.

Two stores, SQLCipher files and PostgreSQL; two buses, a call in memory and mutual-TLS TCP. PostgreSQL and Redis are started
by the tests themselves.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from tests.support.forms import FORMS, SPREAD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.forms import Form

WORKERS_MAX = "4"
"""Of pytest-xdist, as in `make test`."""


@dataclass(frozen=True, slots=True)
class Played:
    """What a run of the suite in one form came to."""

    form: str
    tests: int
    failed: int
    skipped: int
    seconds: float

    def line(self) -> str:
        """Return it in one line."""
        return f"{self.form:<14} {self.tests:>5} tests  {self.failed:>3} failed  {self.skipped:>3} skipped  {self.seconds:>5.0f} s"


def counted(form: str, report: Path, seconds: float) -> Played:
    """Read a run's JUnit report."""
    tests = failed = skipped = 0
    for suite in ET.parse(report).getroot().iter("testsuite"):  # noqa: S314 - pytest's own
        tests += int(suite.attrib["tests"])
        failed += int(suite.attrib["failures"]) + int(suite.attrib["errors"])
        skipped += int(suite.attrib["skipped"])
    return Played(form, tests, failed, skipped, seconds)


def play(form: Form, what: Sequence[str], folder: Path) -> Played:
    """Play the suite in one form."""
    report, begun = folder / f"{form.store}-{form.bus}.xml", time.monotonic()
    command = [
        sys.executable, "-m", "pytest", "-q", "-n", "auto", "--maxprocesses", WORKERS_MAX, "--dist", "loadfile",
        "--store", form.store, "--bus", form.bus, f"--junitxml={report}", *what,
    ]  # fmt: skip
    subprocess.run(command, check=False)  # noqa: S603 - its report says what failed
    return counted(str(form), report, time.monotonic() - begun)


def off(played: Sequence[Played]) -> list[str]:
    """Return what is not as it should be, a sentence each."""
    found = [f"{p.form}: {p.failed} failed" for p in played if p.failed]
    found += [f"{p.form}: {p.skipped} skipped" for p in played if p.skipped]
    if len({p.tests for p in played}) > 1:
        found.append("not as many tests in each form")
    if not all(p.tests for p in played):
        found.append("a form without a test")
    return found


def main() -> int:
    """Play all; the exit code is 1 where something is off."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="*", default=[*SPREAD], help="files of these, or pytest's own options")
    arguments, more = parser.parse_known_args()
    with tempfile.TemporaryDirectory(prefix="qpq-forms-") as folder:
        played = [play(form, [*arguments.what, *more], Path(folder)) for form in FORMS]
    wrong = off(played)
    sys.stdout.write("\n".join([*(p.line() for p in played), *(f"  OFF: {w}" for w in wrong)]) + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
