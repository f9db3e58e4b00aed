"""Who is told of what has come into mailboxes: at once, or as the mailboxes of a large group are filled after the answer.

What a large group's log gets is noted with it (`Store.fill`), so nothing here has to last: a process that dies leaves notes,
and the next one begins with them.
"""

from __future__ import annotations

from collections import OrderedDict
from math import inf
from typing import TYPE_CHECKING

import structlog
import trio

from qpqcore.api import delivery as api
from qpqcore.bus.notices import mailbox_topic
from qpqcore.model.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qpqcore.bus.notices import Notices
    from qpqdelivery.config import Config
    from qpqdelivery.counted import Counted
    from qpqdelivery.store import Accepted, Arrival, Message, Store

log = structlog.get_logger()

CARRIED_MAX = 256
"""Messages kept to be told whole while mailboxes are filled, up to 1 MiB; of one that is pushed out all are told that it came."""
NOTHING = None, None
AGAIN_SECONDS = 1.0
"""After a refusal, by a full disk or a store that has no time."""


class Filling:
    """Fills mailboxes from the outbox, and tells those who listen."""

    def __init__(self, config: Config, store: Store, notices: Notices, counted: Counted) -> None:
        self._config = config
        self._store = store
        self._notices = notices
        self._counted = counted
        self._more = trio.Event()
        self._carried: OrderedDict[tuple[bytes, int], tuple[Message, Accepted]] = OrderedDict()

    def go_on(self) -> None:
        """Begin to fill, where something was noted."""
        if self._store.notes_wait:
            self._more.set()

    async def run(self) -> None:
        """Fill, for ever: first what was left by a run before this one."""
        while True:
            pause_s = AGAIN_SECONDS if await self._is_refused() else inf
            with trio.move_on_after(pause_s):
                await self._more.wait()
            self._more = trio.Event()

    async def _is_refused(self) -> bool:
        try:
            await self.work_off()
        except Refusal as no:
            log.warning("fan_out_waits", code=no.code.name)
            return True
        return False

    async def work_off(self) -> None:
        """Fill until nothing is noted any more. Refusal: later."""
        while (filled := await self._store.fill()) is not None:
            for channel, log_number, arrivals in filled:
                self._tell(arrivals, *self._carried.get((channel, log_number), NOTHING))

    def taken(self, message: Message, accepted: Accepted, arrivals: Sequence[Arrival]) -> None:
        """Tell of a message that was taken those whose mailboxes have it; the others follow."""
        small = len(message.payload) <= self._config.carried_bytes_max
        self._tell(arrivals, message if small else None, accepted)
        if self._store.notes_wait:
            if small:
                self._carried[message.channel, accepted.log_number] = message, accepted
                if len(self._carried) > CARRIED_MAX:
                    self._carried.popitem(last=False)
            self._more.set()

    def _tell(self, arrivals: Sequence[Arrival], message: Message | None, accepted: Accepted | None) -> None:
        """Tell the devices that listen. A small message is told whole: nobody has to read it again."""
        for device, number in arrivals:
            topic, entry = mailbox_topic(device), b""
            if number and message is not None and accepted is not None and self._notices.has_listener(topic):
                entry = api.Entry(
                    number=number, kind=api.EntryKind.MESSAGE, channel=message.channel, generation=message.generation,
                    epoch=message.epoch, log_number=accepted.log_number, accepted_ms=accepted.accepted_ms,
                    payload=message.payload, expires_ms=message.expires_ms,
                ).to_bytes()  # fmt: skip
            self._notices.publish(topic, entry)
        self._counted.entries += len(arrivals)
