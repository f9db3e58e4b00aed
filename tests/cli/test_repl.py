"""The REPL in real pseudo-terminals."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.support.servers import serving_in_a_thread
from tests.support.terminals import terminals

QPQ = Path(sys.executable).with_name("qpq")


def test_the_quick_start_as_it_is_typed(tmp_path):
    with serving_in_a_thread(tmp_path) as server, terminals() as terminal:

        def qpq(line):
            name, *words = line.split()
            assert name == "qpq"
            return terminal([QPQ, *words], {"QPQ_HOME": str(tmp_path / "home"), "QPQ_SERVER": server.where})

        alice = qpq("qpq repl --username alice --password secretA")
        alice.sees("registered alice…")
        bob = qpq("qpq repl --username bob --password secretB")
        bob.sees("registered bob…")
        alice.type("/dm bob", "Hello from Alice!")
        bob.sees("[alice] Hello from Alice!")
        alice.type("/quit")
        assert alice.ends() == 0
        bob.keys(b"\x04")
        assert bob.ends() == 0
