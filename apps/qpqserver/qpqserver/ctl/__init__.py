"""`qpqctl`: the operator's tool, one module for each group of commands."""

import sys

from qpqcore.obs import logs
from qpqserver.ctl.root import main

__all__ = ["main", "run"]


def run() -> None:
    """Be the program. Its answers go to stdout; what a store has to say goes to stderr."""
    logs.set_up("warning", sys.stderr)
    main(prog_name="qpqctl")
