"""Who may bring what to a service: the certificate and the assertion have to fit, both."""

from __future__ import annotations

import pytest

from qpqcore.api.methods import METHODS, SERVICES
from qpqcore.bus.allowed import MAY_CALL, may_call_of
from qpqcore.bus.dispatch import Dispatcher
from qpqcore.crypto.assertion import AssertionIssuer
from qpqcore.model.call import Caller, CallerKind
from qpqcore.model.errors import ErrorCode
from qpqcore.runtime import secrets
from qpqcore.wire.envelope import Envelope
from qpqserver.keys import NUMBERS, Keys, key_names, targets

ALICE = Caller(CallerKind.ACCOUNT, b"x" * 16 + b"localhost", b"y" * 16 + b"localhost", b"s" * 32)
NOW_MS = 10_000_000_000


class Reached(Exception):
    """A method was reached."""


class Everything:
    """A service that answers anything."""

    def __getattr__(self, name):
        async def answer(call, params):
            raise Reached

        return answer


@pytest.fixture
def keys():
    drawn = {}
    return Keys(lambda name: drawn.setdefault(name, secrets.random_key()))


def entrance(keys, service):
    return Dispatcher(NUMBERS[service], Everything(), keys.verifier(service), clock_ms=lambda: NOW_MS)


def method(name):
    return next(m for m in METHODS.values() if m.name == name)


async def code(keys, name, peer, **head):
    found = method(name)
    envelope = Envelope(method=found.number, deadline_ms=1_000, body=found.params().to_bytes(), **head)
    reply = await entrance(keys, found.service)(envelope, peer)
    return "reached" if reply.code == ErrorCode.INTERNAL else ErrorCode(reply.code)


def test_the_table_is_what_the_schema_says():
    assert MAY_CALL == {
        "gateway": frozenset(), "auth": {"gateway", "keystore"}, "keystore": {"gateway", "auth", "delivery", "federation"},
        "delivery": {"gateway", "auth", "federation"}, "blob": {"gateway", "auth", "federation"},
        "federation": {"keystore", "delivery", "blob"},
    }  # fmt: skip
    assert may_call_of("auth") == {"keystore", "delivery", "blob"}


async def test_an_accounts_call_is_for_the_gateway_to_bring(keys):
    account = keys.issuer(CallerKind.ACCOUNT, "auth").issue(ALICE, NOW_MS)
    brought = {peer: await code(keys, "ack", peer, assertion=account) for peer in ("", *SERVICES.values())}
    assert {peer for peer, answer in brought.items() if answer == "reached"} == {"", "gateway"}
    assert {answer for answer in brought.values() if answer != "reached"} == {ErrorCode.FORBIDDEN}


async def test_another_domains_call_is_for_federation_to_bring(keys):
    peer = keys.issuer(CallerKind.PEER, "federation").issue(Caller(CallerKind.PEER, name="b.example"), NOW_MS)
    brought = {by: await code(keys, "relayCommit", by, assertion=peer) for by in SERVICES.values()}
    assert {by for by, answer in brought.items() if answer == "reached"} == {"federation"}


async def test_a_service_brings_its_own_calls_alone(keys):
    auths = keys.own("auth", lambda: NOW_MS)()
    brought = {by: await code(keys, "removeDevices", by, sender=auths) for by in SERVICES.values()}
    assert {by for by, answer in brought.items() if answer == "reached"} == {"auth"}


@pytest.mark.parametrize(("kind", "issuer"), [
    (CallerKind.ACCOUNT, "gateway"), (CallerKind.PEER, "gateway"), (CallerKind.ACCOUNT, "federation"),
    (CallerKind.PEER, "auth"), (CallerKind.ACCOUNT, "delivery"),
])  # fmt: skip
async def test_nobody_else_can_say_who_calls(keys, kind, issuer):
    """Not with its own keys for services, whatever it writes into an assertion."""
    assert targets(kind, issuer) == ()
    known = {NUMBERS[t]: keys._read(f"assert.service.{issuer}.{t}") for t in targets(CallerKind.SERVICE, issuer)}
    caller = ALICE if kind is CallerKind.ACCOUNT else Caller(kind, name="b.example")
    for said in (issuer, "auth", "federation"):
        forged = AssertionIssuer(known, said).issue(caller, NOW_MS)
        for name in ("ack", "relayCommit"):
            assert await code(keys, name, "", assertion=forged) is ErrorCode.UNAUTHENTICATED


def test_a_gateway_holds_no_key_that_speaks_for_others():
    assert key_names("gateway") == {f"assert.service.gateway.{s}" for s in ("auth", "keystore", "delivery", "blob")}
    for service in SERVICES.values():
        issues = {n.split(".")[1] for n in key_names(service) if n.split(".")[2] == service}
        allowed = {"auth": {"account", "service"}, "federation": {"peer", "service"}}.get(service, {"service"})
        assert issues <= allowed, service


def test_its_own_assertion_is_made_anew_in_time(keys):
    now = [NOW_MS]
    own = keys.own("auth", lambda: now[0])
    verifier, first = keys.verifier("delivery"), own()
    for _ in range(100):
        now[0] += 20_000
        assert verifier.verify(own(), now[0]).name == "auth"
    assert own() != first
