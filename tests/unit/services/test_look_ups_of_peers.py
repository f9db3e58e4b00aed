"""Look-ups by other domains and of their people: each limit is one's own, nobody pays twice, no call asks for too much."""

from __future__ import annotations

import pytest
import trio

from qpqblob.config import Config as BlobConfig
from qpqblob.service import Blob
from qpqcore.api import blob, federation, keystore
from qpqcore.bus.limits import LocalLimiter, Rate
from qpqcore.bus.notices import LocalNotices
from qpqcore.model.call import CallContext, Caller, CallerKind
from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.model.ids import make_id
from qpqkeystore.config import Config
from qpqkeystore.peers import LISTS_MAX
from qpqkeystore.service import Keystore

OWN, OTHER = "a.example", "b.example"
ONCE = Rate(1, 3_600, 1)
NUMBERS = {m.name: m.number for m in federation.METHODS}
METHODS = {number: name for name, number in NUMBERS.items()}


class Nothing:
    """A store in which there is nothing."""

    async def by_name(self, name):
        return None

    async def blob(self, name):
        return None

    async def entries(self, accounts):
        return [None] * len(accounts)

    async def hybrid_keys(self, devices):
        return [b""] * len(devices)

    async def take(self, accounts, suites, keyed, reply):
        return reply([(None, []) for _ in accounts]), []


class Asked:
    """Federation, and the other domain's answers: of everybody asked for, nothing; a call that asks for too much is refused."""

    def __init__(self):
        self.counts = []

    async def call_peer(self, context, params):
        name = METHODS[params.method]
        if name == "proxyFetchKeyPackage":
            asked = keystore.FetchKeyPackageParams.from_bytes(params.params).accounts
            keys = tuple(keystore.AccountKeys(account=account) for account in asked)
            answer = keystore.FetchKeyPackageResult(accounts=keys)
        elif name == "proxyFetchHybridKey":
            asked = keystore.FetchHybridKeysParams.from_bytes(params.params).devices
            answer = keystore.FetchHybridKeysResult(hybrid_keys=tuple(device[:16] for device in asked))
        else:
            asked = keystore.DeviceListsParams.from_bytes(params.params).accounts
            answer = keystore.DeviceListsResult(device_lists=(b"",) * len(asked))
        self.counts.append(len(asked))
        if len(asked) > LISTS_MAX:
            raise Refusal(ErrorCode.TOO_LARGE, "too many at once")
        return federation.CallPeerResult(result=answer.to_bytes())


def of(number, domain):
    return make_id(number.to_bytes(16, "big"), domain)


def context(now_ms=10**12):
    caller = Caller(CallerKind.ACCOUNT, of(1, OWN), of(2, OWN))
    return CallContext(caller=caller, now_ms=now_ms, deadline_s=trio.current_time() + 5)


def made(limiter=None, **more):
    config = Config(domain=OWN, federated=True, **more)
    service = Keystore(
        config, Nothing(), notices=LocalNotices(), limiter=limiter or LocalLimiter(), clock_ms=lambda: 10**12
    )
    service.abroad.bind(asked := Asked())
    return service, asked


async def code(calling):
    with pytest.raises(Refusal) as no:
        await calling
    return no.value.code


async def test_a_domain_that_fetches_files_may_still_look_people_up():
    """Both services count by domain, and may share what counts."""
    limiter = LocalLimiter()
    files = Blob(
        BlobConfig(domain=OWN, federated=True, chunks_per_peer=ONCE),
        Nothing(),
        limiter=limiter,
        clock_ms=lambda: 10**12,
    )
    keys, _ = made(limiter, looked_up_per_peer=ONCE)
    name = make_id(bytes(32), OWN)
    fetch = blob.BlobForPeerParams(domain=OTHER, params=blob.DownloadBlobParams(blob=name))
    nobody = keystore.ResolveUserParams(name=f"nobody@{OWN}").to_bytes()
    look_up = keystore.KeysForPeerParams(domain=OTHER, method=NUMBERS["proxyResolveUser"], params=nobody)
    assert await code(files.for_peer(context(), fetch)) is ErrorCode.NOT_FOUND
    assert await code(keys.for_peer(context(), look_up)) is ErrorCode.NOT_FOUND
    assert await code(files.for_peer(context(), fetch)) is ErrorCode.RATE_LIMITED
    assert await code(keys.for_peer(context(), look_up)) is ErrorCode.RATE_LIMITED
    assert set(limiter.refused) == {b"v", b"p"}


async def test_who_asks_for_people_of_two_domains_pays_once_for_each():
    service, _ = made(drained_per_pair=Rate(2, 3_600, 2), fetch_per_account=Rate(4, 3_600, 4))
    params = keystore.FetchKeyPackageParams(accounts=(of(7, OWN), of(8, OTHER)), suites=(1,))
    for _ in range(2):
        found = await service.fetch_key_package(context(), params)
        assert [keys.account for keys in found.accounts] == list(params.accounts)
    assert await code(service.fetch_key_package(context(), params)) is ErrorCode.RATE_LIMITED


async def tries(calling, waits_max=10):
    """Call until it is let through, each time after the wait that was told; return how long that was."""
    waited_ms = 0
    for _ in range(waits_max):
        try:
            await calling(context(10**12 + waited_ms))
        except Refusal as no:
            assert no.code is ErrorCode.RATE_LIMITED
            waited_ms += no.retry_after_ms
        else:
            return waited_ms
    raise AssertionError("never let through")


async def test_who_adds_more_people_than_come_at_once_is_let_through_after_the_wait_it_is_told():
    """256 at a time, as the SDK asks: each try that was refused had taken the few that had come back, for nothing."""
    service, _ = made(fetch_per_account=Rate(3_600, 3_600, 1_000))

    def fetch(first):
        people = tuple(of(n, OWN) for n in range(first, first + 256))
        return lambda call: service.fetch_key_package(
            call, keystore.FetchKeyPackageParams(accounts=people, suites=(1,))
        )

    assert [await tries(fetch(first)) for first in (1_000, 2_000, 3_000)] == [0, 0, 0]
    assert await tries(fetch(4_000)) == 24_001  # 232 were left, one comes back in a second


async def test_a_domain_that_looks_up_many_is_let_through_after_the_wait_it_is_told():
    service, _ = made(looked_up_per_peer=Rate(60, 60, 100))

    def look_up(call):
        asked = keystore.FetchHybridKeysParams(devices=tuple(of(n, OWN) for n in range(64))).to_bytes()
        number = NUMBERS["proxyFetchHybridKey"]
        return service.for_peer(call, keystore.KeysForPeerParams(domain=OTHER, method=number, params=asked))

    assert await tries(look_up) == 0
    assert await tries(look_up) == 28_001


async def test_who_asks_for_many_names_is_let_through_after_the_wait_it_is_told():
    service, _ = made(resolve_per_account=Rate(600, 60, 100))

    def ask(call):
        accounts = tuple(of(n, OWN) for n in range(64))
        return service.resolve_identities(call, keystore.ResolveIdentitiesParams(accounts=accounts))

    assert await tries(ask) == 0
    assert await tries(ask) == 2_801  # 36 were left, ten come back in a second


async def test_names_that_are_not_asked_for_rightly_cost_nothing():
    service, _ = made(resolve_per_account=Rate(1, 60, 1))
    for accounts in ((), (of(1, OTHER),), (b"no id",), (of(1, OWN),) * 257):
        asked = keystore.ResolveIdentitiesParams(accounts=accounts)
        too_many = len(accounts) > 256
        wanted = ErrorCode.TOO_LARGE if too_many else ErrorCode.MALFORMED
        assert await code(service.resolve_identities(context(), asked)) is wanted
    asked = keystore.ResolveIdentitiesParams(accounts=(of(1, OWN),))
    assert len((await service.resolve_identities(context(), asked)).identities) == 1


async def test_of_the_limits_of_a_fetch_all_or_none_are_taken():
    """One person drawn too often costs nothing of the others, and nothing of what the account may draw in all."""
    limiter = LocalLimiter()
    service, _ = made(limiter, fetch_per_account=Rate(10, 3_600, 10), drained_per_pair=Rate(2, 3_600, 2))
    often, seldom = of(7, OWN), [of(n, OWN) for n in range(10, 14)]

    async def fetch(*people):
        params = keystore.FetchKeyPackageParams(accounts=people, suites=(1,))
        return await service.fetch_key_package(context(), params)

    for _ in range(2):
        await fetch(often)
    for _ in range(5):
        assert await code(fetch(*seldom, often)) is ErrorCode.RATE_LIMITED
    assert limiter.refused == {b"d": 5}
    for _ in range(2):
        await fetch(*seldom)  # 8 were left in all, and both of each
    assert await code(fetch(of(99, OWN))) is ErrorCode.RATE_LIMITED
    assert limiter.refused == {b"d": 5, b"f": 1}


async def test_another_domain_is_asked_for_no_more_at_once_than_it_answers():
    service, asked = made()
    devices = [of(n, OTHER) for n in range(2 * LISTS_MAX + 1)]
    found = await service.fetch_hybrid_keys(context(), keystore.FetchHybridKeysParams(devices=tuple(devices)))
    assert list(found.hybrid_keys) == [device[:16] for device in devices]
    lists = await service.device_lists(context(), keystore.DeviceListsParams(accounts=tuple(devices)))
    assert len(lists.device_lists) == len(devices)
    assert asked.counts == [LISTS_MAX, LISTS_MAX, 1] * 2
