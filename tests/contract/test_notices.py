"""Notices under contract: in one process, and between two processes over Redis, the same tests."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest
import trio

from qpqcore.bus.notices import (
    CARRIED_BYTES_MAX,
    PENDING_MAX,
    REVOKED,
    REVOKED_DEVICE,
    LocalNotices,
    mailbox_topic,
    read_revocation,
    revocation,
    signal_topic,
    stock_topic,
)
from qpqcore.bus.redis.address import parse
from qpqcore.bus.redis.parts import open_redis

KEY = b"k" * 32
DEVICE, OTHER = b"d" * 20, b"e" * 20
PATIENCE_SECONDS = 20


class Ends:
    """Who tells and who hears: one object, or two processes' objects."""

    def __init__(self, teller, hearer):
        self.teller, self.hearer = teller, hearer

    async def settled(self, subscription, *topics):
        """Wait until all that is told from now on is heard, and forget what came before."""
        if self.hearer is not self.teller:
            await self.hearer.wait_heard(*topics)
        subscription.receive_nowait()

    async def told(self, subscription, count=1):
        """Return so many notices, waiting for them."""
        found = []
        while len(found) < count:
            await subscription.wait()
            found += subscription.receive_nowait()
        return found


@pytest.fixture(params=["local", "redis"])
def open_ends(request, redis):
    """Return a context manager: `async with open_ends() as ends`."""

    @asynccontextmanager
    async def opened():
        with trio.fail_after(PATIENCE_SECONDS):
            if request.param == "local":
                notices = LocalNotices()
                yield Ends(notices, notices)
                return
            address = parse(redis.url)
            async with open_redis(address, key=KEY, domain="a") as one, open_redis(address, key=KEY, domain="a") as two:
                await one.notices.wait_up()
                yield Ends(one.notices, two.notices)

    return opened


async def test_what_is_published_is_heard(open_ends):
    topic = mailbox_topic(DEVICE)
    async with open_ends() as ends:
        with ends.hearer.subscribe(topic) as subscription:
            await ends.settled(subscription, topic)
            ends.teller.publish(topic, b"the entry")
            assert await ends.told(subscription) == [(topic, b"the entry")]


async def test_what_follows_is_heard_in_its_order(open_ends):
    topic = mailbox_topic(DEVICE)
    async with open_ends() as ends:
        with ends.hearer.subscribe(topic) as subscription:
            await ends.settled(subscription, topic)
            for number in range(50):
                ends.teller.publish(topic, b"%d" % number)
            assert await ends.told(subscription, 50) == [(topic, b"%d" % number) for number in range(50)]


async def test_each_kind_of_topic_keeps_its_name(open_ends):
    topics = (mailbox_topic(DEVICE), signal_topic(DEVICE), stock_topic(DEVICE), REVOKED)
    async with open_ends() as ends:
        with ends.hearer.subscribe(*topics) as subscription:
            await ends.settled(subscription, *topics)
            for topic in topics:
                ends.teller.publish(topic, b"of " + topic)
            assert sorted(await ends.told(subscription, len(topics))) == sorted((t, b"of " + t) for t in topics)


async def test_only_what_was_asked_for_is_heard(open_ends):
    topic = mailbox_topic(DEVICE)
    async with open_ends() as ends:
        with ends.hearer.subscribe(topic) as subscription:
            await ends.settled(subscription, topic)
            ends.teller.publish(mailbox_topic(OTHER), b"another's")
            ends.teller.publish(signal_topic(DEVICE), b"another kind")
            ends.teller.publish(topic, b"ours")
            assert await ends.told(subscription) == [(topic, b"ours")]


async def test_all_who_listen_hear(open_ends):
    topic = mailbox_topic(DEVICE)
    async with open_ends() as ends:
        with ends.hearer.subscribe(topic) as one, ends.hearer.subscribe(topic) as two:
            await ends.settled(one, topic)
            two.receive_nowait()
            ends.teller.publish(topic, b"x")
            assert await ends.told(one) == await ends.told(two) == [(topic, b"x")]


async def test_who_has_left_hears_nothing_more_and_who_stays_does(open_ends):
    topic = mailbox_topic(DEVICE)
    async with open_ends() as ends:
        with ends.hearer.subscribe(topic) as stays:
            with ends.hearer.subscribe(topic) as leaves:
                await ends.settled(stays, topic)
                leaves.receive_nowait()
            ends.teller.publish(topic, b"x")
            assert await ends.told(stays) == [(topic, b"x")]
            assert leaves.receive_nowait() == []


async def test_who_comes_back_hears_again(open_ends):
    topic = mailbox_topic(DEVICE)
    async with open_ends() as ends:
        for _ in range(3):
            with ends.hearer.subscribe(topic) as subscription:
                await ends.settled(subscription, topic)
                ends.teller.publish(topic, b"x")
                assert await ends.told(subscription) == [(topic, b"x")]


async def test_of_many_that_nobody_takes_the_newest_stay(open_ends):
    topic = signal_topic(DEVICE)
    async with open_ends() as ends:
        with ends.hearer.subscribe(topic) as slow, ends.hearer.subscribe(topic) as quick:
            await ends.settled(slow, topic)
            quick.receive_nowait()
            for number in range(PENDING_MAX + 5):
                ends.teller.publish(topic, b"%d" % number)
            while (await ends.told(quick))[-1] != (topic, b"%d" % (PENDING_MAX + 4)):
                pass
            assert [int(payload) for _, payload in slow.receive_nowait()] == list(range(5, PENDING_MAX + 5))


async def test_past_what_may_be_carried_only_look_is_told(open_ends):
    topic, payload = mailbox_topic(DEVICE), b"e" * (CARRIED_BYTES_MAX // 2)
    async with open_ends() as ends:
        with ends.hearer.subscribe(topic) as slow, ends.hearer.subscribe(topic) as quick:
            await ends.settled(slow, topic)
            quick.receive_nowait()
            for _ in range(3):
                ends.teller.publish(topic, payload)
                await quick.wait()
                quick.receive_nowait()
            assert slow.receive_nowait() == [(topic, payload), (topic, payload), (topic, b"")]


async def test_nobody_listens_and_nothing_happens(open_ends):
    async with open_ends() as ends:
        assert not ends.teller.has_listener(mailbox_topic(DEVICE))
        ends.teller.publish(mailbox_topic(DEVICE), b"x")
        ends.teller.publish(REVOKED, revocation(REVOKED_DEVICE, DEVICE, 1))


async def test_a_payload_is_worth_making_where_somebody_heard_the_last_one(open_ends):
    topic = mailbox_topic(DEVICE)
    async with open_ends() as ends:
        with ends.hearer.subscribe(topic) as subscription:
            await ends.settled(subscription, topic)
            ends.teller.publish(topic)
            await ends.told(subscription)
            ends.teller.publish(topic)
            await ends.told(subscription)
            assert ends.teller.has_listener(topic)


async def test_a_revocation_says_what_and_when(open_ends):
    async with open_ends() as ends:
        with ends.hearer.subscribe(REVOKED) as subscription:
            await ends.settled(subscription, REVOKED)
            ends.teller.publish(REVOKED, revocation(REVOKED_DEVICE, DEVICE, 1_700_000_000_123))
            ((topic, payload),) = await ends.told(subscription)
            assert topic == REVOKED
            assert read_revocation(payload) == (REVOKED_DEVICE, DEVICE, 1_700_000_000_123)


async def test_how_waiters_were_told_is_counted(open_ends):
    topic = mailbox_topic(DEVICE)
    async with open_ends() as ends:
        with ends.hearer.subscribe(topic) as subscription:
            await ends.settled(subscription, topic)
            ends.teller.publish(topic, b"x")
            await ends.told(subscription)
        ways = ends.hearer.wake_ups
        assert (ways.local, ways.remote) == ((1, 0) if ends.hearer is ends.teller else (0, 1))
