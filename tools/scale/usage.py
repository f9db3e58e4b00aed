"""What processes take, told by the kernel, and how they are held to a share of a core."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tools.rolling.stage import Stage

TICKS_PER_SECOND: Final = os.sysconf("SC_CLK_TCK")
PERIOD_US: Final = 20_000
"""Of the kernel's bookkeeping of a share: short, so that who is held back waits for no longer than it has to."""
CGROUPS: Final = Path("/sys/fs/cgroup")


def cpu_seconds(pid: int) -> float:
    """Return what a process has used of the processor since its start."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


def resident_kib(pid: int) -> int:
    """Return what a process holds of the memory now."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS:")).split()[1])


def _parents() -> dict[int, int]:
    found = {}
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            found[int(place.parent.name)] = int(place.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def _family_cpu_seconds(pid: int) -> float:
    """Return what a process and all below it have used, the ended ones that it has waited for included."""
    parents, family = _parents(), {pid}
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    total = 0
    for member in family:
        try:
            fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += sum(map(int, fields[11:15]))
    return total / TICKS_PER_SECOND


def idle_seconds() -> float:
    """Return the seconds that the machine's cores had nothing to do, summed."""
    fields = Path("/proc/stat").read_text().splitlines()[0].split()
    return (int(fields[4]) + int(fields[5])) / TICKS_PER_SECOND


def taken(place: Stage) -> dict[str, float]:
    """Return the CPU seconds of each kind of process so far, of Redis, of PostgreSQL, and of the machine's idling."""
    found: dict[str, float] = {}
    for one in place.everyone:
        found[one.service] = found.get(one.service, 0.0) + cpu_seconds(place.pid(one))
    return found | {
        "redis": place.redis.cpu_seconds, "postgresql": _family_cpu_seconds(place.database.pid), "idle": idle_seconds(),
    }  # fmt: skip


@contextmanager
def held(pids: Iterable[int], share: float) -> Iterator[None]:
    """Hold each process to a share of a core while the block runs: by a control group of its own, which takes root."""
    with_quota = [_Held(pid, share) for pid in pids]
    try:
        yield
    finally:
        for one in with_quota:
            one.free()


class _Held:
    """A process in a control group of its own, of the kernel's first or second version."""

    def __init__(self, pid: int, share: float) -> None:
        self._pid = pid
        first = CGROUPS / "cpu" / "cpu.cfs_period_us"
        self._root = first.parent if first.exists() else CGROUPS
        self._own = self._root / f"qpq-scale-{pid}"
        self._own.mkdir()
        quota_us = int(share * PERIOD_US)
        if first.exists():
            (self._own / "cpu.cfs_period_us").write_text(str(PERIOD_US))
            (self._own / "cpu.cfs_quota_us").write_text(str(quota_us))
        else:
            (self._own / "cpu.max").write_text(f"{quota_us} {PERIOD_US}")
        (self._own / "cgroup.procs").write_text(str(pid))

    def free(self) -> None:
        """Let it run as the others do."""
        (self._root / "cgroup.procs").write_text(str(self._pid))
        self._own.rmdir()
