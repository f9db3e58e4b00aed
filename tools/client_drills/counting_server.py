"""`python -m tools.client_drills.counting_server LOG ARGUMENT...`: `qpq-server` itself, with each chunk that it gets in a log.

A line is `began`, `has OFFSET BYTES` for a chunk that has come whole, `stored BYTES` for what is committed of the file. The drill
sends one file at a time.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qpqblob.uploads import Lane
from tools.soak.fuse import around

if TYPE_CHECKING:
    from collections.abc import Callable


def install(log: Path) -> None:
    """Let this process write down what it gets, and what of that it has stored."""
    out = log.open("a", buffering=1)
    out.write("began\n")

    def adding(add: Callable[..., Any]) -> Callable[..., Any]:
        async def work(self: Lane, offset: int, chunk: bytes, *values: Any) -> Any:
            if chunk:
                out.write(f"has {offset} {len(chunk)}\n")
            return await add(self, offset, chunk, *values)

        return work

    def storing(stored: Callable[..., Any]) -> Callable[..., Any]:
        async def work(self: Lane, *values: Any) -> Any:
            row = await stored(self, *values)
            out.write(f"stored {row.received}\n")
            return row

        return work

    around(Lane, "add", adding)
    around(Lane, "_stored", storing)


def sent_again(log: Path) -> int:
    """Return how many bytes were sent again that the server had whole already, stored or still in its memory."""
    had: set[int] = set()
    stored = again = 0
    for line in log.read_text().splitlines():
        what, *numbers = line.split()
        match what, [int(n) for n in numbers]:
            case "began", []:  # what it had in memory is gone with the process before
                had = {offset for offset in had if offset < stored}
            case "stored", [count]:
                stored = count
            case "has", [offset, count]:
                again += count if offset in had else 0
                had.add(offset)
            case _:
                raise ValueError(line)
    return again


def main() -> None:
    """Run `qpq-server` with the rest of the arguments."""
    from qpqserver.main import main as qpq_server

    install(Path(sys.argv[1]))
    qpq_server(sys.argv[2:], prog_name="qpq-server")


if __name__ == "__main__":
    main()
