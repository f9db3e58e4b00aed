"""Where other domains come in: a domain's calls at once are counted as they come, not as they are begun."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace

import trio

from qpqcore.api.federation import METHODS
from qpqcore.api.keystore import ResolveUserParams, ResolveUserResult
from qpqcore.api.rpc import Call, Reply
from qpqcore.bus.limits import LocalLimiter
from qpqcore.model.errors import ErrorCode
from qpqfederation.config import Config
from qpqfederation.edge import Edge

LOOK_UP = next(m.number for m in METHODS if m.name == "proxyResolveUser")
AT_ONCE = 3


class Connection:
    def charge(self):
        pass


class Federation:
    async def proxy_resolve_user(self, call, params):
        await trio.lowlevel.checkpoint()
        return ResolveUserResult(name=params.name)


def incoming(connection, replies):
    call = Call(method=LOOK_UP, params=ResolveUserParams(name="bob@a.example").to_bytes())
    return SimpleNamespace(
        connection=connection, violation=None, frame=call.to_bytes(),
        reply=lambda data: replies.append(ErrorCode(Reply.from_bytes(data).code)),
    )  # fmt: skip


async def test_a_burst_in_one_datagram_is_refused_past_what_a_domain_may_have_at_once():
    """All calls of a datagram are taken before the first of them is begun."""
    links, replies = SimpleNamespace(counted=SimpleNamespace(answered=lambda *_: None)), []
    edge = Edge(Config(calls_per_peer_max=AT_ONCE), Federation(), links, LocalLimiter(), lambda: 10**12)
    connection = Connection()
    edge._domains[connection] = "b.example"
    for _ in range(2):  # the room that they took is there again afterwards
        begun = [edge.on_call(incoming(connection, replies)) for _ in range(AT_ONCE + 2)]
        assert replies == [ErrorCode.OVERLOADED] * 2
        async with trio.open_nursery() as nursery:
            for answer in begun[:AT_ONCE]:
                nursery.start_soon(partial(lambda begun: begun, answer))
        assert begun[AT_ONCE:] == [None, None]
        assert replies[2:] == [ErrorCode.OK] * AT_ONCE
        replies.clear()
    assert not edge._in_flight
