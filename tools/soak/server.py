"""`python -m tools.soak.server FUSE [options of qpq-server]`: the server as it is shipped, with windows to die in.

What is over is collected more often than in a server that runs for months, so that a purge is always near.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from qpqserver import composition
from qpqserver.main import main
from tools.soak import at_server
from tools.soak.fuse import Fuse, around

SWEEP_SECONDS = 0.5
"""Between two purges, in place of 30 s."""

if __name__ == "__main__":
    at_server.install(Fuse(Path(sys.argv.pop(1))))
    around(composition, "DeliveryConfig", lambda config: partial(config, sweep_seconds=SWEEP_SECONDS))
    main(prog_name="qpq-server")
