import tempfile
from pathlib import Path

import trio

import qpqclient


async def main() -> None:
    home = Path(tempfile.mkdtemp())
    async with (
        qpqclient.open_client(home / "dora", password="local") as dora,
        qpqclient.open_client(home / "emil", password="local") as emil,
    ):
        await dora.register("dora", "a good password")
        await emil.register("emil", "a better password")
        arrivals = emil.events()
        await (await dora.dm("emil")).send("Hello, Emil!")
        async for event in arrivals:
            if isinstance(event, qpqclient.MessageReceived):
                print(f"{event.message.sender}: {event.message.text}")
                break


trio.run(main)
