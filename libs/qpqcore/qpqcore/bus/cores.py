"""How many processor cores' time this process may use: of those that it may run on, what its control groups leave of them.

A container with a share of a large machine sees all of its cores. Its share is a quota, `cpu.max` (Linux, cgroup v2; of v1
nothing is read), of its own group or of one around it.
"""

from __future__ import annotations

import os
from pathlib import Path

GROUPS = Path("/sys/fs/cgroup")
OWN_GROUP = Path("/proc/self/cgroup")


def cores(groups: Path = GROUPS, own_group: Path = OWN_GROUP) -> float:
    """Return how many there are now, at least 1: with less of one, too, all threads are on the same."""
    return max(1.0, min([float(len(os.sched_getaffinity(0))), *_quotas(groups, own_group)]))


def _quotas(groups: Path, own_group: Path) -> list[float]:
    """Return the quotas in cores, from the own group outwards; none where there are none or they cannot be read."""
    try:
        lines = own_group.read_text().splitlines()
    except OSError:
        return []
    found = []
    for path in (line.removeprefix("0::/") for line in lines if line.startswith("0::/")):
        group = groups / path
        for one in (group, *group.parents):
            if one.is_relative_to(groups) and (quota := _quota(one / "cpu.max")):
                found.append(quota)
    return found


def _quota(file: Path) -> float | None:
    """Return what stands in a `cpu.max`, `<quota us> <period us>`; None: no limit, or nothing that can be read."""
    try:
        quota_us, period_us = file.read_text().split()
        return int(quota_us) / int(period_us)
    except (OSError, ValueError, ZeroDivisionError):
        return None  # also "max 100000"
