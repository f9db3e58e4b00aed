"""Traces from the client's call to the store, received by a small OTLP receiver of the tests' own."""

from __future__ import annotations

import threading
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from qpqcore.api.keystore import ResolveUserParams
from qpqcore.api.rpc import Call, Reply
from qpqcore.config.settings import ConfigError, Settings, check
from qpqcore.obs.otel import open_tracer
from qpqcore.obs.traces import CURRENT, not_kept, step, within
from tests.support import constellation
from tests.support.world import method_named
from tools.bench.people import accounts

TRACE = "0af7651916cd43dd8448eb211c80319c"
ASKED_FOR = f"00-{TRACE}-b7ad6b7169203331-01"


class Receiver:
    """What has been exported: (service, name, trace, span, parent, attributes)."""

    def __init__(self):
        self.spans = []
        self.heads = []

    def take(self, data):
        request = ExportTraceServiceRequest.FromString(data)
        for of_resource in request.resource_spans:
            resource = {a.key: a.value.string_value for a in of_resource.resource.attributes}
            for of_scope in of_resource.scope_spans:
                self.spans += [
                    (resource["service.name"], s.name, s.trace_id.hex(), s.span_id.hex(), s.parent_span_id.hex(),
                     {a.key: a.value.string_value for a in s.attributes})
                    for s in of_scope.spans
                ]  # fmt: skip

    def named(self, name):
        return [s for s in self.spans if s[1] == name]


@contextmanager
def receiving():
    """Run the receiver in a thread; yield it with its address."""
    received = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            received.take(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield received, f"http://127.0.0.1:{server.server_port}/v1/traces"
        finally:
            server.shutdown()
            thread.join()


@asynccontextmanager
async def traced_world(open_world, endpoint, ratio):
    async with open_world(trace_endpoint=endpoint, trace_ratio=ratio) as w:
        yield w


async def call(link, params, traceparent=ASKED_FOR, name="resolveUser"):
    """Call by hand, with a trace context of our own."""
    frame = Call(
        method=method_named(name).number, deadline_ms=5_000, traceparent=traceparent, params=params.to_bytes()
    ).to_bytes()
    reply = Reply.from_bytes(await link._connection.call(frame))
    assert reply.code == 0
    return reply.result


async def test_a_call_is_followed_to_the_store_in_its_clients_trace(open_world):
    with receiving() as (received, endpoint):
        async with traced_world(open_world, endpoint, 1.0) as w:
            await call((await w.device("alice")).link, ResolveUserParams(name="bob"))
    mine = [s for s in received.spans if s[2] == TRACE]
    found = {s[1]: s for s in mine}
    gateway, bus, keystore = (found[f"{where} resolveUser"] for where in ("gateway", "bus", "keystore"))
    stores = [s for s in mine if s[1].startswith("store ")]
    assert gateway[4] == ASKED_FOR.split("-")[2]
    assert bus[4] == gateway[3]
    assert keystore[4] == bus[3]
    assert stores and all(s[4] == keystore[3] for s in stores)
    assert (bus[5], keystore[5]) == ({"qpq.code": "ok"}, {"qpq.code": "ok"})
    assert len(mine) == 3 + len(stores)


async def test_what_a_client_asks_for_is_not_traced_unless_the_lot_falls_on_it(open_world):
    with receiving() as (received, endpoint):
        async with traced_world(open_world, endpoint, 0.0) as w:
            await call((await w.device("alice")).link, ResolveUserParams(name="bob"))
    assert received.spans == []


async def test_no_trace_joins_a_sender_to_a_receiver(open_world):
    with receiving() as (received, endpoint):
        async with traced_world(open_world, endpoint, 1.0) as w:
            alice, bob = await w.client("alice"), await w.client("bob")
            channel = (await alice.dm("bob")).id
            await alice.conversation(channel).send("a word")
            await alice.flush()
            await bob.sync()
    sent = {s[2] for s in received.named("gateway enqueue")}
    had = {s[2] for name in ("fetch", "fetchWait", "ack") for s in received.named(f"gateway {name}")}
    assert sent and had and not sent & had
    # What a trace of sending holds ends with delivery: nobody who reads is in it, and nothing of it names anybody.
    assert {s[1] for s in received.spans if s[2] in sent} <= {
        "gateway enqueue", "bus enqueue", "delivery enqueue", "store write", "store read", "store transaction",
    }  # fmt: skip
    assert {key for s in received.spans for key in s[5]} <= {"qpq.code", "error.type"}


async def test_a_collector_that_is_away_costs_no_call(open_world):
    async with traced_world(open_world, "http://127.0.0.1:1/v1/traces", 1.0) as w:
        await call((await w.device("alice")).link, ResolveUserParams(name="bob"))


async def test_nothing_is_carried_or_imported_where_nothing_is_traced(open_world):
    async with open_world() as w:
        await call((await w.device("alice")).link, ResolveUserParams(name="bob"))
        assert w.server.gateway._tracer is None
    assert CURRENT.get() is None
    assert step("a step") is None
    with within(None):
        assert CURRENT.get() is None


async def test_a_trace_goes_on_from_one_process_to_the_next(tmp_path):
    settings = Settings(listen="127.0.0.1:0", data_dir=str(tmp_path / "server"))
    with receiving() as (received, endpoint):
        traced = replace(settings, trace_endpoint=endpoint, trace_ratio=1.0)
        async with constellation.open_constellation(traced) as server:
            where = "127.0.0.1:%d" % server.endpoint.address[1]
            await accounts(tmp_path / "people", where, ["alice"])
    begun = received.named("gateway registerFinish")[0]
    whole = {s[3]: s for s in received.spans if s[2] == begun[2]}
    assert {s[0] for s in whole.values()} >= {"qpq-gateway", "qpq-auth", "qpq-keystore"}
    for span in whole.values():
        assert span is begun or span[4] in whole, span


@pytest.mark.parametrize("ratio", [-0.1, 1.1])
def test_a_ratio_is_a_share(ratio):
    with pytest.raises(ConfigError, match="trace_ratio is 0 to 1"):
        check(Settings(trace_ratio=ratio))


async def test_the_lot_falls_as_often_as_it_should_and_behind_the_edge_nobody_casts_it():
    with receiving() as (received, endpoint):
        async with open_tracer("gateway", "1", endpoint, 0.25) as tracer:
            begun = [tracer.begin("call", ASKED_FOR) for _ in range(1_000)]
            kept = [span for span in begun if span is not None]
            followed = [tracer.follow("call", flags) for flags in (ASKED_FOR, not_kept(ASKED_FOR), "")]
            for span in (*kept, followed[0]):
                span.end()
    assert 150 < len(kept) < 350  # beyond seven standard deviations
    assert followed[1:] == [None, None]
    assert {s[2] for s in received.spans} == {TRACE}
