import tempfile
from pathlib import Path

import trio

import qpqclient


async def main() -> None:
    async with qpqclient.open_client(Path(tempfile.mkdtemp()), password="local") as client:
        await client.register("dora", "a good password")
        notes = await client.create_group("notes")
        await notes.send("Hello, QPQ!")
        await client.flush()
        print([m.text for m in notes.history()])


trio.run(main)
