"""One conversation: its people, its history, and what one can do in it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from qpqclient import blobs, downloads
from qpqclient.content import CONTENT_BYTES_MAX, LASTING, new_content
from qpqclient.errors import GroupUnusable, NotEditable, NotFound, TooLong
from qpqclient.membership import Membership
from qpqclient.model import FileInfo, Message
from qpqclient.outgoing import put
from qpqclient.settings import TYPING
from qpqclient.signals import seal_signal
from qpqclient.told import settings_of
from qpqcore.api.content import (
    ChannelKind,
    Content,
    ContentEdit,
    ContentFile,
    ContentPin,
    ContentReaction,
    ContentReply,
    Signal,
)
from qpqcore.api.delivery import SignalResult
from qpqcore.groups.policy import Right

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from qpqclient.model import Progress

NOTEPAD_KIND = 1000
"""In the database alone; far from what the wire may number."""
UNREAD = "FROM messages WHERE channel = ? AND read = 0 AND (expires_ms = 0 OR expires_ms > ?)"
KINDS = {
    int(ChannelKind.DIRECT): "direct", int(ChannelKind.GROUP): "group", int(ChannelKind.SELF): "self",
    NOTEPAD_KIND: "notepad",
}  # fmt: skip
COLUMNS = "id, channel, sender, text, state, sent_ms, edited, reply_to, file, kind, read"
PAGE_MESSAGES = 500
"""Read at a time where all are."""
READ_AT_ONCE_MAX = 10_000
"""Messages marked as read by one call; older ones by the next."""


class Conversation(Membership):
    """A conversation as this device has it; a light view, made anew as often as one likes."""

    # --- what it is

    @property
    def kind(self) -> str:
        """`direct`, `group`, `self` or `notepad`."""
        return KINDS[self._row("kind")]

    @property
    def name(self) -> str:
        """The group's name, or the other person's."""
        others = [m.name for m in self.members() if m.account != self._core.account.account]
        stored = str(self._row("name"))
        if self.kind == "direct":
            return others[0] if others else stored
        return stored or ", ".join(sorted(others))

    @property
    def epoch(self) -> int:
        """The MLS epoch."""
        return int(self._row("epoch"))

    @property
    def authenticator(self) -> bytes:
        """The epoch authenticator (RFC 9420 §8.7): equal on all devices that share the group's state."""
        return bytes(self._row("authenticator"))

    @property
    def timer_seconds(self) -> int:
        """After how long new messages vanish; 0: never."""
        return int(self._row("timer_seconds"))

    # --- history

    def history(self, count: int = 20) -> list[Message]:
        """Return the last messages, oldest first; what waits to be sent is at the end."""
        rows = self._store.rows(
            f"SELECT {COLUMNS} FROM (SELECT * FROM messages WHERE channel = ? AND (expires_ms = 0 OR expires_ms > ?) "  # noqa: S608 - fixed text
            "ORDER BY log_number IS NULL DESC, log_number DESC, number DESC LIMIT ? + 0) ORDER BY log_number IS NULL, log_number, number",
            self.id, self._core.server_now_ms(), count,
        )  # fmt: skip
        return [self._message(row) for row in rows]

    def idents(self) -> list[bytes]:
        """Return the ids of all messages in the order of `history`."""
        rows = self._store.rows(
            "SELECT id FROM messages WHERE channel = ? AND (expires_ms = 0 OR expires_ms > ?) ORDER BY log_number IS NULL, log_number, number",
            self.id, self._core.server_now_ms(),
        )  # fmt: skip
        return [row[0] for row in rows]

    def everything(self, page: int = PAGE_MESSAGES) -> Iterator[list[Message]]:
        """Yield the whole history, oldest first, some messages at a time; what comes meanwhile is in it or not."""
        last: tuple[Any, ...] = (0, 0, 0)
        while True:
            rows = self._store.rows(
                f"SELECT {COLUMNS}, log_number IS NULL, coalesce(log_number, 0), number FROM messages WHERE channel = ? "  # noqa: S608 - fixed text
                "AND (expires_ms = 0 OR expires_ms > ?) AND (log_number IS NULL, coalesce(log_number, 0), number) > (?, ?, ?) "
                "ORDER BY log_number IS NULL, coalesce(log_number, 0), number LIMIT ? + 0",
                self.id, self._core.server_now_ms(), *last, page,
            )  # fmt: skip
            if not rows:
                return
            last = rows[-1][-3:]
            yield [self._message(row[:-3]) for row in rows]

    def message(self, ident: bytes) -> Message | None:
        """Return one message."""
        rows = self._store.rows(f"SELECT {COLUMNS} FROM messages WHERE channel = ? AND id = ?", self.id, ident)  # noqa: S608 - fixed text
        return self._message(rows[0]) if rows else None

    def take_unshown(self) -> list[Message]:
        """Return other people's messages that this has not returned before, oldest first; of a request none."""
        if self.requested:
            return []
        rows = self._store.rows(
            f"SELECT {COLUMNS} FROM messages WHERE channel = ? AND shown = 0 AND (expires_ms = 0 OR expires_ms > ?) ORDER BY log_number",  # noqa: S608 - fixed text
            self.id, self._core.server_now_ms(),
        )  # fmt: skip
        found = [self._message(row) for row in rows]
        if found:
            with self._store.transaction() as db:
                db.executemany(
                    "UPDATE messages SET shown = 1 WHERE channel = ? AND id = ?", [(self.id, m.id) for m in found]
                )
        return found

    def _message(self, row: Any) -> Message:
        ident, channel, sender, text, state, sent_ms, edited, reply_to, file, kind, read = row
        own = sender == self._core.account.account
        name = self._core.account.name if own else self._core.people.name(sender)
        reactions = tuple(
            (self._core.people.name(a), e)
            for a, e in self._store.rows(
                "SELECT account, emoji FROM reactions WHERE channel = ? AND id = ?", channel, ident
            )
        )
        info = None
        if file is not None:
            f = ContentFile.from_bytes(file)
            info = FileInfo(f.name, f.mime, f.total_bytes, f.blob, f.secret, f.key, f.sha256)
        return Message(
            ident, channel, name, text, state, sent_ms, own, bool(edited), reply_to, info, reactions, kind, bool(read)
        )

    # --- sending

    async def send(self, text: str) -> Message:
        """Send a text; it is stored, and on its way, when this returns."""
        return self._post("text", text=text)

    async def reply(self, to: bytes, text: str) -> Message:
        """Answer a message."""
        return self._post("reply", reply=ContentReply(to=to, text=text), fallback=text)

    async def react(self, to: bytes, emoji: str, *, remove: bool = False) -> None:
        """React to a message, or take the reaction back."""
        self._act("reaction", reaction=ContentReaction(to=to, emoji=emoji, remove=remove))

    async def edit(self, ident: bytes, text: str) -> None:
        """Replace the text of one's own message. NotFound, NotEditable."""
        if self._own(ident).file is not None:
            raise NotEditable("a file cannot be edited: delete it, and send another")
        self._act("edit", edit=ContentEdit(to=ident, text=text))

    async def delete(self, ident: bytes) -> None:
        """Delete one's own message everywhere."""
        self._own(ident)
        self._act("delete", delete=ident)

    async def mark_read(self, idents: list[bytes] | None = None) -> None:
        """Note that messages were read (None: all that have come), here and on one's other devices.

        Their senders are told, unless the setting or the size of the group is against it.
        """
        if idents is None:
            rows = self._store.rows(
                "SELECT id FROM messages WHERE channel = ? AND read = 0 LIMIT ? + 0", self.id, READ_AT_ONCE_MAX
            )
            idents = [r[0] for r in rows]
        with self._store.transaction():
            self._core.receipts.read(self.id, idents)
        self._core.receipts.send()

    @property
    def unread(self) -> int:
        """How many messages of others are not marked as read."""
        return int(self._store.rows(f"SELECT count(*) {UNREAD}", self.id, self._core.server_now_ms())[0][0])

    @property
    def mentions(self) -> int:
        """How many of them name one with an @."""
        texts = self._store.rows(f"SELECT text {UNREAD} AND instr(text, '@')", self.id, self._core.server_now_ms())
        named = re.compile(rf"@{re.escape(self._core.account.name)}(?!\w)", re.IGNORECASE)
        return sum(bool(named.search(text)) for (text,) in texts)

    def receipts(self, ident: bytes) -> dict[str, str]:
        """Return who has one's own message: name -> `delivered` or `read`."""
        rows = self._store.rows("SELECT account, read FROM receipts WHERE channel = ? AND id = ?", self.id, ident)
        return {self._core.people.name(account): "read" if read else "delivered" for account, read in rows}

    async def pin(self, ident: bytes, *, remove: bool = False) -> None:
        """Pin a message for everybody, or take the pin out; NotAllowed, NotFound."""
        if self.message(ident) is None:
            raise NotFound("no such message here")
        self._need(Right.PIN)
        self._act("pin", pin=ContentPin(to=ident, remove=remove), fallback="" if remove else "pinned a message")

    def pinned(self) -> list[Message]:
        """Return the pinned messages, oldest first."""
        rows = self._store.rows(
            f"SELECT {COLUMNS} FROM messages WHERE channel = ? AND id IN (SELECT id FROM pins WHERE channel = ?) "  # noqa: S608 - fixed text
            "AND (expires_ms = 0 OR expires_ms > ?) ORDER BY log_number IS NULL, log_number",
            self.id, self.id, self._core.server_now_ms(),
        )  # fmt: skip
        return [self._message(row) for row in rows]

    async def set_timer(self, seconds: int) -> None:
        """Let later messages vanish after so many seconds; 0: never. NotAllowed."""
        self._need(Right.TIMER)
        self._act("timer", timer=seconds, fallback="the timer was changed")

    async def rename(self, name: str) -> None:
        """Name the conversation, for everybody in it; NotAllowed."""
        self._need(Right.RENAME)
        self._act("rename", rename=name, fallback=f"the conversation is called {name}")

    def _tell_settings(self) -> None:
        self._act("settings", settings=settings_of(self._store, self.id))

    async def send_file(self, path: Path, progress: Progress = blobs.no_progress) -> Message:
        """Encrypt, upload and send a file; `progress` is told how far it has come. Under a timer the server drops it in time."""
        file = await blobs.upload(self._core, path, progress, ttl_seconds=self.timer_seconds)
        return self._post("file", file=file, fallback=f"[file] {file.name}")

    async def download(self, message: Message, to: Path, progress: Progress = blobs.no_progress) -> Path:
        """Download a message's file into a folder or to a path; return where it is. Goes on where an earlier try stopped.

        `progress` is told how far it has come. FileBusy, FileDamaged, DiskFull.
        """
        if message.file is None:
            raise NotFound("this message carries no file")
        f = message.file
        file = ContentFile(
            blob=f.blob,
            secret=f.secret,
            key=f.key,
            total_bytes=f.total_bytes,
            name=f.name,
            mime=f.mime,
            sha256=f.sha256,
        )
        return await downloads.download(self._core, file, to, progress)

    def _own(self, ident: bytes) -> Message:
        message = self.message(ident)
        if message is None or not message.own:
            raise NotFound("not a message of your own")
        return message

    def _post(self, which: str, **parts: Any) -> Message:
        content = self._queue(which, **parts)
        message = self.message(content.id)
        assert message is not None
        return message

    def _act(self, which: str, **parts: Any) -> None:
        self._queue(which, **parts)

    def _queue(self, which: str, **parts: Any) -> Content:
        """Store a content with its place in the outbox: from here on it is sent, whatever happens."""
        if not self.active:
            raise GroupUnusable("this device is not in the conversation any more")
        if self._core.upkeep.leaves(self.id):
            raise GroupUnusable("you are leaving this conversation")
        self._check_people()
        content = self._content(which, **parts)
        with self._store.transaction():
            put(self._store, self.id, content, self._core.now_ms())
        self._core.wake_sender()
        return content

    def _content(self, which: str, **parts: Any) -> Content:
        """Make a content under the conversation's timer; TooLong."""
        after_seconds = 0 if which in LASTING else self.timer_seconds
        content = new_content(self._core.now_ms(), which, expires_after_seconds=after_seconds, **parts)
        if len(content.to_bytes()) > CONTENT_BYTES_MAX:
            raise TooLong(f"a message has at most {CONTENT_BYTES_MAX // 1024} KiB: send it as a file")
        return content

    async def typing(self, *, on: bool = True) -> None:
        """Tell those who look at this moment that one is typing; stored nowhere."""
        if not self._core.settings.on(TYPING):
            return
        async with self._core.lock:
            group, generation = self._core.groups.load(self.id), self._core.groups.generation(self.id)
            params = seal_signal(
                group, self.id, generation, self._core.account.device, Signal(which="typing", typing=on)
            )
        await self._core.call(params, SignalResult)
