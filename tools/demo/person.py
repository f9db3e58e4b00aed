"""One person: a process with its own folder, driven by lines of JSON on standard input.

Everything is done through the SDK's public interface. What is sent is written down before and
after each send, so that a kill leaves an honest log; what is shown is read from the client's own
history, so that it is what a person would see.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio

import qpqclient

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from qpqclient import Client, Conversation

HISTORY_MAX = 100_000


class Person:
    """Answers the conductor's orders, one at a time; traffic runs beside them."""

    def __init__(self, name: str, log: Path, client: Client, nursery: trio.Nursery) -> None:
        self._name = name
        self._log = log.open("a", buffering=1)
        self._client = client
        self._nursery = nursery
        self._orders: dict[str, Callable[[dict[str, Any]], Awaitable[Any]]] = {
            name.removeprefix("do_"): getattr(self, name) for name in dir(self) if name.startswith("do_")
        }

    def note(self, **fact: Any) -> None:
        """Append one fact to the log, on disk before anything else happens."""
        self._log.write(json.dumps({"at": time.monotonic(), **fact}) + "\n")
        self._log.flush()

    async def obey(self) -> None:
        """Take orders until the input ends."""
        while True:
            line = await trio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True)
            if not line:
                return
            order = json.loads(line)
            try:
                answer = await self._orders[order["do"]](order)
            except qpqclient.QpqError as exc:
                answer = {"error": exc.name, "detail": str(exc)}
            say({"answer": answer})

    def conversation(self, order: dict[str, Any]) -> Conversation:
        """Return the conversation that an order names by its id."""
        return self._client.conversation(bytes.fromhex(order["conversation"]))

    async def do_register(self, order: dict[str, Any]) -> Any:
        """Make the account."""
        await self._client.register(self._name.split("/")[0], order["password"])
        return {"account": self._client.account.hex()}

    async def do_login(self, order: dict[str, Any]) -> Any:
        """Log in with the password alone."""
        await self._client.login(self._name.split("/")[0], order["password"])
        await self._client.sync()
        return {"conversations": [c.id.hex() for c in self._client.conversations()]}

    async def do_dm(self, order: dict[str, Any]) -> Any:
        """Open a conversation with one person."""
        return {"conversation": (await self._client.dm(order["with"])).id.hex()}

    async def do_group(self, order: dict[str, Any]) -> Any:
        """Make a group."""
        group = await self._client.create_group(order["name"], order["members"])
        return {"conversation": group.id.hex()}

    async def do_remove(self, order: dict[str, Any]) -> Any:
        """Remove a member."""
        await self.conversation(order).remove(order["member"])
        return {}

    async def do_await(self, order: dict[str, Any]) -> Any:
        """Wait until a conversation is there and has so many members."""
        ident = bytes.fromhex(order["conversation"])
        while True:
            await self._client.sync()
            for c in self._client.conversations():
                if c.id == ident and len(c.members()) == order["members"]:
                    return {"epoch": c.epoch}
            await trio.sleep(0.05)

    async def do_say(self, order: dict[str, Any]) -> Any:
        """Send one message and wait until the server has it."""
        await self.send(self.conversation(order), order["text"], order["phase"])
        return {}

    async def do_traffic(self, order: dict[str, Any]) -> Any:
        """Send many messages, several at a time, beside the next orders."""
        self._nursery.start_soon(self.traffic, order)
        return {}

    async def traffic(self, order: dict[str, Any]) -> None:
        """Send `count` messages to each conversation with `width` in flight."""
        limit = trio.CapacityLimiter(order["width"])
        targets = [self._client.conversation(bytes.fromhex(c)) for c in order["conversations"]]

        async def one(target: Conversation, text: str) -> None:
            async with limit:
                await self.send(target, text, order["phase"])

        async with trio.open_nursery() as nursery:
            for number in range(order["count"]):
                for target in targets:
                    nursery.start_soon(one, target, f"{order['label']} {number + 1} from {self._name}")
        self.note(what="traffic done", label=order["label"])

    async def send(self, target: Conversation, text: str, phase: str) -> None:
        """Write down, send, wait for the server's word, write down."""
        self.note(what="intent", conversation=target.id.hex(), text=text, phase=phase)
        message = await target.send(text)
        common = {"id": message.id.hex(), "conversation": target.id.hex(), "text": text, "phase": phase}
        self.note(what="begun", **common)
        await self._client.wait_sent(message.id)
        self.note(what="accepted", id=message.id.hex())

    async def do_alter(self, order: dict[str, Any]) -> Any:
        """Change a group in one way, and wait until it is so."""
        target = self.conversation(order)
        match order["way"]:
            case "update":
                await target.update_key()
            case "invite":
                await target.invite(order["whom"])
            case "remove":
                await target.remove(order["whom"])
            case "admins":
                await target.set_admins(order["whom"])
            case "rejoin":
                await target.rejoin()
            case way:
                raise ValueError(f"no such way: {way}")
        return {}

    async def do_who(self, order: dict[str, Any]) -> Any:
        """Give a conversation's members, each with the number of devices, and its admins."""
        talk = self.conversation(order)
        members = {m.name: len(m.devices) for m in sorted(talk.members(), key=lambda m: m.name)}
        return {"members": members, "admins": talk.admins()}

    async def do_change(self, order: dict[str, Any]) -> Any:
        """Commit a key update beside the next orders."""
        self._nursery.start_soon(self.change, self.conversation(order))
        return {}

    async def change(self, target: Conversation) -> None:
        """Commit a key update; one that found no place among the others' is no fault."""
        try:
            await target.update_key()
        except qpqclient.QpqError as exc:
            self.note(what="change failed", error=exc.name)
        else:
            self.note(what="changed", conversation=target.id.hex())

    async def do_file(self, order: dict[str, Any]) -> Any:
        """Send a file."""
        conversation = self.conversation(order)
        message = await conversation.send_file(Path(order["path"]))
        self.note(
            what="begun",
            id=message.id.hex(),
            conversation=conversation.id.hex(),
            text=message.text,
            phase=order["phase"],
        )
        await self._client.wait_sent(message.id)
        self.note(what="accepted", id=message.id.hex())
        return {"id": message.id.hex()}

    async def do_download(self, order: dict[str, Any]) -> Any:
        """Download a file that has come."""
        conversation = self.conversation(order)
        while True:
            await self._client.sync()
            for message in conversation.history(HISTORY_MAX):
                if message.id.hex() == order["id"]:
                    return {"path": str(await conversation.download(message, Path(order["to"])))}
            await trio.sleep(0.05)

    async def do_settle(self, order: dict[str, Any]) -> Any:
        """Send all that waits and take all that has come."""
        del order
        await self._client.flush()
        await self._client.sync()
        return {"pending": self._client.pending}

    async def do_transcript(self, order: dict[str, Any]) -> Any:
        """Give what this device shows, and each group's epoch and authenticator."""
        del order
        shown = [
            {"id": m.id.hex(), "conversation": c.id.hex(), "sender": m.sender, "text": m.text}
            for c in self._client.conversations()
            for m in c.history(HISTORY_MAX)
        ]
        groups = {
            c.id.hex(): {"epoch": c.epoch, "authenticator": c.authenticator.hex(), "active": c.active}
            for c in self._client.conversations()
        }
        return {"shown": shown, "groups": groups}


def say(value: dict[str, Any]) -> None:
    """Write one line to the conductor."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


async def live(arguments: argparse.Namespace) -> None:
    """Open the client and obey; a session in the folder is resumed."""
    async with (
        opened(arguments) as client,
        trio.open_nursery() as nursery,
    ):
        person = Person(arguments.name, arguments.log, client, nursery)
        say({"ready": arguments.name})
        nursery.start_soon(show, client)
        await person.obey()
        nursery.cancel_scope.cancel()


async def show(client: Client) -> None:
    """Tell the conductor of each message as this person sees it."""
    async for event in client.events():
        if isinstance(event, qpqclient.MessageReceived):
            say({"seen": {"sender": event.message.sender, "text": event.message.text}})


def told(description: str | None) -> argparse.Namespace:
    """Return what a person's process is told at its start; its folder is there."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--name", required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--server", required=True)
    parser.add_argument("--secret", required=True)
    parser.add_argument("--engine", default="native")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    return arguments


def opened(arguments: argparse.Namespace) -> AbstractAsyncContextManager[Client]:
    """Open the client of a process that was told so."""
    return qpqclient.open_client(
        arguments.folder, server=arguments.server, password=arguments.secret, engine=arguments.engine
    )


def main() -> None:
    """Run one person."""
    trio.run(live, told(__doc__))


if __name__ == "__main__":
    main()
