"""Notices and limits over a Redis cluster: sharded channels, one server lost, slots that move."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from qpqcore.bus.limits import Rate
from qpqcore.bus.notices import REVOKED, REVOKED_DEVICE, mailbox_topic, revocation
from qpqcore.bus.redis import limits
from qpqcore.bus.redis.address import parse
from qpqcore.bus.redis.parts import open_redis
from qpqcore.bus.redis.shards import slot_of
from qpqcore.runtime.clock import now_ms
from tools.redis_server import redis_cluster

KEY = b"k" * 32
SLOW = Rate(10, 600, 3)
PATIENCE_SECONDS = 60
TOPICS = [mailbox_topic(b"device %d" % n) for n in range(30)]
"""On all three servers."""


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """A busy machine is slow, not away."""
    monkeypatch.setattr(limits, "ANSWER_SECONDS", PATIENCE_SECONDS)


@pytest.fixture
def cluster(tmp_path):
    with redis_cluster(tmp_path) as servers:
        yield servers


@asynccontextmanager
async def two_processes(cluster):
    address = parse(f"redis://127.0.0.1:{cluster[1].port},127.0.0.1:{cluster[2].port}")
    with trio.fail_after(PATIENCE_SECONDS):
        async with open_redis(address, key=KEY, domain="a") as one, open_redis(address, key=KEY, domain="a") as two:
            for parts in (one, two):
                await parts.notices.wait_up()
                assert len(parts.notices.shards.nodes) == 3
            yield one, two


async def heard(subscription, wanted):
    """Wait until all of these have been told."""
    found = set()
    while not wanted <= found:
        await subscription.wait()
        found |= set(subscription.receive_nowait())
    return found


def node_of(parts, topic):
    return parts.notices.shards.node_of(parts.notices._seal.split(topic)[0])


def server_of(cluster, parts, topic):
    return next(s for s in cluster if s.port == node_of(parts, topic).server[1])


async def test_what_is_told_on_any_server_is_heard(cluster):
    async with two_processes(cluster) as (one, two):
        assert {node_of(one, topic).server[1] for topic in TOPICS} == {server.port for server in cluster}
        with two.notices.subscribe(*TOPICS, REVOKED) as subscription:
            await two.notices.wait_heard(*TOPICS, REVOKED)
            subscription.receive_nowait()
            for topic in TOPICS:
                one.notices.publish(topic, b"x" + topic)
            one.notices.publish(REVOKED, revocation(REVOKED_DEVICE, b"d", 5))
            wanted = {(topic, b"x" + topic) for topic in TOPICS} | {(REVOKED, revocation(REVOKED_DEVICE, b"d", 5))}
            assert await heard(subscription, wanted) == wanted
            assert all(one.notices.has_listener(topic) for topic in TOPICS)
        with one.notices.subscribe(REVOKED) as subscription:
            one.notices.publish(REVOKED, revocation(REVOKED_DEVICE, b"e", 5))
        with two.notices.subscribe(REVOKED) as subscription:
            await heard(subscription, {(REVOKED, revocation(REVOKED_DEVICE, b"e", 5))})
        # A message goes to one server, not round the cluster: sharded channels (Redis 7.0).
        assert sum(len(server.command("PUBSUB", "SHARDCHANNELS")) for server in cluster) == len(TOPICS) + 1
        assert [server.command("PUBSUB", "CHANNELS") for server in cluster] == [[], [], []]


async def test_limits_of_several_keys_are_one_server_s_and_quick_ones_are_spread(cluster):
    async with two_processes(cluster) as (one, two):
        now = now_ms()
        both = [(b"address", SLOW), (b"name", SLOW)]
        assert [await p.limiter.take_all(both, now) for p in (one, two, one)] == [0, 0, 0]
        assert await two.limiter.take_all(both, now) > 59_000
        assert (one.limiter.alone, two.limiter.alone) == (0, 0)
        for number in range(60):
            one.limiter.take(b"%d" % number, SLOW, now)
        while sum(kept := [len(server.command("KEYS", "qpq/a/*l*")) for server in cluster]) < 62:
            await trio.testing.wait_all_tasks_blocked(0.01)
        assert min(kept) > 0


async def test_one_server_lost_the_others_serve_and_it_is_found_again(cluster):
    async with two_processes(cluster) as (one, two):
        lost = node_of(one, TOPICS[0])
        server = server_of(cluster, one, TOPICS[0])
        others = [topic for topic in TOPICS if node_of(one, topic) is not lost]
        for s in cluster:
            assert s.command("CONFIG", "SET", "cluster-require-full-coverage", "no") == "OK"
        with two.notices.subscribe(*TOPICS) as subscription:
            await two.notices.wait_heard(*TOPICS)
            subscription.receive_nowait()
            server.kill()
            while not one.away():
                await one.notices._changed.wait()
            for topic in TOPICS:
                one.notices.publish(topic, b"while it is away")
            await heard(subscription, {(topic, b"while it is away") for topic in others})
            server.start()
            await heard(subscription, {(topic, b"") for topic in TOPICS if topic not in others})
            await two.notices.wait_heard(*TOPICS)
            await one.notices.wait_up()
            for topic in TOPICS:
                one.notices.publish(topic, b"after")
            await heard(subscription, {(topic, b"after") for topic in TOPICS})


def move_slot(slot, source, target, cluster):
    """Move a slot as redis-cli does.

    Without IMPORTING the target has no new epoch: a heartbeat that the source sent before takes the slot from it again, and in
    the end each of the two says for ever that the other one has it.
    """
    here, there = source.command("CLUSTER", "MYID").decode(), target.command("CLUSTER", "MYID").decode()
    assert target.command("CLUSTER", "SETSLOT", slot, "IMPORTING", here) == "OK"
    assert source.command("CLUSTER", "SETSLOT", slot, "MIGRATING", there) == "OK"
    for server in (target, source, *(s for s in cluster if s not in (source, target))):
        assert server.command("CLUSTER", "SETSLOT", slot, "NODE", there) == "OK"


async def test_slots_that_move_are_followed(cluster):
    async with two_processes(cluster) as (one, two):
        with two.notices.subscribe(*TOPICS) as subscription:
            await two.notices.wait_heard(*TOPICS)
            subscription.receive_nowait()
            before = node_of(one, TOPICS[0])
            source = server_of(cluster, one, TOPICS[0])
            target = next(s for s in cluster if s is not source)
            move_slot(str(slot_of(one.notices._seal.split(TOPICS[0])[0])), source, target, cluster)
            # The server ends the subscription; the map is read again, and whoever waits there is told to look.
            await heard(subscription, {(TOPICS[0], b"")})
            await two.notices.wait_heard(*TOPICS)
            assert node_of(two, TOPICS[0]).server[1] == target.port
            # Whoever tells still goes to the old one: refused, it reads the map, and tells what it owes.
            one.notices.publish(TOPICS[0], b"at the old place")
            await heard(subscription, {(TOPICS[0], b"")})
            while node_of(one, TOPICS[0]) is before:
                await one.notices._changed.wait()
            one.notices.publish(TOPICS[0], b"at the new place")
            await heard(subscription, {(TOPICS[0], b"at the new place")})
