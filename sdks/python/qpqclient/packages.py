"""Devices to be added to a group: their KeyPackages, as the server hands them out and as far as their accounts have signed for them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import trio

import qpqnative
from qpqclient.errors import GroupUnusable, QpqError, Refused, ServerBroke
from qpqclient.kept import Drawn, Kept
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


class Packages:
    """Fetches and judges KeyPackages; `Commits` does it for whom it adds."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._store = core.store
        self._kept = Kept()

    async def packages(
        self,
        accounts: Sequence[bytes],
        suite: int,
        *,
        but: frozenset[bytes] = frozenset(),
        each: Collection[bytes] = (),
    ) -> list[Added]:
        """Return a KeyPackage of each active device of the accounts, this device and `but` left out.

        ServerBroke where the server answers with somebody else's, or with somebody's twice. GroupUnusable where it has none
        of an account of `each`. What was drawn before an error, or a cancellation, is there for the next call: of more
        people than the keystore lets through at once each call draws the rest, when it comes as late as `Refused` tells.
        """
        left_out = but | {self._core.account.device}
        wanted = list(dict.fromkeys(accounts))
        drawn = self._kept.take(wanted, suite, trio.current_time())
        try:
            usable = await self._usable_of(wanted, suite, drawn)
            added = [a for a in usable if a.device not in left_out]
            if lacking := set(each) - {a.account for a in added}:
                for account in lacking & drawn.keys():  # they may have some the next time
                    del drawn[account]
                raise GroupUnusable("somebody has no device that can be added")
        except BaseException:
            self._kept.put(drawn, suite)
            raise
        return added

    async def _usable_of(self, wanted: Sequence[bytes], suite: int, drawn: dict[bytes, Drawn]) -> list[Added]:
        """Return what can be used of what is drawn already, and of what is fetched now, which is noted in `drawn`."""
        usable = await self._judged([one.keys for one in drawn.values()])
        sound = {a.account for a in usable}
        for account in [account for account, one in drawn.items() if one.keys.packages and account not in sound]:
            del drawn[account]  # revoked, or run out, since
        missing = [account for account in wanted if account not in drawn]
        asked, answers = trio.open_memory_channel[tuple[AccountKeys, ...] | QpqError](1)
        async with trio.open_nursery() as nursery:  # the server looks for the next ones while these are checked
            nursery.start_soon(self._fetch, missing, suite, drawn, asked)
            failed = await self._checked(answers, usable)
            nursery.cancel_scope.cancel()
        if isinstance(failed, Refused) and failed.code is ErrorCode.RATE_LIMITED:
            raise _told(failed, len(wanted) - len(drawn), len(wanted)) from failed
        if failed is not None:
            raise failed
        return usable

    async def _fetch(
        self,
        accounts: Sequence[bytes],
        suite: int,
        drawn: dict[bytes, Drawn],
        asked: trio.MemorySendChannel[tuple[AccountKeys, ...] | QpqError],
    ) -> None:
        """Ask for the KeyPackages of some accounts after others, until there is an error."""
        answer: tuple[AccountKeys, ...] | QpqError
        async with asked:
            for start in range(0, len(accounts), ACCOUNTS_AT_ONCE):
                some = tuple(accounts[start : start + ACCOUNTS_AT_ONCE])
                params = FetchKeyPackageParams(accounts=some, suites=(suite,))
                try:
                    answer = (await self._core.call(params, FetchKeyPackageResult, key=new_key())).accounts
                    _check_answer(some, answer)
                    now_s = trio.current_time()
                    drawn.update({keys.account: Drawn(keys, now_s) for keys in answer})
                except QpqError as exc:
                    answer = exc
                await asked.send(answer)
                if isinstance(answer, QpqError):
                    return

    async def _checked(
        self, answers: trio.MemoryReceiveChannel[tuple[AccountKeys, ...] | QpqError], usable: list[Added]
    ) -> QpqError | None:
        """Put what can be used of the answers into `usable`; return the error that ended it."""
        async for answer in answers:
            if isinstance(answer, QpqError):
                return answer
            try:
                usable += await self._judged(answer)
            except QpqError as exc:  # a full disk
                return exc
        return None

    async def _judged(self, answered: Sequence[AccountKeys]) -> list[Added]:
        """Return what can be used of an answer, and pin its device lists. DiskFull.

        A few accounts at a time, since an account takes 0.3 ms, in which the event loop stands still.
        """
        usable: list[Added] = []
        for start in range(0, len(answered), CHECKED_AT_ONCE):
            with self._store.transaction():
                for keys in answered[start : start + CHECKED_AT_ONCE]:
                    usable += self._usable(keys)
            await trio.lowlevel.checkpoint()
        return usable

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


def _check_answer(asked: Sequence[bytes], answered: Sequence[AccountKeys]) -> None:
    """Refuse an answer that is not about those who were asked for, each and each device once. ServerBroke.

    Whatever else is in it: all that it names is genuine, maybe, and a server that sends it wants somebody in.
    """
    accounts = [keys.account for keys in answered]
    devices = [d.device for keys in answered for d in keys.packages]
    if not set(accounts) <= set(asked):
        raise ServerBroke("the server hands out keys of somebody who was not asked for: nobody was added")
    if len(set(accounts)) < len(accounts) or len(set(devices)) < len(devices):
        raise ServerBroke("the server hands out somebody's keys twice: nobody was added")


def _told(no: Refused, missing: int, people: int) -> Refused:
    """Say when more of many people can be had, as the server told."""
    seconds = math.ceil(no.retry_after_ms / 1000)
    told = f"the server lets no more people be added now, {missing} of {people} are missing: try again in {seconds} s"
    return Refused(Refusal(no.code, told, retry_after_ms=no.retry_after_ms))
