"""Notices over Redis: told in this process at once, in the others through pub/sub.

1. Publishing never blocks and never fails. Losing a notice costs time, never a message: who waits looks again every 30 s.
2. One subscription a process and server; it hears only of what somebody here waits for.
3. Who may have missed something is told to look: when a subscription is confirmed, first or after a loss.
"""

from __future__ import annotations

from collections import OrderedDict
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import trio

from qpqcore.bus.notices import MAILBOX, REVOKED, LocalNotices, Subscription
from qpqcore.bus.redis.channels import Channels
from qpqcore.bus.redis.outbox import Notice, Outbox
from qpqcore.bus.redis.record import Record
from qpqcore.bus.redis.shards import Shards
from qpqcore.bus.redis.soundness import Check, Nonsense

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qpqcore.bus.redis.address import Address
    from qpqcore.bus.redis.node import Node
    from qpqcore.bus.redis.sealing import Seal
    from qpqcore.bus.redis.soundness import Soundness

PUSHED_PARTS = 3
"""Of what is published: message, channel, content; what Redis may push besides is shorter and not for us."""
LISTENED_MAX = 100_000
"""Channels of which is remembered that somebody listened when something was last published."""


class RedisNotices:
    """Implements `qpqcore.bus.notices.Notices`; `run` keeps its connections."""

    lossless = False

    def __init__(self, address: Address, seal: Seal, soundness: Soundness) -> None:
        self._seal = seal
        self._soundness = soundness
        self._local = LocalNotices()
        self.wake_ups = self._local.wake_ups
        self.shards = Shards(address, self)
        self._outboxes: dict[Node | None, Outbox] = {}
        self._channels = Channels(self.shards, self._look)
        self._revoked = seal.split(REVOKED)[0]
        self._record = Record(
            self.shards, self._revoked, tell_anyway=self._tell_anyway, found=lambda s: self._hear(self._revoked, s),
            met=soundness.met,
        )  # fmt: skip
        self._record_home: Node | None = None
        self._listened: OrderedDict[bytes, None] = OrderedDict()
        self._dropped = 0
        self.foreign = 0
        """Messages heard that were not sealed by our key."""
        self._changed = trio.Event()

    # --- Notices

    def publish(self, topic: bytes, payload: bytes = b"") -> None:
        """Tell all subscribers of `topic`: here now, elsewhere soon."""
        self._local.publish(topic, payload)
        channel, kind = self._seal.split(topic)
        if topic == REVOKED:
            self._record.add(self._seal.seal(channel, kind, payload))
        else:
            self._outbox(channel).put(Notice(channel, kind, payload))

    @contextmanager
    def subscribe(self, *topics: bytes) -> Iterator[Subscription]:
        """Listen to the topics until the block is left."""
        channels = {self._seal.split(topic)[0] for topic in topics}
        with self._local.subscribe(*topics) as subscription:
            for channel in channels:
                self._channels.add(channel)
            if self._channels.is_confirmed(self._revoked) and REVOKED in topics:
                self._record.on_heard()
            try:
                yield subscription
            finally:
                for channel in channels:
                    self._channels.remove(channel)

    def has_listener(self, topic: bytes) -> bool:
        """Tell whether somebody listens here, or listened anywhere when something was last published to the device."""
        return self._local.has_listener(topic) or self._seal.split(topic)[0] in self._listened

    # --- the work

    async def run(self) -> None:
        """Keep the connections, tell and listen, for ever."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.shards.run)
            nursery.start_soon(self._channels.run)
            nursery.start_soon(self._record.run)

    @property
    def dropped(self) -> int:
        """Notices that nobody will hear of."""
        return self._dropped + sum(outbox.dropped for outbox in self._outboxes.values())

    @property
    def channels(self) -> int:
        """Channels that are listened to."""
        return len(self._channels)

    async def wait_heard(self, *topics: bytes) -> None:
        """Wait until what is published to these topics, which are subscribed to, is heard from everywhere."""
        while not all(self._channels.is_confirmed(self._seal.split(topic)[0]) for topic in topics):
            await self._changed.wait()

    async def wait_revoked(self) -> None:
        """Wait until Redis has, and has told, every revocation that was published here."""
        await self._record.wait_told()

    async def wait_up(self) -> None:
        """Wait until all servers are there."""
        while self.shards.reason:
            await self._changed.wait()

    def _outbox(self, channel: bytes) -> Outbox:
        return self._outbox_of(self.shards.node_of(channel))

    def _outbox_of(self, node: Node | None) -> Outbox:
        outbox = self._outboxes.get(node)
        if outbox is None:
            command = b"SPUBLISH" if self.shards.cluster else b"PUBLISH"
            outbox = self._outboxes[node] = Outbox(self._seal, command, self._told, self._move, self._soundness.met)
        return outbox

    def _told(self, channel: bytes, listeners: int) -> None:
        """Note how many heard of a channel."""
        if listeners > 0:
            self._listened[channel] = None
            self._listened.move_to_end(channel)
            if len(self._listened) > LISTENED_MAX:
                self._listened.popitem(last=False)
        else:
            self._listened.pop(channel, None)

    def _move(self, notice: Notice) -> None:
        """Keep what another server has to tell until it is known which."""
        self._outbox_of(None).put(notice)
        self.shards.look_again()

    def _move_outbox(self, node: Node | None) -> None:
        """Give what a server was owed to those that have its channels now."""
        outbox = self._outboxes.pop(node, None)
        if outbox is not None:
            self._dropped += outbox.dropped
            for notice in outbox.owed():
                self._outbox(notice.channel).put(notice)

    def _tell_anyway(self, sealed: bytes) -> None:
        opened = self._seal.opened(self._revoked, sealed)
        if opened is not None:
            self._outbox(self._revoked).put(Notice(self._revoked, *opened))

    def _look(self, channel: bytes) -> None:
        """Tell who waits on a channel just confirmed that something may have been missed."""
        if channel == self._revoked:
            self._record.on_heard()
        else:
            self._local.tell(self._seal.topic(channel, MAILBOX), b"")
        self._change()

    def _hear(self, channel: bytes, data: bytes) -> None:
        if data.startswith(self._seal.origin):
            return
        opened = self._seal.opened(channel, data)
        if opened is None:
            self.foreign += 1
            self._soundness.note(Check.SEALS, "a message that our key has not sealed")
        else:
            self.wake_ups.remote += self._local.tell(self._seal.topic(channel, opened[0]), opened[1])

    def _change(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    # --- what the servers say

    def on_up(self, node: Node) -> None:
        """Subscribe anew, and tell again what may be lost."""
        self._channels.on_up(node)
        self._outbox_of(node).open()
        if self.shards.node_of(self._revoked) is node:
            self._record.on_up()
        self._change()

    def on_down(self, node: Node) -> None:
        """Hear nothing of it."""
        self._channels.on_down(node)
        self._outbox_of(node).close()
        self.shards.look_again()
        if node not in self.shards.nodes.values():
            self._move_outbox(node)
        self._change()

    def on_push(self, node: Node, push: list[Any]) -> None:
        """Pass on what was published."""
        if len(push) < PUSHED_PARTS:
            return
        kind, channel, data = push[:PUSHED_PARTS]
        # Compared one by one: a server that is none may push what has no hash.
        if kind in (b"message", b"smessage"):
            if isinstance(channel, bytes) and isinstance(data, bytes):
                self._hear(channel, data)
            else:
                self._soundness.met(Nonsense("a subscription", data))
        elif not isinstance(channel, bytes):
            return
        elif kind in (b"subscribe", b"ssubscribe"):
            self._channels.on_confirmed(node, channel)
        elif kind == b"sunsubscribe":
            self._channels.on_ended(node, channel)

    def on_refused(self, node: Node) -> None:
        """The map may be old."""
        del node
        self.shards.look_again()

    def on_layout(self) -> None:
        """Follow what has moved."""
        self._channels.on_layout()
        known = self.shards.nodes.values()
        for node in [node for node in self._outboxes if node is None or (node not in known and not node.up)]:
            self._move_outbox(node)
        home = self.shards.node_of(self._revoked)
        if home is not self._record_home:
            self._record_home = home
            self._record.on_up()
        self._record.go_on()
        self._change()

    async def deliver(self, node: Node) -> None:
        """Send what there is to send, and prove the node, for as long as it is up."""

        def name() -> bytes | None:
            return self.shards.name_at(node, self._seal.probe_keys())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._soundness.prove, node, name, self._seal.origin)
            await self._outbox_of(node).deliver(node)
