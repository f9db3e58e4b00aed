"""What concerns one's own account as a whole: its devices, its password, its history, one's own data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from qpqclient.doctor import Finding, examine
from qpqclient.drafts import Drafts
from qpqclient.errors import QpqError, Refused, check_password
from qpqclient.linking import LinkCode, admit, be_linked, new_code
from qpqclient.log import log
from qpqclient.model import Device
from qpqclient.store import next_password
from qpqcore.api import auth
from qpqcore.model.errors import ErrorCode, Refusal

GIVING_LOOK_SECONDS = 0.1

if TYPE_CHECKING:
    from pathlib import Path

    from qpqclient.core import Core
    from qpqclient.model import Draft


class Own:
    """The account of this folder; a part of `Client`."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._changing = trio.Lock()
        self._drafts = Drafts(core.store)

    @property
    def name(self) -> str:
        """The user name."""
        return self._core.account.name

    @property
    def known(self) -> bool:
        """Whether this folder has an account."""
        return self._core.account.known

    async def rejoin(self) -> None:
        """Join every channel of the account that this device is not in."""
        self._core.upkeep.want_survey()
        await self._core.upkeep.settle()
        await self._core.people.learn()

    def link_code(self) -> str:
        """Return the code that this new device, in an empty folder, shows to one of the account's devices."""
        if self.known:
            raise Refused(Refusal(ErrorCode.NAME_TAKEN, f"this folder is {self.name}'s already"))
        return new_code(self._core).text

    async def be_linked(self, name: str, *, history: bool = True) -> None:
        """Wait until a device of the account `name` has taken the code, then be one of its devices; LinkRefused.

        `history`: ask the other devices for what was said before.
        """
        link = await be_linked(self._core, name, history=history)
        self._core.history.wake()
        await self._core.in_session(link)
        try:
            await self.rejoin()
        except QpqError as exc:
            log.info("groups_wait", reason=str(exc))

    @staticmethod
    def check_link_code(code: str) -> None:
        """Refuse what is no code for linking a device; LinkRefused."""
        LinkCode.read(code)

    async def link_device(self, code: str, *, label: str = "") -> bytes:
        """Take the new device that shows `code` into the account; return its id. LinkRefused."""
        return await admit(self._core, LinkCode.read(code), label)

    @property
    def wants_history(self) -> bool:
        """Whether this new device still waits for what was said before; `HistoryTaken` tells when it is there."""
        return self._core.history.wanted

    async def give_history(self, device: bytes, wait_s: float) -> bool:
        """Stay until a new device has asked for history and was answered, at most so long; tell whether it was."""
        with trio.move_on_after(wait_s):
            await self._core.history.wait_given()
            while self._core.outbox.pending:
                await trio.sleep(GIVING_LOOK_SECONDS)
            return True
        log.info("history_not_asked_for", device=device.hex()[:8])
        return False

    async def doctor(self) -> list[Finding]:
        """Look this device over; what is found says what to do, and names nobody."""
        return await examine(self._core)

    def new_recovery_code(self) -> str:
        """Make a recovery code, which alone opens the backups made from now on; it is shown once and stored nowhere."""
        return self._core.history.new_recovery_code()

    async def backup(self, to: Path | None = None) -> int:
        """Back the messages up, at the server or into a file; return how many rows. NotFound without a recovery code."""
        return await self._core.history.backup(to)

    async def restore_backup(self, code: str, path: Path | None = None) -> int:
        """Take a backup with its recovery code, from the server or a file; return how many messages are new.

        NotFound, WrapsDamaged for another code, ArchiveDamaged.
        """
        return await self._core.history.restore(code, path)

    async def devices(self) -> list[Device]:
        """Return the account's devices."""
        found = await self._core.call(auth.ListDevicesParams(), auth.ListDevicesResult)
        return [Device(d.device, self._core.account.open_label(d.device, d.label), d.current) for d in found.devices]

    async def revoke_device(self, device: bytes) -> None:
        """Cut a device off, everywhere."""
        async with self._core.held_link() as link:
            await self._core.account.revoke(link, device)

    async def change_password(self, password: str) -> int:
        """Give the account, and this folder, another password; return how many other sessions ended. PasswordEmpty."""
        check_password(password)
        store = self._core.store
        async with self._changing:  # a folder has room for one password that is not certain yet
            with next_password(store.folder, store.key, password):
                async with self._core.held_link() as link:
                    return await self._core.account.change_password(link, password)

    def draft(self, channel: bytes) -> Draft:
        """Return what was typed in a conversation and not sent (an empty channel: where none was open)."""
        return self._drafts.get(channel)

    def set_draft(self, channel: bytes, draft: Draft) -> None:
        """Keep what was typed and not sent, in this device's database alone; an empty draft is forgotten. TooLong."""
        self._drafts.set(channel, draft)

    async def delete_account(self) -> None:
        """Delete the account for ever, on the server and here."""
        async with self._core.held_link() as link:
            await self._core.account.delete(link)
        with self._core.store.transaction():
            self._core.store.clear()
