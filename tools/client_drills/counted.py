"""`python -m tools.client_drills.counted LOG ARGUMENT...`: `qpq` itself, with each chunk of a file that goes or comes in a log.

A line is `up|down begun|done OFFSET BYTES`, on disk before anything else happens; so a kill leaves an honest count.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qpqclient.transport import Link
from qpqcore.api.blob import DownloadBlobParams, UploadBlobParams
from tools.soak.fuse import around

if TYPE_CHECKING:
    from collections.abc import Callable


def install(log: Path) -> None:
    """Let this process write down its chunks."""
    out = log.open("a", buffering=1)

    def counting(call: Callable[..., Any]) -> Callable[..., Any]:
        async def work(self: Link, params: Any, result: Any, **more: Any) -> Any:
            if isinstance(params, UploadBlobParams) and params.chunk:
                out.write(f"up begun {params.offset} {len(params.chunk)}\n")
                answer = await call(self, params, result, **more)
                out.write(f"up done {params.offset} {len(params.chunk)}\n")
                return answer
            answer = await call(self, params, result, **more)
            if isinstance(params, DownloadBlobParams):
                out.write(f"down done {params.offset} {len(answer.chunk)}\n")
            return answer

        return work

    around(Link, "call", counting)


def main() -> None:
    """Run `qpq` with the rest of the arguments."""
    from qpq.main import main as qpq

    install(Path(sys.argv[1]))
    qpq(sys.argv[2:], prog_name="qpq")


if __name__ == "__main__":
    main()
