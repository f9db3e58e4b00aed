"""Of the keystore: key packages, hybrid keys, identities, endpoints, device lists."""

from __future__ import annotations

from qpqcore.api import keystore
from qpqcore.crypto.identity import DeviceList
from tests.support import recipes


async def uploadKeyPackages(w):
    await w.stop()
    w.edit("keystore", "DELETE FROM packages WHERE last_resort = 0")
    await w.start()
    eve = await w.device("eve")
    package = recipes.key_package(eve)
    await eve.call(keystore.UploadKeyPackagesParams(packages=(package,)), keystore.UploadKeyPackagesResult)
    yield
    assert await drawn(w, "eve") == package


async def drawn(w, name):
    """Draw one of a person's packages."""
    params = keystore.FetchKeyPackageParams(accounts=((await w.device(name)).account.account,), suites=(1,))
    got = await (await w.device("bob")).call(params, keystore.FetchKeyPackageResult)
    (package,) = got.accounts[0].packages
    return package.key_package


async def fetchKeyPackage(w):
    bob, eve = await w.device("bob"), await w.device("eve")
    params = keystore.FetchKeyPackageParams(accounts=(eve.account.account,), suites=(1,))
    got = await bob.call(params, keystore.FetchKeyPackageResult, key=b"k" * 16)
    (package,) = got.accounts[0].packages
    assert package.device == eve.id
    yield
    eve = await w.device("eve")
    stock = await eve.call(keystore.UploadKeyPackagesParams(), keystore.UploadKeyPackagesResult)
    assert next(s.one_time for s in stock.stock if s.suite == 1) == 49
    again = await (await w.device("bob")).call(params, keystore.FetchKeyPackageResult, key=b"k" * 16)
    assert again.accounts[0].packages[0].key_package == package.key_package


async def hybrid_key_of_eve(w):
    """Upload one; return it."""
    eve = await w.device("eve")
    key = recipes.hybrid_key(eve).to_bytes()
    await eve.call(keystore.UploadHybridKeyParams(hybrid_key=key), keystore.UploadHybridKeyResult)
    return key


async def uploadHybridKey(w):
    key = await hybrid_key_of_eve(w)
    yield
    bob, eve = await w.device("bob"), await w.device("eve")
    found = await bob.call(keystore.FetchHybridKeyParams(device=eve.id), keystore.FetchHybridKeyResult)
    assert found.hybrid_key == key


async def fetchHybridKey(w):
    async for _ in uploadHybridKey(w):
        yield


async def fetchHybridKeys(w):
    key = await hybrid_key_of_eve(w)
    yield
    bob, eve = await w.device("bob"), await w.device("eve")
    params = keystore.FetchHybridKeysParams(devices=(recipes.fresh_id(), eve.id))
    assert (await bob.call(params, keystore.FetchHybridKeysResult)).hybrid_keys == (b"", key)


async def resolveUser(w):
    yield
    bob, eve = await w.device("bob"), await w.device("eve")
    found = await bob.call(keystore.ResolveUserParams(name="eve"), keystore.ResolveUserResult)
    assert (found.account, found.name) == (eve.account.account, "eve")
    assert DeviceList.from_bytes(found.device_list).key_of(eve.id)


async def resolveIdentity(w):
    bob = await w.device("bob")
    named = await bob.call(keystore.ResolveUserParams(name="eve"), keystore.ResolveUserResult)
    yield
    bob = await w.device("bob")
    params = keystore.ResolveIdentityParams(identity_key=named.identity_key)
    assert (await bob.call(params, keystore.ResolveIdentityResult)).name == "eve"
    params = keystore.ResolveIdentityParams(account=named.account)
    assert (await bob.call(params, keystore.ResolveIdentityResult)).identity_key == named.identity_key


async def resolveIdentities(w):
    bob, eve = await w.device("bob"), await w.device("eve")
    accounts = (eve.account.account, recipes.fresh_id(), bob.account.account)
    yield
    bob, eve = await w.device("bob"), await w.device("eve")
    params = keystore.ResolveIdentitiesParams(accounts=accounts)
    shown = (await bob.call(params, keystore.ResolveIdentitiesResult)).identities
    assert [i.account for i in shown] == [accounts[0], b"", accounts[2]]
    assert [i.name for i in shown] == ["eve", "", "bob"]
    assert DeviceList.from_bytes(shown[0].device_list).key_of(eve.id)
    alone = keystore.ResolveIdentityParams(account=accounts[2])
    assert await bob.call(alone, keystore.ResolveIdentityResult) == shown[2]


async def publishEndpoint(w):
    alice = await w.device("alice")
    await alice.call(recipes.endpoint(alice, b"where alice is"), keystore.PublishEndpointResult)
    yield
    bob, alice = await w.device("bob"), await w.device("alice")
    found = await bob.call(keystore.ResolveEndpointParams(device=alice.id), keystore.ResolveEndpointResult)
    assert found.endpoint == b"where alice is"


async def resolveEndpoint(w):
    alice = await w.device("alice")
    published = recipes.endpoint(alice)
    done = await alice.call(published, keystore.PublishEndpointResult)
    yield
    bob, alice = await w.device("bob"), await w.device("alice")
    found = await bob.call(keystore.ResolveEndpointParams(device=alice.id), keystore.ResolveEndpointResult)
    assert (found.signature, found.ttl_seconds, found.expires_ms) == (published.signature, 600, done.expires_ms)


async def publishDeviceList(w):
    await w.stop()
    w.edit("keystore", "UPDATE accounts SET device_list = x'', version = 0 WHERE name = 'alice'")
    await w.start()
    alice = await w.device("alice")
    listed = await recipes.stored_list(alice)
    params = keystore.PublishDeviceListParams(device_list=listed.to_bytes())
    await alice.call(params, keystore.PublishDeviceListResult)
    yield
    bob = await w.device("bob")
    found = await bob.call(keystore.ResolveUserParams(name="alice"), keystore.ResolveUserResult)
    assert found.device_list == listed.to_bytes()


PROOFS = (
    uploadKeyPackages,
    fetchKeyPackage,
    uploadHybridKey,
    fetchHybridKey,
    fetchHybridKeys,
    resolveUser,
    resolveIdentity,
    resolveIdentities,
    publishEndpoint,
    resolveEndpoint,
    publishDeviceList,
)
