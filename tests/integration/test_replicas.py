"""Two of every service and two gateways on one PostgreSQL and one Redis: whom a client meets makes no difference."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager

import pytest
import trio

import qpqclient
from qpqclient.transport import Trust, open_link
from qpqcore.api import delivery
from qpqcore.api.gateway import HealthParams, HealthResult
from qpqcore.config.settings import Settings
from qpqcore.model.errors import ErrorCode
from tests.support.constellation import open_constellation
from tests.support.operating import Operated
from tests.support.people import settle, texts
from tests.support.world import STORE_KEY, Device, Store

PATIENCE_SECONDS = 60
REVOKED_SECONDS_MAX = 1.0
MESSAGES = 20


@pytest.fixture
def scaled(tmp_path, fresh_postgres, redis):
    """Return a context manager of a running constellation and the addresses of its gateways."""

    @asynccontextmanager
    async def opened():
        settings = Settings(
            listen="127.0.0.1:0", data_dir=str(tmp_path / "server"), store_backend="postgres",
            database_url=fresh_postgres, redis_url=redis.url,
        )  # fmt: skip
        with trio.fail_after(PATIENCE_SECONDS):
            async with open_constellation(settings, replicas=2) as server:
                yield server, [f"127.0.0.1:{gate.endpoint.address[1]}" for gate in server.replicas["gateway"]]

    return opened


async def person(stack, tmp_path, name, where):
    opened = qpqclient.open_client(tmp_path / name, server=where, store_key=STORE_KEY)
    return await stack.enter_async_context(opened)


async def test_people_at_two_gateways_talk_while_a_replica_of_each_service_leaves(scaled, tmp_path):
    """No call is refused, no message lost, doubled or out of order."""
    async with scaled() as (server, (here, there)), AsyncExitStack() as stack:
        alice, bob = await person(stack, tmp_path, "alice", here), await person(stack, tmp_path, "bob", there)
        await alice.register("alice", "secret of alice")
        await bob.register("bob", "secret of bob")
        direct = await alice.dm("bob")
        await direct.send("0")
        await settle(alice, bob)
        back = await bob.dm("alice")
        async with trio.open_nursery() as nursery:
            for name in ("delivery", "auth", "keystore", "blob"):
                nursery.start_soon(server.replicas[name][0].drain)
            for number in range(1, MESSAGES):
                await (direct if number % 2 else back).send(str(number))
                await settle(alice, bob)
        assert texts(direct) == texts(back) == [str(number) for number in range(MESSAGES)]
        refused = [gate.metrics.page().decode() for gate in server.replicas["gateway"]]
        assert not any('code="unavailable"' in page or 'code="internal"' in page for page in refused)
        assert [gate.notes() for gate in server.replicas["gateway"]] == [[], []]


async def test_what_is_sent_at_one_gateway_is_pushed_at_the_other(scaled, tmp_path):
    async with scaled() as (_, (here, there)), AsyncExitStack() as stack:
        alice, bob = await person(stack, tmp_path, "alice", here), await person(stack, tmp_path, "bob", there)
        await alice.register("alice", "secret of alice")
        await bob.register("bob", "secret of bob")
        direct = await alice.dm("bob")
        await direct.send("first")
        await settle(alice, bob)
        back = await bob.dm("alice")
        await direct.send("pushed")
        with trio.fail_after(10):  # by itself it would look after 30 s
            while texts(back) != ["first", "pushed"]:
                await trio.sleep(0.01)


async def test_a_device_revoked_at_one_gateway_is_cut_off_at_the_other_within_a_second(scaled, tmp_path):
    async with scaled() as (_, (here, there)), AsyncExitStack() as stack:
        alice = await person(stack, tmp_path, "alice", here)
        await alice.register("alice", "secret of alice")
        async with qpqclient.open_client(tmp_path / "alice2", server=here, store_key=STORE_KEY) as other:
            await other.login("alice", "secret of alice")
            stolen = other.device
        link = await stack.enter_async_context(open_link(there, Trust(), accept=lambda _: True))
        thief = Device(Store(tmp_path / "alice2", STORE_KEY), link)
        stack.callback(thief.store.close)
        await thief.account.resume(link)
        assert await thief.code(delivery.PeekParams()) is ErrorCode.OK
        await alice.revoke_device(stolen)
        revoked_s = trio.current_time()
        while await thief.code(delivery.PeekParams()) is ErrorCode.OK:
            await trio.sleep(0.01)
        assert trio.current_time() - revoked_s < REVOKED_SECONDS_MAX
        assert await thief.code(delivery.PeekParams()) is ErrorCode.UNAUTHENTICATED


async def test_whom_the_operator_cuts_off_is_cut_off_at_every_gateway_within_a_second(
    scaled, tmp_path, fresh_postgres, redis
):
    """`qpqctl` writes to the database, and tells all gateways over Redis as auth does."""
    secrets = tmp_path / "server" / "secrets"
    operated = Operated(
        tmp_path,
        Settings(
            data_dir=str(tmp_path / "operator"), store_backend="postgres", database_url=fresh_postgres,
            redis_url=redis.url, secrets_dir=str(secrets),
        ),
    )  # fmt: skip
    async with scaled() as (_, (here, there)), AsyncExitStack() as stack:
        async with qpqclient.open_client(tmp_path / "alice", server=here, store_key=STORE_KEY) as alice:
            await alice.register("alice", "secret of alice")
        links = [await stack.enter_async_context(open_link(at, Trust(), accept=lambda _: True)) for at in (here, there)]
        store = Store(tmp_path / "alice", STORE_KEY)
        stack.callback(store.close)
        devices = [Device(store, link) for link in links]
        for device in devices:
            await device.account.resume(device.link)
            assert await device.code(delivery.PeekParams()) is ErrorCode.OK
        (done,) = await operated.ctl("user", "suspend", "alice")
        ended_s = trio.current_time()
        assert done["told"]
        for device in devices:
            while await device.code(delivery.PeekParams()) is ErrorCode.OK:
                await trio.sleep(0.01)
        assert trio.current_time() - ended_s < REVOKED_SECONDS_MAX


async def test_a_gateway_cut_off_from_one_service_says_so_and_serves_the_rest(scaled, tmp_path):
    async with scaled() as (server, (here, _)), AsyncExitStack() as stack:
        alice = await person(stack, tmp_path, "alice", here)
        await alice.register("alice", "secret of alice")
        link = await stack.enter_async_context(open_link(here, Trust(), accept=lambda _: True))
        gate = server.replicas["gateway"][0]
        for keystore in server.replicas["keystore"]:
            await keystore.drain()
        while gate.notes() != ["keystore away"]:
            await trio.sleep(0.01)
        assert gate.away() == ""
        assert (await link.call(HealthParams(), HealthResult)).status == "keystore away"
        assert await alice.devices()
