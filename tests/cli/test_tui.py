"""The full-screen face as a process in a real pseudo-terminal, against a real server; its peer is a second process."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.support.servers import serving_in_a_thread
from tests.support.terminals import terminals

QPQ = Path(sys.executable).with_name("qpq")


def test_two_people(tmp_path):
    with serving_in_a_thread(tmp_path) as server, terminals() as open_:

        def person(face, name):
            environment = {"QPQ_HOME": str(tmp_path / "home"), "QPQ_SERVER": server.where, "QPQ_PASSWORD": f"secret {name}"}
            return open_([QPQ, face, "--username", name], environment, tmp_path)

        alice, bob = person("tui", "alice"), person("repl", "bob")
        bob.sees("registered bob…")
        alice.shows("registered alice", "No conversation is open")
        alice.type("/dm bob", "Hello from Alice!")
        alice.shows("@bob", "Hello from Alice!")
        bob.sees("[alice] Hello from Alice!")
        bob.type("/dm alice", "Hello from Bob!")
        alice.shows("Hello from Bob!")
        alice.keys(b"\x11")
        assert alice.ends() == 0
