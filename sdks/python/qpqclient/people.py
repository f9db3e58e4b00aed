"""Who people are: names, identity keys and pinned device lists, as the server resolved them and as they were seen before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import trio

from qpqclient.errors import IdentityChanged, NotFound, QpqError, Refused
from qpqclient.log import log
from qpqcore.api.keystore import ResolveIdentityParams, ResolveIdentityResult, ResolveUserParams, ResolveUserResult
from qpqcore.crypto.identity import Credential, DeviceList
from qpqcore.model.errors import ErrorCode, Refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qpqclient.core import Core

T = TypeVar("T")

ASKED_AT_ONCE = 32
"""People asked for at a time, and stored in one transaction: a connection takes 100 calls."""


class People:
    """The address book of this device."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._store = core.store

    def name(self, account: bytes) -> str:
        """Return a known account's name, else the beginning of its id."""
        rows = self._store.rows("SELECT name FROM people WHERE account = ?", account)
        return rows[0][0] if rows else account[:4].hex()

    def identity(self, account: bytes) -> bytes | None:
        """Return a known account's identity key."""
        rows = self._store.rows("SELECT identity_key FROM people WHERE account = ?", account)
        return rows[0][0] if rows else None

    async def resolve(self, name: str) -> bytes:
        """Return the account of a name; NotFound."""
        return (await self.resolve_all([name]))[0]

    async def resolve_all(self, names: Sequence[str]) -> list[bytes]:
        """Return the accounts of names, in their order; NotFound."""
        accounts = []
        for start in range(0, len(names), ASKED_AT_ONCE):
            some = names[start : start + ASKED_AT_ONCE]
            answers = await self._asked([ResolveUserParams(name=name) for name in some], ResolveUserResult)
            with self._store.transaction():
                for name, answer in zip(some, answers, strict=True):
                    if isinstance(answer, Refused):
                        if answer.code is ErrorCode.NOT_FOUND:
                            raise NotFound(f"there is no user {name!r} on this server") from answer
                        raise answer
                    self._remember(answer.account, answer.name, answer.identity_key, answer.device_list)
                    accounts.append(answer.account)
        return accounts

    async def _asked(self, questions: Sequence[Any], result: type[T]) -> list[T | Refused]:
        """Ask at once; return the answers in the questions' order."""
        answers: dict[int, T | QpqError] = {}

        async def ask(index: int, params: Any) -> None:
            try:
                answers[index] = await self._core.call(params, result)
            except QpqError as exc:
                answers[index] = exc

        async with trio.open_nursery() as nursery:
            for index, params in enumerate(questions):
                nursery.start_soon(ask, index, params)
        found: list[T | Refused] = []
        for index in range(len(questions)):
            answer = answers[index]
            if isinstance(answer, QpqError) and not isinstance(answer, Refused):
                raise answer
            found.append(answer)
        return found

    async def trust(self, name: str) -> bytes:
        """Take the account and the key that the server names now, whatever was known; return the account. NotFound."""
        found = await self._core.call(ResolveUserParams(name=name), ResolveUserResult)
        with self._store.transaction() as db:
            db.execute("DELETE FROM people WHERE name = ? OR account = ?", (found.name, found.account))
        return await self.resolve(name)

    def doubtful(self, channel: bytes) -> list[bytes]:
        """Return the accounts in a group whose leaves carry another identity key than the one known here."""
        rows = self._store.rows(
            "SELECT DISTINCT l.account FROM leaves l JOIN people p ON p.account = l.account "
            "WHERE l.channel = ? AND l.identity_key <> p.identity_key AND l.identity_key <> x''",
            channel,
        )
        return [r[0] for r in rows]

    async def learn(self) -> None:
        """Resolve the names of members that are not known yet."""
        unknown = self._store.rows(
            "SELECT DISTINCT account, identity_key FROM leaves WHERE account NOT IN (SELECT account FROM people)"
        )
        for start in range(0, len(unknown), ASKED_AT_ONCE):
            some = unknown[start : start + ASKED_AT_ONCE]
            questions = [ResolveIdentityParams(account=account) for account, _ in some]
            answers = await self._asked(questions, ResolveIdentityResult)
            with self._store.transaction():
                for (account, key), answer in zip(some, answers, strict=True):
                    if not isinstance(answer, Refused):
                        self._learn(account, key, answer)

    def _learn(self, account: bytes, key: bytes, shown: ResolveIdentityResult) -> None:
        try:
            if (shown.account, shown.identity_key) != (account, key or shown.identity_key):
                raise IdentityChanged("the server names another key than the group has")
            self._remember(shown.account, shown.name, shown.identity_key, shown.device_list)
        except IdentityChanged as exc:
            log.warning("member_doubtful", reason=str(exc))

    def _remember(self, account: bytes, name: str, identity_key: bytes, device_list: bytes) -> None:
        """Store what was shown of somebody; inside a transaction. IdentityChanged."""
        known = self.identity(account)
        namesake = self._store.rows("SELECT account FROM people WHERE name = ? AND account <> ?", name, account)
        if namesake or (known is not None and known != identity_key):
            log.warning("identity_key_changed")
            raise IdentityChanged(f"{name} is not who {name} was: compare safety numbers before you go on")
        self._store.db.execute(
            "INSERT INTO people VALUES (?, ?, ?, x'', 0) ON CONFLICT (account) DO UPDATE SET name = excluded.name",
            (account, name, identity_key),
        )
        if device_list:
            self.pin(account, device_list)

    def pin(self, account: bytes, device_list: bytes) -> bool:
        """Keep the newest genuine list of an account; False, and a warning, for one that goes back or forks."""
        rows = self._store.rows("SELECT identity_key, device_list, version FROM people WHERE account = ?", account)
        if rows and device_list and device_list == rows[0][1]:
            return True  # it was checked when it was stored
        try:
            fresh = DeviceList.from_bytes(device_list)
        except Refusal:
            return False
        if (fresh.account, fresh.identity_key) != (account, self._expected(account) or fresh.identity_key):
            log.warning("device_list_of_another_key")
            return False
        if not fresh.verify() or (rows and fresh.version < rows[0][2]):
            log.warning("device_list_doubtful")
            return False
        if rows and fresh.version == rows[0][2] and device_list != rows[0][1]:
            log.warning("device_list_forked")
            return False
        if rows:
            self._store.db.execute(
                "UPDATE people SET device_list = ?, version = ? WHERE account = ?",
                (device_list, fresh.version, account),
            )
        return True

    def _expected(self, account: bytes) -> bytes | None:
        """Return the identity key that an account must have: one's own, the one known, or the one in a common group."""
        if account == self._core.account.account:
            return Credential.from_bytes(self._core.account.credential()).identity_key
        known = self.identity(account)
        if known is not None:
            return known
        rows = self._store.rows("SELECT identity_key FROM leaves WHERE account = ? AND identity_key <> x''", account)
        return rows[0][0] if rows else None
