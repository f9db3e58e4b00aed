"""What the services do together and by themselves: deletions that survive a crash, revocation, absence, low stock, gaps."""

from __future__ import annotations

import secrets

import pytest
import trio

import qpqclient
from qpqclient.client import system_now_ms
from qpqcore.api import auth, delivery, keystore
from qpqcore.crypto.identity import DeviceEntry
from qpqcore.crypto.signatures import generate_key
from qpqcore.model.errors import ErrorCode
from tests.support import constellation, recipes
from tests.support.people import settle, texts
from tests.support.world import STORE_KEY

DAY_MS = 24 * 3600 * 1000
PATIENCE_SECONDS = 20


async def test_a_revoked_device_is_cut_off_at_once_everywhere(open_world):
    async with open_world() as w:
        alice, link = await w.device("alice"), await w.anonymous()
        await link.call((await recipes.login(link, "alice", "secret alice"))[0], auth.LoginFinishResult)
        lost, (_, public) = recipes.fresh_id(), generate_key()
        fresh = await recipes.next_list(alice, add=(DeviceEntry(lost, public),))
        await link.call(auth.RegisterDeviceParams(device_list=fresh.to_bytes(), device=lost), auth.RegisterDeviceResult)
        fresh = await recipes.next_list(alice, drop=(lost,))
        with trio.fail_after(PATIENCE_SECONDS):
            async with link.subscribe(0) as events:
                assert (await anext(events)).which == "ready"
                await alice.call(auth.RevokeDeviceParams(device_list=fresh.to_bytes()), auth.RevokeDeviceResult)
                with pytest.raises(qpqclient.Refused) as no:
                    await anext(events)
            assert no.value.code is ErrorCode.UNAUTHENTICATED
            with pytest.raises(qpqclient.Refused):
                await link.call(delivery.FetchParams(), delivery.FetchResult)


async def test_a_small_message_is_passed_on_without_reading_the_mailbox_and_a_large_one_with_one_read(open_world):
    async with open_world() as w:
        alice, bob = await w.device("alice"), await w.device("bob")
        delivered = w.service("delivery")
        real, reads = delivered._store.fetch, []

        async def fetch(*what, **how):
            reads.append(what)
            return await real(*what, **how)

        delivered._store.fetch = fetch
        with trio.fail_after(PATIENCE_SECONDS):
            async with bob.link.subscribe(0) as events:
                while (await anext(events)).which != "ready":
                    pass
                for size, cost in ((10, 0), (delivered._config.carried_bytes_max + 1, 1), (10, 0)):
                    reads.clear()
                    sent = alice.message(w.direct, secrets.token_bytes(size))
                    number = (await alice.call(sent, delivery.EnqueueResult)).log_number
                    event = await anext(events)
                    assert [(e.log_number, e.payload) for e in event.entries] == [(number, sent.payload)]
                    await bob.call(delivery.AckParams(up_to=event.entries[-1].number), delivery.AckResult)
                    assert len(reads) == cost
        assert (await bob.call(delivery.FetchParams(), delivery.FetchResult)).entries == ()


async def test_who_has_not_come_for_ninety_days_is_proposed_for_removal(open_world):
    ahead = [0]
    async with open_world(clock_ms=lambda: system_now_ms() + ahead[0]) as w:
        ahead[0] = 20 * DAY_MS
        alice = await w.device("alice")
        await alice.call(delivery.FetchParams(), delivery.FetchResult)
        ahead[0] = 95 * DAY_MS
        await w.service("delivery").sweep(system_now_ms() + ahead[0])
        proposals = {
            r[0] for r in w.rows("delivery", "SELECT target FROM proposals WHERE channel = ? AND by_server = 1", w.club)
        }
        leaves = {
            r[0]
            for r in w.rows("delivery", "SELECT device FROM leaves WHERE channel = ? AND removed_epoch IS NULL", w.club)
        }
        assert proposals == leaves - {alice.id}
        assert len(proposals) == 2


async def test_the_owner_is_told_when_few_packages_are_left(open_world):
    async with open_world() as w:
        w.edit(
            "keystore",
            "DELETE FROM packages WHERE suite = 1 AND last_resort = 0 AND reference NOT IN "
            "(SELECT reference FROM packages p WHERE p.device = packages.device AND p.suite = 1 AND p.last_resort = 0 LIMIT 11)",
        )
        bob, eve = await w.device("bob"), await w.device("eve")
        params = keystore.FetchKeyPackageParams(accounts=(eve.account.account,), suites=(1,))
        with trio.fail_after(PATIENCE_SECONDS):
            async with eve.link.subscribe(0) as events:
                assert (await anext(events)).which == "ready"
                await bob.call(params, keystore.FetchKeyPackageResult)
                event = await anext(events)
        assert (event.which, event.low_stock.suite, event.low_stock.left) == ("lowStock", 1, 10)


async def test_the_client_fills_its_stock_when_told(open_world):
    async with open_world() as w:
        eve, bob = await w.client("eve"), await w.device("bob")
        await eve.sync()
        w.edit("keystore", "DELETE FROM packages WHERE suite = 1 AND last_resort = 0 AND device = ? AND reference NOT IN (SELECT reference FROM packages WHERE device = ? AND suite = 1 AND last_resort = 0 LIMIT 5)", eve.device, eve.device)  # fmt: skip
        params = keystore.FetchKeyPackageParams(accounts=(eve.account,), suites=(1,))
        await bob.call(params, keystore.FetchKeyPackageResult)
        count = "SELECT count(*) FROM packages WHERE device = ? AND suite = 1 AND last_resort = 0"
        with trio.fail_after(PATIENCE_SECONDS):
            while w.rows("keystore", count, eve.device)[0][0] < 50:
                await trio.sleep(0.02)


async def test_a_device_behind_a_gap_rejoins_and_goes_on(open_world):
    """A mailbox that overflowed lost messages, and says so: the device is back in every group, at the next epoch."""
    async with open_world() as w:
        w.bound(mailbox_entries_max=5)
        alice = await w.client("alice")
        for n in range(8):
            await alice.conversation(w.direct).send(f"number {n}")
        await alice.flush()
        epochs = {c: alice.conversation(c).epoch for c in (w.direct, w.club)}
        async with qpqclient.open_client(w.folder / "bob", server=w.where, store_key=STORE_KEY) as bob:
            await settle(bob, alice)
            await alice.conversation(w.direct).send("after the gap")
            await settle(alice, bob)
            for channel, epoch in epochs.items():
                assert bob.conversation(channel).epoch == alice.conversation(channel).epoch == epoch + 1
            assert texts(bob.conversation(w.direct))[-1] == "after the gap"


async def test_a_server_of_a_test_that_does_not_start_says_why(open_world, monkeypatch):
    """And leaves no scope open: else the test ends with what Trio says of that, and nobody learns why."""

    def fails(*_args):
        raise OSError("address in use")

    monkeypatch.setattr(constellation, "open_server", fails)
    async with trio.open_nursery():
        with pytest.raises(OSError, match="address in use") as told:
            async with open_world():
                pass
    assert told
