"""Every method over real QUIC: its effect is read back through another one after the server was stopped and started."""

from __future__ import annotations

import pytest

from qpqclient.groups import leaves_of
from qpqcore.api.methods import METHODS
from qpqcore.api.rpc import Call, Reply
from qpqcore.model.errors import ErrorCode
from qpqgateway.service import Gateway
from tests.support.proofs import PROOFS
from tests.support.world import FIRST, method_named, raw

CLIENT_METHODS = {m.name: m for m in METHODS.values() if not m.internal and m.service != "federation"}


def test_every_method_has_a_proof():
    assert set(PROOFS) == set(CLIENT_METHODS)


async def prove(w, name):
    steps = PROOFS[name](w)
    await anext(steps)
    await w.restart()
    with pytest.raises(StopAsyncIteration):
        await anext(steps)


@pytest.mark.parametrize("name", sorted(CLIENT_METHODS))
async def test_the_effect_is_there_after_a_restart(open_world, name):
    async with open_world() as w:
        await prove(w, name)


@pytest.mark.parametrize("name", sorted(CLIENT_METHODS))
async def test_an_empty_success_is_caught(open_world, monkeypatch, name):
    hollow(monkeypatch, name)
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - whatever the proof finds wrong
        async with open_world() as w:
            await prove(w, name)
    assert not isinstance(caught.value, KeyboardInterrupt)


def hollow(monkeypatch, name):
    """Replace a method's handler by one that says yes and does nothing."""
    method, real = CLIENT_METHODS[name], Gateway.on_call

    def on_call(self, incoming):
        if incoming.violation is None and Call.from_bytes(incoming.frame).method == method.number:
            if method.streams:
                incoming.finish()
            else:
                incoming.reply(Reply(result=method.result().to_bytes()).to_bytes())
            return None
        return real(self, incoming)

    monkeypatch.setattr(Gateway, "on_call", on_call)


@pytest.mark.parametrize(
    "method", [m for m in METHODS.values() if m.service == "federation" and not m.internal], ids=lambda m: m.name
)
async def test_federation_is_for_peers_alone(open_world, method):
    async with open_world() as w:
        alice = await w.device("alice")
        assert (await raw(alice.link, method.number, method.params().to_bytes()))[0] is ErrorCode.FORBIDDEN


async def test_the_world_is_what_it_says(open_world):
    async with open_world() as w:
        bob = await w.client("bob")
        assert [m.text for m in bob.conversation(w.direct).history()] == [FIRST]
        names = {leaf.account for leaf in leaves_of((await w.device("alice")).group(w.club).members())}
        assert len(names) == 3
        assert method_named("enqueue").name == "enqueue"
