"""Of delivery: channels, messages, commits, signals."""

from __future__ import annotations

import trio

from qpqcore.api import delivery
from qpqcore.model.errors import ErrorCode
from tests.support import recipes
from tests.support.proofs.waiting import WAIT_SECONDS


async def createChannel(w):
    alice = await w.device("alice")
    params = recipes.new_channel(alice)
    await alice.call(params, delivery.CreateChannelResult)
    yield
    alice = await w.device("alice")
    found = await alice.call(delivery.ListChannelsParams(), delivery.ListChannelsResult)
    assert params.channel in {c.channel for c in found.channels if c.member and c.leaves == 1}


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


async def fetch(w):
    alice = await w.device("alice")
    await alice.call(alice.message(w.direct, b"waits"), delivery.EnqueueResult)
    yield
    assert (await read_all(await w.device("bob"), w.direct)) == [b"waits"]


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


async def peek(w):
    alice = await w.device("alice")
    message = alice.message(w.direct)
    await alice.call(message, delivery.EnqueueResult)
    yield
    bob = await w.device("bob")
    peeked = await bob.call(delivery.PeekParams(), delivery.PeekResult)
    assert [(e.kind, e.payload) for e in peeked.entries] == [(delivery.EntryKind.MESSAGE, b"")]
    assert peeked.pending_bytes == len(message.payload)


async def ack(w):
    alice, bob = await w.device("alice"), await w.device("bob")
    await alice.call(alice.message(w.direct), delivery.EnqueueResult)
    last = (await bob.call(delivery.PeekParams(), delivery.PeekResult)).last
    await bob.call(delivery.AckParams(up_to=last), delivery.AckResult)
    yield
    bob = await w.device("bob")
    page = await bob.call(delivery.FetchParams(), delivery.FetchResult)
    assert (page.entries, page.acked) == ((), last)


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


async def submitProposal(w):
    carol = await w.device("carol")
    params = recipes.leaving(carol, w.club)
    await carol.call(params, delivery.SubmitProposalResult)
    yield
    bob = await w.device("bob")
    info = await bob.call(delivery.FetchGroupInfoParams(channel=w.club), delivery.FetchGroupInfoResult)
    assert info.proposals == (params.proposal,)
    assert await bob.code(bob.commit(w.club)) is ErrorCode.PROPOSAL_MISSING


async def fetchGroupInfo(w):
    alice = await w.device("alice")
    change = alice.commit(w.club)
    await alice.call(change, delivery.SubmitCommitResult)
    yield
    bob = await w.device("bob")
    info = await bob.call(delivery.FetchGroupInfoParams(channel=w.club), delivery.FetchGroupInfoResult)
    assert (info.group_info, info.epoch) == (change.handshake.group_info, change.epoch + 1)


async def fetchTree(w):
    alice = await w.device("alice")
    await alice.call(alice.commit(w.club), delivery.SubmitCommitResult)
    yield
    bob = await w.device("bob")
    info = await bob.call(delivery.FetchGroupInfoParams(channel=w.club), delivery.FetchGroupInfoResult)
    params = delivery.FetchTreeParams(channel=w.club, tree_hash=info.tree_hash)
    tree = (await bob.call(params, delivery.FetchTreeResult)).tree
    bob.account.native().external_join(info.group_info, tree, remove_leaf=bob.group(w.club).own_index)


async def resetChannel(w):
    alice = await w.device("alice")
    await alice.call(recipes.reset_of(alice, w.club), delivery.ResetChannelResult)
    yield
    bob, alice = await w.device("bob"), await w.device("alice")
    page = await bob.call(delivery.FetchParams(), delivery.FetchResult)
    assert [(e.kind, e.generation) for e in page.entries] == [(delivery.EntryKind.RESET, 2)]
    info = await alice.call(delivery.FetchGroupInfoParams(channel=w.club), delivery.FetchGroupInfoResult)
    assert info.generation == 2


async def describeHome(w):
    yield
    bob = await w.device("bob")
    home = await bob.call(delivery.DescribeHomeParams(domain="localhost"), delivery.ExternalSenderResult)
    hello = bob.link.hello
    assert (home.credential, home.key) == (hello.external_sender_credential, hello.external_sender_key)


async def listChannels(w):
    yield
    found = await (await w.device("bob")).call(delivery.ListChannelsParams(), delivery.ListChannelsResult)
    assert {c.channel: c.leaves for c in found.channels} == {w.direct: 2, w.club: 3}


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


PROOFS = (
    createChannel,
    enqueue,
    batchEnqueue,
    fetch,
    fetchWait,
    peek,
    ack,
    submitCommit,
    submitProposal,
    fetchGroupInfo,
    fetchTree,
    resetChannel,
    describeHome,
    listChannels,
    signal,
)
