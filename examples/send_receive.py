import secrets
import tempfile
from pathlib import Path

import trio

import qpqclient


async def main(home: Path) -> None:
    run = secrets.token_hex(4)  # names that are free in each run
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
        for person in (dora, emil):  # only an example: nothing is left of it
            await person.delete_account()


with tempfile.TemporaryDirectory() as folder:
    trio.run(main, Path(folder))
