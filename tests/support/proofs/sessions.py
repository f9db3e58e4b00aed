"""Of the gateway, and of registering, logging in and out."""

from __future__ import annotations

import pytest
import trio

import qpqclient
from qpqcore.api import auth, delivery, gateway
from qpqcore.model.errors import ErrorCode
from tests.support import recipes
from tests.support.proofs.waiting import WAIT_SECONDS


async def health(w):
    link = await w.anonymous()
    assert (await link.call(gateway.HealthParams(), gateway.HealthResult)).status == "ok"
    yield
    link = await w.anonymous()
    answer = await link.call(gateway.HealthParams(), gateway.HealthResult)
    assert (answer.status, answer.version) == ("ok", link.hello.server_version)


async def hello(w):
    before = (await w.anonymous()).hello
    yield
    link = await w.anonymous()
    assert link.hello.external_sender_key == before.external_sender_key != b""
    assert link.hello.challenge != before.challenge
    bob = await w.silent("bob")
    await bob.call(recipes.resumption(bob, bob.link), auth.ResumeResult)


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


async def registerStart(w):
    link = await w.anonymous()
    finish = await recipes.registration(link, "frank", "frank's password")
    await link.call(finish, auth.RegisterFinishResult)
    yield
    await sign_in(w, "frank", "frank's password")


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


async def loginStart(w):
    yield
    assert (await sign_in(w, "alice", "secret alice")).session
    with pytest.raises(Exception, match="login"):
        await sign_in(w, "alice", "another password")


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


async def resume(w):
    yield
    alice = await w.silent("alice")
    assert await alice.code(delivery.ListChannelsParams()) is ErrorCode.UNAUTHENTICATED
    await alice.account.resume(alice.link)
    assert await alice.code(delivery.ListChannelsParams()) is ErrorCode.OK


async def logout(w):
    alice = await w.device("alice")
    await alice.call(auth.LogoutParams(), auth.LogoutResult)
    assert await alice.code(delivery.ListChannelsParams()) is ErrorCode.UNAUTHENTICATED
    yield
    again = await w.silent("alice")
    with pytest.raises(qpqclient.Refused) as no:
        await again.account.resume(again.link)
    assert no.value.code is ErrorCode.UNAUTHENTICATED


PROOFS = (
    health,
    hello,
    subscribe,
    registerStart,
    registerFinish,
    loginStart,
    loginFinish,
    resume,
    logout,
)
