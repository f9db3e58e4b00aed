"""One conversation: its people, its history, and what one can do in it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from qpqclient import blobs
from qpqclient.content import CONTENT_BYTES_MAX, add_message, apply_action, new_content
from qpqclient.errors import GroupUnusable, NotFound, TooLong
from qpqclient.model import FileInfo, Member, Message
from qpqclient.signals import seal_signal
from qpqcore.api.content import (
    ChannelKind,
    Content,
    ContentEdit,
    ContentFile,
    ContentReaction,
    ContentReceipt,
    ContentReceiptKind,
    ContentReply,
    Signal,
)
from qpqcore.api.delivery import SignalResult
from qpqcore.groups.policy import read_policy

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path
    from typing import Any

    from qpqclient.core import Core
    from qpqclient.model import Progress

KINDS = {ChannelKind.DIRECT: "direct", ChannelKind.GROUP: "group", ChannelKind.SELF: "self"}
COLUMNS = "id, channel, sender, text, state, sent_ms, own, edited, reply_to, file"
TTL_SECONDS_MAX = 30 * 24 * 3600
SETTINGS = frozenset({"timer", "rename"})
"""Contents that hold here from when they are queued: what is sent next already follows them."""


class Conversation:
    """A conversation as this device has it; a light view, made anew as often as one likes."""

    def __init__(self, core: Core, channel: bytes) -> None:
        self._core = core
        self._store = core.store
        self.id = channel

    def _row(self, column: str) -> Any:
        rows = self._store.rows(f"SELECT {column} FROM channels WHERE channel = ?", self.id)  # noqa: S608 - fixed texts
        if not rows:
            raise NotFound("this conversation is gone")
        return rows[0][0]

    # --- what it is

    @property
    def kind(self) -> str:
        """`direct`, `group` or `self`."""
        return KINDS[ChannelKind(self._row("kind"))]

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
    def active(self) -> bool:
        """Whether this device is in the group."""
        return bool(self._row("active"))

    @property
    def timer_seconds(self) -> int:
        """After how long new messages vanish; 0: never."""
        return int(self._row("timer_seconds"))

    def members(self) -> list[Member]:
        """Return the people in it, oneself included."""
        found: dict[bytes, list[bytes]] = {}
        for account, device in self._store.rows(
            "SELECT account, device FROM leaves WHERE channel = ? ORDER BY leaf", self.id
        ):
            found.setdefault(account, []).append(device)
        own = self._core.account.account
        name: dict[bytes, str] = {own: self._core.account.name}
        return [Member(name.get(a) or self._core.people.name(a), a, tuple(d)) for a, d in found.items()]

    # --- history

    def history(self, count: int = 20) -> list[Message]:
        """Return the last messages, oldest first; what waits to be sent is at the end."""
        rows = self._store.rows(
            f"SELECT {COLUMNS} FROM (SELECT * FROM messages WHERE channel = ? AND (expires_ms = 0 OR expires_ms > ?) "  # noqa: S608 - fixed text
            "ORDER BY log_number IS NULL DESC, log_number DESC, number DESC LIMIT ?) ORDER BY log_number IS NULL, log_number, number",
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

    def message(self, ident: bytes) -> Message | None:
        """Return one message."""
        rows = self._store.rows(f"SELECT {COLUMNS} FROM messages WHERE channel = ? AND id = ?", self.id, ident)  # noqa: S608 - fixed text
        return self._message(rows[0]) if rows else None

    def take_unshown(self) -> list[Message]:
        """Return other people's messages that this has not returned before, oldest first."""
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
        ident, channel, sender, text, state, sent_ms, own, edited, reply_to, file = row
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
        return Message(ident, channel, name, text, state, sent_ms, bool(own), bool(edited), reply_to, info, reactions)

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
        """Replace the text of one's own message."""
        self._own(ident)
        self._act("edit", edit=ContentEdit(to=ident, text=text))

    async def delete(self, ident: bytes) -> None:
        """Delete one's own message everywhere."""
        self._own(ident)
        self._act("delete", delete=ident)

    async def mark_read(self, idents: list[bytes]) -> None:
        """Tell the senders that their messages were read."""
        self._act("receipt", receipt=ContentReceipt(ids=tuple(idents), kind=ContentReceiptKind.READ))

    async def set_timer(self, seconds: int) -> None:
        """Let later messages vanish after so many seconds; 0: never."""
        self._act("timer", timer=seconds, fallback="the timer was changed")

    async def rename(self, name: str) -> None:
        """Name the conversation, for everybody in it."""
        self._act("rename", rename=name, fallback=f"the conversation is called {name}")

    async def send_file(self, path: Path, progress: Progress = blobs.no_progress) -> Message:
        """Encrypt, upload and send a file; `progress` is told how far it has come."""
        file = await blobs.upload(self._core, path, progress)
        return self._post("file", file=file, fallback=f"[file] {file.name}")

    async def download(self, message: Message, to: Path, progress: Progress = blobs.no_progress) -> Path:
        """Download a message's file into a folder or to a path; return where it is. `progress` is told how far it has come."""
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
        return await blobs.download(self._core, file, to, progress)

    def _own(self, ident: bytes) -> None:
        if not self._store.rows("SELECT 1 FROM messages WHERE channel = ? AND id = ? AND own = 1", self.id, ident):
            raise NotFound("not a message of your own")

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
        timer = self.timer_seconds
        content = new_content(self._core.now_ms(), which, expires_after_seconds=timer, **parts)
        encoded = content.to_bytes()
        if len(encoded) > CONTENT_BYTES_MAX:
            raise TooLong(f"a message has at most {CONTENT_BYTES_MAX // 1024} KiB: send it as a file")
        account = self._core.account.account
        with self._store.transaction() as db:
            db.execute("INSERT INTO seen VALUES (?, ?)", (self.id, content.id))
            db.execute(
                "INSERT INTO outbox (channel, id, content, ttl_seconds, generation, epoch, payload) VALUES (?, ?, ?, ?, 0, 0, NULL)",
                (self.id, content.id, encoded, min(timer, TTL_SECONDS_MAX)),
            )
            add_message(
                self._store, self.id, account, content, own=True, state="pending",
                accepted_ms=self._core.now_ms(), log_number=None,
            )  # fmt: skip
            if which in SETTINGS:
                apply_action(self._store, self.id, account, content)
        self._core.wake_sender()
        return content

    async def typing(self, *, on: bool = True) -> None:
        """Tell those who look at this moment that one is typing; stored nowhere."""
        async with self._core.lock:
            group, generation = self._core.groups.load(self.id), self._core.groups.generation(self.id)
            params = seal_signal(
                group, self.id, generation, self._core.account.device, Signal(which="typing", typing=on)
            )
        await self._core.call(params, SignalResult)

    # --- people

    def doubtful(self) -> list[str]:
        """Return the members whose identity key here is not the one known of them: compare safety numbers, or remove them."""
        return sorted(self._core.people.name(a) for a in self._core.people.doubtful(self.id))

    async def invite(self, name: str) -> None:
        """Add a person, with all devices."""
        account = await self._core.people.resolve(name)
        await self._core.commits.add(self.id, [account])
        if self.kind == "group" and self._row("name"):
            await self.rename(str(self._row("name")))

    async def remove(self, name: str) -> None:
        """Remove a person, with all devices."""
        (account,) = await self._accounts([name])
        await self._core.commits.remove(self.id, account)

    async def _accounts(self, names: Collection[str]) -> list[bytes]:
        """Return the members of these names; a member who came a moment ago may have no name here yet."""
        known = {m.name: m.account for m in self.members()}
        if not known.keys() >= set(names):
            await self._core.people.learn()
            known = {m.name: m.account for m in self.members()}
        missing = set(names) - known.keys()
        if missing:
            raise NotFound(f"{', '.join(sorted(missing))}: not in this conversation")
        return [known[name] for name in names]

    async def set_admins(self, names: Collection[str]) -> None:
        """Let only these members add and remove people and change the policy; nobody named: everybody."""
        admins = tuple(sorted(await self._accounts(names)))
        await self._core.commits.set_policy(self.id, lambda policy: replace(policy, admins=admins))

    def admins(self) -> list[str]:
        """Return who may add and remove people; empty: everybody."""
        policy = read_policy(self._core.groups.load(self.id).policy)
        return sorted(self._core.people.name(a) for a in policy.admins)

    async def leave(self) -> None:
        """Leave, after what has been sent; another member's commit makes it so. It is done for certain, also after a crash."""
        self._core.upkeep.want_leave(self.id)
        await self._core.upkeep.settle()

    async def rejoin(self) -> None:
        """Take a new leaf in place of this device's own, as after a restored backup."""
        self._core.upkeep.want_rejoin(self.id)
        await self._core.upkeep.settle()

    async def update_key(self) -> None:
        """Rotate this device's keys: a new epoch."""
        await self._core.commits.update(self.id)
