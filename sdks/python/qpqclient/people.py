"""Who people are: names, identity keys and pinned device lists, as the server resolved them and as they were seen before."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import trio

from qpqclient.errors import IdentityChanged, NotFound, QpqError, Refused, ServerBroke
from qpqclient.log import log
from qpqclient.model import GroupChanged
from qpqcore.api.keystore import (
    ResolveIdentitiesParams,
    ResolveIdentitiesResult,
    ResolveIdentityParams,
    ResolveIdentityResult,
    ResolveUserParams,
    ResolveUserResult,
)
from qpqcore.crypto.identity import Credential, DeviceList
from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.model.ids import domain_of, is_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qpqclient.core import Core

T = TypeVar("T")

KEY_BYTES = 32
PATIENCE_SECONDS = 2.0
"""How long is waited for another task's answers: its connection may have gone. Then they are asked for again."""
ASKED_AT_ONCE = 32
"""People asked for at a time, a call each, and stored in one transaction: a connection takes 100 calls."""
NAMES_AT_ONCE = 64
"""Members of one's own domain named by one call, and stored in one transaction: some 8 ms, for which the event loop stands still.

The keystore takes 256. An answer has 20 KB where each has a device, and below 0.7 MiB where each has 32 of a domain with
the longest name (docs/spec/identity.md#device-list): a frame holds it in any case.
"""
NOBODY = ResolveIdentityResult()
"""What stands in an answer for an account that nobody has."""
Shown = ResolveIdentityResult | Refused | None
"""Who a member is; a refusal; or that nobody has the account."""


class Doubt(NamedTuple):
    """Somebody who is not who it was: what is announced, and told to who asked."""

    account: bytes
    seen: bytes
    """The key that was shown."""
    told: str
    error: str


class People:
    """The address book of this device."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._store = core.store
        self.unanswered = False
        """Whether a member's name could not be had the last time, and is to be asked for again: its domain may be away."""
        self._learning = trio.Lock()
        """Whoever takes entries asks who the new people are: both the subscription and `sync`, after the same Welcome."""

    def name(self, account: bytes) -> str:
        """Return a known account's name, else the beginning of its id."""
        rows = self._store.rows("SELECT name FROM people WHERE account = ?", account)
        return rows[0][0] if rows else account[:4].hex()

    def identity(self, account: bytes) -> bytes | None:
        """Return a known account's identity key."""
        rows = self._store.rows("SELECT identity_key FROM people WHERE account = ?", account)
        return rows[0][0] if rows else None

    def full_name(self, account: bytes, name: str) -> str:
        """Return how somebody is called here: by the bare name in one's own domain, else with the domain."""
        domain = domain_of(account)
        return name if domain == domain_of(self._core.account.account) else f"{name}@{domain}"

    def _found(self, asked: str, answer: ResolveUserResult | Refused) -> ResolveUserResult:
        """Return who was found, by the full name, or raise why nobody was; NotFound, ServerBroke."""
        if isinstance(answer, Refused):
            if answer.code is ErrorCode.NOT_FOUND:
                raise NotFound(f"there is no user {asked!r}, as far as this server knows") from answer
            raise answer
        _, at, domain = asked.partition("@")
        wanted = domain.lower() if at else domain_of(self._core.account.account)
        if not is_id(answer.account) or domain_of(answer.account) != wanted or "@" in answer.name:
            raise ServerBroke(f"the server names somebody of another domain for {asked!r}")
        return replace(answer, name=self.full_name(answer.account, answer.name))

    async def resolve(self, name: str) -> bytes:
        """Return the account of a name; NotFound."""
        return (await self.resolve_all([name]))[0]

    async def resolve_all(self, names: Sequence[str]) -> list[bytes]:
        """Return the accounts of names, in their order; NotFound."""
        accounts: list[bytes] = []
        for some in _slices(names, ASKED_AT_ONCE):
            answers = await self._asked([ResolveUserParams(name=name) for name in some], ResolveUserResult)
            found = [self._found(name, answer) for name, answer in zip(some, answers, strict=True)]
            with self._store.transaction():
                doubts = [self._remember(f.account, f.name, f.identity_key, f.device_list) for f in found]
            self._settle(doubts)
            accounts += [f.account for f in found]
        return accounts

    def _settle(self, doubts: Sequence[Doubt | None]) -> None:
        """Announce what is doubtful, once what is not is stored. IdentityChanged."""
        real = [doubt for doubt in doubts if doubt is not None]
        for doubt in real:
            self._core.contacts.announce(doubt.account, doubt.seen, doubt.told)
        if real:
            raise IdentityChanged(real[0].error)

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
        found = self._found(name, await self._core.call(ResolveUserParams(name=name), ResolveUserResult))
        before = self._store.rows("SELECT account, identity_key FROM people WHERE name = ?", found.name)
        with self._store.transaction() as db:
            db.execute("DELETE FROM people WHERE name = ? OR account = ?", (found.name, found.account))
            # No second question: another answer could come between.
            doubt = self._remember(found.account, found.name, found.identity_key, found.device_list)
        self._settle([doubt])
        if before and before[0] != (found.account, found.identity_key):
            told = f"{found.name} has another key than before, and you took it: the mark of verification is gone"
            self._core.contacts.announce(found.account, b"taken" + found.identity_key, told)
        return found.account

    def doubtful(self, channel: bytes) -> list[bytes]:
        """Return the accounts in a group whose leaves carry another identity key than the one known here.

        Also those of whom the server has named another since: until numbers are compared again.
        """
        rows = self._store.rows(
            "SELECT DISTINCT l.account FROM leaves l JOIN people p ON p.account = l.account "
            "LEFT JOIN contacts c ON c.account = l.account WHERE l.channel = ? "
            "AND (l.identity_key NOT IN (x'', p.identity_key) OR length(c.announced) = ? AND c.announced <> p.identity_key)",
            channel, KEY_BYTES,
        )  # fmt: skip
        return [r[0] for r in rows]

    async def learn(self) -> None:
        """Resolve the names of members that are not known yet; who cannot be asked for now is asked for later.

        Who comes second waits, and finds nothing left to ask.
        """
        first = False
        with trio.move_on_after(PATIENCE_SECONDS):
            await self._learning.acquire()
            first = True
        try:
            await self._learn_all()
        finally:
            if first:
                self._learning.release()

    async def _learn_all(self) -> None:
        unknown = self._store.rows(
            "SELECT account, identity_key FROM (SELECT account, identity_key FROM leaves UNION "
            "SELECT account, identity_key FROM strangers) WHERE account NOT IN (SELECT account FROM people)"
        )
        self.unanswered = False
        if not unknown:
            return
        own = domain_of(self._core.account.account)
        ours: list[tuple[bytes, bytes]] = []
        others: list[tuple[bytes, bytes]] = []
        for account, key in unknown:  # a leaf's account may be no id: among ours it would have the whole call refused
            (ours if is_id(account) and domain_of(account) == own else others).append((account, key))
        before = self._nameless()
        try:
            for some in _slices(ours, NAMES_AT_ONCE):
                self._learn_some(some, await self._identities([account for account, _ in some]))
            for some in _slices(others, ASKED_AT_ONCE):
                self._learn_some(some, await self._one_by_one([account for account, _ in some]))
        finally:
            self._tell_of(before)
            if self.unanswered:
                self._core.upkeep.wake()

    async def _identities(self, accounts: Sequence[bytes]) -> list[Shown]:
        """Ask who accounts of one's own domain are, by one call; ServerBroke where the answer is not of so many."""
        refused: Refused
        try:
            answer = await self._core.call(ResolveIdentitiesParams(accounts=tuple(accounts)), ResolveIdentitiesResult)
        except Refused as exc:
            refused = exc
        else:
            if len(answer.identities) != len(accounts):
                raise ServerBroke("the server names more members, or fewer, than it was asked for")
            return [shown if shown != NOBODY else None for shown in answer.identities]
        if refused.code is not ErrorCode.UNKNOWN_METHOD:
            return [refused] * len(accounts)
        found: list[Shown] = []
        # A server of before, or, while servers are replaced, a gateway of before: they come last.
        for some in _slices(accounts, ASKED_AT_ONCE):
            found += await self._one_by_one(some)
        return found

    async def _one_by_one(self, accounts: Sequence[bytes]) -> Sequence[Shown]:
        return await self._asked(
            [ResolveIdentityParams(account=account) for account in accounts], ResolveIdentityResult
        )

    def _learn_some(self, some: Sequence[tuple[bytes, bytes]], answers: Sequence[Shown]) -> None:
        with self._store.transaction():
            doubts = [
                self._learn(account, key, answer)
                for (account, key), answer in zip(some, answers, strict=True)
                if isinstance(answer, ResolveIdentityResult)
            ]
        self.unanswered = self.unanswered or any(isinstance(a, Refused) and a.retryable for a in answers)
        try:
            self._settle(doubts)
        except IdentityChanged as exc:
            log.warning("member_doubtful", reason=str(exc))

    def _nameless(self) -> dict[bytes, int]:
        """Return how many leaves of others have no name yet, by conversation."""
        rows = self._store.rows(
            "SELECT l.channel, count(*) FROM leaves l JOIN channels c ON c.channel = l.channel WHERE c.active = 1 "
            "AND l.account <> ? AND l.account NOT IN (SELECT account FROM people) GROUP BY l.channel",
            self._core.account.account,
        )
        return dict(rows)

    def _tell_of(self, before: Mapping[bytes, int]) -> None:
        """Say of conversations in which names have come that they are shown otherwise now."""
        after = self._nameless()
        for channel, count in before.items():
            if after.get(channel, 0) < count:
                self._core.tell(GroupChanged(channel, active=True))

    def _learn(self, account: bytes, key: bytes, shown: ResolveIdentityResult) -> Doubt | None:
        if (shown.account, shown.identity_key) != (account, key or shown.identity_key):
            told = "somebody here has another key than the server names: compare safety numbers before you go on"
            return Doubt(account, key, told, "the server names another key than the group has")
        name = self.full_name(account, shown.name)
        return self._remember(shown.account, name, shown.identity_key, shown.device_list)

    def _remember(self, account: bytes, name: str, identity_key: bytes, device_list: bytes) -> Doubt | None:
        """Store what was shown of somebody, inside a transaction, unless it is not who it was."""
        known = self.identity(account)
        namesake = self._store.rows("SELECT account FROM people WHERE name = ? AND account <> ?", name, account)
        if namesake or (known is not None and known != identity_key):
            log.warning("identity_key_changed")
            told = f"the server names another key for {name} than before: compare safety numbers before you go on"
            error = f"{name} is not who {name} was: compare safety numbers before you go on"
            return Doubt(namesake[0][0] if namesake else account, identity_key, told, error)
        self._store.db.execute(
            "INSERT INTO people VALUES (?, ?, ?, x'', 0) ON CONFLICT (account) DO UPDATE SET name = excluded.name",
            (account, name, identity_key),
        )
        if device_list:
            self.pin(account, device_list)
        return None

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


def _slices(values: Sequence[T], most: int) -> list[Sequence[T]]:
    return [values[start : start + most] for start in range(0, len(values), most)]
