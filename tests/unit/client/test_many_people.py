"""More people than the keystore lets one draw at once: who waits as told gets through, and nobody's stock is drawn twice.

The client's own fetching and trying again, against the keystore's own limits, in virtual time.
"""

from __future__ import annotations

from collections import Counter
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import trio

import qpqnative
from qpqclient import kept
from qpqclient.commits import Commits
from qpqclient.connection import Connection
from qpqclient.errors import GroupUnusable, Refused
from qpqclient.kept import KEPT_ACCOUNTS_MAX, KEPT_SECONDS, Drawn, Kept
from qpqclient.packages import ACCOUNTS_AT_ONCE
from qpqcore.api.keystore import AccountKeys, DeviceKeys, FetchKeyPackageResult
from qpqcore.bus.limits import LocalLimiter, enforce_each
from qpqcore.crypto.identity import Credential, DeviceEntry, DeviceList
from qpqcore.crypto.signatures import generate_key
from qpqcore.model.errors import Refusal
from qpqcore.model.ids import AccountId, DeviceId, make_id
from qpqdelivery.config import Config as DeliveryConfig
from qpqkeystore.config import Config

NOW_MS = 1_800_000_000_000
SUITE = qpqnative.SUITE_1


class Person:
    """Somebody with one device, whose keys are made when they are drawn: another package each time."""

    def __init__(self, number):
        self.identity_secret, self.identity_key = generate_key()
        self.secret, self.key = generate_key()
        self.account = AccountId(make_id(number.to_bytes(16), "localhost"))
        self.device = DeviceId(make_id((1 << 64 | number).to_bytes(16), "localhost"))
        entry = DeviceEntry(self.device, self.key)
        self.listed = DeviceList.make(self.identity_secret, self.account, (entry,)).to_bytes()

    def keys(self, lifetime_s):
        credential = Credential.make(self.identity_secret, self.account, self.device, self.key).to_bytes()
        native = qpqnative.Device(credential=credential, signature_secret=self.secret)
        package = native.key_package(SUITE, not_before_s=NOW_MS // 1000 - 60, lifetime_s=lifetime_s)
        drawn = DeviceKeys(device=self.device, suite=SUITE, key_package=package)
        return AccountKeys(account=self.account, device_list=self.listed, packages=(drawn,))


class Keystore:
    """The keystore's limits, and how often each person was drawn; who has gone has nothing."""

    def __init__(self):
        self.config, self.limiter, self.drawn = Config(), LocalLimiter(), Counter()
        self.people, self.calls, self.lifetime_s = {}, 0, 90 * 24 * 3600

    async def call(self, params, _result, *, key):
        await trio.lowlevel.checkpoint()
        self.calls += 1
        asked = set(params.accounts)
        takings = [(b"d" + a, self.config.drained_per_pair, 1) for a in asked]
        try:
            enforce_each(
                self.limiter,
                [*takings, (b"f", self.config.fetch_per_account, len(asked))],
                int(trio.current_time() * 1000),
            )
        except Refusal as exc:
            refusal = exc
        else:
            self.drawn.update(asked)
            return FetchKeyPackageResult(
                accounts=tuple(
                    self.people[a].keys(self.lifetime_s) if a in self.people else AccountKeys(account=a)
                    for a in params.accounts
                )
            )
        raise Refused(refusal)


class Wire(Connection):
    """The client's connection, of which only the link is another."""

    def __init__(self, keystore):
        self._link = keystore


def client(keystore):
    """Return what fetches KeyPackages for a client."""
    pinned = {}

    def pin(account, listed):
        return pinned.setdefault(account, listed) == listed

    core = SimpleNamespace(
        call=Wire(keystore).call, store=SimpleNamespace(transaction=nullcontext), groups=None, pinned=pinned,
        account=SimpleNamespace(device=b"mine"), people=SimpleNamespace(pin=pin),
        now_ms=lambda: NOW_MS + int(trio.current_time() * 1000),
    )  # fmt: skip
    return Commits(core)


@pytest.fixture(scope="module")
def population():
    return {person.account: person for person in map(Person, range(1_400))}


async def through(commits, accounts, waits_max=4, **named):
    """Fetch, as somebody does who comes again when told; return what there is, and how long it was waited."""
    waited_s = []
    while True:
        try:
            return await commits.packages(accounts, SUITE, **named), waited_s
        except Refused as exc:
            refused = exc
        assert len(waited_s) < waits_max
        assert refused.name == "rateLimited"
        waited_s.append(refused.retry_after_ms / 1000)
        await trio.sleep(waited_s[-1])


async def test_who_adds_1400_people_is_let_through_after_the_told_waits(autojump_clock, population):
    keystore = Keystore()
    keystore.people, accounts = population, list(population)
    commits = client(keystore)
    begun_s = trio.current_time()
    added, waited_s = await through(commits, accounts, each=accounts)
    assert sorted(a.account for a in added) == sorted(accounts)
    assert set(keystore.drawn.values()) == {1}
    full, rest = ACCOUNTS_AT_ONCE, len(accounts) - 1_024 - ACCOUNTS_AT_ONCE
    assert waited_s == pytest.approx([full, rest], abs=3)
    assert trio.current_time() - begun_s == pytest.approx(sum(waited_s), abs=5)  # no try was made that had to fail
    assert keystore.calls == 6 + len(waited_s)
    assert len(commits._kept) == 0


async def test_nothing_is_used_twice(autojump_clock, population):
    """Two at once, and one after the other: each draws its own."""
    keystore = Keystore()
    keystore.people, accounts = population, list(population)[:20]
    commits, got = client(keystore), []

    async def fetch():
        got.extend(await commits.packages(accounts, SUITE))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(fetch)
        nursery.start_soon(fetch)
    await fetch()
    assert len({a.key_package for a in got}) == len(got) == 3 * len(accounts)
    assert set(keystore.drawn.values()) == {3}


async def test_who_has_gone_costs_no_more_than_once(autojump_clock):
    """As when a large group is begun anew: deleted accounts are asked for, too."""
    keystore = Keystore()
    added, waited_s = await through(client(keystore), [n.to_bytes(16) for n in range(1_400)])
    assert (added, set(keystore.drawn.values()), len(waited_s)) == ([], {1}, 2)


@pytest.mark.parametrize("how", ["cancelled", "somebody without a device"])
async def test_what_came_to_no_commit_is_there_for_the_next_try(autojump_clock, population, how):
    keystore = Keystore()
    keystore.people, accounts = dict(population), list(population)[:600]
    last = keystore.people.pop(accounts[-1])
    commits = client(keystore)
    if how == "cancelled":
        call = keystore.call

        async def stands_still(params, result, *, key):
            if keystore.calls == 2:
                await trio.sleep_forever()
            return await call(params, result, key=key)

        keystore.call = stands_still
        with trio.move_on_after(5) as scope:
            await commits.packages(accounts, SUITE)
        assert scope.cancelled_caught
        keystore.call = call
    else:
        with pytest.raises(GroupUnusable):
            await commits.packages(accounts, SUITE, each=accounts)
    keystore.people[last.account] = last
    added = await commits.packages(accounts, SUITE, each=accounts)
    assert sorted(a.account for a in added) == sorted(accounts)
    assert keystore.drawn[accounts[-1]] == (1 if how == "cancelled" else 2)
    assert {keystore.drawn[a] for a in accounts[:-1]} == {1}


@pytest.mark.parametrize("why", ["too old", "run out", "revoked", "another suite"])
async def test_what_is_kept_is_looked_at_again(autojump_clock, population, why):
    keystore = Keystore()
    keystore.people, accounts = population, list(population)[:10]
    keystore.lifetime_s = 600 if why == "run out" else keystore.lifetime_s
    commits = client(keystore)
    with pytest.raises(GroupUnusable):
        await commits.packages(accounts, SUITE, each=[b"nobody"])
    keystore.lifetime_s = 90 * 24 * 3600
    if why == "too old":
        await trio.sleep(KEPT_SECONDS)
    elif why == "run out":
        await trio.sleep(700)
    elif why == "revoked":
        commits._core.pinned[accounts[0]] = b"a newer list"
    added = await commits.packages(accounts, qpqnative.SUITE_XWING if why == "another suite" else SUITE)
    again = {accounts[0]} if why == "revoked" else set(accounts)
    assert {account for account, count in keystore.drawn.items() if count == 2} == again
    assert {a.account for a in added} == set(accounts) - (again if why == "revoked" else set())


def test_so_many_are_kept_as_a_group_holds_and_no_more():
    assert KEPT_ACCOUNTS_MAX > DeliveryConfig().members_max
    here = Kept()
    drawn = {n.to_bytes(16): Drawn(AccountKeys(account=n.to_bytes(16)), 0.0) for n in range(KEPT_ACCOUNTS_MAX + 10)}
    here.put(drawn, SUITE)
    assert len(here) == KEPT_ACCOUNTS_MAX
    assert set(here.take(drawn, SUITE, kept.KEPT_SECONDS - 1)) == set(list(drawn)[10:])
    assert len(here) == 0


async def test_a_short_wait_is_waited_in_full_and_a_long_one_told(autojump_clock):
    """Before, what the server told was cut to 5 s, and a call that had to wait for minutes was made eight times in vain."""
    keystore = Keystore()
    wire = Wire(keystore)
    commits = client(keystore)
    await commits.packages([n.to_bytes(16) for n in range(1_024)], SUITE)
    begun_s, calls = trio.current_time(), keystore.calls
    await commits.packages([n.to_bytes(16) for n in range(2_000, 2_010)], SUITE)
    assert 9 <= trio.current_time() - begun_s <= 21
    assert keystore.calls == calls + 2
    with pytest.raises(Refused, match="1024 of 1024 are missing: try again in") as told:
        await commits.packages([n.to_bytes(16) for n in range(3_000, 4_024)], SUITE)
    assert told.value.retry_after_ms > 200_000
    assert keystore.calls == calls + 3
    assert await wire.link() is keystore
