"""Discovery against a real DNS server, one of ours on this machine."""

from __future__ import annotations

import socket
from contextlib import asynccontextmanager

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
import trio

from qpqfederation.config import Config
from qpqfederation.discovery import Locator, Srv
from qpqfederation.dns import Dns
from qpqfederation.links import Away

ZONE = {
    ("_quicproquo._udp.b.example.", "SRV"): ["5 1 7009 two.b.example.", "1 1 7001 One.B.example."],
    ("one.b.example.", "A"): ["127.0.0.1"],
    ("one.b.example.", "AAAA"): ["2606:4700::1111"],
    ("two.b.example.", "A"): ["8.8.8.8"],
    ("_quicproquo._udp.private.example.", "SRV"): ["0 0 7001 in.private.example."],
    ("in.private.example.", "A"): ["192.168.1.1", "127.0.0.1"],
    ("_quicproquo._udp.none.example.", "SRV"): ["0 0 0 ."],
}


@asynccontextmanager
async def name_server(*, silent=False):
    """Run a DNS server that knows ZONE; give its resolver."""

    async def serve(sock):
        while True:
            data, asker = await sock.recvfrom(4096)
            query = dns.message.from_wire(data)
            (question,) = query.question
            answer = dns.message.make_response(query)
            answer.flags |= dns.flags.RA
            kind = dns.rdatatype.to_text(question.rdtype)
            found = ZONE.get((question.name.to_text().lower(), kind))
            if found:
                answer.answer.append(dns.rrset.from_text_list(question.name, 60, "IN", kind, found))
            elif not any(name == question.name.to_text().lower() for name, _ in ZONE):
                answer.set_rcode(dns.rcode.NXDOMAIN)
            if not silent:
                await sock.sendto(answer.to_wire(), asker)

    with trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        await sock.bind(("127.0.0.1", 0))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve, sock)
            yield Dns((("127.0.0.1",), sock.getsockname()[1]))
            nursery.cancel_scope.cancel()


async def test_a_domains_servers_are_found_in_the_order_of_their_records():
    async with name_server() as resolver:
        found = await resolver.services("_quicproquo._udp.b.example")
        assert sorted(found) == [Srv(1, 1, 7001, "one.b.example"), Srv(5, 1, 7009, "two.b.example")]
        assert await resolver.addresses("one.b.example") == ["2606:4700::1111", "127.0.0.1"]
        config = Config(domain="a.example", discovery=True)
        assert await Locator(config, resolver).locate("b.example") == [("2606:4700::1111", 7001), ("8.8.8.8", 7009)]


@pytest.mark.parametrize("domain", ["private.example", "none.example", "unknown.example"])
async def test_a_domain_that_leads_nowhere(domain):
    async with name_server() as resolver:
        with pytest.raises(Away):
            await Locator(Config(domain="a.example", discovery=True), resolver).locate(domain)


async def test_a_silent_resolver_is_no_answer(monkeypatch):
    monkeypatch.setattr("qpqfederation.dns.LIFETIME_SECONDS", 0.05)
    async with name_server(silent=True) as resolver:
        with pytest.raises(OSError, match="does not answer"):
            await resolver.services("_quicproquo._udp.b.example")
