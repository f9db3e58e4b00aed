"""What stands between the services and Redis, without Redis: names, maps, seals, and what is listened to for how long."""

from __future__ import annotations

import pytest
import trio
import trio.testing
from coredis.exceptions import RedisError
from hypothesis import given
from hypothesis import strategies as st

from qpqcore.bus.limits import LocalLimiter, Rate
from qpqcore.bus.notices import MAILBOX, REVOKED, SIGNAL, mailbox_topic, signal_topic, stock_topic
from qpqcore.bus.redis import channels as channels_module
from qpqcore.bus.redis import outbox as outbox_module
from qpqcore.bus.redis.address import parse
from qpqcore.bus.redis.channels import LINGER_SECONDS, Channels
from qpqcore.bus.redis.limits import RedisLimiter
from qpqcore.bus.redis.node import Away
from qpqcore.bus.redis.notices import RedisNotices
from qpqcore.bus.redis.outbox import Notice, Outbox
from qpqcore.bus.redis.sealing import Seal
from qpqcore.bus.redis.shards import LOOK_SECONDS, Shards, layout_of, slot_of
from qpqcore.bus.redis.soundness import Soundness

SEAL = Seal(b"k" * 32, "example.org")


# --- names and seals


@pytest.mark.parametrize(
    ("name", "slot"),
    # The cluster specification's own example, and the forms of its section on hash tags.
    [(b"123456789", 0x31C3), (b"{user1000}.following", slot_of(b"user1000")), (b"foo{}{bar}", slot_of(b"foo{}{bar}"))],
)
def test_a_slot_is_as_the_cluster_specification_says(name, slot):
    assert slot_of(name) == slot


def test_a_cluster_s_map_is_read():
    answer = [
        [0, 100, [b"10.0.0.1", 7000, b"id", []], [b"10.0.0.2", 7000, b"id", []]],
        [101, 16383, [b"", 7001, b"id", []]],
        [5, 5, [None, 7002, b"id", []]],
    ]
    assert layout_of(answer, "asked") == [
        (0, 100, ("10.0.0.1", 7000)), (101, 16383, ("asked", 7001)), (5, 5, ("asked", 7002)),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "answer",
    [None, 5, [5], [[0, 1]], [[0, 1, []]], [[0, 1, [b"h"]]], [[0, 1, [5, 7000]]], [[0, 16384, [b"h", 7000]]],
     [[-1, 5, [b"h", 7000]]], [[0, 1, [b"\xff", 7000]]], [[0, 1, [b"h", 70_000]]], [[0, 1, [b"h", b"7000"]]]],
)  # fmt: skip
def test_a_map_that_is_none_is_an_error_of_redis_and_no_fault(answer):
    with pytest.raises(RedisError):
        layout_of(answer, "asked")


def test_what_redis_may_push_besides_is_passed_over():
    notices = RedisNotices(parse("redis://x"), SEAL, Soundness())
    for push in ([], [b"invalidate", None], [b"unsubscribe", None, 0], [b"something", b"new", b"here", b"too"]):
        notices.on_push(None, push)
    assert (notices.foreign, notices.wake_ups.remote) == (0, 0)


@given(
    st.sampled_from([mailbox_topic, signal_topic, stock_topic, lambda d: b"x" + d]), st.binary(min_size=1, max_size=64)
)
def test_a_topic_comes_back_from_its_channel(topic_of, device):
    topic = topic_of(device)
    assert SEAL.topic(*SEAL.split(topic)) == topic


def test_the_topics_of_a_device_are_one_channel():
    channels = {SEAL.split(topic(b"device"))[0] for topic in (mailbox_topic, signal_topic, stock_topic)}
    assert len(channels) == 1
    assert SEAL.split(REVOKED)[0] not in channels


@given(st.binary(max_size=200), st.integers(0, 10_000), st.integers(1, 255))
def test_a_message_that_was_bent_or_moved_is_not_opened(payload, place, change):
    sealed = SEAL.seal(b"channel", b"m", payload)
    assert SEAL.opened(b"channel", sealed) == (b"m", payload)
    assert SEAL.opened(b"channe", sealed) is None
    bent = bytearray(sealed)
    bent[place % len(bent)] ^= change
    assert SEAL.opened(b"channel", bytes(bent)) is None
    assert SEAL.opened(b"channel", sealed[: place % len(sealed)]) is None
    assert Seal(b"x" * 32, "example.org").opened(b"channel", sealed) is None


# --- what is told


class FakeNode:
    """Takes what is sent, or is away."""

    def __init__(self):
        self.told, self.subscribed, self.is_away, self.up = [], [], False, True

    async def send(self, commands):
        await trio.lowlevel.checkpoint()
        if self.is_away:
            raise Away("test")
        self.told += [(c.serialized_arguments[0], *SEAL.opened(*c.serialized_arguments)) for c in commands]
        return [1] * len(commands)

    def subscribe(self, command, names):
        self.subscribed += [(command, name) for name in names]


async def test_past_its_bounds_an_outbox_keeps_of_a_mailbox_that_there_is_something(monkeypatch, autojump_clock):
    monkeypatch.setattr(outbox_module, "QUEUE_MAX", 3)
    monkeypatch.setattr(outbox_module, "OWED_MAX", 2)
    node, told = FakeNode(), []
    outbox = Outbox(SEAL, b"PUBLISH", lambda channel, count: told.append((channel, count)), told.append, told.append)
    outbox.open()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(outbox.deliver, node)
        await trio.testing.wait_all_tasks_blocked()
        for number in range(5):
            outbox.put(Notice(b"c%d" % number, MAILBOX, b"whole"))
        outbox.put(Notice(b"c4", MAILBOX, b"again"))
        outbox.put(Notice(b"c5", MAILBOX, b"too many"))
        outbox.put(Notice(b"c0", SIGNAL, b"signal"))
        assert outbox.dropped == 2
        await trio.testing.wait_all_tasks_blocked()
        assert node.told == [(b"c%d" % n, MAILBOX, b"whole" if n < 3 else b"") for n in range(5)]
        assert told == [(b"c%d" % n, 1) for n in range(5)]
        nursery.cancel_scope.cancel()


async def test_what_was_on_its_way_when_the_server_went_is_owed(autojump_clock):
    node = FakeNode()
    node.is_away = True
    outbox = Outbox(SEAL, b"PUBLISH", lambda channel, count: None, lambda notice: None, lambda exc: None)
    outbox.open()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(outbox.deliver, node)
        await trio.testing.wait_all_tasks_blocked()
        outbox.put(Notice(b"c", MAILBOX, b"whole"))
        outbox.put(Notice(b"c", SIGNAL, b"signal"))
    outbox.close()
    outbox.put(Notice(b"d", MAILBOX, b"whole"))
    assert outbox.dropped == 1
    node.is_away = False
    outbox.open()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(outbox.deliver, node)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert node.told == [(b"c", MAILBOX, b""), (b"d", MAILBOX, b"")]


# --- what is listened to


class OneNode:
    """Shards of one server."""

    cluster = False

    def __init__(self, node):
        self.node, self.looked = node, 0

    def node_of(self, name):
        return self.node

    def look_again(self):
        self.looked += 1


async def test_a_channel_is_left_a_while_after_its_last_waiter_and_kept_for_who_comes_back(autojump_clock):
    node, heard = FakeNode(), []
    channels = Channels(OneNode(node), heard.append)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(channels.run)
        for _ in range(3):
            channels.add(b"a")
            channels.add(b"b")
        await trio.testing.wait_all_tasks_blocked()
        assert node.subscribed == [(b"SUBSCRIBE", b"a"), (b"SUBSCRIBE", b"b")]
        assert not channels.is_confirmed(b"a")
        channels.on_confirmed(node, b"a")
        assert (channels.is_confirmed(b"a"), heard) == (True, [b"a"])
        for _ in range(3):
            channels.remove(b"a")
        await trio.sleep(LINGER_SECONDS - 1)
        channels.add(b"a")
        await trio.sleep(2 * LINGER_SECONDS)
        assert (len(node.subscribed), channels.is_confirmed(b"a")) == (2, True)
        channels.remove(b"a")
        await trio.sleep(LINGER_SECONDS + 1)
        assert node.subscribed[2:] == [(b"UNSUBSCRIBE", b"a")]
        assert len(channels) == 1
        channels.add(b"a")
        await trio.testing.wait_all_tasks_blocked()
        assert node.subscribed[3:] == [(b"SUBSCRIBE", b"a")]
        nursery.cancel_scope.cancel()


async def test_a_server_that_comes_back_is_told_all_and_hears_of_no_other_s(autojump_clock):
    node, other = FakeNode(), FakeNode()
    channels = Channels(OneNode(node), lambda name: None)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(channels.run)
        channels.add(b"a")
        await trio.testing.wait_all_tasks_blocked()
        channels.on_confirmed(other, b"a")
        assert not channels.is_confirmed(b"a")
        channels.on_confirmed(node, b"a")
        channels.on_down(node)
        assert not channels.is_confirmed(b"a")
        channels.on_up(node)
        await trio.testing.wait_all_tasks_blocked()
        assert node.subscribed == [(b"SUBSCRIBE", b"a")] * 2
        nursery.cancel_scope.cancel()


async def test_what_moves_to_another_server_is_followed(autojump_clock):
    before, after = FakeNode(), FakeNode()
    shards = OneNode(before)
    shards.cluster = True
    channels = Channels(shards, lambda name: None)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(channels.run)
        channels.add(b"a")
        await trio.testing.wait_all_tasks_blocked()
        channels.on_confirmed(before, b"a")
        channels.on_ended(before, b"a")  # the server says that it has it no more
        assert (channels.is_confirmed(b"a"), shards.looked) == (False, 1)
        shards.node = after
        channels.on_layout()
        await trio.testing.wait_all_tasks_blocked()
        assert before.subscribed == [(b"SSUBSCRIBE", b"a"), (b"SUNSUBSCRIBE", b"a")]
        assert after.subscribed == [(b"SSUBSCRIBE", b"a")]
        nursery.cancel_scope.cancel()


async def test_past_its_bound_no_channel_is_added_and_nothing_breaks(monkeypatch, autojump_clock):
    monkeypatch.setattr(channels_module, "CHANNELS_MAX", 1)
    channels = Channels(OneNode(FakeNode()), lambda name: None)
    channels.add(b"a")
    channels.add(b"b")
    assert len(channels) == 1
    channels.remove(b"b")
    channels.remove(b"a")


# --- limits without Redis


class Nobody:
    """Shards of which no server is known."""

    cluster = False

    def node_of(self, name):
        return None


async def test_without_redis_a_shared_limiter_is_a_local_one():
    rate, shared, local = Rate(3, 60, 5), RedisLimiter(Nobody(), SEAL, Soundness()), LocalLimiter()
    for step in range(40):
        now = step * 7_000
        assert shared.take(b"k", rate, now) == local.take(b"k", rate, now)
        assert await shared.take_all([(b"s", rate)], now) == await local.take_all([(b"s", rate)], now)
    assert (shared.shared, shared.alone > 0) == (0, True)


def test_what_others_took_is_learned_and_never_unlearned():
    rate, limiter = Rate(1, 60, 2), LocalLimiter()
    limiter.learn(b"k", 120_000)
    assert limiter.take(b"k", rate, 0) == 60_001
    limiter.learn(b"k", 1)
    assert limiter.take(b"k", rate, 0) == 60_001
    assert limiter.take(b"k", rate, 60_000) == 0


class MapNode:
    """A server of a cluster that knows one map."""

    reason = ""

    def __init__(self, port, owner):
        self.server, self._owner, self.asked = ("10.0.0.1", port), owner, 0

    async def ask(self, command):
        assert command == b"CLUSTER SLOTS"
        self.asked += 1
        return [[0, 8_191, [b"10.0.0.1", self._owner, b"id"]], [8_192, 16_383, [b"10.0.0.1", 7002, b"id"]]]

    def retire(self):
        pass


async def test_a_server_whose_map_is_old_for_good_is_not_asked_first_for_ever(autojump_clock):
    """As one is whose way to the other servers, though not to us, is cut: another one has taken its slots over."""
    name, seen = b"{b}", []
    assert slot_of(name) < 8_192

    class Refused:
        def on_layout(self):
            seen.append(shards.node_of(name).server[1])
            if seen[-1] == 7001:
                shards.look_again()

    shards = Shards(parse("redis://10.0.0.1"), Refused())
    shards.cluster = True
    cut_off, other = MapNode(7001, 7001), MapNode(7002, 7002)
    shards.nodes = {node.server: node for node in (cut_off, other)}
    with trio.move_on_after(10 * LOOK_SECONDS):
        await shards.run()
    assert seen[:2] == [7001, 7002]
    assert set(seen[1:]) == {7002}
    assert cut_off.asked == 1


def test_shards_know_nothing_before_they_have_asked():
    shards = Shards(None, None)
    assert (shards.node_of(b"x"), shards.reason) == (None, "connecting")
