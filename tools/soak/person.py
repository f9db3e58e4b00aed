"""`python -m tools.soak.person`: one person's process of the soak, with a recorder at its client and windows to die in.

What the recorder notes is appended to a file, each line by one write before anything else happens, so that a kill
leaves what was seen until then. What a person means to send is written down before: a kill between the storing of a
message and the note of it is told from an invention by that.
"""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio

import qpqclient
from qpqclient.transport import Link
from tests.oracle import history as h
from tests.oracle.recorder import Recorder
from tools.demo.person import HISTORY_MAX, Person, opened, say, told
from tools.soak import at_client
from tools.soak.fuse import Fuse, around

if TYPE_CHECKING:
    import argparse

    from qpqclient import Client, Conversation

SETTLE_ROUNDS_MAX = 60
SETTLE_PAUSE_SECONDS = 0.5
RETRY_SECONDS = 0.2
TRIES_MAX = 100


@dataclass
class Notes:
    """A file of notes, one line each: when, and what."""

    path: Path
    fd: int = field(init=False)

    def __post_init__(self) -> None:
        if self.path.exists():
            content = self.path.read_bytes()
            os.truncate(self.path, content.rfind(b"\n") + 1)  # a kill may have cut the last line short
        self.fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def keep(self, value: Any) -> None:
        """Append a value of a history."""
        os.write(self.fd, f"{time.monotonic():.6f} {h.to_line(value)}\n".encode())


class Actor(Person):
    """A person whose device notes all that it sees."""

    def __init__(self, name: str, log: Path, client: Client, nursery: trio.Nursery, notes: Notes) -> None:
        super().__init__(name, log, client, nursery)
        self._notes = notes
        self._files_open: set[Path] = set()
        self._recorder = Recorder(client, notes.keep, now_s=time.monotonic)
        if client.known:
            notes.keep(h.Started(self._recorder.device, client._core.inbox.position))  # noqa: SLF001 - as the recorder does

    def intends(self, conversation: Conversation, text: str, content: bytes = b"") -> None:
        """Write down what is about to be sent; `content` is a file's SHA-256."""
        self.note(
            what="means", device=self._recorder.device, account=self._client.account.hex(),
            conversation=conversation.id.hex(), text=text, timer=conversation.timer_seconds, content=content.hex(),
        )  # fmt: skip

    async def send(self, target: Conversation, text: str, phase: str) -> None:
        """Send a text; what is refused (a group that is being reset, say) is tried again a little later."""
        for _ in range(TRIES_MAX):
            self.intends(target, text)
            try:
                ident = await self._recorder.send(target, text)
                self.note(what="begun", id=ident.hex(), conversation=target.id.hex(), text=text, phase=phase)
                await self._client.wait_sent(ident)
            except qpqclient.QpqError as exc:
                self.note(what="not sent", error=exc.name)
                await trio.sleep(RETRY_SECONDS)
                text += "'"
            else:
                self.note(what="accepted", id=ident.hex())
                return

    async def do_file(self, order: dict[str, Any]) -> Any:
        """Send a file beside the next orders, until it is sent: as a person would try again after a crash."""
        path = Path(order["path"])
        if path not in self._files_open:
            self._files_open.add(path)
            self._nursery.start_soon(self.send_file, self.conversation(order), path, order["phase"])
        return {}

    async def send_file(self, target: Conversation, path: Path, phase: str) -> None:
        """Send a file; tried again while the server does not take it."""
        content = hashlib.sha256(path.read_bytes()).digest()
        while not self.already_sent(target, path.name):
            self.intends(target, f"[file] {path.name}", content)
            try:
                message = await target.send_file(path)
            except qpqclient.QpqError as exc:
                self.note(what="file waits", error=exc.name)
                await trio.sleep(RETRY_SECONDS)
                continue
            self._recorder.queued(message)
            self._notes.keep(h.Uploaded(self._recorder.device, message.id, content))
            self.note(what="begun", id=message.id.hex(), conversation=target.id.hex(), text=message.text, phase=phase)
            await self._client.wait_sent(message.id)
            self.note(what="accepted", id=message.id.hex())
        self._files_open.discard(path)

    @staticmethod
    def already_sent(target: Conversation, name: str) -> bool:
        """Tell whether a file of this name stands in the history."""
        return any(m.own and m.file is not None and m.file.name == name for m in target.history(HISTORY_MAX))

    async def do_download_all(self, order: dict[str, Any]) -> Any:
        """Download every file of every conversation."""
        folder, files = Path(order["to"]), 0
        folder.mkdir(exist_ok=True)
        for conversation in self._client.conversations():
            for message in conversation.history(HISTORY_MAX):
                if message.file is None:
                    continue
                try:
                    path = await conversation.download(message, folder / message.id.hex())
                except qpqclient.Refused as exc:
                    if exc.name != "notFound":
                        raise
                    continue  # of somebody who deleted the account: the verdict knows of whom
                content = hashlib.sha256(path.read_bytes()).digest()
                self._notes.keep(h.Downloaded(self._recorder.device, message.id, content))
                path.unlink()
                files += 1
        return {"files": files}

    async def do_enter(self, order: dict[str, Any]) -> Any:
        """Make the account, or log in where a kill came in between; then let its device be known."""
        name = self._name.split("/")[0]
        try:
            if not self._client.known:
                await self._client.register(name, order["password"], label=order.get("label", ""))
        except qpqclient.Refused as exc:
            if exc.name != "nameTaken":
                raise
            await self._client.login(name, order["password"], label=order.get("label", ""))
        return {"account": self._client.account.hex(), "device": self._client.device.hex()}

    async def do_await_in(self, order: dict[str, Any]) -> Any:
        """Wait until this device is in a conversation."""
        ident = bytes.fromhex(order["conversation"])
        while not any(c.id == ident and c.active for c in self._client.conversations()):
            await self._client.sync()
            await trio.sleep(RETRY_SECONDS)
        return {}

    async def do_sent(self, order: dict[str, Any]) -> Any:
        """Wait until everything that was begun is sent, files too."""
        del order
        while self._files_open:
            await trio.sleep(RETRY_SECONDS)
        await self._client.flush()
        return {}

    async def do_invite(self, order: dict[str, Any]) -> Any:
        """Invite somebody into a group."""
        await self.conversation(order).invite(order["whom"])
        return {}

    async def do_timer(self, order: dict[str, Any]) -> Any:
        """Let what is sent in a conversation vanish after some seconds."""
        await self.conversation(order).set_timer(order["seconds"])
        return {}

    async def do_reset(self, order: dict[str, Any]) -> Any:
        """Begin a group anew, as a device does that finds it stuck."""
        target = self.conversation(order)
        core = self._client._core  # noqa: SLF001 - nothing public resets a group that is not stuck
        await core.births.reset(target.id, core.groups.generation(target.id))
        return {}

    async def do_delete_account(self, order: dict[str, Any]) -> Any:
        """Delete the account; from the asking on nothing is owed to it."""
        del order
        device = self._recorder.device
        self._notes.keep(h.CutOff((device,), float("inf")))
        while True:
            try:
                await self._client.delete_account()
            except qpqclient.Refused as exc:
                if exc.name != "unauthenticated":
                    raise
                break  # an attempt whose answer was lost has closed it
            except qpqclient.QpqError as exc:
                self.note(what="deletion waits", error=exc.name)
                await trio.sleep(RETRY_SECONDS)
            else:
                break
        self._notes.keep(h.CutOff((device,), time.monotonic()))
        return {}

    async def do_rest(self, order: dict[str, Any]) -> Any:
        """Bring everything to an end; return what is left to do, which should be nothing."""
        present = frozenset(order["present"])
        for _ in range(SETTLE_ROUNDS_MAX):
            await self._client.sync()
            if not self._recorder.unfinished(present):
                return {"waits": []}
            await trio.sleep(SETTLE_PAUSE_SECONDS)
        return {"waits": self._recorder.unfinished(present)}

    async def do_snapshot(self, order: dict[str, Any]) -> Any:
        """Note what this device shows at the end."""
        del order
        await self._client.sync()
        self._recorder.snapshot()
        return {"device": self._recorder.device, "now_ms": self._client._core.server_now_ms()}  # noqa: SLF001 - as above


def log_calls(log: Path) -> None:
    """Write down when each call begins and ends, so that calls in flight at a kill can be counted."""
    out = log.with_suffix(".calls").open("a", buffering=1)
    numbers = count()
    out.write(f"{time.monotonic():.6f} start\n")

    def noted(call: Any) -> Any:
        async def work(self: Link, params: Any, result: Any, **more: Any) -> Any:
            number = next(numbers)
            out.write(f"{time.monotonic():.6f} begin {number} {type(params).__name__}\n")
            try:
                return await call(self, params, result, **more)
            finally:
                out.write(f"{time.monotonic():.6f} end {number}\n")

        return work

    around(Link, "call", noted)


async def live(arguments: argparse.Namespace) -> None:
    """Open the client and obey; a session in the folder is resumed."""
    async with (
        opened(arguments) as client,
        trio.open_nursery() as nursery,
    ):
        notes = Notes(arguments.log.with_suffix(".notes"))
        actor = Actor(arguments.name, arguments.log, client, nursery, notes)
        say({"ready": arguments.name})
        await actor.obey()
        nursery.cancel_scope.cancel()


def main() -> None:
    """Run one person."""
    arguments = told(__doc__)
    log_calls(arguments.log)
    at_client.install(Fuse(arguments.log.with_suffix(".fuse")))
    trio.run(live, arguments)


if __name__ == "__main__":
    main()
