"""Sets the stage, plays the scenes, writes the pictures."""

from __future__ import annotations

import argparse
import re
import struct
import sys
import zlib
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import trio

import qpqclient
from qpq.profile import Profile
from qpq.tui.command import run_screen
from tools.quickstart import serving

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from textual.pilot import Pilot

    from qpq.tui.app import ChatApp

FOLDER = Path(__file__).parent.parent.parent / "docs" / "how-to" / "tui"
SIZE, SIZE_OF_PICTURE = (120, 34), (64, 22)
"""In cells; a picture is a path for each of its dots."""
PATIENCE_SECONDS = 60
LOOK_SECONDS = 0.05


def main() -> int:
    """Play all scenes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, default=FOLDER)
    to: Path = parser.parse_args().to
    to.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as folder, serving(Path(folder)) as where:
        trio.run(set_stage, Path(folder), where)
        for theme, play in (("dark", chat), ("light", choose), ("contrast", results), ("dark", look)):
            profile = Profile(where, Path(folder), "alice", "secret alice", None, "native", json=True)
            run_screen(profile, theme, partial(perform, play, to))
    return 0


def perform(play: Callable[[ChatApp, Pilot[object], Path], Awaitable[None]], to: Path, app: ChatApp) -> None:
    """Run the screen without a terminal, and have a play play on it."""

    async def pilot(pilot: Pilot[object]) -> None:
        await play(app, pilot, to)
        app.exit()

    app.run(headless=True, size=SIZE_OF_PICTURE if play is look else SIZE, auto_pilot=pilot)
    if app.return_code:
        raise SystemExit(app.return_code)


async def set_stage(folder: Path, where: str) -> None:
    """Make the people and what they have said."""

    def client(name: str) -> AbstractAsyncContextManager[qpqclient.Client]:
        return qpqclient.open_client(folder / name, server=where, password=f"secret {name}")

    with trio.fail_after(PATIENCE_SECONDS):
        await answering(where)
        picture = folder / "harbour.png"
        picture.write_bytes(painted(160, 90))
        async with client("alice") as alice, client("bob") as bob, client("carol") as carol:
            for name, who in (("alice", alice), ("bob", bob), ("carol", carol)):
                await who.register(name, f"secret {name}")
            here = await alice.dm("bob")
            await bob.sync()
            there = await bob.dm("alice")
            await alice.verify("bob")
            await say(here, bob, "Good morning! Are you in town today?")
            await say(there, alice, "Yes, until five. The ferry leaves at 17:20.")
            await there.send_file(picture)
            await bob.flush()
            await alice.sync()
            last = await say(here, bob, "What a view. Lunch at the harbour?")
            await there.react(last, "🎉")
            reply = await there.reply(last, "Gladly. مرحبا بكم, नमस्ते, 你好: the new cook writes all of it on the door.")
            await bob.flush()
            await alice.sync()
            await here.react(reply.id, "👍")
            group = await alice.create_group("reading", ["bob", "carol"])
            await group.send("Chapter four until Friday?")
            await alice.flush()
            await carol.sync()
            club = next(c for c in carol.conversations() if c.kind == "group")
            await club.send("@alice I am two chapters behind \x1b[31mand red\x1b[0m")
            await club.send("but the third one was short")
            talk = await carol.dm("alice")
            await talk.send("Did you get my notes?")
            await carol.flush()
            await alice.flush()
            await bob.sync()


async def answering(where: str) -> None:
    """Wait until the server answers."""
    while True:
        try:
            await qpqclient.ping(where)
            return
        except qpqclient.QpqError:
            await trio.sleep(LOOK_SECONDS)


async def say(conversation: qpqclient.Conversation, other: qpqclient.Client, text: str) -> bytes:
    """Say something, and wait until the other one has it."""
    message = await conversation.send(text)
    while True:
        await other.sync()
        if other.conversation(conversation.id).message(message.id) is not None:
            return message.id
        await trio.sleep(LOOK_SECONDS)


def painted(width: int, height: int) -> bytes:
    """Return a PNG of a sun over water."""

    def dot(x: int, y: int) -> bytes:
        if y > height * 0.62:
            glitter = 60 if (x * 7 + y * 13) % 23 < 3 and abs(x - width * 0.7) < (y - height * 0.5) else 0
            return bytes((20 + glitter * 3, 60 + glitter * 2, 110 + glitter))
        if (x - width * 0.7) ** 2 + (y - height * 0.35) ** 2 < (height * 0.16) ** 2:
            return bytes((255, 214, 120))
        return bytes((90 + y, 130 + y // 2, 200 - y))

    rows = b"".join(b"\0" + b"".join(dot(x, y) for x in range(width)) for y in range(height))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


async def until(pilot: Pilot[object], what: Callable[[], object]) -> None:
    """Wait until something is so."""
    for _ in range(int(PATIENCE_SECONDS / LOOK_SECONDS)):
        if what():
            await pilot.pause(LOOK_SECONDS)
            return
        await pilot.pause(LOOK_SECONDS)
    raise TimeoutError("the screen does not show it")


async def open_by_name(app: ChatApp, pilot: Pilot[object], name: str) -> None:
    """Find a conversation with the switcher."""
    await until(pilot, lambda: any(p.label.endswith(name) for p in app.scene.places))
    await pilot.press("ctrl+k", *name, "enter")
    await until(pilot, lambda: app.scene.title.startswith(("@" + name, "#" + name)))


def write(app: ChatApp, to: Path, name: str) -> None:
    """Write down what the screen shows, without the fonts that Textual would have a reader fetch from elsewhere."""
    picture = re.sub(r"@font-face \{.*?\}\s*", "", app.export_screenshot(), flags=re.DOTALL)
    (to / f"{name}.svg").write_text(picture, encoding="utf-8")


async def chat(app: ChatApp, pilot: Pilot[object], to: Path) -> None:
    """A conversation, with something typed; then the switcher over it."""
    await until(pilot, lambda: sum(p.unread for p in app.scene.places) >= 3)
    await open_by_name(app, pilot, "bob")
    await pilot.press(*"At noon, then. I bring the b")
    await pilot.pause(LOOK_SECONDS)
    write(app, to, "chat")
    await pilot.press("ctrl+k", *"rd")
    await pilot.pause(LOOK_SECONDS)
    write(app, to, "switcher")
    await pilot.press("escape")


async def choose(app: ChatApp, pilot: Pilot[object], to: Path) -> None:
    """A message is chosen, and answered."""
    await open_by_name(app, pilot, "reading")
    await pilot.press("up", "up", "r", *"Take the weekend")
    await pilot.press("ctrl+j", *"no hurry")
    await pilot.pause(LOOK_SECONDS)
    write(app, to, "reply")


async def results(app: ChatApp, pilot: Pilot[object], to: Path) -> None:
    """What a command says."""
    await open_by_name(app, pilot, "carol")
    await pilot.press(*"/group-info", "enter")
    await until(pilot, lambda: app.query_one("#result").has_class("-open"))
    write(app, to, "command")


async def look(app: ChatApp, pilot: Pilot[object], to: Path) -> None:
    """A picture."""
    await open_by_name(app, pilot, "bob")
    await until(pilot, lambda: any(e.picture for e in app.scene.entries))
    await pilot.press("up")
    while not (app.timeline.chosen and app.timeline.chosen.picture):
        await pilot.press("up")
    await pilot.press("v")
    await until(pilot, lambda: len(app.screen_stack) > 1)
    write(app, to, "picture")


if __name__ == "__main__":
    sys.exit(main())
