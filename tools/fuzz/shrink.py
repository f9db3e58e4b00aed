"""Makes a failing input smaller: pieces are cut out, then bytes set to zero, as long as it fails in the same way.

Every attempt runs in a process of its own, so that an input may end the process, hang it or eat its memory.
"""

from __future__ import annotations

import os
import resource
from typing import TYPE_CHECKING

from tools.fuzz.judge import Finding, Meter, judge

if TYPE_CHECKING:
    from collections.abc import Callable

    from tools.fuzz.target import Target

CPU_SECONDS_MAX = 20
MEMORY_BYTES_MAX = 4 * 1024**3
ATTEMPTS_MAX = 2_000
EXIT_CODES = {"crash": 101, "slow": 102, "hungry": 103}
FAULT_EXIT_CODE = 104


def outcome(target: Target, data: bytes) -> int:
    """Run an input in a process of its own; return 0, or how it failed: an exit code, or a signal's number below 0."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = FAULT_EXIT_CODE
    try:
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS_MAX, CPU_SECONDS_MAX))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
        judge(target, data, Meter())
        code = 0
    except Finding as found:
        code = EXIT_CODES[found.kind]
    finally:
        os._exit(code)


def shrink(data: bytes, fails: Callable[[bytes], bool]) -> bytes:
    """Return a smaller input that still fails; `data` itself where none is found."""
    left = ATTEMPTS_MAX

    def tried(candidate: bytes) -> bool:
        nonlocal left
        left -= 1
        return left >= 0 and candidate != data and fails(candidate)

    size = max(1, len(data) // 2)
    while True:
        at, cut = 0, False
        while at < len(data):
            candidate = data[:at] + data[at + size :]
            if tried(candidate):
                data, cut = candidate, True
            else:
                at += size
        if size == 1 and not cut:
            break
        size = size if cut and size == 1 else max(1, size // 2)
    for at in range(len(data)):
        candidate = data[:at] + b"\0" + data[at + 1 :]
        if tried(candidate):
            data = candidate
    return data


def shrunk(target: Target, data: bytes) -> tuple[bytes, int]:
    """Return (the input made smaller, how it fails); it may not fail at all outside of the instrumented process."""
    how = outcome(target, data)
    if how == 0:
        return data, how
    return shrink(data, lambda candidate: outcome(target, candidate) == how), how
