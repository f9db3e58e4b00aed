"""The SDK's face: open a folder, be somebody, talk."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import trio

import qpqnative
from qpqclient.births import SUITE_DEFAULT
from qpqclient.conversation import Conversation
from qpqclient.core import Core
from qpqclient.errors import NotFound, QpqError, Refused
from qpqclient.log import log
from qpqclient.model import Device, Message
from qpqclient.store import Store, next_password, open_key
from qpqclient.transport import MACHINE, Network, read_ca
from qpqcore.api import auth
from qpqcore.crypto.identity import Credential, safety_number
from qpqcore.groups.policy import ChannelKind
from qpqcore.model.errors import ErrorCode, Refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from qpqclient.events import Events
    from trio_quic import EngineName


def system_now_ms() -> int:
    """Return milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class Client:
    """One device of one account; made by `open_client`."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._changing = trio.Lock()
        core.message = lambda channel, ident: self.conversation(channel).message(ident)

    # --- who one is

    @property
    def name(self) -> str:
        """The user name."""
        return self._core.account.name

    @property
    def account(self) -> bytes:
        """The account's id."""
        return self._core.account.account

    @property
    def device(self) -> bytes:
        """This device's id."""
        return self._core.account.device

    @property
    def known(self) -> bool:
        """Whether this folder has an account."""
        return self._core.account.known

    @property
    def connected(self) -> bool:
        """Whether the server is there."""
        return self._core.wire.up

    async def register(self, name: str, password: str, *, token: str = "", label: str = "") -> None:
        """Make an account, with this folder as its first device; `label` names the device for its owner alone."""
        if self.known:
            raise Refused(Refusal(ErrorCode.NAME_TAKEN, f"this folder is {self.name}'s already"))
        link = await self._core.link()
        await self._core.account.register(link, name, password, token)
        await self._core.account.login(link, name, password, label)
        await self._core.in_session(link)
        await self._core.upkeep.settle()

    async def login(self, name: str, password: str, *, label: str = "") -> None:
        """Log in; in an empty folder the password alone restores the account and its groups.

        What the server cannot do at this moment (its disk is full, say) is done later, by itself.
        """
        link = await self._core.link()
        fresh = await self._core.account.login(link, name, password, label)
        await self._core.in_session(link)
        if fresh:
            try:
                await self.rejoin()
            except QpqError as exc:
                log.info("groups_wait", reason=str(exc))

    async def rejoin(self) -> None:
        """Join every channel of the account that this device is not in."""
        self._core.upkeep.want_survey()
        await self._core.upkeep.settle()
        await self._core.people.learn()

    # --- conversations

    def conversations(self) -> list[Conversation]:
        """Return all conversations."""
        rows = self._core.store.rows("SELECT channel FROM channels ORDER BY channel")
        return [Conversation(self._core, r[0]) for r in rows]

    def conversation(self, ident: bytes) -> Conversation:
        """Return a conversation by its id; NotFound."""
        if not self._core.store.rows("SELECT 1 FROM channels WHERE channel = ?", ident):
            raise NotFound("no such conversation")
        return Conversation(self._core, ident)

    async def dm(self, name: str) -> Conversation:
        """Return the conversation with a person; make it if there is none. Two with one person: the smaller id."""
        account = await self._core.people.resolve(name)
        await self.sync()
        rows = self._core.store.rows(
            "SELECT c.channel FROM channels c JOIN leaves l ON l.channel = c.channel AND l.account = ? "
            "WHERE c.kind = ? AND c.active = 1 ORDER BY c.channel LIMIT 1",
            account, int(ChannelKind.DIRECT),
        )  # fmt: skip
        if rows:
            return Conversation(self._core, rows[0][0])
        return Conversation(self._core, await self._core.births.create(ChannelKind.DIRECT, [account], ""))

    async def create_group(
        self, name: str, members: list[str] | tuple[str, ...] = (), *, post_quantum: bool = False
    ) -> Conversation:
        """Make a group with these people; `post_quantum`: its keys are agreed by X-Wing in every epoch."""
        suite = qpqnative.SUITE_XWING if post_quantum else SUITE_DEFAULT
        accounts = [await self._core.people.resolve(m) for m in members]
        made = Conversation(self._core, await self._core.births.create(ChannelKind.GROUP, accounts, name, suite))
        await made.rename(name)
        return made

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
        """How many messages the server does not have yet."""
        return self._core.outbox.pending

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

    # --- the account

    async def devices(self) -> list[Device]:
        """Return the account's devices."""
        found = await self._core.call(auth.ListDevicesParams(), auth.ListDevicesResult)
        return [Device(d.device, self._core.account.open_label(d.device, d.label), d.current) for d in found.devices]

    async def revoke_device(self, device: bytes) -> None:
        """Cut a device off, everywhere."""
        await self._core.account.revoke(await self._core.link(), device)

    async def change_password(self, password: str) -> int:
        """Give the account, and this folder, another password; return how many other sessions ended."""
        store = self._core.store
        async with self._changing:  # a folder has room for one password that is not certain yet
            with next_password(store.folder, store.key, password):
                return await self._core.account.change_password(await self._core.link(), password)

    async def delete_account(self) -> None:
        """Delete the account for ever, on the server and here."""
        await self._core.account.delete(await self._core.link())
        with self._core.store.transaction():
            self._core.store.clear()

    async def resolve(self, name: str) -> bytes:
        """Return a person's account id; NotFound."""
        return await self._core.people.resolve(name)

    async def trust(self, name: str) -> bytes:
        """Take the key that a person has now, after `IdentityChanged` and once it is certain who it is; NotFound."""
        return await self._core.people.trust(name)

    async def safety_number(self, name: str) -> str:
        """Return the 60 digits to be compared with a person."""
        other = await self._core.people.resolve(name)
        key = self._core.people.identity(other)
        if key is None:
            raise NotFound(f"{name} is not known")
        own = Credential.from_bytes(self._core.account.credential()).identity_key
        return safety_number((own, self.account), (key, other))

    def verified(self, name: str) -> bool:
        """Tell whether the person known under a name still has the key that was verified."""
        return self._core.people.verified(name)

    def set_verified(self, name: str, verified: bool) -> None:
        """Note that one has compared safety numbers with a person, for the key known now; NotFound."""
        self._core.people.set_verified(name, verified)

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
    a second connection; `push=False` asks for long polling from the start; `network` is for simulations, and says how often an idle connection is pinged. Raises WrongPassword, FolderBusy.
    """
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
        if leaving is not None:
            raise leaving
    finally:
        store.close()
