"""A channel under random calls, valid and invalid, against a model: the real delivery service and real MLS groups.

An input is a row of steps of three bytes: what, who, and one argument. Each step is one call; its code must be the
model's, and at the end every mailbox must hold what the model's does.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import trio

from qpqcore.api import delivery as api
from qpqcore.bus.limits import LocalLimiter
from qpqcore.bus.notices import LocalNotices
from qpqcore.model.errors import ErrorCode
from qpqdelivery.main import open_delivery, open_sqlite_store
from qpqnative import GroupView
from tools.fuzz.channel_stage import CONFIG, Code, Stage
from tools.fuzz.channel_world import (
    CHANNEL,
    NAMES,
    NOW_MS,
    SENDER_CREDENTIAL,
    SENDER_KEY,
    SENDER_SECRET,
    Keystore,
    Made,
    bent,
    born,
    lying,
    private_message,
)
from tools.fuzz.target import SLOW_CPU_MS_MAX, Target, demand

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator


STEP_BYTES = 3
STEPS_MAX = 24
HUGE = (1 << 64) - 1
STORE_KEY = b"k" * 32
REFUSED_BY_MLS = frozenset({ErrorCode.COMMIT_INVALID, ErrorCode.MALFORMED, ErrorCode.EPOCH_CONFLICT})


class Play(Stage):
    """One input's channel: the steps."""

    # --- messages

    async def say(self, name: str, argument: int) -> None:
        """Enqueue: the argument says how many epochs behind, of which generation, how far in the ratchet, and which of eight payloads."""
        epoch = self.model.epoch - (argument & 7) + 1
        if argument >= 0xF0:
            epoch = HUGE - (argument & 15)
        generation = self.model.generation + (argument >> 6 == 1)
        epoch = max(epoch, 0)
        payload, ratchet = private_message(generation, epoch, argument >> 3 & 7), argument >> 5
        params = api.EnqueueParams(
            channel=CHANNEL, generation=generation, epoch=epoch, payload=payload, ratchet=ratchet
        )
        got, result = await self.code(self.service.enqueue(self.call(name), params))
        known = self.model.payloads.get(payload)
        wanted = (
            ErrorCode.NOT_MEMBER
            if self.gone
            else self.model.say(name, epoch, generation=generation, payload=payload, ratchet=ratchet)
        )
        if epoch >= 1 << 63:
            wanted = frozenset({wanted, ErrorCode.MALFORMED})  # type: ignore[assignment]  # no such epoch can be
        self.expect(wanted, got, f"{name} says something of epoch {epoch}")
        if result is not None:
            demand(result.log_number == self.model.payloads[payload], "a message at another place of the log")
            demand(result.duplicate == (known is not None), "a repeat that is not called one")

    async def read(self, name: str, argument: int) -> None:
        """Fetch from somewhere on: what lies there is what the model has."""
        after = HUGE if argument == 0xFF else argument & 31
        got, result = await self.code(self.service.fetch(self.call(name), api.FetchParams(after=after)))
        if after == HUGE:
            self.expect(frozenset({self.box_code(name), ErrorCode.MALFORMED}), got, "a fetch from past the end")
            return
        self.expect(self.box_code(name), got, "a fetch")
        if result is None:
            return
        self.compare(name, result, after)

    async def ack(self, name: str, argument: int) -> None:
        """Acknowledge: never backwards, never past the end."""
        up_to = HUGE if argument == 0xFF else argument & 31
        got, result = await self.code(self.service.ack(self.call(name), api.AckParams(up_to=up_to)))
        self.expect(self.box_code(name), got, "an acknowledgement")
        if result is None:
            return
        self.model.ack(name, up_to)
        demand(result.acked <= self.model.last[name], "acknowledged past the end")

    # --- commits

    def _change(self, name: str, argument: int) -> Made | None:
        """Build a commit: an update, or somebody in or out; None where there is nothing to build it from."""
        members = self.model.members
        other = NAMES[argument & 3]
        add = (other,) if argument & 4 and other not in members else ()
        remove = (other,) if argument & 8 and other in members and other not in {name, *self.model.proposed} else ()
        if name not in members:
            return None
        made = self.people.commit(name, self.model.generation, add=add, remove=remove)
        return replace(made, proposed=frozenset(self.model.proposed))

    async def commit(self, name: str, argument: int) -> None:
        """Submit a commit, as it is or with a lie about it (the argument's high bits)."""
        made = self._change(name, argument)
        if made is not None:
            await self._submit(made, *self._lie(made, argument >> 4))

    def _lie(self, made: Made, which: int) -> tuple[api.SubmitCommitParams, str, Code]:
        """Return (what is submitted, by whom, the lie's code; OK for none)."""
        p, h = made.params, made.params.handshake or api.Handshake()
        outside = next((n for n in NAMES if n not in self.model.members), made.author)
        inside = next((n for n in self.model.members if n != made.author), made.author)
        stale_info = self.people.by_name[made.author].group(p.generation).group_info()
        lies: list[tuple[api.SubmitCommitParams, str, Code]] = [
            (p, made.author, ErrorCode.OK),
            (replace(p, epoch=p.epoch - 1 if p.epoch else HUGE), made.author, ErrorCode.EPOCH_CONFLICT),
            (replace(p, epoch=HUGE), made.author, ErrorCode.EPOCH_CONFLICT),
            (replace(p, generation=p.generation + 1), made.author, ErrorCode.GENERATION_CONFLICT),
            (lying(made, write_key=b"w" * 31), made.author, ErrorCode.WRITE_KEY_INVALID),
            (lying(made, group_info=stale_info), made.author, ErrorCode.GROUP_INFO_INVALID),
            (lying(made, welcomes=(*h.welcomes, api.WelcomeItem(device=b"x", welcome=b"w"))), made.author, ErrorCode.COMMIT_INVALID),
            (p, outside, ErrorCode.NOT_MEMBER if outside != made.author else ErrorCode.OK),
            (p, inside, ErrorCode.FORBIDDEN if inside != made.author else ErrorCode.OK),
            (lying(made, commit=bent(h.commit)), made.author, REFUSED_BY_MLS),
            (lying(made, commit=b""), made.author, ErrorCode.TOO_LARGE),
            (lying(made, commit=h.group_info), made.author, REFUSED_BY_MLS),
        ]  # fmt: skip
        return lies[which] if which < len(lies) else lies[0]

    async def _submit(self, made: Made, params: api.SubmitCommitParams, caller: str, lie: Code) -> None:
        got, result = await self.code(self.service.submit_commit(self.call(caller), params))
        wanted = self._verdict(made, params, caller, lie)
        self.expect(wanted, got, f"{caller} commits ({lie}) in epoch {params.epoch}")
        if got is not ErrorCode.OK:
            return
        payload = (params.handshake or api.Handshake()).commit
        before = self.model.payloads.get(payload)
        demand(result.duplicate == (before is not None), "a commit taken twice")
        if before is None:
            members = self.model.members
            if made.pending:
                self.model.change(add=made.add, remove={*made.remove, *made.proposed}, payload=payload)
            else:
                self.model.rejoin(made.author, payload)
            self.taken = made
            self.people.follow(made, members)
            self.by_server = self.by_server and not made.pending and made.author != self.revoked
            if self.by_server:  # an external commit made it void: it is proposed anew
                await self.hear_removal()
        demand(result.log_number == self.model.payloads[payload], "a commit at another place of the log")

    def _verdict(self, made: Made, params: api.SubmitCommitParams, caller: str, lie: Code) -> Code:
        """Go through docs/spec/delivery.md's checks in their order."""
        handshake = params.handshake or api.Handshake()
        if lie in {ErrorCode.TOO_LARGE, ErrorCode.WRITE_KEY_INVALID}:
            return lie
        if self.gone or caller not in self.model.members:
            return ErrorCode.NOT_MEMBER
        if handshake.commit in self.model.payloads:
            return ErrorCode.OK
        if params.generation != self.model.generation:
            return ErrorCode.GENERATION_CONFLICT
        if params.epoch != self.model.epoch:
            return ErrorCode.EPOCH_CONFLICT
        if lie is REFUSED_BY_MLS or lie is ErrorCode.FORBIDDEN:
            return lie
        left_out = set(self.model.proposed) - {*made.proposed, *made.remove} or made.author in self.model.proposed
        if made.pending and left_out:
            return ErrorCode.PROPOSAL_MISSING
        return ErrorCode.CREDENTIAL_INVALID if self.revoked in made.add else lie

    async def keep(self, name: str, argument: int) -> None:
        """Build a commit and keep it for later."""
        self.kept = self._change(name, argument) or self.kept

    async def late(self, name: str, argument: int) -> None:
        """Submit what was kept, which may have lost its epoch by now."""
        del name, argument
        if self.kept is not None:
            await self._submit(self.kept, self.kept.params, self.kept.author, ErrorCode.OK)

    async def again(self, name: str, argument: int) -> None:
        """Submit the commit that was taken last once more, by its author or somebody else."""
        if self.taken is not None:
            caller = name if argument & 1 else self.taken.author
            await self._submit(self.taken, self.taken.params, caller, ErrorCode.OK)

    async def rejoin(self, name: str, argument: int) -> None:
        """Come back by external commit, a member or not, with the GroupInfo that the server gives out."""
        del argument
        asker = next(iter(self.model.members), name)
        got, info = await self.code(
            self.service.fetch_group_info(self.call(asker), api.FetchGroupInfoParams(channel=CHANNEL))
        )
        self.expect(ErrorCode.NOT_MEMBER if self.gone else ErrorCode.OK, got, "a GroupInfo")
        if info is None:
            return
        demand(
            (info.generation, info.epoch) == (self.model.generation, self.model.epoch), "a GroupInfo of another epoch"
        )
        tree = await self.service.fetch_tree(
            self.call(asker), api.FetchTreeParams(channel=CHANNEL, tree_hash=info.tree_hash)
        )
        view = GroupView.observe(info.group_info, tree.tree)
        credential = self.people.by_name[name].credential
        leaf = next((m.index for m in view.members() if m.credential == credential), None)
        made = self.people.rejoin(name, self.model.generation, info.group_info, tree.tree, leaf)
        await self._submit(made, made.params, name, ErrorCode.OK)

    # --- proposals and resets

    async def leave(self, name: str, argument: int) -> None:
        """Propose to leave; with an odd argument, in another's name."""
        generation, members = self.model.generation, self.model.members
        if name not in members or self.gone:
            return
        place = (name, generation, self.model.epoch)
        if place not in self.proposals:
            self.proposals[place] = self.people.propose(name, generation)
        proposal = self.proposals[place]
        caller = name if argument % 2 == 0 else next((n for n in members if n != name), name)
        params = api.SubmitProposalParams(
            channel=CHANNEL, generation=generation, epoch=self.model.epoch, proposal=proposal
        )
        known = self.model.payloads.get(proposal)
        got, result = await self.code(self.service.submit_proposal(self.call(caller), params))
        wanted = ErrorCode.OK if known is not None or caller == name else ErrorCode.FORBIDDEN
        self.expect(wanted, got, f"{caller} proposes that {name} leaves")
        if got is ErrorCode.OK:
            demand(result.duplicate == (known is not None), "a proposal taken twice")
        if got is ErrorCode.OK and known is None:
            self.model.propose(name, proposal)
            self.people.hear(proposal, generation, name, members)
            self.gone = set(members) <= set(self.model.proposed)

    async def reset(self, name: str, argument: int) -> None:
        """Begin the next generation with some of the members: two bits of the argument, the rest tells a lie."""
        members = self.model.members
        others = [n for n in members if n != name][: argument & 3]
        lie = argument >> 2 & 3
        if lie == 1:
            others = [n for n in NAMES if n != name]
        people = self.people.copy()
        birth, made = people.birth(name, others, self.model.generation + 1)
        named = self.model.generation + (lie == 2)
        params = api.ResetChannelParams(
            channel=CHANNEL, generation=named, group_info=birth.group_info, tree=birth.tree,
            write_key=birth.write_key, first=birth.first,
        )  # fmt: skip
        got, _ = await self.code(self.service.reset_channel(self.call(name), params))
        wanted = self._reset_verdict(name, others, named)
        self.expect(wanted, got, f"{name} resets with {others}")
        if got is ErrorCode.OK:
            people.follow(made, [name])
            self.people = people
            self.model.begin(name, others)
            self.model.payloads[(made.params.handshake or api.Handshake()).commit] = self.model.log

    def _reset_verdict(self, name: str, others: list[str], named: int) -> Code:
        if self.gone:
            return ErrorCode.NOT_MEMBER
        if named != self.model.generation:
            return ErrorCode.GENERATION_CONFLICT
        if name not in self.model.members:
            return ErrorCode.NOT_MEMBER
        if self.revoked in {name, *others}:
            return ErrorCode.CREDENTIAL_INVALID
        return ErrorCode.OK if set(others) <= set(self.model.members) else ErrorCode.COMMIT_INVALID

    # --- the end

    async def finish(self) -> None:
        """Compare what is left: mailboxes, members, epoch."""
        for name in NAMES:
            if name in self.model.closed:
                got, _ = await self.code(self.service.fetch(self.call(name), api.FetchParams()))
                self.expect(ErrorCode.NOT_FOUND, got, "a fetch without a mailbox")
                continue
            self.compare(name, await self.service.fetch(self.call(name), api.FetchParams()))
            peeked = await self.service.peek(self.call(name), api.PeekParams())
            demand(peeked.last == self.model.last[name], "what a mailbox's head counts")
        if not self.gone:
            info = await self.service.fetch_group_info(
                self.call(self.model.members[0]), api.FetchGroupInfoParams(channel=CHANNEL)
            )
            demand(
                (info.generation, info.epoch, info.log_number)
                == (self.model.generation, self.model.epoch, self.model.log),
                "the log",
            )


STEPS: tuple[Callable[[Play, str, int], Awaitable[None]], ...] = (
    Play.say, Play.commit, Play.read, Play.ack, Play.keep, Play.late, Play.again, Play.rejoin, Play.leave, Play.reset,
    Play.revoke,
)  # fmt: skip


@asynccontextmanager
async def _opened() -> AsyncIterator[Play]:
    keystore = Keystore(list(born()[0].by_name.values()))
    async with open_delivery(
        CONFIG, open_sqlite_store(CONFIG, None, STORE_KEY), keystore=keystore, notices=LocalNotices(),
        external_sender=(SENDER_CREDENTIAL, SENDER_SECRET, SENDER_KEY), limiter=LocalLimiter(), clock_ms=lambda: NOW_MS,
    ) as service:  # fmt: skip
        play = Play(service, keystore)
        await play.begin()
        yield play


async def _play(data: bytes) -> None:
    async with _opened() as play:
        for at in range(0, min(len(data), STEP_BYTES * STEPS_MAX) - STEP_BYTES + 1, STEP_BYTES):
            what, who, argument = data[at : at + STEP_BYTES]
            await STEPS[what % len(STEPS)](play, NAMES[who % len(NAMES)], argument)
        await play.finish()


def channel(data: bytes) -> None:
    """Play one input."""
    trio.run(partial(_play, data))


def _seeds() -> Iterator[tuple[str, bytes]]:
    """Rows of steps that show each kind of call once, then some that race."""
    say, commit, read, ack, keep, late, again, rejoin, leave, reset, revoke = range(len(STEPS))
    yield "messages", bytes((say, 0, 1, say, 1, 9, say, 0, 1, say, 3, 17, read, 2, 0, ack, 2, 2, say, 2, 2, say, 1, 0))
    yield (
        "changes",
        bytes(
            (commit, 0, 4 | 3, say, 3, 1, say, 0, 26, say, 3, 18, commit, 3, 8 | 1, say, 1, 1, say, 3, 10, commit, 2, 0)
        ),
    )
    yield "lies", bytes(b for lie in range(12) for b in (commit, 1, lie << 4 | 4 | 3))
    yield "race", bytes((keep, 0, 0, commit, 1, 0, late, 0, 0, again, 1, 0, again, 3, 1, keep, 2, 0, late, 0, 0))
    yield "leaving", bytes((leave, 2, 0, leave, 2, 1, commit, 2, 0, keep, 0, 0, leave, 1, 0, late, 0, 0, commit, 0, 0))
    yield (
        "revoked",
        bytes((revoke, 2, 0, say, 2, 1, leave, 2, 0, commit, 0, 0, commit, 0, 4 | 2, rejoin, 2, 0, say, 1, 1)),
    )
    yield (
        "revoked-again",
        bytes((revoke, 1, 0, commit, 1, 0, rejoin, 0, 0, commit, 2, 0, reset, 0, 3, reset, 1, 1, read, 1, 0)),
    )
    yield "all-leave", bytes((leave, 0, 0, leave, 1, 0, leave, 2, 0, say, 0, 1, commit, 0, 0, read, 1, 0, rejoin, 0, 0))
    yield (
        "rejoining",
        bytes((rejoin, 1, 0, say, 1, 1, say, 1, 2, rejoin, 3, 0, leave, 2, 0, rejoin, 0, 0, commit, 1, 0)),
    )
    yield (
        "resets",
        bytes((reset, 0, 2, say, 1, 1, say, 0, 65, reset, 3, 0, reset, 1, 4, reset, 1, 8, commit, 0, 0, reset, 1, 1)),
    )


TARGETS = (
    Target(
        name="channel", what="a channel under random calls, against a model", run=channel, errors=(), seeds=_seeds, slow=True,
        cpu_ms_max=SLOW_CPU_MS_MAX, input_bytes_max=STEP_BYTES * STEPS_MAX,
    ),
)  # fmt: skip
