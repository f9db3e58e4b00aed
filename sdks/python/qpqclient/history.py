"""History for another device of the account, and backups: sealed archives that lie at the server as files do.

A new device asks in the account's `self` channel; a device that has been there for longer answers with an archive. A
backup is an archive that only the recovery code opens; where it lies stands, sealed, in the `self` channel's policy.
What is under way stands in the database, so that each side may die at any moment.
"""

from __future__ import annotations

import secrets
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import trio

import qpqnative
from qpqclient import archive, archived, blobs, downloads
from qpqclient.account import WANTED
from qpqclient.content import new_content
from qpqclient.errors import UNDECIDED, ArchiveDamaged, FileDamaged, NotFound, QpqError, Refused, WrapsDamaged
from qpqclient.log import log
from qpqclient.model import HistoryTaken
from qpqclient.outgoing import put
from qpqclient.store import DATABASE
from qpqclient.vault import KEY_BYTES, code_key, derive, new_code, open_box, seal_box
from qpqcore.api import auth
from qpqcore.api.blob import DeleteBlobParams, DeleteBlobResult
from qpqcore.api.content import ChannelKind, Content, ContentFile
from qpqcore.crypto.parts import Malformed, Reader, u8, u64, vec
from qpqcore.groups.policy import read_policy
from qpqcore.model.errors import Refusal
from qpqcore.store.connection import connect

if TYPE_CHECKING:
    from pathlib import Path

    from qpqclient.core import Core

VERSION = 1
ASK, OFFER = 1, 2
ASKED, OFFERED = "history:asked", "history:offered"
"""In `meta`, beside `account.WANTED`: another device wants history; some has been offered."""
BACKUP_KEY, BACKUP_WRAP = "backup_key", "backup_wrap"
WRAP_LABEL, POINTER_LABEL = b"qpq backup v1\0", b"qpq backup place v1\0"
OFFER_SECONDS = 24 * 3600
"""How long an archive waits for the device that asked; it is deleted once it was taken."""
LEFTOVERS = ("history.*", "backup.out*")
"""Sealed files that a process which died has left behind."""
RETRY_SECONDS = 30.0


class History:
    """Gives and takes archives."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._store = core.store
        self._one = trio.Lock()
        self._work = trio.Event()
        self._work.set()
        self._given = trio.Event()
        """Set once another device was answered, here or by a third one."""
        for path in (p for pattern in LEFTOVERS for p in self._store.folder.glob(pattern)):
            path.unlink(missing_ok=True)  # now: a moment later it may be what is being written

    # --- what is asked and offered

    def wake(self) -> None:
        """Say that there may be something to do."""
        self._work.set()

    @property
    def wanted(self) -> bool:
        """Whether it still does."""
        return self._store.get(WANTED) is not None

    def heard(self, channel: bytes, content: Content) -> None:
        """Take what another of one's own devices says in the `self` channel; inside a transaction."""
        rows = self._store.rows("SELECT kind FROM channels WHERE channel = ?", channel)
        if rows != [(int(ChannelKind.SELF),)] or not content.self_state:
            return
        try:
            r = Reader(content.self_state)
            r.version(VERSION)
            kind, body = r.number(1), r.vec()
        except Malformed:
            return
        if kind == ASK and not self.wanted:
            self._store.note(ASKED)
        elif kind == OFFER and self.wanted:
            self._store.put({OFFERED: body})
        elif kind == OFFER:
            self._forget(ASKED)  # somebody else was quicker
            self._given.set()
        self._work.set()

    def _forget(self, *names: str) -> None:
        self._store.db.executemany("DELETE FROM meta WHERE name = ?", [(name,) for name in names])

    async def run(self) -> None:
        """Do what is to be done, for ever."""
        while True:
            await self._work.wait()
            self._work = trio.Event()
            try:
                await self.settle()
            except (
                QpqError,
                Refusal,
                qpqnative.MlsError,
                OSError,
            ) as exc:  # a full disk, or a server that makes no sense
                log.info("history_waits", reason=str(exc))
                await trio.sleep(RETRY_SECONDS)
                self._work.set()

    async def settle(self) -> None:
        """Do what is to be done now."""
        async with self._one:
            if not self._core.account.known:
                return
            if self._store.get(OFFERED):
                await self._take()
            elif self._store.get(WANTED) == b"\1":
                await self._ask()
            if asked := self._store.number(ASKED):
                await self._offer(asked)

    async def _ask(self) -> None:
        listed = await self._core.call(auth.ListDevicesParams(), auth.ListDevicesResult)
        if len(listed.devices) < 2:
            self._forget(WANTED)
            return
        channel = await self.own_channel()
        with self._store.transaction():
            self._say(channel, ASK, b"")
            self._store.put({WANTED: b"\2"})
        self._core.wake_sender()

    def _say(self, channel: bytes, kind: int, body: bytes) -> None:
        state = u8(VERSION) + u8(kind) + vec(body)
        put(self._store, channel, new_content(self._core.now_ms(), "selfState", self_state=state), self._core.now_ms())

    async def own_channel(self) -> bytes:
        """Return the account's `self` channel, made if there is none, with all devices in it."""
        rows = self._store.rows(
            "SELECT channel FROM channels WHERE kind = ? AND active = 1 ORDER BY channel LIMIT 1", int(ChannelKind.SELF)
        )
        if not rows:
            return await self._core.births.create(ChannelKind.SELF, [], "")
        await self._core.commits.add(rows[0][0], [self._core.account.account])
        return bytes(rows[0][0])

    async def _offer(self, asked: int) -> None:
        """Answer who asked, with all that is here; who asks meanwhile gets an archive of its own: this one's taker deletes it."""
        path = self._store.folder / "history.out"
        try:
            await self._write(path, self._archive_key(), b"", lasting=False)
            file = await blobs.upload(self._core, path, ttl_seconds=OFFER_SECONDS)
        finally:
            path.unlink(missing_ok=True)
        channel = await self.own_channel()
        with self._store.transaction():
            self._say(channel, OFFER, file.to_bytes())
            self._store.note_done(ASKED, asked)
        self._core.wake_sender()
        self._given.set()

    async def wait_given(self) -> None:
        """Wait until another device that has asked was answered."""
        await self._given.wait()

    def _archive_key(self) -> bytes:
        return derive(self._core.account.vault().root_key, "qpq archive v1")

    async def _write(self, path: Path, key: bytes, wrap: bytes, *, lasting: bool) -> int:
        """Write an archive of all that is here, from a snapshot, in a thread."""
        database, seal = self._store.folder / DATABASE, self._store.key
        account, now_ms = self._core.account.account, self._core.server_now_ms()

        def work() -> int:
            with closing(connect(database, seal, read_only=True)) as connection:
                return archive.write(path, key, account, wrap, archived.rows(connection, now_ms, lasting=lasting))

        return await trio.to_thread.run_sync(work)

    async def _take(self) -> None:
        """Take what was offered; what is damaged, or gone, is no history, and is not asked for again."""
        offered, is_taken = self._store.get(OFFERED) or b"", False
        try:
            file = ContentFile.from_bytes(offered)
            await self._fetch(file, self._archive_key())
            is_taken = True
            await self._delete(file)
        except (ArchiveDamaged, FileDamaged, Refusal) as exc:
            log.warning("history_damaged", reason=str(exc))
        except Refused as exc:
            if exc.code in UNDECIDED:
                raise
            log.warning("history_gone", code=exc.name)
        if not is_taken and self._store.get(OFFERED) != offered:
            self.wake()  # a third device has offered its own meanwhile
            return
        with self._store.transaction():
            self._forget(OFFERED, WANTED)

    async def _delete(self, file: ContentFile) -> None:
        """Delete an archive at the server, as far as it is there."""
        try:
            await self._core.call(DeleteBlobParams(blob=file.blob), DeleteBlobResult)
        except Refused as exc:
            log.info("archive_stays", code=exc.name)

    async def _fetch(self, file: ContentFile, key: bytes | str) -> int:
        """Download an archive and take it; `key`: its key, or the recovery code."""
        path = self._store.folder / "history.in"
        try:
            await downloads.download(self._core, file, path)
            return await self._import(path, key)
        finally:
            path.unlink(missing_ok=True)

    async def _import(self, path: Path, key: bytes | str) -> int:
        account, wrap = archive.read_head(path)
        if account != self._core.account.account:
            raise ArchiveDamaged("the archive is another account's")
        opened = key if isinstance(key, bytes) else self._opened_by_code(key, wrap)
        count = await archived.take(
            self._store, archive.read(path, opened), self._core.server_now_ms(), present=isinstance(key, bytes)
        )
        if isinstance(key, str):
            self._store.put({BACKUP_KEY: opened, BACKUP_WRAP: wrap})
        self._core.tell(HistoryTaken(b"", count))
        return count

    # --- backups

    def new_recovery_code(self) -> str:
        """Make a recovery code: from now on backups are opened by it alone. It is shown once and stored nowhere."""
        code, key, account = new_code(), secrets.token_bytes(KEY_BYTES), self._core.account.account
        secret = key + self._core.account.vault().root_key
        self._store.put({BACKUP_KEY: key, BACKUP_WRAP: seal_box(code_key(code, account), secret, WRAP_LABEL + account)})
        return code

    def _opened_by_code(self, code: str, wrap: bytes) -> bytes:
        """Return a backup's key; WrapsDamaged for another code."""
        account = self._core.account.account
        try:
            return open_box(code_key(code, account), wrap, WRAP_LABEL + account)[:KEY_BYTES]
        except WrapsDamaged as exc:
            raise WrapsDamaged("the recovery code does not open this backup") from exc

    async def backup(self, to: Path | None = None) -> int:
        """Write a backup, into a file or to the server; return how many rows it has. NotFound without a recovery code."""
        key, wrap = self._store.get(BACKUP_KEY), self._store.get(BACKUP_WRAP)
        if not key or not wrap:
            raise NotFound("make a recovery code first: without one nobody could open the backup")
        path = to or self._store.folder / "backup.out"
        count = await self._write(path, key, wrap, lasting=True)
        if to is None:
            try:
                file = await blobs.upload(self._core, path)
            finally:
                path.unlink(missing_ok=True)
            await self._point_to(file)
        return count

    async def _point_to(self, file: ContentFile) -> None:
        """Say in the `self` channel's policy where the backup lies: whoever restores the account finds it there."""
        place = seal_box(self._archive_key(), u64(self._core.now_ms()) + file.to_bytes(), POINTER_LABEL)
        channel = await self.own_channel()
        before = self._places()
        await self._core.commits.set_policy(channel, lambda policy: replace(policy, note=place))
        for older in before:
            await self._delete(older)

    def _places(self) -> list[ContentFile]:
        """Return where backups lie, the newest first."""
        found = []
        for (channel,) in self._store.rows(
            "SELECT channel FROM channels WHERE kind = ? AND active = 1", int(ChannelKind.SELF)
        ):
            note = read_policy(self._core.groups.load(channel).policy).note
            try:
                plain = open_box(self._archive_key(), note, POINTER_LABEL)
                found.append((int.from_bytes(plain[:8], "big"), ContentFile.from_bytes(plain[8:])))
            except (WrapsDamaged, Refusal):
                continue
        return [file for _, file in sorted(found, key=lambda pair: -pair[0])]

    async def restore(self, code: str, path: Path | None = None) -> int:
        """Take a backup, from a file or from the server; return how many messages are new.

        NotFound, WrapsDamaged for another code, ArchiveDamaged.
        """
        async with self._one:
            if path is not None:
                return await self._import(path, code)
            places = self._places()
            if not places:
                raise NotFound("this account has no backup at the server")
            return await self._fetch(places[0], code)
