"""`python -m tools.endurance.vanishing HOST:PORT`: connect, say so, and wait to be killed."""

from __future__ import annotations

import sys

import trio

from qpqclient.transport import Trust, open_link


async def main(where: str) -> None:
    """Connect and stay until the process is killed: no goodbye reaches the server."""
    async with open_link(where, Trust(), accept=lambda _: True):
        sys.stdout.write("here\n")
        sys.stdout.flush()
        await trio.sleep_forever()


if __name__ == "__main__":
    trio.run(main, sys.argv[1])
