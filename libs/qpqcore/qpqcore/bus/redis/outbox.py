"""What one server is to tell, in order, many in one send.

A full outbox, or one whose server is away, keeps of a mailbox only that there is something to look for, and nothing of what
is not stored anyway: telling late is of use for the one alone.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

import trio
from coredis.exceptions import AskError

from qpqcore.bus.notices import MAILBOX
from qpqcore.bus.redis.node import Away, Command
from qpqcore.bus.redis.soundness import Nonsense

if TYPE_CHECKING:
    from collections.abc import Callable

    from qpqcore.bus.redis.node import Node
    from qpqcore.bus.redis.sealing import Seal

QUEUE_MAX = 10_000
QUEUE_BYTES_MAX = 8 * 1024 * 1024
"""A second of what one process can tell at most."""
OWED_MAX = 100_000
"""Mailboxes to look into when the server is back; past it they are found by looking again after 30 s."""
BATCH_MAX = 256
"""Told in one send: some 100 KiB, a millisecond of the server."""


class Notice(NamedTuple):
    """One notice on its way."""

    channel: bytes
    kind: bytes
    payload: bytes


class Outbox:
    """Notices for one server; open, and `deliver` running, while it is up."""

    def __init__(
        self, seal: Seal, command: bytes, told: Callable[[bytes, int], None], moved: Callable[[Notice], None],
        met: Callable[[Exception], None],
    ) -> None:  # fmt: skip
        self._seal = seal
        self._command = command
        self._told = told
        self._moved = moved
        self._met = met
        self._queue: deque[Notice] = deque()
        self._bytes = 0
        self._owed: dict[bytes, None] = {}
        self._up = False
        self._wake = trio.Event()
        self.dropped = 0
        """Notices that nobody will hear of any more."""

    def put(self, notice: Notice) -> None:
        """Add a notice; never blocks."""
        if not self._up or len(self._queue) >= QUEUE_MAX or self._bytes >= QUEUE_BYTES_MAX:
            self._owe(notice)
        else:
            self._queue.append(notice)
            self._bytes += len(notice.payload)
        self._wake.set()

    def _owe(self, notice: Notice) -> None:
        if notice.kind != MAILBOX or (len(self._owed) >= OWED_MAX and notice.channel not in self._owed):
            self.dropped += 1
        else:
            self._owed[notice.channel] = None

    def owed(self) -> list[Notice]:
        """Take out what is owed: its server is another one now."""
        owed, self._owed = self._owed, {}
        return [Notice(channel, MAILBOX, b"") for channel in owed]

    def open(self) -> None:
        """The server is there: take notices whole."""
        self._up = True

    def close(self) -> None:
        """It is away."""
        self._up = False
        for notice in self._queue:
            self._owe(notice)
        self._queue.clear()
        self._bytes = 0

    async def deliver(self, node: Node) -> None:
        """Send what there is to send, until the server is away or this is cancelled."""
        batch: list[Notice] = []
        try:
            while True:
                await self._wake.wait()
                batch = self._batch()
                if batch:
                    self._note(batch, await node.send([self._publish(notice) for notice in batch]))
                    batch = []
                else:
                    self._wake = trio.Event()
        except Away:
            pass  # the node ends this with its connections
        finally:
            for notice in batch:
                self._owe(notice)

    def _batch(self) -> list[Notice]:
        batch = [self._queue.popleft() for _ in range(min(BATCH_MAX, len(self._queue)))]
        self._bytes -= sum(len(notice.payload) for notice in batch)
        while self._owed and len(batch) < BATCH_MAX:
            channel = next(iter(self._owed))
            del self._owed[channel]
            batch.append(Notice(channel, MAILBOX, b""))
        return batch

    def _publish(self, notice: Notice) -> Command:
        return Command(self._command, (notice.channel, self._seal.seal(*notice)))

    def _note(self, batch: list[Notice], answers: list[Any]) -> None:
        for notice, answer in zip(batch, answers, strict=True):
            if isinstance(answer, AskError):
                self._moved(notice)
            elif type(answer) is int:
                self._told(notice.channel, answer)
            else:
                self.dropped += 1
                self._met(answer if isinstance(answer, Exception) else Nonsense("PUBLISH", answer))
