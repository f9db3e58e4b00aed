"""Members without an engine: they send from a group as it stands in their folders, a hundred messages at a time."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from qpqclient.client import system_now_ms
from qpqclient.content import new_content
from qpqclient.groups import write_key
from qpqclient.store import Store
from qpqclient.transport import Trust, open_link
from qpqcore.api import delivery
from qpqcore.groups.validity import read_leaf
from tests.oracle import history as h
from tests.oracle.recorder import name_of, sha256
from tests.support.world import Device
from tools.races.stage import STORE_KEY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    import qpqnative
    from tools.races.stage import Stage

BATCH = 100
MESSAGE_MS = 5
"""What one message pays of its device's rate (qpqdelivery.config): the server's clock goes on by so much."""


class Heralds:
    """Some members of one group; their folders are not used again afterwards."""

    def __init__(self, stage: Stage, devices: Sequence[Device], channel: bytes) -> None:
        self._stage = stage
        self._channel = channel
        self._members = [(d, d.group(channel)) for d in devices]
        self._turn = 0
        self.said: list[str] = []

    def _next(self) -> tuple[Device, qpqnative.Group]:
        self._turn += 1
        return self._members[self._turn % len(self._members)]

    async def commit(self) -> None:
        """Begin another epoch."""
        device, group = self._next()
        epoch, pending = group.epoch, group.commit(now_s=system_now_ms() // 1000)
        for other, theirs in self._members:
            if other is device:
                theirs.apply(pending)
            else:
                theirs.process(pending.commit)
        key = write_key(group, self._channel, 1)
        handshake = delivery.Handshake(commit=pending.commit, group_info=pending.group_info, write_key=key)
        params = delivery.SubmitCommitParams(channel=self._channel, generation=1, epoch=epoch, handshake=handshake)
        done = await device.call(params, delivery.SubmitCommitResult)
        me, commit = name_of(device.id), sha256(pending.commit)
        self._stage.noted.append(h.Committed(me, self._channel, 1, epoch, commit, done.log_number))
        members = tuple(sorted(name_of(read_leaf(m.credential, m.signature_key).device) for m in group.members()))
        entered = h.Entered(me, self._channel, 1, group.epoch, group.epoch_authenticator(), members)
        self._stage.noted.append(entered)

    async def say(self, count: int) -> None:
        """Send so many messages, at most `BATCH`, in one call."""
        device, group = self._next()
        texts = [f"message {len(self.said) + n}" for n in range(count)]
        contents = [new_content(system_now_ms(), "text", text=text) for text in texts]
        items = tuple(
            delivery.EnqueueParams(
                channel=self._channel, generation=1, epoch=group.epoch, payload=group.encrypt(content.to_bytes())
            )
            for content in contents
        )
        self._stage.ahead_ms += count * MESSAGE_MS
        done = await device.call(delivery.BatchEnqueueParams(items=items), delivery.BatchEnqueueResult)
        me, account = name_of(device.id), device.account.account.hex()
        for text, content, item, answer in zip(texts, contents, items, done.items, strict=True):
            assert answer.result is not None, answer.detail
            number, at_ms = answer.result.log_number, answer.result.accepted_ms
            self._stage.noted.append(h.Queued(me, self._channel, content.id, account, text))
            sent = h.Answered(me, self._channel, 1, group.epoch, content.id, sha256(item.payload), number, at_ms)
            self._stage.noted.append(sent)
        self.said += texts


@asynccontextmanager
async def open_heralds(stage: Stage, names: Sequence[str], channel: bytes) -> AsyncIterator[Heralds]:
    """Open the folders of these people, whose clients are closed."""
    async with AsyncExitStack() as stack:
        devices = []
        for name in names:
            store = Store(stage.root / name, STORE_KEY)
            stack.callback(store.close)
            link = await stack.enter_async_context(open_link(stage.where, Trust(), accept=lambda _: True))
            device = Device(store, link)
            await device.account.resume(link)
            devices.append(device)
        yield Heralds(stage, devices, channel)
