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


def context():
    caller = Caller(CallerKind.ACCOUNT, of(1, OWN), of(2, OWN))
    return CallContext(caller=caller, now_ms=10**12, deadline_s=trio.current_time() + 5)


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


async def test_another_domain_is_asked_for_no_more_at_once_than_it_answers():
    service, asked = made()
    devices = [of(n, OTHER) for n in range(2 * LISTS_MAX + 1)]
    found = await service.fetch_hybrid_keys(context(), keystore.FetchHybridKeysParams(devices=tuple(devices)))
    assert list(found.hybrid_keys) == [device[:16] for device in devices]
    lists = await service.device_lists(context(), keystore.DeviceListsParams(accounts=tuple(devices)))
    assert len(lists.device_lists) == len(devices)
    assert asked.counts == [LISTS_MAX, LISTS_MAX, 1] * 2
