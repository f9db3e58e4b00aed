"""A batch of messages for channels of several homes: each home is asked once, all at once, and each message is answered by itself."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
import trio
import trio.testing

from qpqcore.api.delivery import BatchEnqueueResult, BatchItem, EnqueueParams, EnqueueResult, Guest
from qpqcore.api.federation import CallPeerResult, RelayBatchEnqueueParams
from qpqcore.bus.notices import LocalNotices
from qpqcore.model.call import CallContext, Caller, CallerKind
from qpqcore.model.errors import ErrorCode, Refusal
from qpqdelivery import abroad as module
from qpqdelivery.abroad import Abroad
from qpqdelivery.config import Config
from qpqdelivery.peers import Peers
from tests.federation.peer import NUMBERS

PATIENCE_SECONDS = 30
ACCOUNT, DEVICE = b"a" * 16 + b"a.example", b"d" * 16 + b"a.example"
CALL = CallContext(caller=Caller(CallerKind.ACCOUNT, ACCOUNT, DEVICE), deadline_s=7.0, idempotency_key=b"k" * 16)
ALICE = Guest(account=ACCOUNT, device=DEVICE)
HERE, THERE, GONE, CLOSED, STAMMERS = (f"{name}.example" for name in "abcde")


def message(home, text, *, sealed=False):
    return EnqueueParams(
        channel=b"c" * 16 + home.encode(),
        generation=1,
        epoch=1,
        payload=text,
        write_signature=b"s" * 64 if sealed else b"",
    )


@dataclass
class Homes:
    """Federation: one home answers, one is away and is waited for until all others have said something, one refuses."""

    others: int
    """Calls that end before that one."""
    asked: list = field(default_factory=list)
    at_once: int = 0
    under_way: int = 0
    heard: trio.Event = field(default_factory=trio.Event)

    async def call_peer(self, call, params):
        assert params.method == NUMBERS["relayBatchEnqueue"]
        assert (call.caller.name, call.deadline_s, call.idempotency_key) == ("delivery", 7.0, b"k" * 16)
        up = RelayBatchEnqueueParams.from_bytes(params.params)
        self.asked.append((params.domain, up.sender, [item.payload for item in up.items]))
        self.under_way += 1
        self.at_once = max(self.at_once, self.under_way)
        try:
            return CallPeerResult(result=await self._answer(params.domain, up.items))
        finally:
            self.under_way -= 1

    async def _answer(self, home, items):
        if home == GONE:
            await self.heard.wait()
            raise Refusal(ErrorCode.UNAVAILABLE, "c.example cannot be reached now")
        await trio.lowlevel.checkpoint()
        self.others -= 1
        if not self.others:
            self.heard.set()
        if home == CLOSED:
            raise Refusal(ErrorCode.FORBIDDEN, "you are not among our peers")
        if home == STAMMERS:
            return BatchEnqueueResult(items=(BatchItem(),) * (len(items) + 1)).to_bytes()
        return BatchEnqueueResult(items=tuple(self._taken(item) for item in items)).to_bytes()

    @staticmethod
    def _taken(item):
        if item.payload == b"stale":
            return BatchItem(code=int(ErrorCode.STALE_EPOCH), detail="the group has gone on")
        return BatchItem(result=EnqueueResult(log_number=int(item.payload)))


class Server(Peers):
    """Delivery, as far as it takes batches; what is for its own channels it notes."""

    def __init__(self, homes):
        self._config = Config(domain=HERE, federated=True)
        self._abroad = Abroad(self._config, None, LocalNotices(), homes)
        self.homes = homes
        self.own = []

    async def take(self, *items):
        away = [place for place, item in enumerate(items) if self._abroad.holds(item.channel)]
        return (await self._batch_of_several(CALL, items, away)).items

    async def batch_enqueue(self, call, params):
        assert not self.homes.asked  # one's own first: they wait for nobody
        assert params.items
        self.own += [item.payload for item in params.items]
        return BatchEnqueueResult(items=tuple(BatchItem(result=EnqueueResult(log_number=99)) for _ in params.items))


def shown(answer):
    """Return of each message what it was answered: its number in the log, or why it was not taken."""
    return [i.result.log_number if i.result and not i.code else ErrorCode(i.code) for i in answer]


async def test_one_home_answers_one_is_away_and_one_refuses():
    homes = Homes(others=2)
    server = Server(homes)
    with trio.fail_after(PATIENCE_SECONDS):
        answer = await server.take(
            message(GONE, b"1"), message(THERE, b"2"), message(CLOSED, b"3"), message(HERE, b"4"), message(THERE, b"stale"),
            message(GONE, b"5"), message(THERE, b"6"),
        )  # fmt: skip
    assert shown(answer) == [
        ErrorCode.UNAVAILABLE, 2, ErrorCode.FORBIDDEN, 99, ErrorCode.STALE_EPOCH, ErrorCode.UNAVAILABLE, 6,
    ]  # fmt: skip
    assert [answer[place].detail for place in (0, 2)] == [
        "c.example cannot be reached now",
        "you are not among our peers",
    ]
    assert server.own == [b"4"]
    assert sorted(homes.asked, key=lambda asked: asked[0]) == [
        (THERE, ALICE, [b"2", b"stale", b"6"]), (GONE, ALICE, [b"1", b"5"]), (CLOSED, ALICE, [b"3"]),
    ]  # fmt: skip
    assert homes.at_once == 3


async def test_a_batch_of_others_channels_alone_asks_nobody_here():
    server = Server(Homes(others=2))
    assert shown(await server.take(message(THERE, b"1"), message("f.example", b"2"))) == [1, 2]
    assert server.own == []


async def test_a_home_whose_answer_does_not_fit_has_taken_nothing():
    homes = Homes(others=2)
    abroad = Server(homes)._abroad
    answer = await abroad.batch(CALL, (message(STAMMERS, b"1"), message(THERE, b"2"), message(STAMMERS, b"3")))
    assert shown(answer) == [ErrorCode.UNAVAILABLE, 2, ErrorCode.UNAVAILABLE]


async def test_what_is_sealed_goes_to_the_same_home_apart_and_says_of_nobody_that_it_is_theirs():
    homes = Homes(others=2)
    answer = await Server(homes)._abroad.batch(CALL, (message(THERE, b"1"), message(THERE, b"2", sealed=True)))
    assert shown(answer) == [1, 2]
    assert sorted(homes.asked, key=lambda asked: asked[2]) == [(THERE, ALICE, [b"1"]), (THERE, Guest(), [b"2"])]


async def test_of_who_has_not_logged_in_only_what_is_sealed_goes_out():
    homes = Homes(others=1)
    nobody = CallContext(deadline_s=7.0, idempotency_key=b"k" * 16)
    answer = await Server(homes)._abroad.batch(nobody, (message(THERE, b"1"), message(THERE, b"2", sealed=True)))
    assert shown(answer) == [ErrorCode.UNAUTHENTICATED, 2]
    assert homes.asked == [(THERE, Guest(), [b"2"])]


@pytest.mark.parametrize("most", [1, 2])
async def test_so_many_homes_are_asked_at_once_and_no_more(monkeypatch, most):
    monkeypatch.setattr(module, "HOMES_AT_ONCE_MAX", most)
    homes = Homes(others=4)
    items = tuple(message(f"{name}.example", b"7") for name in ("f", "g", "h", "i"))
    assert shown(await Server(homes)._abroad.batch(CALL, items)) == [7] * 4
    assert homes.at_once == most


async def test_a_caller_who_goes_leaves_no_call_behind():
    homes = Homes(others=9)  # nobody lets the one that is away go
    with trio.move_on_after(PATIENCE_SECONDS) as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(Server(homes)._abroad.batch, CALL, (message(GONE, b"1"), message(THERE, b"2")))
            await trio.testing.wait_all_tasks_blocked()
            assert homes.under_way == 1
            nursery.cancel_scope.cancel()
    assert not scope.cancelled_caught
    assert homes.under_way == 0
