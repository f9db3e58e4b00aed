"""`qpqctl`: the operator's tool, one module for each group of commands."""

from qpqserver.ctl.root import main

__all__ = ["main"]
