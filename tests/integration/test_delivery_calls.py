"""Delivery and blob calls one by one over real QUIC: sealed senders, repeats, stale epochs, mailboxes, read secrets."""

from __future__ import annotations

import hashlib
from contextlib import AsyncExitStack

import pytest
import trio

import qpqclient
from qpqclient.transport import Trust, open_link
from qpqcore.api import blob, delivery
from qpqcore.crypto.parts import u32, vec
from qpqcore.crypto.signatures import generate_key, sign
from qpqcore.model.errors import ErrorCode
from qpqcore.model.ids import make_id
from tests.support.world import method_named, raw


async def pair(stack, server, tmp_path):
    clients = []
    for name in ("alice", "bob"):
        client = await stack.enter_async_context(
            qpqclient.open_client(tmp_path / name, server=server.where, password="x")
        )
        await client.register(name, "secret")
        clients.append(client)
    direct = await clients[0].dm("bob")
    await clients[1].sync()
    return *clients, direct


async def refused(awaitable) -> ErrorCode:
    with pytest.raises(qpqclient.Refused) as no:
        await awaitable
    return no.value.code


def sealed(client, channel, text=b"sealed"):
    """Return a message and its enqueue parameters, signed by the epoch's write key."""
    group = client._core.groups.copy(vec(channel) + u32(1))
    payload = group.encrypt(text)
    secret, _ = generate_key(group.export(b"qpq write", vec(channel) + u32(1), 32))
    signature = sign(secret, "qpq write v1", channel, 1, group.epoch, hashlib.sha256(payload).digest())
    return delivery.EnqueueParams(
        channel=channel, generation=1, epoch=group.epoch, payload=payload, write_signature=signature
    )


async def test_a_sealed_sender_needs_the_write_key_and_no_session(serving, tmp_path):
    async with serving() as server, AsyncExitStack() as stack:
        alice, bob, direct = await pair(stack, server, tmp_path)
        link = await stack.enter_async_context(open_link(server.where, Trust(), accept=lambda _: True))
        params = sealed(alice, direct.id)
        plain = delivery.EnqueueParams(channel=direct.id, generation=1, epoch=params.epoch, payload=params.payload)
        assert await refused(link.call(plain, delivery.EnqueueResult)) is ErrorCode.UNAUTHENTICATED
        bad = delivery.EnqueueParams(
            channel=direct.id, generation=1, epoch=params.epoch, payload=params.payload, write_signature=b"x" * 64
        )
        assert await refused(link.call(bad, delivery.EnqueueResult)) is ErrorCode.WRITE_KEY_INVALID
        await bob.sync()
        before = bob._core.inbox.position
        first = await link.call(params, delivery.EnqueueResult)
        again = await link.call(params, delivery.EnqueueResult)
        assert (first.duplicate, again.duplicate) == (False, True)
        assert first.log_number == again.log_number
        await bob.sync()
        assert bob._core.inbox.position == before + 1


async def test_what_is_no_message_of_the_group_is_refused(serving, tmp_path):
    async with serving() as server, AsyncExitStack() as stack:
        alice, bob, direct = await pair(stack, server, tmp_path)
        good = sealed(alice, direct.id)

        def changed(**parts):
            values = {"channel": good.channel, "generation": 1, "epoch": good.epoch, "payload": good.payload, **parts}
            return alice._core.call(delivery.EnqueueParams(**values), delivery.EnqueueResult)

        assert await refused(changed(payload=b"")) is ErrorCode.MALFORMED
        assert await refused(changed(payload=b"nonsense")) is ErrorCode.MALFORMED
        assert await refused(changed(payload=b"x" * 300_000)) is ErrorCode.TOO_LARGE
        assert await refused(changed(epoch=good.epoch + 1)) is ErrorCode.MALFORMED
        for _ in range(6):
            await direct.update_key()
        assert await refused(changed()) is ErrorCode.STALE_EPOCH
        await bob.sync()


async def test_a_batch_answers_each_item(serving, tmp_path):
    async with serving() as server, AsyncExitStack() as stack:
        alice, _, direct = await pair(stack, server, tmp_path)
        good = sealed(alice, direct.id)
        bad = delivery.EnqueueParams(channel=direct.id, generation=1, epoch=good.epoch, payload=b"nonsense")
        done = await alice._core.call(delivery.BatchEnqueueParams(items=(bad, good)), delivery.BatchEnqueueResult)
        assert [ErrorCode(i.code) for i in done.items] == [ErrorCode.MALFORMED, ErrorCode.OK]
        assert done.items[1].result.log_number > 0


async def test_fetch_peek_and_ack_agree(serving, tmp_path):
    async with serving() as server, AsyncExitStack() as stack:
        alice, bob, direct = await pair(stack, server, tmp_path)
        link = await bob._core.link()

        async def leave_alone(entry):
            assert entry.number

        bob._core.inbox.take = leave_alone  # from here on this test reads the mailbox itself
        await alice._core.call(sealed(alice, direct.id), delivery.EnqueueResult)
        waited = await link.call(delivery.FetchWaitParams(wait_ms=10_000), delivery.FetchResult)
        assert [e.kind for e in waited.entries][-1] is delivery.EntryKind.MESSAGE
        peeked = await link.call(delivery.PeekParams(), delivery.PeekResult)
        assert [e.number for e in peeked.entries] == [e.number for e in waited.entries]
        assert all(e.payload == b"" for e in peeked.entries)
        assert (await link.call(delivery.AckParams(up_to=waited.last), delivery.AckResult)).acked == waited.last
        assert (await link.call(delivery.FetchParams(), delivery.FetchResult)).entries == ()
        assert (await link.call(delivery.AckParams(up_to=1), delivery.AckResult)).acked == waited.last


async def test_a_server_that_drains_answers_who_polls(open_world):
    """With what there is, at once; who polls only then is answered at once too, and what is malformed is refused."""
    async with open_world() as w:
        bob = await w.device("bob")
        last = (await bob.call(delivery.PeekParams(), delivery.PeekResult)).last
        poll, answers = delivery.FetchWaitParams(after=last, wait_ms=50_000), []

        async def wait():
            answers.append(await bob.call(poll, delivery.FetchResult))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            while not w.server.gateway._polls:
                await trio.sleep(0.01)
            w.server.gateway.begin_drain()
        answers.append(await bob.call(poll, delivery.FetchResult))
        assert [(answer.entries, answer.last) for answer in answers] == [((), last)] * 2
        assert (await raw(bob.link, method_named("fetchWait").number, b"?"))[0] is ErrorCode.MALFORMED


async def test_a_service_that_drains_answers_who_waits(open_world):
    async with open_world() as w:
        bob, service, answers = await w.device("bob"), w.service("delivery"), []
        last = (await bob.call(delivery.PeekParams(), delivery.PeekResult)).last
        poll = delivery.FetchWaitParams(after=last, wait_ms=50_000)

        async def wait():
            answers.append(await bob.call(poll, delivery.FetchResult))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            while not service._waiters:
                await trio.sleep(0.01)
            service.begin_drain()
        answers.append(await bob.call(poll, delivery.FetchResult))
        assert [(answer.entries, answer.last) for answer in answers] == [((), last)] * 2


async def test_a_poll_that_may_not_wait_reads_the_mailbox_once(open_world, monkeypatch):
    async with open_world() as w:
        bob, service, reads = await w.device("bob"), w.service("delivery"), []
        last = (await bob.call(delivery.PeekParams(), delivery.PeekResult)).last
        read = service._store.fetch

        async def fetch(*args, **more):
            reads.append(args)
            return await read(*args, **more)

        monkeypatch.setattr(service._store, "fetch", fetch)
        answer = await bob.call(delivery.FetchWaitParams(after=last), delivery.FetchResult)
        assert (answer.entries, answer.last, len(reads)) == ((), last, 1)
        service.begin_drain()
        answer = await bob.call(delivery.FetchWaitParams(after=last, wait_ms=50_000), delivery.FetchResult)
        assert (answer.entries, answer.last, len(reads)) == ((), last, 2)
        assert not service._waiters


async def test_a_blob_is_its_hash_resumes_and_opens_to_its_secret_alone(serving, tmp_path):
    async with serving() as server, AsyncExitStack() as stack:
        alice, bob, _ = await pair(stack, server, tmp_path)
        content, secret = b"c" * 300_000, b"s" * 16
        ident = make_id(hashlib.sha256(content).digest(), "localhost")

        def upload(offset, chunk, name=ident, total=len(content), client=alice):
            params = blob.UploadBlobParams(
                blob=name, total_bytes=total, secret_hash=hashlib.sha256(secret).digest(), offset=offset, chunk=chunk
            )
            return client._core.call(params, blob.UploadBlobResult)

        def download(key, client=bob):
            params = blob.DownloadBlobParams(blob=ident, secret=key, offset=200_000)
            return client._core.call(params, blob.DownloadBlobResult)

        assert (await upload(0, content[:200_000])).received == 200_000
        assert (await upload(0, content[:200_000])).received == 200_000
        assert await refused(upload(250_000, content[250_000:])) is ErrorCode.BLOB_OFFSET
        assert await refused(upload(0, b"", client=bob)) is ErrorCode.FORBIDDEN
        assert await refused(download(secret)) is ErrorCode.NOT_FOUND
        assert (await upload(200_000, content[200_000:])).complete
        assert (await download(secret)).chunk == content[200_000:]
        assert await refused(download(b"x" * 16)) is ErrorCode.BLOB_SECRET
        wrong = make_id(b"h" * 32, "localhost")
        assert await refused(upload(0, b"abc", name=wrong, total=3)) is ErrorCode.BLOB_HASH_MISMATCH
        assert await refused(upload(0, b"", total=2**40)) is ErrorCode.BLOB_TOO_LARGE
        delete = blob.DeleteBlobParams(blob=ident)
        assert await refused(bob._core.call(delete, blob.DeleteBlobResult)) is ErrorCode.FORBIDDEN
        await alice._core.call(delete, blob.DeleteBlobResult)
        assert await refused(download(secret)) is ErrorCode.NOT_FOUND
