"""What every store of the keystore keeps: no one-time KeyPackage twice, one list per account that never goes back."""

from __future__ import annotations

import hashlib

import pytest
import trio

from qpqcore.crypto.identity import DeviceEntry, DeviceList
from qpqcore.crypto.signatures import generate_key
from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.model.ids import AccountId, DeviceId, make_id
from qpqcore.store.keyed import Keyed
from qpqkeystore.rules import Package
from qpqkeystore.store import Endpoint

NOW_MS = 10**12
DAY_MS = 24 * 3600 * 1000
SECRET, PUBLIC = generate_key(b"i" * 32)
ACCOUNT = AccountId(make_id(b"a" * 16, "localhost"))
PHONE, LAPTOP = (DeviceId(make_id(n * 16, "localhost")) for n in (b"f", b"l"))
FIRST = DeviceList.make(SECRET, ACCOUNT, tuple(DeviceEntry(d, generate_key()[1]) for d in (PHONE, LAPTOP)), None)


def package(name, *, last_resort=False, suite=1, expires_ms=NOW_MS + DAY_MS):
    data = name.encode()
    return Package(hashlib.sha256(data).digest(), suite, data, expires_ms, last_resort)


def keyed(key=b"", request=b"", now_ms=NOW_MS):
    return Keyed(b"bob", 1, key, request, now_ms)


def written(taken):
    """A reply that shows what was taken."""
    return b",".join(d.data + (b"!" if d.last_resort else b"") for _, devices in taken for d in devices)


async def begin(store):
    await store.put_account(ACCOUNT, "alice", PUBLIC)
    await store.put_list(ACCOUNT, FIRST.version, FIRST.to_bytes(), [PHONE, LAPTOP])


async def take(store, suites=(1,), key=keyed()):
    return (await store.take([ACCOUNT], list(suites), key, written))[0].split(b",")


async def test_no_package_is_handed_out_twice_however_many_ask(open_store):
    async with open_store("qpqkeystore") as store:
        await begin(store)
        await store.add_packages(ACCOUNT, PHONE, [package(f"phone {n}") for n in range(20)], 100)
        await store.add_packages(ACCOUNT, PHONE, [package("the last", last_resort=True)], 100)
        got = []

        async def ask():
            got.extend(p for p in await take(store) if p)

        async with trio.open_nursery() as nursery:
            for _ in range(30):
                nursery.start_soon(ask)
        one_time = [p for p in got if not p.endswith(b"!")]
        assert len(one_time) == len(set(one_time)) == 20
        assert got.count(b"the last!") == 10


async def test_a_repeated_key_gives_the_same_and_takes_nothing(open_store):
    async with open_store("qpqkeystore") as store:
        await begin(store)
        await store.add_packages(ACCOUNT, PHONE, [package("one"), package("two")], 100)
        first = await take(store, key=keyed(b"k" * 16, b"request"))
        assert await take(store, key=keyed(b"k" * 16, b"request")) == first
        assert (await store.stock(ACCOUNT, PHONE, NOW_MS))[1] == (1, False)
        with pytest.raises(Refusal) as no:
            await take(store, key=keyed(b"k" * 16, b"another request"))
        assert no.value.code is ErrorCode.IDEMPOTENCY_MISMATCH


async def test_suites_are_taken_in_order_of_preference_and_the_expired_never(open_store):
    async with open_store("qpqkeystore") as store:
        await begin(store)
        packages = [package("classic"), package("post-quantum", suite=0xF04F), package("old", expires_ms=NOW_MS - 1)]
        await store.add_packages(ACCOUNT, PHONE, packages, 100)
        assert await take(store, (0xF04F, 1)) == [b"post-quantum", b""]
        assert await take(store, (0xF04F, 1)) == [b"classic", b""]
        assert await take(store, (0xF04F, 1)) == [b"", b""]
        await store.sweep(NOW_MS)
        assert await store.stock(ACCOUNT, PHONE, 0) == {}


async def test_more_than_may_wait_is_refused_whole(open_store):
    async with open_store("qpqkeystore") as store:
        await begin(store)
        await store.add_packages(ACCOUNT, PHONE, [package("a"), package("b")], 3)
        with pytest.raises(Refusal) as no:
            await store.add_packages(ACCOUNT, PHONE, [package("c"), package("d")], 3)
        assert no.value.code is ErrorCode.KEY_PACKAGE_LIMIT
        assert (await store.stock(ACCOUNT, PHONE, NOW_MS))[1] == (2, False)
        await store.add_packages(ACCOUNT, PHONE, [package("a"), package("b"), package("c")], 3)
        assert (await store.stock(ACCOUNT, PHONE, NOW_MS))[1] == (3, False)


async def test_a_last_resort_package_replaces_the_one_before(open_store):
    async with open_store("qpqkeystore") as store:
        await begin(store)
        for name in ("first", "second"):
            await store.add_packages(ACCOUNT, PHONE, [package(name, last_resort=True)], 100)
        assert (await take(store))[0] == b"second!"
        assert (await take(store))[0] == b"second!"


async def test_a_list_never_goes_back_and_takes_away_what_its_lost_devices_had(open_store):
    async with open_store("qpqkeystore") as store:
        await begin(store)
        await store.add_packages(ACCOUNT, LAPTOP, [package("of the laptop")], 100)
        await store.put_hybrid_key(ACCOUNT, LAPTOP, b"hybrid", 1)
        await store.put_endpoint(ACCOUNT, LAPTOP, Endpoint(b"where", 60, b"s" * 64, NOW_MS + 60_000))
        second = DeviceList.make(SECRET, ACCOUNT, tuple(d for d in FIRST.devices if d.device == PHONE), FIRST)
        assert await store.put_list(ACCOUNT, second.version, second.to_bytes(), [PHONE]) == 2
        assert await store.put_list(ACCOUNT, 1, FIRST.to_bytes(), [PHONE, LAPTOP]) == 2
        assert (await store.by_name("alice")).device_list == second.to_bytes()
        assert await store.stock(ACCOUNT, LAPTOP, NOW_MS) == {}
        assert await store.hybrid_keys([LAPTOP, PHONE]) == [b"", b""]
        assert await store.endpoint(LAPTOP, NOW_MS) is None
        with pytest.raises(Refusal) as no:
            await store.put_list(make_id(b"x" * 16, "localhost"), 1, b"", [])
        assert no.value.code is ErrorCode.NOT_FOUND


async def test_an_older_hybrid_key_does_not_replace_a_newer(open_store):
    async with open_store("qpqkeystore") as store:
        await begin(store)
        await store.put_hybrid_key(ACCOUNT, PHONE, b"newer", 2)
        await store.put_hybrid_key(ACCOUNT, PHONE, b"older", 1)
        assert await store.hybrid_keys([PHONE]) == [b"newer"]


async def test_an_endpoint_lives_as_long_as_it_says(open_store):
    async with open_store("qpqkeystore") as store:
        await begin(store)
        await store.put_endpoint(ACCOUNT, PHONE, Endpoint(b"where", 60, b"s" * 64, NOW_MS + 60_000))
        assert (await store.endpoint(PHONE, NOW_MS + 59_999)).endpoint == b"where"
        assert await store.endpoint(PHONE, NOW_MS + 60_000) is None
        await store.sweep(NOW_MS + 60_000)
        assert await store.endpoint(PHONE, NOW_MS) is None


async def test_accounts_are_shown_in_the_order_asked_for_and_as_often(open_store):
    async with open_store("qpqkeystore") as store:
        others = [make_id(bytes([n]) * 16, "localhost") for n in range(3)]
        await begin(store)
        for number, account in enumerate(others[:2]):
            await store.put_account(account, f"other {number}", bytes([number]) * 32)
        asked = [others[1], others[2], ACCOUNT, others[0], ACCOUNT]
        found = await store.entries(asked)
        assert [entry and entry.name for entry in found] == ["other 1", None, "alice", "other 0", "alice"]
        assert [entry.device_list for entry in found if entry] == [b"", FIRST.to_bytes(), b"", FIRST.to_bytes()]


async def test_a_purged_account_leaves_nothing(open_store):
    async with open_store("qpqkeystore") as store:
        await begin(store)
        await store.add_packages(ACCOUNT, PHONE, [package("one")], 100)
        for _ in range(2):
            await store.purge(ACCOUNT)
            assert await store.by_name("alice") is None
            assert await store.by_identity(PUBLIC) is None
            assert await store.entries([ACCOUNT]) == [None]
            assert await store.stock(ACCOUNT, PHONE, NOW_MS) == {}
