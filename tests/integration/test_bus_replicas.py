"""The TCP bus and several replicas of one service: who gets which call, and what happens while one leaves."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager

import trio

from qpqcore.api import blob
from qpqcore.bus.tcp_client import account_of
from qpqcore.bus.tcp_server import BusServer
from qpqcore.crypto.assertion import AssertionIssuer
from qpqcore.model.call import Caller, CallerKind
from qpqcore.model.ids import AccountId, DeviceId
from qpqcore.wire.envelope import BusReply
from tests.support.buses import PATIENCE_SECONDS, Slow, calling, credentials_of, echo, envelope, serving

UPLOAD = next(m for m in blob.METHODS if m.name == "uploadBlob").number


async def test_calls_are_shared_by_replicas_and_a_stuck_one_gets_few(tmp_path):
    stuck, quick = Slow(), []

    async def answer(given, peer):
        quick.append(given)
        return BusReply()

    credentials = credentials_of(tmp_path, "keystore")
    with trio.fail_after(PATIENCE_SECONDS):
        async with AsyncExitStack() as stack:
            addresses = [
                await stack.enter_async_context(serving(BusServer("keystore", entrance, credentials)))
                for entrance in (stuck, answer)
            ]
            bus = await stack.enter_async_context(calling({"keystore": addresses}, credentials_of(tmp_path, "gateway")))
            while bus.statistics()[0][1] < 2:
                await trio.sleep(0.01)
            async with trio.open_nursery() as nursery:
                for _ in range(40):
                    nursery.start_soon(bus.call, envelope())
                    await trio.sleep(0.005)
                stuck.go_on.set()
    assert stuck.calls <= 20
    assert len(quick) == 40 - stuck.calls


async def test_a_replica_that_drains_loses_no_call(tmp_path):
    """What is in flight is answered, what comes goes to the other one; the drain ends when the caller has gone."""
    slow, credentials = Slow(), credentials_of(tmp_path, "keystore")
    leaving, staying = BusServer("keystore", slow, credentials), BusServer("keystore", echo, credentials)
    drained, answers = trio.Event(), []

    async def call(number):
        answers.append((await bus.call(envelope(b"%d" % number))).result)

    async def drain():
        await leaving.drain()
        drained.set()

    with trio.fail_after(PATIENCE_SECONDS):
        async with (
            serving(leaving) as one,
            serving(staying) as other,
            calling({"keystore": [one, other]}, credentials_of(tmp_path, "gateway")) as bus,
            trio.open_nursery() as nursery,
        ):
            while bus.statistics()[0][1] < 2:
                await trio.sleep(0.01)
            for number in range(40):
                nursery.start_soon(call, number)
            await slow.begun.wait()
            nursery.start_soon(drain)
            while bus.statistics()[0][1] == 2:
                await trio.sleep(0.01)
            for number in range(40, 80):
                nursery.start_soon(call, number)
            while len(answers) < 80 - slow.calls:
                await trio.sleep(0.01)
            assert slow.calls
            assert not drained.is_set()
            slow.go_on.set()
            await drained.wait()
    assert sorted(answers, key=int) == [b"%d" % number for number in range(80)]


class Counting:
    """An entrance that keeps who called."""

    def __init__(self):
        self.callers = []

    async def __call__(self, given, peer):
        self.callers.append(account_of(given) or given.assertion)
        return BusReply()


@asynccontextmanager
async def blob_replicas(folder, count):
    """Yield some replicas, their entrances, and two buses that know them in another order."""
    credentials, entrances = credentials_of(folder, "blob"), [Counting() for _ in range(count)]
    with trio.fail_after(PATIENCE_SECONDS):
        async with AsyncExitStack() as stack:
            servers = [BusServer("blob", entrance, credentials) for entrance in entrances]
            addresses = [await stack.enter_async_context(serving(server)) for server in servers]
            buses = [
                await stack.enter_async_context(calling({"blob": order}, credentials_of(folder, "gateway")))
                for order in (addresses, addresses[::-1])
            ]
            for bus in buses:
                while bus.statistics()[0][1] < count:
                    await trio.sleep(0.01)
            yield servers, entrances, buses


async def test_calls_that_build_on_none_go_to_any_replica(tmp_path):
    async with blob_replicas(tmp_path, 2) as (_, entrances, buses):
        for by in (b"", b"no assertion"):
            for entrance in entrances:
                entrance.callers.clear()
            for _ in range(40):
                assert not (await buses[0].call(envelope(method=UPLOAD, by=by))).code
            assert all(entrance.callers for entrance in entrances)


async def test_an_upload_stays_with_one_replica_through_whichever_gateway(tmp_path):
    issuer = AssertionIssuer({4: bytes(32)}, "auth")
    who = [
        Caller(CallerKind.ACCOUNT, AccountId(b"%d" % number), DeviceId(b"device"), b"session") for number in range(30)
    ]
    async with blob_replicas(tmp_path, 3) as (servers, entrances, buses):

        async def all_call():
            async with trio.open_nursery() as nursery:
                for now_ms, bus in enumerate(buses * 2):  # a session's assertions are renewed
                    for one in who:
                        nursery.start_soon(bus.call, envelope(method=UPLOAD, by=issuer.issue(one, now_ms)))

        await all_call()
        places = [set(entrance.callers) for entrance in entrances]
        assert all(places), "each takes some"
        assert sum(len(place) for place in places) == len(who)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(servers[0].drain)  # what it had goes to the others, and what they had stays
            for bus in buses:
                while bus.statistics()[0][1] == 3:
                    await trio.sleep(0.01)
            for entrance in entrances:
                entrance.callers.clear()
            await all_call()
            nursery.cancel_scope.cancel()
        assert not entrances[0].callers
        assert all(places[n] <= set(entrances[n].callers) for n in (1, 2))
        assert len(set(entrances[1].callers)) + len(set(entrances[2].callers)) == len(who)
