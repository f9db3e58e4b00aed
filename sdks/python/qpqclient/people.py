"""Who people are: names, identity keys and pinned device lists, as the server resolved them and as they were seen before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qpqclient.errors import IdentityChanged, NotFound, Refused
from qpqclient.log import log
from qpqcore.api.keystore import ResolveIdentityParams, ResolveIdentityResult, ResolveUserParams, ResolveUserResult
from qpqcore.crypto.identity import Credential, DeviceList
from qpqcore.model.errors import ErrorCode, Refusal

if TYPE_CHECKING:
    from qpqclient.core import Core


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
        try:
            found = await self._core.call(ResolveUserParams(name=name), ResolveUserResult)
        except Refused as exc:
            if exc.code is ErrorCode.NOT_FOUND:
                raise NotFound(f"there is no user {name!r} on this server") from exc
            raise
        self._remember(found.account, found.name, found.identity_key, found.device_list)
        return found.account

    async def trust(self, name: str) -> bytes:
        """Take the account and the key that the server names now, whatever was known; return the account. NotFound."""
        found = await self._core.call(ResolveUserParams(name=name), ResolveUserResult)
        before = self._store.rows("SELECT account, identity_key FROM people WHERE name = ?", found.name)
        with self._store.transaction() as db:
            db.execute("DELETE FROM people WHERE name = ? OR account = ?", (found.name, found.account))
        # No second question: another answer could come between.
        self._remember(found.account, found.name, found.identity_key, found.device_list)
        if before and before[0] != (found.account, found.identity_key):
            told = f"{found.name} has another key than before, and you took it: the mark of verification is gone"
            self._core.contacts.announce(found.account, b"taken" + found.identity_key, told)
        return found.account

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
        for account, key in unknown:
            try:
                found = await self._core.call(ResolveIdentityParams(account=account), ResolveIdentityResult)
                if (found.account, found.identity_key) != (account, key or found.identity_key):
                    raise IdentityChanged("the server names another key than the group has")
                self._remember(found.account, found.name, found.identity_key, found.device_list)
            except IdentityChanged as exc:
                log.warning("member_doubtful", reason=str(exc))
                told = "somebody here has another key than the server names: compare safety numbers before you go on"
                self._core.contacts.announce(account, key, told)
            except Refused:
                continue

    def _remember(self, account: bytes, name: str, identity_key: bytes, device_list: bytes) -> None:
        known = self.identity(account)
        namesake = self._store.rows("SELECT account FROM people WHERE name = ? AND account <> ?", name, account)
        if namesake or (known is not None and known != identity_key):
            log.warning("identity_key_changed")
            told = f"the server names another key for {name} than before: compare safety numbers before you go on"
            self._core.contacts.announce(namesake[0][0] if namesake else account, identity_key, told)
            raise IdentityChanged(f"{name} is not who {name} was: compare safety numbers before you go on")
        with self._store.transaction() as db:
            db.execute(
                "INSERT INTO people VALUES (?, ?, ?, x'', 0) ON CONFLICT (account) DO UPDATE SET name = excluded.name",
                (account, name, identity_key),
            )
        if device_list:
            self.pin(account, device_list)

    def pin(self, account: bytes, device_list: bytes) -> bool:
        """Keep the newest genuine list of an account; False, and a warning, for one that goes back or forks."""
        try:
            fresh = DeviceList.from_bytes(device_list)
        except Refusal:
            return False
        rows = self._store.rows("SELECT identity_key, device_list, version FROM people WHERE account = ?", account)
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
            with self._store.transaction() as db:
                db.execute(
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
