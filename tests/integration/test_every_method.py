"""Every method over real QUIC: its effect is read back through another one after the server was stopped and started.

A proof is an async generator: it acts, yields while the server restarts, then reads back. Each proof must fail when its
method's handler is replaced by an empty success.
"""

from __future__ import annotations

import pytest
import trio

import qpqclient
from qpqclient.groups import leaves_of
from qpqcore.api import auth, blob, delivery, gateway, keystore
from qpqcore.api.methods import METHODS
from qpqcore.api.rpc import Call, Reply
from qpqcore.crypto.identity import DeviceEntry, DeviceList
from qpqcore.crypto.signatures import generate_key
from qpqcore.model.errors import ErrorCode
from qpqgateway.service import Gateway
from tests.support import recipes
from tests.support.world import FIRST, method_named, raw

CLIENT_METHODS = {m.name: m for m in METHODS.values() if not m.internal and m.service != "federation"}
PROOFS = {}
WAIT_SECONDS = 10


def proof(function):
    PROOFS[function.__name__] = function
    return function


# --- gateway


@proof
async def health(w):
    link = await w.anonymous()
    assert (await link.call(gateway.HealthParams(), gateway.HealthResult)).status == "ok"
    yield
    link = await w.anonymous()
    answer = await link.call(gateway.HealthParams(), gateway.HealthResult)
    assert (answer.status, answer.version) == ("ok", link.hello.server_version)


@proof
async def hello(w):
    before = (await w.anonymous()).hello
    yield
    link = await w.anonymous()
    assert link.hello.external_sender_key == before.external_sender_key != b""
    assert link.hello.challenge != before.challenge
    bob = await w.silent("bob")
    await bob.call(recipes.resumption(bob, bob.link), auth.ResumeResult)


@proof
async def subscribe(w):
    alice = await w.device("alice")
    sent = await alice.call(alice.message(w.direct), delivery.EnqueueResult)
    yield
    bob = await w.device("bob")
    with trio.fail_after(WAIT_SECONDS):
        async with bob.link.subscribe(0) as events:
            first = await anext(events)
            ready = await anext(events)
    assert [e.log_number for e in first.entries] == [sent.log_number]
    assert (ready.which, ready.ready) == ("ready", first.entries[-1].number)


# --- auth


@proof
async def registerStart(w):
    link = await w.anonymous()
    finish = await recipes.registration(link, "frank", "frank's password")
    await link.call(finish, auth.RegisterFinishResult)
    yield
    await sign_in(w, "frank", "frank's password")


@proof
async def registerFinish(w):
    link = await w.anonymous()
    finish = await recipes.registration(link, "frank", "frank's password")
    await link.call(finish, auth.RegisterFinishResult)
    yield
    done = await sign_in(w, "frank", "frank's password")
    assert (done.account, done.wraps) == (finish.account, finish.wraps)


async def sign_in(w, name, password):
    link = await w.anonymous()
    finish, _ = await recipes.login(link, name, password)
    return await link.call(finish, auth.LoginFinishResult)


@proof
async def loginStart(w):
    yield
    assert (await sign_in(w, "alice", "secret alice")).session
    with pytest.raises(Exception, match="login"):
        await sign_in(w, "alice", "another password")


@proof
async def loginFinish(w):
    link = await w.anonymous()
    finish, _ = await recipes.login(link, "alice", "secret alice", device=await w.device("alice"))
    done = await link.call(finish, auth.LoginFinishResult)
    assert (await link.call(delivery.ListChannelsParams(), delivery.ListChannelsResult)).channels
    yield
    alice = await w.silent("alice")
    with alice.store.transaction():
        alice.store.put({"session": done.session})
    await alice.account.resume(alice.link)
    assert (await alice.call(auth.ListDevicesParams(), auth.ListDevicesResult)).devices


@proof
async def resume(w):
    yield
    alice = await w.silent("alice")
    assert await alice.code(delivery.ListChannelsParams()) is ErrorCode.UNAUTHENTICATED
    await alice.account.resume(alice.link)
    assert await alice.code(delivery.ListChannelsParams()) is ErrorCode.OK


@proof
async def logout(w):
    alice = await w.device("alice")
    await alice.call(auth.LogoutParams(), auth.LogoutResult)
    assert await alice.code(delivery.ListChannelsParams()) is ErrorCode.UNAUTHENTICATED
    yield
    again = await w.silent("alice")
    with pytest.raises(qpqclient.Refused) as no:
        await again.account.resume(again.link)
    assert no.value.code is ErrorCode.UNAUTHENTICATED


@proof
async def registerDevice(w):
    alice = await w.device("alice")
    device, (_, public) = recipes.fresh_id(), generate_key()
    fresh = await recipes.next_list(alice, add=(DeviceEntry(device, public),))
    params = auth.RegisterDeviceParams(device_list=fresh.to_bytes(), device=device, label=b"sealed label")
    await alice.call(params, auth.RegisterDeviceResult)
    yield
    listed = await (await w.device("bob")).call(keystore.ResolveUserParams(name="alice"), keystore.ResolveUserResult)
    assert DeviceList.from_bytes(listed.device_list).key_of(device) == public


@proof
async def listDevices(w):
    yield
    alice = await w.device("alice")
    found = await alice.call(auth.ListDevicesParams(), auth.ListDevicesResult)
    assert [(d.device, d.current) for d in found.devices] == [(alice.id, True)]
    assert alice.account.open_label(alice.id, found.devices[0].label) == "alice's laptop"


@proof
async def revokeDevice(w):
    alice = await w.device("alice")
    lost, (_, public) = recipes.fresh_id(), generate_key()
    fresh = await recipes.next_list(alice, add=(DeviceEntry(lost, public),))
    await alice.call(auth.RegisterDeviceParams(device_list=fresh.to_bytes(), device=lost), auth.RegisterDeviceResult)
    fresh = await recipes.next_list(alice, drop=(alice.id,))
    await alice.call(auth.RevokeDeviceParams(device_list=fresh.to_bytes()), auth.RevokeDeviceResult)
    yield
    bob = await w.device("bob")
    info = await bob.call(delivery.FetchGroupInfoParams(channel=w.direct), delivery.FetchGroupInfoResult)
    assert len(info.proposals) == 1
    listed = await bob.call(keystore.ResolveUserParams(name="alice"), keystore.ResolveUserResult)
    assert [d.device for d in DeviceList.from_bytes(listed.device_list).devices] == [lost]


@proof
async def deleteAccount(w):
    alice = await w.device("alice")
    await alice.call(recipes.deletion(alice, alice.link), auth.DeleteAccountResult)
    yield
    bob = await w.device("bob")
    assert await bob.code(keystore.ResolveUserParams(name="alice")) is ErrorCode.NOT_FOUND
    with pytest.raises(Exception, match="login"):
        await sign_in(w, "alice", "secret alice")


# --- keystore


@proof
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


@proof
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


@proof
async def uploadHybridKey(w):
    eve = await w.device("eve")
    key = recipes.hybrid_key(eve).to_bytes()
    await eve.call(keystore.UploadHybridKeyParams(hybrid_key=key), keystore.UploadHybridKeyResult)
    yield
    bob, eve = await w.device("bob"), await w.device("eve")
    found = await bob.call(keystore.FetchHybridKeyParams(device=eve.id), keystore.FetchHybridKeyResult)
    assert found.hybrid_key == key


@proof
async def fetchHybridKey(w):
    eve = await w.device("eve")
    key = recipes.hybrid_key(eve).to_bytes()
    await eve.call(keystore.UploadHybridKeyParams(hybrid_key=key), keystore.UploadHybridKeyResult)
    yield
    bob, eve = await w.device("bob"), await w.device("eve")
    found = await bob.call(keystore.FetchHybridKeyParams(device=eve.id), keystore.FetchHybridKeyResult)
    assert found.hybrid_key == key


@proof
async def fetchHybridKeys(w):
    eve = await w.device("eve")
    key = recipes.hybrid_key(eve).to_bytes()
    await eve.call(keystore.UploadHybridKeyParams(hybrid_key=key), keystore.UploadHybridKeyResult)
    yield
    bob, eve = await w.device("bob"), await w.device("eve")
    params = keystore.FetchHybridKeysParams(devices=(recipes.fresh_id(), eve.id))
    assert (await bob.call(params, keystore.FetchHybridKeysResult)).hybrid_keys == (b"", key)


@proof
async def resolveUser(w):
    yield
    bob, eve = await w.device("bob"), await w.device("eve")
    found = await bob.call(keystore.ResolveUserParams(name="eve"), keystore.ResolveUserResult)
    assert (found.account, found.name) == (eve.account.account, "eve")
    assert DeviceList.from_bytes(found.device_list).key_of(eve.id)


@proof
async def resolveIdentity(w):
    bob = await w.device("bob")
    named = await bob.call(keystore.ResolveUserParams(name="eve"), keystore.ResolveUserResult)
    yield
    bob = await w.device("bob")
    params = keystore.ResolveIdentityParams(identity_key=named.identity_key)
    assert (await bob.call(params, keystore.ResolveIdentityResult)).name == "eve"
    params = keystore.ResolveIdentityParams(account=named.account)
    assert (await bob.call(params, keystore.ResolveIdentityResult)).identity_key == named.identity_key


@proof
async def publishEndpoint(w):
    alice = await w.device("alice")
    await alice.call(recipes.endpoint(alice, b"where alice is"), keystore.PublishEndpointResult)
    yield
    bob, alice = await w.device("bob"), await w.device("alice")
    found = await bob.call(keystore.ResolveEndpointParams(device=alice.id), keystore.ResolveEndpointResult)
    assert found.endpoint == b"where alice is"


@proof
async def resolveEndpoint(w):
    alice = await w.device("alice")
    published = recipes.endpoint(alice)
    done = await alice.call(published, keystore.PublishEndpointResult)
    yield
    bob, alice = await w.device("bob"), await w.device("alice")
    found = await bob.call(keystore.ResolveEndpointParams(device=alice.id), keystore.ResolveEndpointResult)
    assert (found.signature, found.ttl_seconds, found.expires_ms) == (published.signature, 600, done.expires_ms)


@proof
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


# --- delivery


@proof
async def createChannel(w):
    alice = await w.device("alice")
    params = recipes.new_channel(alice)
    await alice.call(params, delivery.CreateChannelResult)
    yield
    alice = await w.device("alice")
    found = await alice.call(delivery.ListChannelsParams(), delivery.ListChannelsResult)
    assert params.channel in {c.channel for c in found.channels if c.member and c.leaves == 1}


@proof
async def enqueue(w):
    alice = await w.device("alice")
    sent = alice.message(w.direct, b"kept")
    await alice.call(sent, delivery.EnqueueResult)
    yield
    assert (await read_all(await w.device("bob"), w.direct)) == [b"kept"]


async def read_all(device, channel):
    """Fetch and decrypt a device's messages."""
    page = await device.call(delivery.FetchParams(), delivery.FetchResult)
    group = device.group(channel)
    return [group.process(e.payload).data for e in page.entries if e.kind is delivery.EntryKind.MESSAGE]


@proof
async def batchEnqueue(w):
    alice = await w.device("alice")
    group = alice.group(w.direct)
    items = tuple(
        delivery.EnqueueParams(channel=w.direct, generation=1, epoch=group.epoch, payload=group.encrypt(text))
        for text in (b"one", b"two")
    )
    await alice.call(delivery.BatchEnqueueParams(items=items), delivery.BatchEnqueueResult)
    yield
    assert (await read_all(await w.device("bob"), w.direct)) == [b"one", b"two"]


@proof
async def fetch(w):
    alice = await w.device("alice")
    await alice.call(alice.message(w.direct, b"waits"), delivery.EnqueueResult)
    yield
    assert (await read_all(await w.device("bob"), w.direct)) == [b"waits"]


@proof
async def fetchWait(w):
    yield
    alice, bob = await w.device("alice"), await w.device("bob")
    answers = []

    async def wait():
        page = await bob.call(delivery.FetchWaitParams(wait_ms=20_000), delivery.FetchResult)
        answers.extend(page.entries)

    with trio.fail_after(WAIT_SECONDS):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            sent = await alice.call(alice.message(w.direct), delivery.EnqueueResult)
    assert [e.log_number for e in answers] == [sent.log_number]


@proof
async def peek(w):
    alice = await w.device("alice")
    message = alice.message(w.direct)
    await alice.call(message, delivery.EnqueueResult)
    yield
    bob = await w.device("bob")
    peeked = await bob.call(delivery.PeekParams(), delivery.PeekResult)
    assert [(e.kind, e.payload) for e in peeked.entries] == [(delivery.EntryKind.MESSAGE, b"")]
    assert peeked.pending_bytes == len(message.payload)


@proof
async def ack(w):
    alice, bob = await w.device("alice"), await w.device("bob")
    await alice.call(alice.message(w.direct), delivery.EnqueueResult)
    last = (await bob.call(delivery.PeekParams(), delivery.PeekResult)).last
    await bob.call(delivery.AckParams(up_to=last), delivery.AckResult)
    yield
    bob = await w.device("bob")
    page = await bob.call(delivery.FetchParams(), delivery.FetchResult)
    assert (page.entries, page.acked) == ((), last)


@proof
async def submitCommit(w):
    alice = await w.device("alice")
    change = alice.commit(w.club)
    await alice.call(change, delivery.SubmitCommitResult)
    yield
    carol = await w.device("carol")
    page = await carol.call(delivery.FetchParams(), delivery.FetchResult)
    assert [(e.kind, e.payload) for e in page.entries] == [(delivery.EntryKind.COMMIT, change.handshake.commit)]
    group = carol.group(w.club)
    group.process(page.entries[0].payload)
    info = await carol.call(delivery.FetchGroupInfoParams(channel=w.club), delivery.FetchGroupInfoResult)
    assert (info.epoch, info.tree_hash) == (group.epoch, group.tree_hash)


@proof
async def submitProposal(w):
    carol = await w.device("carol")
    params = recipes.leaving(carol, w.club)
    await carol.call(params, delivery.SubmitProposalResult)
    yield
    bob = await w.device("bob")
    info = await bob.call(delivery.FetchGroupInfoParams(channel=w.club), delivery.FetchGroupInfoResult)
    assert info.proposals == (params.proposal,)
    assert await bob.code(bob.commit(w.club)) is ErrorCode.PROPOSAL_MISSING


@proof
async def fetchGroupInfo(w):
    alice = await w.device("alice")
    change = alice.commit(w.club)
    await alice.call(change, delivery.SubmitCommitResult)
    yield
    bob = await w.device("bob")
    info = await bob.call(delivery.FetchGroupInfoParams(channel=w.club), delivery.FetchGroupInfoResult)
    assert (info.group_info, info.epoch) == (change.handshake.group_info, change.epoch + 1)


@proof
async def fetchTree(w):
    alice = await w.device("alice")
    await alice.call(alice.commit(w.club), delivery.SubmitCommitResult)
    yield
    bob = await w.device("bob")
    info = await bob.call(delivery.FetchGroupInfoParams(channel=w.club), delivery.FetchGroupInfoResult)
    params = delivery.FetchTreeParams(channel=w.club, tree_hash=info.tree_hash)
    tree = (await bob.call(params, delivery.FetchTreeResult)).tree
    bob.account.native().external_join(info.group_info, tree, remove_leaf=bob.group(w.club).own_index)


@proof
async def resetChannel(w):
    alice = await w.device("alice")
    await alice.call(recipes.reset_of(alice, w.club), delivery.ResetChannelResult)
    yield
    bob, alice = await w.device("bob"), await w.device("alice")
    page = await bob.call(delivery.FetchParams(), delivery.FetchResult)
    assert [(e.kind, e.generation) for e in page.entries] == [(delivery.EntryKind.RESET, 2)]
    info = await alice.call(delivery.FetchGroupInfoParams(channel=w.club), delivery.FetchGroupInfoResult)
    assert info.generation == 2


@proof
async def describeHome(w):
    yield
    bob = await w.device("bob")
    home = await bob.call(delivery.DescribeHomeParams(domain="localhost"), delivery.ExternalSenderResult)
    hello = bob.link.hello
    assert (home.credential, home.key) == (hello.external_sender_credential, hello.external_sender_key)


@proof
async def listChannels(w):
    yield
    found = await (await w.device("bob")).call(delivery.ListChannelsParams(), delivery.ListChannelsResult)
    assert {c.channel: c.leaves for c in found.channels} == {w.direct: 2, w.club: 3}


@proof
async def signal(w):
    yield
    alice, bob = await w.device("alice"), await w.device("bob")
    epoch = alice.group(w.direct).epoch
    with trio.fail_after(WAIT_SECONDS):
        async with bob.link.subscribe(0) as events:
            assert (await anext(events)).which == "ready"
            params = delivery.SignalParams(channel=w.direct, generation=1, epoch=epoch, payload=b"typing")
            await alice.call(params, delivery.SignalResult)
            event = await anext(events)
    assert (event.which, event.signal.payload) == ("signal", b"typing")


# --- blob


@proof
async def uploadBlob(w):
    params = recipes.upload(b"a photo")
    await (await w.device("alice")).call(params, blob.UploadBlobResult)
    yield
    link = await w.anonymous()
    got = await link.call(blob.DownloadBlobParams(blob=params.blob, secret=recipes.SECRET), blob.DownloadBlobResult)
    assert got.chunk == b"a photo"


@proof
async def downloadBlob(w):
    params = recipes.upload(b"0123456789")
    await (await w.device("alice")).call(params, blob.UploadBlobResult)
    yield
    bob = await w.device("bob")
    asked = blob.DownloadBlobParams(blob=params.blob, secret=recipes.SECRET, offset=4, max_bytes=3)
    got = await bob.call(asked, blob.DownloadBlobResult)
    assert (got.chunk, got.total_bytes) == (b"456", 10)


@proof
async def statBlob(w):
    params = recipes.upload(b"0123456789")
    done = await (await w.device("alice")).call(params, blob.UploadBlobResult)
    yield
    stat = await (await w.device("alice")).call(blob.StatBlobParams(blob=params.blob), blob.StatBlobResult)
    assert (stat.total_bytes, stat.received, stat.complete, stat.expires_ms) == (10, 10, True, done.expires_ms)


@proof
async def deleteBlob(w):
    alice, params = await w.device("alice"), recipes.upload(b"a photo")
    await alice.call(params, blob.UploadBlobResult)
    await alice.call(blob.DeleteBlobParams(blob=params.blob), blob.DeleteBlobResult)
    yield
    asked = blob.DownloadBlobParams(blob=params.blob, secret=recipes.SECRET)
    assert await (await w.device("alice")).code(asked) is ErrorCode.NOT_FOUND


# --- the tests


def test_every_method_has_a_proof():
    assert set(PROOFS) == set(CLIENT_METHODS)


async def prove(w, name):
    steps = PROOFS[name](w)
    await anext(steps)
    await w.restart()
    with pytest.raises(StopAsyncIteration):
        await anext(steps)


@pytest.mark.parametrize("name", sorted(CLIENT_METHODS))
async def test_the_effect_is_there_after_a_restart(open_world, name):
    async with open_world() as w:
        await prove(w, name)


@pytest.mark.parametrize("name", sorted(CLIENT_METHODS))
async def test_an_empty_success_is_caught(open_world, monkeypatch, name):
    hollow(monkeypatch, name)
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - whatever the proof finds wrong
        async with open_world() as w:
            await prove(w, name)
    assert not isinstance(caught.value, KeyboardInterrupt)


def hollow(monkeypatch, name):
    """Replace a method's handler by one that says yes and does nothing."""
    method, real = CLIENT_METHODS[name], Gateway.on_call

    def on_call(self, incoming):
        if incoming.violation is None and Call.from_bytes(incoming.frame).method == method.number:
            if method.streams:
                incoming.finish()
            else:
                incoming.reply(Reply(result=method.result().to_bytes()).to_bytes())
            return None
        return real(self, incoming)

    monkeypatch.setattr(Gateway, "on_call", on_call)


@pytest.mark.parametrize(
    "method", [m for m in METHODS.values() if m.service == "federation" and not m.internal], ids=lambda m: m.name
)
async def test_federation_is_for_peers_alone(open_world, method):
    async with open_world() as w:
        alice = await w.device("alice")
        assert (await raw(alice.link, method.number, method.params().to_bytes()))[0] is ErrorCode.FORBIDDEN


async def test_the_world_is_what_it_says(open_world):
    async with open_world() as w:
        bob = await w.client("bob")
        assert [m.text for m in bob.conversation(w.direct).history()] == [FIRST]
        names = {leaf.account for leaf in leaves_of((await w.device("alice")).group(w.club).members())}
        assert len(names) == 3
        assert method_named("enqueue").name == "enqueue"
