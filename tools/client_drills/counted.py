"""`python -m tools.client_drills.counted LOG DIES ARGUMENT...`: `qpq` itself, with each chunk of a file that goes or comes in a log.

A line is `up|down begun|done OFFSET BYTES`, on disk before anything else happens; so a kill leaves an honest count. With DIES bytes
done in this process it kills itself (0: it lives).
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qpqclient.transport import Link
from qpqcore.api.blob import DownloadBlobParams, UploadBlobParams
from tools.soak.fuse import around

if TYPE_CHECKING:
    from collections.abc import Callable


def install(log: Path, dies_bytes: int) -> None:
    """Let this process write down its chunks."""
    out, all_done = log.open("a", buffering=1), 0

    def done(direction: str, offset: int, count: int) -> None:
        nonlocal all_done
        out.write(f"{direction} done {offset} {count}\n")
        all_done += count
        if dies_bytes and all_done >= dies_bytes:
            os.kill(os.getpid(), signal.SIGKILL)

    def counting(call: Callable[..., Any]) -> Callable[..., Any]:
        async def work(self: Link, params: Any, result: Any, **more: Any) -> Any:
            if isinstance(params, UploadBlobParams) and params.chunk:
                out.write(f"up begun {params.offset} {len(params.chunk)}\n")
                answer = await call(self, params, result, **more)
                done("up", params.offset, len(params.chunk))
                return answer
            answer = await call(self, params, result, **more)
            if isinstance(params, DownloadBlobParams):
                done("down", params.offset, len(answer.chunk))
            return answer

        return work

    around(Link, "call", counting)


def main() -> None:
    """Run `qpq` with the rest of the arguments."""
    from qpq.main import main as qpq

    install(Path(sys.argv[1]), int(sys.argv[2]))
    qpq(sys.argv[3:], prog_name="qpq")


if __name__ == "__main__":
    main()
