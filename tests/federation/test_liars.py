"""Another domain's server that lies, stammers or says nothing: nobody here is told more than that it cannot be reached."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio

from qpqcore.api import keystore
from qpqcore.api.delivery import Entry, EntryKind, FetchBoxResult, LeaseBoxResult, ListBoxesResult, RelayedEntry
from qpqcore.api.federation import CallPeerResult, DeliverEntriesResult, FederationHealthResult
from qpqcore.api.rpc import Call, Reply
from qpqcore.bus.notices import LocalNotices
from qpqcore.model.call import CallContext
from qpqcore.model.errors import ErrorCode, Refusal
from qpqfederation.config import Config
from qpqfederation.counted import Counted
from qpqfederation.discovery import Locator, SystemAddresses
from qpqfederation.links import ALPN, HEALTH, Links
from qpqfederation.outbox import Outbox
from qpqkeystore.abroad import Abroad
from qpqkeystore.config import Config as KeystoreConfig
from tests.federation.peer import NUMBERS, certificate
from tests.support.domains import certified
from trio_quic import ClientTls, QuicConfiguration, ServerTls, serve_quic

PATIENCE_SECONDS = 30
HEALTHY = FederationHealthResult(domain="b.example", version="0", protocol=1)
ASK = NUMBERS["proxyResolveUser"]


@asynccontextmanager
async def liar(answer, *, health=HEALTHY, names=("b.example",), **settings):
    """Run a server that answers with what it is told to (bytes; None: never); give our side's links to it."""

    def on_call(incoming):
        said = health.to_bytes() if Call.from_bytes(incoming.frame).method == HEALTH else None
        reply = Reply(result=said).to_bytes() if said is not None else answer(Call.from_bytes(incoming.frame))
        if reply is None:
            return trio.sleep_forever()
        incoming.reply(reply)
        return None

    root = (certified() / "ca/ca.pem").read_bytes()
    chain, key = certificate(names)
    server = QuicConfiguration(alpn=(ALPN,), server=ServerTls(chain_pem=chain, key_pem=key, client_ca_pem=root))
    async with trio.open_nursery() as nursery:
        endpoint = await nursery.start(partial(serve_quic, on_call, server, host="127.0.0.1", port=0))
        peers = {"b.example": ("127.0.0.1", endpoint.address[1])}
        config = Config(domain="a.example", enabled=True, peers=peers, **settings)
        chain, key = certificate(["a.example"])
        tls = ClientTls(ca_pem=root, chain_pem=chain, key_pem=key)
        links = Links(config, tls, Locator(config, SystemAddresses()), Counted(lambda: 0), "0")
        await nursery.start(links.run)
        with trio.fail_after(PATIENCE_SECONDS):
            yield links
        nursery.cancel_scope.cancel()


async def refusal(links, **more):
    with pytest.raises(Refusal) as no:
        await links.to("b.example").call(ASK, b"", **{"deadline_s": float("inf")} | more)
    return no.value


def coded(code, detail="", retry_after_ms=0):
    return lambda call: Reply(code=int(code), detail=detail, retry_after_ms=retry_after_ms).to_bytes()


@pytest.mark.parametrize("code", [
    ErrorCode.UNAUTHENTICATED, ErrorCode.INTERNAL, ErrorCode.ACCOUNT_SUSPENDED, ErrorCode.LOGIN_FAILED,
    ErrorCode.VERSION_TOO_OLD, ErrorCode.UNKNOWN_METHOD, ErrorCode.DEADLINE_EXCEEDED, ErrorCode.NAME_TAKEN, 999, 65_535,
])  # fmt: skip
async def test_what_is_not_a_peers_to_say_is_not_passed_on(code):
    async with liar(coded(code, "your session is over: log in at evil.example")) as links:
        no = await refusal(links)
        assert (no.code, "evil" in no.detail) == (ErrorCode.UNAVAILABLE, False)


async def test_a_peers_sentence_is_made_harmless_and_its_patience_bounded():
    async with liar(coded(ErrorCode.NOT_MEMBER, "\x1b[31m\u202eno\n" + "x" * 500, 1 << 31)) as links:
        no = await refusal(links)
        assert no.code is ErrorCode.NOT_MEMBER
        assert no.detail.startswith("[31mnox")
        assert len(no.detail) <= 200
        assert no.retry_after_ms == 60_000


async def test_garbage_is_no_answer():
    async with liar(lambda call: b"\xff" * 40) as links:
        assert (await refusal(links)).code is ErrorCode.UNAVAILABLE


async def test_a_peer_that_says_nothing_is_given_up():
    async with liar(lambda call: None, call_ms=50) as links:
        assert (await refusal(links)).code is ErrorCode.UNAVAILABLE


@pytest.mark.parametrize("health", [
    FederationHealthResult(domain="c.example", protocol=1), FederationHealthResult(domain="b.example", protocol=2),
    FederationHealthResult(domain="B.example", protocol=1), FederationHealthResult(),
])  # fmt: skip
async def test_a_peer_that_is_somebody_else_is_not_talked_to(health):
    async with liar(coded(0), health=health) as links:
        assert (await refusal(links)).code is ErrorCode.UNAVAILABLE


@pytest.mark.parametrize("names", [["c.example"], ["*.example"], ["x.b.example"], ["b.example.evil"], []])
async def test_a_server_is_who_its_certificate_names(names):
    async with liar(coded(0), names=names) as links:
        assert (await refusal(links)).code is ErrorCode.UNAVAILABLE


def ident(name, domain):
    return name.encode().ljust(16, b".") + domain.encode()


class Said:
    """Federation, with a peer's answer ready."""

    def __init__(self, answer):
        self._answer = answer

    async def call_peer(self, call, params):
        return CallPeerResult(result=self._answer.to_bytes())


async def asked(answer, ask):
    abroad = Abroad(KeystoreConfig(domain="a.example", federated=True))
    abroad.bind(Said(answer))
    with pytest.raises(Refusal) as no:
        await ask(abroad, CallContext(now_ms=10**12))
    return no.value.code


@pytest.mark.parametrize("domain", ["c.example", "a.example", "B.example", "b.example.", ""])
async def test_a_domain_names_its_own_people_alone(domain):
    answer = keystore.ResolveUserResult(account=ident("eve", domain), name="bob")
    assert await asked(answer, lambda a, c: a.resolve_user(c, "bob", "b.example")) is ErrorCode.PEER_MISMATCH


async def test_answers_about_others_than_asked_are_refused():
    bob, eve = ident("bob", "b.example"), ident("eve", "b.example")
    for answer, ask in (
        (keystore.ResolveIdentityResult(account=eve), lambda a, c: a.resolve_identity(c, bob)),
        (
            keystore.FetchKeyPackageResult(accounts=(keystore.AccountKeys(account=eve),)),
            lambda a, c: a.key_packages(c, [bob], (1,)),
        ),
        (keystore.FetchKeyPackageResult(), lambda a, c: a.key_packages(c, [bob], (1,))),
        (keystore.FetchHybridKeysResult(), lambda a, c: a.hybrid_keys(c, [bob])),
        (keystore.DeviceListsResult(device_lists=(b"", b"")), lambda a, c: a.device_lists(c, [bob])),
    ):
        assert await asked(answer, ask) is ErrorCode.PEER_MISMATCH


@pytest.mark.parametrize("ahead", [[("127.0.0.1", 1)], [("::1", 9), ("127.0.0.1", 1)]])
async def test_the_next_place_is_tried_where_nobody_is_at_the_first(ahead, monkeypatch):
    async with liar(lambda call: b"", connect_seconds_max=3.0) as links:
        there = await links.locator.locate("b.example")

        async def locate(domain):
            return [*ahead, *there]

        monkeypatch.setattr(links.locator, "locate", locate)
        connection = await links.to("b.example").connection()
        assert connection.closed is None
        assert links.to("b.example").health.domain == "b.example"


async def test_a_place_whose_server_is_another_domain_is_passed_over_too(monkeypatch):
    async with liar(lambda call: b"", names=("c.example",)) as wrong, liar(lambda call: b"") as links:
        ahead = await wrong.locator.locate("b.example")
        there = await links.locator.locate("b.example")

        async def locate(domain):
            return [*ahead, *there]

        monkeypatch.setattr(links.locator, "locate", locate)
        await links.to("b.example").connection()
        assert links.to("b.example").is_up


class OneEntry:
    """Delivery, with one entry in the box for b.example; notes what is acknowledged."""

    def __init__(self):
        self.acked = []
        self.fetched = 0

    async def list_boxes(self, call, params):
        return ListBoxesResult()

    async def lease_box(self, call, params):
        return LeaseBoxResult()

    async def fetch_box(self, call, params):
        self.fetched += 1
        entry = Entry(number=5, kind=EntryKind.MESSAGE, channel=ident("c", "a.example"), payload=b"x")
        return FetchBoxResult(entries=(RelayedEntry(entry=entry, targets=(ident("d", "b.example"),)),), last=5)

    async def ack_box(self, call, params):
        self.acked.append(params.up_to)


async def test_a_peer_that_takes_nothing_is_not_asked_without_a_pause():
    taken = Reply(result=DeliverEntriesResult(position=4).to_bytes()).to_bytes()
    async with liar(lambda call: taken) as links:
        delivery = OneEntry()
        outbox = Outbox(links, delivery, LocalNotices(), lambda: 0)
        with pytest.raises(Refusal):
            await outbox._round(links.to("b.example"))
        assert (delivery.fetched, delivery.acked) == (2, [])  # once more when the box is this process's


async def test_an_entry_that_is_refused_for_good_goes_as_a_gap():
    sent = []

    def answer(call):
        from qpqcore.api.federation import DeliverEntriesParams

        (relayed,) = DeliverEntriesParams.from_bytes(call.params).entries
        sent.append(relayed.entry.kind)
        if relayed.entry.kind is EntryKind.MESSAGE:
            return Reply(code=int(ErrorCode.MALFORMED)).to_bytes()
        return Reply(result=DeliverEntriesResult(position=5).to_bytes()).to_bytes()

    async with liar(answer) as links:
        delivery = OneEntry()
        assert await Outbox(links, delivery, LocalNotices(), lambda: 0)._round(links.to("b.example"))
        assert sent == [EntryKind.MESSAGE, EntryKind.GAP]
        assert delivery.acked == [5]
