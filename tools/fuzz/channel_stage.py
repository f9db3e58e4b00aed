"""Where a channel's calls are played: the real service, everybody's groups, the model beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qpqcore.api import delivery as api
from qpqcore.model.errors import ErrorCode, Refusal
from qpqdelivery.config import Config
from tests.support.channel_model import ChannelModel
from tools.fuzz.channel_world import CHANNEL, NAMES, NOW_MS, Keystore, Made, born
from tools.fuzz.target import demand

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from qpqdelivery.service import Delivery

CONFIG = Config()

Code = ErrorCode | frozenset[ErrorCode]


class Stage:
    """One input's channel: service, people, model."""

    def __init__(self, service: Delivery, keystore: Keystore) -> None:
        people, self.birth, self.first = born()
        self.service, self.people = service, people.copy()
        self.model: ChannelModel[str] = ChannelModel(NAMES, CONFIG.past_epochs)
        self.kept: Made | None = None
        self.taken: Made | None = None
        self.proposals: dict[tuple[str, int, int], bytes] = {}
        """What each has proposed in a generation's epoch: a group makes it once."""
        self.keystore = keystore
        self.revoked = ""
        """Whose device has been revoked; one in an input."""
        self.by_server = False
        """Whether the server's proposal to remove it waits."""
        self.now_ms = NOW_MS
        self.gone = False
        """Everybody has proposed to leave: the channel was dropped."""

    async def begin(self) -> None:
        """Open the mailboxes, create the channel."""
        for person in self.people.by_name.values():
            await self.service.open_mailbox(
                person.call(NOW_MS), api.OpenMailboxParams(account=person.account_id, device=person.device_id)
            )
        await self.service.create_channel(self.call("alice"), self.birth)
        self.model.begin("alice", ("bob", "carol"))

    def call(self, name: str) -> Any:
        """Return the surroundings of a person's next call."""
        self.now_ms += 1
        return self.people.by_name[name].call(self.now_ms)

    async def code(self, answer: Awaitable[Any]) -> tuple[ErrorCode, Any]:
        """Return a call's code, and its result."""
        try:
            return ErrorCode.OK, await answer
        except Refusal as no:
            return no.code, None

    @staticmethod
    def expect(wanted: Code, got: ErrorCode, what: str) -> None:
        """Compare a call's code with the model's."""
        fits = got in wanted if isinstance(wanted, frozenset) else got is wanted
        demand(fits, f"{what}: answered with {got.name}, the model says {wanted}")

    def box_code(self, name: str) -> ErrorCode:
        """Return what a call about a person's mailbox is answered with."""
        return ErrorCode.NOT_FOUND if name in self.model.closed else ErrorCode.OK

    def compare(self, name: str, result: Any, after: int = 0) -> None:
        found = [(e.number, e.kind, e.log_number) for e in result.entries]
        wanted = [entry for entry in self.model.boxes[name] if entry[0] > after]
        demand(found == wanted, f"{name}'s mailbox holds {found}, the model's {wanted}")

    # --- what the server proposes

    async def revoke(self, name: str, argument: int) -> None:
        """Revoke a device, once in an input: its mailbox goes, its removal is proposed."""
        if self.revoked or argument & 1:
            return
        self.revoked = name
        self.keystore.revoke(self.people.by_name[name].account_id)
        device = self.people.by_name[name].device_id
        waits = not self.gone and name in self.model.members and name not in self.model.proposed
        answer = await self.service.remove_devices(self.call(name), api.RemoveDevicesParams(devices=(device,)))
        demand(answer.proposals == waits, "a removal proposed that was not called for, or none that was")
        if waits:
            self.by_server = True
            await self.hear_removal()
        self.model.close(name)

    async def hear_removal(self) -> None:
        """Let everybody take the server's proposal; where all are to go the channel is dropped."""
        members = self.model.members
        self.model.propose(self.revoked)
        self.gone = set(members) <= set(self.model.proposed)
        found, info = await self.code(
            self.service.fetch_group_info(self.call(members[0]), api.FetchGroupInfoParams(channel=CHANNEL))
        )
        self.expect(ErrorCode.NOT_MEMBER if self.gone else ErrorCode.OK, found, "the proposals")
        if info is not None:
            self.people.hear(info.proposals[-1], self.model.generation, "", members)
