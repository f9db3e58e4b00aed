"""Devices to be added to a group: their KeyPackages, as the server hands them out and as far as their accounts have signed for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import trio

import qpqnative
from qpqclient.errors import QpqError, ServerBroke
from qpqclient.log import log
from qpqclient.transport import new_key
from qpqcore.api.keystore import AccountKeys, DeviceKeys, FetchKeyPackageParams, FetchKeyPackageResult
from qpqcore.crypto.identity import DeviceList, SignedHybridKey
from qpqcore.groups.validity import read_leaf
from qpqcore.model.errors import ErrorCode, Refusal

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from qpqclient.core import Core

ACCOUNTS_AT_ONCE = 256
"""KeyPackages of so many accounts are fetched by one call (docs/spec: fetchKeyPackage takes no more)."""
CHECKED_AT_ONCE = 16
"""Accounts: some 5 ms, for which the event loop stands still."""


class Added:
    """One device to be added: its KeyPackage and, if it has one, its hybrid key."""

    def __init__(self, account: bytes, device: bytes, key_package: bytes, hybrid_key: bytes, reference: bytes) -> None:
        self.account = account
        self.device = device
        self.key_package = key_package
        self.reference = reference
        """The KeyPackage's, by which a Welcome names it (RFC 9420 §5.2)."""
        self.hybrid_key = hybrid_key


def check_wanted(added: Sequence[Added], wanted: Collection[bytes]) -> None:
    """Refuse to add anybody whom nobody asked for, or a device twice, whatever let them through before. ServerBroke.

    Called where a commit with Adds is built: what stands in it gives its people all that is said from then on.
    """
    if not {a.account for a in added} <= set(wanted) or len({a.device for a in added}) < len(added):
        raise ServerBroke("somebody would be added who was not asked for, or a device twice: nobody was added")


class Answer(NamedTuple):
    """What was answered to one call."""

    asked: tuple[bytes, ...]
    accounts: tuple[AccountKeys, ...]


class Packages:
    """Fetches and judges KeyPackages; `Commits` does it for whom it adds."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._store = core.store

    async def packages(
        self, accounts: Sequence[bytes], suite: int, *, but: frozenset[bytes] = frozenset()
    ) -> list[Added]:
        """Return a KeyPackage of each active device of the accounts, this device and `but` left out.

        ServerBroke where the server answers with somebody else's, or with somebody's twice.
        """
        left_out = but | {self._core.account.device}
        accounts = list(dict.fromkeys(accounts))
        asked, answers = trio.open_memory_channel[Answer | QpqError](1)
        usable: list[Added] = []
        async with trio.open_nursery() as nursery:  # the server looks for the next ones while these are checked
            nursery.start_soon(self._fetch, accounts, suite, asked)
            failed = await self._checked(answers, usable)
            nursery.cancel_scope.cancel()
        if failed is not None:
            raise failed
        return [a for a in usable if a.device not in left_out]

    async def _fetch(
        self, accounts: Sequence[bytes], suite: int, asked: trio.MemorySendChannel[Answer | QpqError]
    ) -> None:
        """Ask for the KeyPackages of some accounts after others, until there is an error."""
        answer: Answer | QpqError
        async with asked:
            for start in range(0, len(accounts), ACCOUNTS_AT_ONCE):
                some = tuple(accounts[start : start + ACCOUNTS_AT_ONCE])
                params = FetchKeyPackageParams(accounts=some, suites=(suite,))
                try:
                    result = await self._core.call(params, FetchKeyPackageResult, key=new_key())
                    answer = Answer(some, result.accounts)
                except QpqError as exc:
                    answer = exc
                await asked.send(answer)
                if isinstance(answer, QpqError):
                    return

    async def _checked(
        self, answers: trio.MemoryReceiveChannel[Answer | QpqError], usable: list[Added]
    ) -> QpqError | None:
        """Put what can be used of the answers into `usable`; return the error that ended it.

        A few accounts at a time, since an account takes 0.3 ms, in which the event loop stands still.
        """
        async for answer in answers:
            if isinstance(answer, QpqError):
                return answer
            if (wrong := _answers_otherwise(answer)) is not None:
                return wrong
            for start in range(0, len(answer.accounts), CHECKED_AT_ONCE):
                try:
                    with self._store.transaction():
                        for keys in answer.accounts[start : start + CHECKED_AT_ONCE]:
                            usable += self._usable(keys)
                except QpqError as exc:  # a full disk
                    return exc
                await trio.lowlevel.checkpoint()
        return None

    def _usable(self, keys: AccountKeys) -> list[Added]:
        """Return what the account has signed for; what it has not is left out, with a warning."""
        if not keys.device_list or not self._core.people.pin(keys.account, keys.device_list):
            return []
        listed = DeviceList.from_bytes(keys.device_list)
        usable = []
        for d in keys.packages:
            if not d.key_package:
                continue
            try:
                usable.append(self._genuine(keys.account, listed, d))
            except (Refusal, qpqnative.MlsError) as exc:
                log.warning("device_doubtful", reason=str(exc))
        return usable

    def _genuine(self, account: bytes, listed: DeviceList, d: DeviceKeys) -> Added:
        info = qpqnative.inspect_key_package(d.key_package, self._core.now_ms() // 1000)
        leaf = read_leaf(info.credential, info.signature_key)
        if (leaf.account, leaf.device, leaf.identity_key) != (account, d.device, listed.identity_key):
            raise Refusal(ErrorCode.CREDENTIAL_INVALID, "a KeyPackage of somebody else")
        if listed.key_of(d.device) != leaf.key:
            raise Refusal(ErrorCode.CREDENTIAL_INVALID, "a KeyPackage of a device that its account does not list")
        hybrid = b""
        if d.hybrid_key:
            signed = SignedHybridKey.from_bytes(d.hybrid_key)
            if signed.device != d.device or not signed.verify(leaf.key):
                raise Refusal(ErrorCode.HYBRID_KEY_INVALID, "a hybrid key that its device has not signed")
            hybrid = signed.public_key
        return Added(leaf.account, d.device, d.key_package, hybrid, info.reference)


def _answers_otherwise(answer: Answer) -> ServerBroke | None:
    """Return what is wrong with an answer that is not about those who were asked for, each and each device once.

    Whatever else is in it: all that it names is genuine, maybe, and a server that sends it wants somebody in.
    """
    accounts = [keys.account for keys in answer.accounts]
    devices = [d.device for keys in answer.accounts for d in keys.packages]
    if not set(accounts) <= set(answer.asked):
        return ServerBroke("the server hands out keys of somebody who was not asked for: nobody was added")
    if len(set(accounts)) < len(accounts) or len(set(devices)) < len(devices):
        return ServerBroke("the server hands out somebody's keys twice: nobody was added")
    return None
