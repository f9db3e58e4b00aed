"""Bad input about KeyPackages, hybrid keys, names and endpoints (docs/spec/identity.md, docs/spec/groups.md)."""

from __future__ import annotations

from dataclasses import replace

import pytest

import qpqnative
from qpqclient.client import system_now_ms
from qpqcore.api import keystore
from qpqcore.crypto.identity import Credential
from qpqcore.crypto.signatures import generate_key
from qpqcore.model.errors import ErrorCode
from qpqcore.model.ids import make_id
from tests.support import recipes
from tests.support.rows import Table, check

table = Table()
row = table.row


def packages(*data, last_resort=()):
    return keystore.UploadKeyPackagesParams(packages=data, last_resort=last_resort)


def package_of(credential, secret, *, not_before_s=None, lifetime_s=30 * recipes.DAY_S):
    now_s = system_now_ms() // 1000
    device = qpqnative.Device(credential=credential, signature_secret=secret)
    return device.key_package(1, not_before_s=not_before_s or now_s - recipes.DAY_S, lifetime_s=lifetime_s)


@row("a KeyPackage that is none", ErrorCode.KEY_PACKAGE_INVALID)
async def no_package(w):
    alice = await w.device("alice")
    yield
    yield await alice.code(packages(b"nonsense"))


@row("a KeyPackage with a bad signature", ErrorCode.KEY_PACKAGE_INVALID)
async def bad_signature(w):
    alice = await w.device("alice")
    data = recipes.key_package(alice)
    yield
    yield await alice.code(packages(data[:-1] + bytes([data[-1] ^ 1])))


@row("a KeyPackage past its lifetime", ErrorCode.KEY_PACKAGE_INVALID)
async def expired(w):
    alice = await w.device("alice")
    account, begin_s = alice.account, system_now_ms() // 1000 - 90 * recipes.DAY_S
    data = package_of(account.credential(), account.device_secret, not_before_s=begin_s)
    yield
    yield await alice.code(packages(data))


@row("a KeyPackage of another device", ErrorCode.KEY_PACKAGE_OWNER)
async def owner(w):
    alice, eve = await w.device("alice"), await w.device("eve")
    yield
    yield await eve.code(packages(recipes.key_package(alice)))


@row("a KeyPackage of a device that is in no list", ErrorCode.KEY_PACKAGE_OWNER)
async def unlisted(w):
    alice = await w.device("alice")
    secret, public = generate_key()
    vault = alice.account.vault()
    credential = Credential.make(vault.identity_secret, alice.account.account, alice.id, public)
    yield
    yield await alice.code(packages(package_of(credential.to_bytes(), secret)))


@row("a KeyPackage whose credential another identity key signed", ErrorCode.CREDENTIAL_INVALID)
async def credential(w):
    alice = await w.device("alice")
    own = Credential.from_bytes(alice.account.credential())
    forged = replace(own, signature=bytes(64))
    yield
    yield await alice.code(packages(package_of(forged.to_bytes(), alice.account.device_secret)))


@row("a KeyPackage above 16 KiB", ErrorCode.TOO_LARGE)
async def large(w):
    alice = await w.device("alice")
    yield
    yield await alice.code(packages(bytes(16 * 1024 + 1)))


@row("101 KeyPackages in a call", ErrorCode.KEY_PACKAGE_LIMIT)
async def many(w):
    alice = await w.device("alice")
    yield
    yield await alice.code(packages(*[b"x"] * 101))


@row("more KeyPackages than may wait", ErrorCode.KEY_PACKAGE_LIMIT)
async def full(w):
    alice = await w.device("alice")
    data = [recipes.key_package(alice) for _ in range(60)]
    yield
    yield await alice.code(packages(*data))


@row("KeyPackages of 257 accounts", ErrorCode.TOO_LARGE)
async def many_accounts(w):
    alice = await w.device("alice")
    yield
    yield await alice.code(keystore.FetchKeyPackageParams(accounts=(b"a",) * 257, suites=(1,)))


@row("KeyPackages of what is no account", ErrorCode.MALFORMED)
async def no_account(w):
    alice = await w.device("alice")
    accounts = (alice.account.account, b"x" * 1_000_000)
    yield
    yield await alice.code(keystore.FetchKeyPackageParams(accounts=accounts, suites=(1,)), key=b"k" * 16)


@row("KeyPackages of 17 suites", ErrorCode.TOO_LARGE)
async def many_suites(w):
    alice = await w.device("alice")
    yield
    yield await alice.code(keystore.FetchKeyPackageParams(accounts=(alice.account.account,), suites=(1,) * 17))


@row("one person's KeyPackages drawn for the 31st time in an hour", ErrorCode.RATE_LIMITED)
async def drained(w):
    bob, alice = await w.device("bob"), await w.device("alice")
    params = keystore.FetchKeyPackageParams(accounts=(alice.account.account,), suites=(1,))
    for _ in range(30):
        assert await bob.code(params) is ErrorCode.OK
    yield
    yield await bob.code(params)


@row("a hybrid key that its device has not signed", ErrorCode.HYBRID_KEY_INVALID)
async def hybrid(w):
    alice = await w.device("alice")
    key = replace(recipes.hybrid_key(alice), created_ms=1)
    yield
    yield await alice.code(keystore.UploadHybridKeyParams(hybrid_key=key.to_bytes()))


@row("a hybrid key that is none", ErrorCode.HYBRID_KEY_INVALID)
async def no_hybrid(w):
    alice = await w.device("alice")
    yield
    yield await alice.code(keystore.UploadHybridKeyParams(hybrid_key=b"nonsense"))


@row("hybrid keys of 1,025 devices", ErrorCode.TOO_LARGE)
async def many_hybrid(w):
    alice = await w.device("alice")
    yield
    yield await alice.code(keystore.FetchHybridKeysParams(devices=(b"d",) * 1_025))


@row("a name that nobody has", ErrorCode.NOT_FOUND)
async def nobody(w):
    alice = await w.device("alice")
    yield
    yield await alice.code(keystore.ResolveUserParams(name="nobody"))


@row("a name with a blank", ErrorCode.NAME_INVALID)
async def bad_name(w):
    alice = await w.device("alice")
    yield
    yield await alice.code(keystore.ResolveUserParams(name="no body"))


@row("an identity asked for by key and by account", ErrorCode.MALFORMED)
async def both(w):
    alice = await w.device("alice")
    yield
    yield await alice.code(keystore.ResolveIdentityParams(identity_key=b"k" * 32, account=alice.account.account))


@row("identities of nobody asked for", ErrorCode.MALFORMED)
async def no_identities(w):
    alice = await w.device("alice")
    yield
    yield await alice.code(keystore.ResolveIdentitiesParams())


@row("identities of 257 accounts", ErrorCode.TOO_LARGE)
async def many_identities(w):
    alice = await w.device("alice")
    yield
    yield await alice.code(keystore.ResolveIdentitiesParams(accounts=(alice.account.account,) * 257))


@row("identities of which one is of another domain", ErrorCode.MALFORMED)
async def identity_abroad(w):
    alice = await w.device("alice")
    abroad = make_id(b"a" * 16, "elsewhere.example")
    yield
    yield await alice.code(keystore.ResolveIdentitiesParams(accounts=(alice.account.account, abroad)))


@row("identities of which one is no account", ErrorCode.MALFORMED)
async def no_identity(w):
    alice = await w.device("alice")
    yield
    yield await alice.code(keystore.ResolveIdentitiesParams(accounts=(alice.account.account, b"a" * 16)))


@row("identities of 256 accounts, the fifth time at once", ErrorCode.RATE_LIMITED)
async def identities_again(w):
    bob, alice = await w.device("bob"), await w.device("alice")
    params = keystore.ResolveIdentitiesParams(accounts=(alice.account.account,) * 256)
    for _ in range(4):
        assert await bob.code(params) is ErrorCode.OK
    yield
    yield await bob.code(params)


@row("an endpoint that its device has not signed", ErrorCode.SIGNATURE_INVALID)
async def endpoint(w):
    alice = await w.device("alice")
    yield
    yield await alice.code(replace(recipes.endpoint(alice), endpoint=b"elsewhere"))


@row("an endpoint that would live for ever", ErrorCode.MALFORMED)
async def long_endpoint(w):
    alice = await w.device("alice")
    yield
    yield await alice.code(recipes.endpoint(alice, ttl_seconds=2**31))


@row("an endpoint above 1 KiB", ErrorCode.TOO_LARGE)
async def large_endpoint(w):
    alice = await w.device("alice")
    yield
    yield await alice.code(recipes.endpoint(alice, bytes(1_025)))


@row("another account's device list published", ErrorCode.FORBIDDEN)
async def others_list(w):
    alice, eve = await w.device("alice"), await w.device("eve")
    listed = await recipes.stored_list(alice)
    yield
    yield await eve.code(keystore.PublishDeviceListParams(device_list=listed.to_bytes()))


@row("a device list published that auth does not know", ErrorCode.DEVICE_LIST_STALE)
async def invented_list(w):
    alice = await w.device("alice")
    listed = await recipes.next_list(alice)
    yield
    yield await alice.code(keystore.PublishDeviceListParams(device_list=listed.to_bytes()))


@pytest.mark.parametrize("bad", table.rows, ids=lambda r: r.what)
async def test_bad_input(open_world, bad):
    await check(bad, open_world)
