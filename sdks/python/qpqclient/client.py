"""The SDK's face: open a folder, be somebody, talk."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import trio

import qpqnative
from qpqclient.births import SUITE_DEFAULT
from qpqclient.contacts import BLOCKED, KNOWN
from qpqclient.conversation import Conversation
from qpqclient.core import Core
from qpqclient.errors import NotFound, QpqError, Refused, check_password
from qpqclient.export import write_all, write_transcript
from qpqclient.log import log
from qpqclient.notepad import NOTEPAD, Notepad, open_notepad
from qpqclient.own import Own
from qpqclient.search import found
from qpqclient.store import Store, open_key
from qpqclient.told import NAME_CHARS_MAX
from qpqclient.transport import MACHINE, Network, address_of, read_ca
from qpqcore.crypto.identity import Credential, safety_number
from qpqcore.groups.policy import ChannelKind
from qpqcore.model.errors import ErrorCode, Refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from qpqclient.events import Events
    from qpqclient.model import Message
    from trio_quic import EngineName


ERASED_AT_EXIT_BYTES_MAX = 32 * 1024 * 1024
"""Rewriting as much takes 0.3 s; a larger database is rewritten while its client runs."""


def system_now_ms() -> int:
    """Return milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class Client(Own):
    """One device of one account; made by `open_client`."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        core.message = lambda channel, ident: self.conversation(channel).message(ident)

    # --- who one is

    @property
    def account(self) -> bytes:
        """The account's id."""
        return self._core.account.account

    @property
    def device(self) -> bytes:
        """This device's id."""
        return self._core.account.device

    @property
    def connected(self) -> bool:
        """Whether the server is there."""
        return self._core.wire.up

    @property
    def logged_out(self) -> bool:
        """Whether the server knows this device's session no more; `SessionEnded` tells when that comes about."""
        return self._core.logged_out

    async def register(self, name: str, password: str, *, token: str = "", label: str = "") -> None:
        """Make an account, with this folder as its first device; `label` names the device for its owner alone. PasswordEmpty."""
        check_password(password)
        if self.known:
            raise Refused(Refusal(ErrorCode.NAME_TAKEN, f"this folder is {self.name}'s already"))
        async with self._core.held_link() as link:
            await self._core.account.register(link, name, password, token)
            await self._core.account.login(link, name, password, label)
            await self._core.in_session(link)
        await self._core.upkeep.settle()

    async def login(self, name: str, password: str, *, label: str = "", history: bool = False) -> None:
        """Log in; in an empty folder the password alone restores the account and its groups.

        `history`: a new device asks the account's other devices for what was said before.
        What the server cannot do at this moment (its disk is full, say) is done later, by itself.
        """
        async with self._core.held_link() as link:
            fresh = await self._core.account.login(link, name, password, label, history=history)
            await self._core.in_session(link)
        self._core.history.wake()
        if fresh:
            try:
                await self.rejoin()
            except QpqError as exc:
                log.info("groups_wait", reason=str(exc))

    # --- conversations

    def conversations(self) -> list[Conversation]:
        """Return all conversations but requests."""
        rows = self._core.store.rows(
            "SELECT channel FROM channels WHERE request = 0 AND kind <> ? AND moved_to = x'' ORDER BY channel",
            int(ChannelKind.SELF),
        )
        return [self._view(r[0]) for r in rows]

    def requests(self) -> list[Conversation]:
        """Return the conversations that unknown people began and that wait to be accepted (the setting `requests`)."""
        rows = self._core.store.rows(
            "SELECT channel FROM channels WHERE request = 1 AND active = 1 AND moved_to = x'' ORDER BY channel"
        )
        return [self._view(r[0]) for r in rows]

    def conversation(self, ident: bytes) -> Conversation:
        """Return a conversation by its id; NotFound."""
        if not self._core.store.rows("SELECT 1 FROM channels WHERE channel = ?", ident):
            raise NotFound("no such conversation")
        return self._view(ident)

    def _view(self, ident: bytes) -> Conversation:
        return Notepad(self._core) if ident == NOTEPAD else Conversation(self._core, ident)

    async def dm(self, name: str) -> Conversation:
        """Return the conversation with a person; make it if there is none. Two with one person: the smaller id.

        With oneself: the notepad, of which nothing is sent.
        """
        if self._core.account.is_own_name(name):
            return open_notepad(self._core)
        account = await self._core.people.resolve(name)
        self._core.contacts.know([account])
        await self.sync()
        there = self._with(account)
        return there or Conversation(self._core, await self._core.births.create(ChannelKind.DIRECT, [account], ""))

    async def met(self, name: str) -> Conversation | None:
        """Return the conversation with a person that there is; none is made. NotFound.

        With oneself: the notepad.
        """
        if self._core.account.is_own_name(name):
            return open_notepad(self._core)
        account = await self._core.people.resolve(name)
        await self.sync()
        return self._with(account)

    def _with(self, account: bytes) -> Conversation | None:
        rows = self._core.store.rows(
            "SELECT c.channel FROM channels c JOIN leaves l ON l.channel = c.channel AND l.account = ? "
            "WHERE c.kind = ? AND c.active = 1 ORDER BY c.channel LIMIT 1",
            account, int(ChannelKind.DIRECT),
        )  # fmt: skip
        return Conversation(self._core, rows[0][0]) if rows else None

    async def create_group(
        self, name: str, members: list[str] | tuple[str, ...] = (), *, post_quantum: bool = False
    ) -> Conversation:
        """Make a group with these people; `post_quantum`: its keys are agreed by X-Wing in every epoch."""
        suite, name = qpqnative.SUITE_XWING if post_quantum else SUITE_DEFAULT, name[:NAME_CHARS_MAX]
        accounts = await self._core.people.resolve_all(members)
        with self._core.store.transaction():
            self._core.contacts.know(accounts)
        made = Conversation(self._core, await self._core.births.create(ChannelKind.GROUP, accounts, name, suite))
        made._tell_settings()  # noqa: SLF001 - what a conversation does for who comes
        return made

    def search(self, text: str, *, count: int = 50, within: Conversation | None = None) -> list[Message]:
        """Return the messages that have every word of `text`, newest first; a word matches from its beginning.

        Only this device's own database is looked into. What was deleted or has vanished is not found.
        """
        rows = found(self._core.store, text, self._core.server_now_ms(), count, within.id if within else None)
        return [m for m in (self.message(channel, ident) for channel, ident in rows) if m is not None]

    def erase(self) -> bool:
        """Let nothing of what was deleted, edited or has vanished be left in this device's files; False on a full disk.

        It happens by itself within half a minute.
        """
        self._core.forget_expired()
        return self._core.store.erase()

    # --- events and waiting

    def events(self) -> Events:
        """Return an async iterator over what happens from now on; what is told is stored already."""
        return self._core.listeners.add()

    async def sync(self) -> None:
        """Take all that the server has for this device, and settle the groups."""
        await self._core.catch_up()
        await self._core.upkeep.settle()

    @property
    def pending(self) -> int:
        """How much the server does not have yet, with what this client says by itself: receipts, one's own devices' state."""
        return self._core.outbox.pending

    @property
    def unsent(self) -> int:
        """How much of what the user said the server does not have yet."""
        return self._core.outbox.unsent

    async def flush(self) -> None:
        """Wait until the server has every message."""
        events = self.events()
        while self._core.outbox.pending:
            with trio.move_on_after(1.0):
                await anext(events)

    async def wait_sent(self, ident: bytes) -> None:
        """Wait until the server has one message; Refused if it was refused for good."""
        events = self.events()
        while True:
            rows = self._core.store.rows("SELECT state FROM messages WHERE id = ?", ident)
            if rows and rows[0][0] == "failed":
                raise Refused(Refusal(ErrorCode.NOT_MEMBER, "the message was refused"))
            if not rows or rows[0][0] != "pending":
                return
            with trio.move_on_after(1.0):
                await anext(events)

    def setting(self, name: str) -> str:
        """Return what a setting of this device is (`SETTINGS` has them all); SettingUnknown."""
        return self._core.settings.get(name)

    def settings(self) -> dict[str, str]:
        """Return all settings."""
        return self._core.settings.all()

    def set_setting(self, name: str, value: str) -> None:
        """Change a setting of this device; SettingUnknown."""
        self._core.settings.set(name, value)

    def send_receipts(self) -> None:
        """Tell senders at once what has come, rather than within a second; for who ends soon."""
        self._core.receipts.send()

    async def export_transcript(self, conversation: Conversation, path: Path, password: str) -> int:
        """Write a conversation into a file, encrypted under a password and chained; return how many messages it has.

        `verify_transcript` reads it. FileExistsError.
        """
        return await write_transcript(self._core, conversation, path, password)

    async def export_data(self, folder: Path, *, files: bool = True) -> dict[str, int]:
        """Write all of one's own data into a new folder, as plain JSON and files; return what it holds. FileExistsError."""
        return await write_all(self._core, self.conversations(), folder, files=files)

    async def resolve(self, name: str) -> bytes:
        """Return a person's account id; NotFound."""
        return await self._core.people.resolve(name)

    async def trust(self, name: str) -> bytes:
        """Take the key that a person has now, after `IdentityChanged` and once it is certain who it is; NotFound."""
        return await self._core.people.trust(name)

    async def verify(self, name: str, *, verified: bool = True) -> None:
        """Note that one has compared safety numbers with a person, or take that back; the mark is of the present key."""
        other = await self._core.people.resolve(name)
        self._core.contacts.verify(other, (self._core.people.identity(other) or b"") if verified else b"")

    async def verified(self, name: str) -> bool:
        """Tell whether a person's key is the one that was compared."""
        return self._core.contacts.verified(await self._core.people.resolve(name))

    async def block(self, name: str, *, blocked: bool = True) -> None:
        """Drop what a person sends from now on, or let it come again; nobody is told."""
        self._core.contacts.put([await self._core.people.resolve(name)], BLOCKED if blocked else KNOWN)

    def blocked(self) -> list[str]:
        """Return the names of who is blocked."""
        return sorted(self._core.people.name(a) for a in self._core.contacts.all(BLOCKED))

    async def safety_number(self, name: str) -> str:
        """Return the 60 digits to be compared with a person."""
        other = await self._core.people.resolve(name)
        key = self._core.people.identity(other)
        if key is None:
            raise NotFound(f"{name} is not known")
        own = Credential.from_bytes(self._core.account.credential()).identity_key
        return safety_number((own, self.account), (key, other))

    def message(self, channel: bytes, ident: bytes) -> Message | None:
        """Return one message."""
        return self.conversation(channel).message(ident)


@asynccontextmanager
async def open_client(
    folder: Path, *, server: str = "127.0.0.1:7000", password: str | None = None, store_key: bytes | None = None,
    ca_cert: Path | None = None, trust: Callable[[bytes], bool] = lambda _spki: True, engine: EngineName = "native",
    now_ms: Callable[[], int] = system_now_ms, sealed: bool = False, push: bool = True, network: Network = MACHINE,
) -> AsyncIterator[Client]:  # fmt: skip
    """Open a folder and keep it connected while the block runs.

    `password` opens the local database (or `store_key`, 32 bytes). `trust` judges the server's key (SHA-256 of its
    SubjectPublicKeyInfo) at first use; later it must stay the same. `sealed` sends messages without a sender's name, over
    a second connection; `push=False` asks for long polling from the start; `network` is for simulations, and says how often an idle connection is pinged. Raises WrongPassword, FolderBusy, AddressInvalid.
    """
    address_of(server)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if store_key is None:
        if password is None:
            raise ValueError("give a password or a store key")
        store_key = open_key(folder, password)
    store = Store(folder, store_key)
    try:
        core = Core(
            store, server, read_ca(ca_cert) if ca_cert else None, engine, trust, now_ms, sealed=sealed, push=push,
            network=network,
        )  # fmt: skip
        leaving: BaseException | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(core.run)
            try:
                yield Client(core)
            except BaseException as exc:  # noqa: BLE001 - raised again below, outside of the nursery's group
                leaving = exc
            nursery.cancel_scope.cancel()
        if leaving is None and store.erase_due and store.size_bytes <= ERASED_AT_EXIT_BYTES_MAX:
            store.erase()
        if leaving is not None:
            raise leaving
    finally:
        store.close()
