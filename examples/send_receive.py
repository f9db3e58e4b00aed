import secrets
import tempfile
from pathlib import Path

import trio

import qpqclient


async def main() -> None:
    home, run = Path(tempfile.mkdtemp()), secrets.token_hex(4)  # names that are free in each run
    async with (
        qpqclient.open_client(home / "dora", password="local") as dora,
        qpqclient.open_client(home / "emil", password="local") as emil,
    ):
        await dora.register(f"dora-{run}", "a good password")
        await emil.register(f"emil-{run}", "a better password")
        arrivals = emil.events()
        await (await dora.dm(f"emil-{run}")).send("Hello, Emil!")
        async for event in arrivals:
            if isinstance(event, qpqclient.MessageReceived):
                print(f"{event.message.sender}: {event.message.text}")
                break


trio.run(main)
