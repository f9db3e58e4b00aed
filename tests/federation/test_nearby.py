"""A server on the local network is heard of by who listens; what it says of itself is shown only in its proper form."""

from __future__ import annotations

import errno
import json
from types import SimpleNamespace

import ifaddr
import pytest
import structlog
import trio
import zeroconf
from click.testing import CliRunner
from zeroconf import Zeroconf

from qpq.main import main
from qpqclient import nearby
from qpqclient.nearby import Nearby, discover
from qpqserver import nearby as served
from qpqserver.nearby import announced

LOOPBACK = ("127.0.0.1",)


async def test_a_server_is_found_while_it_is_there():
    with trio.fail_after(30):
        async with announced("a.example", ("127.0.0.1", 7000), bytes(32)):
            assert await discover(2.0, LOOPBACK) == [Nearby("a.example", "127.0.0.1:7000", "00" * 32)]
        assert await discover(0.5, LOOPBACK) == []


@pytest.mark.parametrize(
    ("properties", "domain", "pin"),
    [
        ({b"domain": b"a.example", b"pin": b"AB" * 32}, "a.example", "ab" * 32),
        ({}, "", ""),
        ({b"domain": None, b"pin": None}, "", ""),
        ({b"domain": b"\x1b[31mred", b"pin": b"not hex"}, "", ""),
        ({b"domain": b"A.example", b"pin": b"ab"}, "", ""),
        ({b"domain": "b\u00fccher.example".encode(), b"pin": b"g" * 64}, "", ""),
    ],
)
def test_what_an_announcement_says_is_shown_only_in_its_form(properties, domain, pin):
    assert nearby._nearby("fe80::1%eth0", 7000, properties) == Nearby(domain, "[fe80::1%eth0]:7000", pin)


def test_the_command_shows_them(monkeypatch):
    async def found(seconds, interfaces=()):
        assert seconds == 1.5
        return [Nearby("a.example", "192.0.2.1:7000", "ab" * 32), Nearby("", "192.0.2.2:7000", "")]

    monkeypatch.setattr(nearby, "discover", found)
    done = CliRunner().invoke(main, ["--json", "discover", "--seconds", "1.5"])
    assert done.exit_code == 0, done.output
    first, second = map(json.loads, done.output.splitlines())
    assert (first["domain"], first["server"], first["pin"]) == ("a.example", "192.0.2.1:7000", "ab" * 32)
    assert second["server"] == "192.0.2.2:7000"


async def test_a_server_whose_domain_is_no_label_of_the_network_serves_unannounced():
    with structlog.testing.capture_logs() as said, trio.fail_after(30):
        async with announced("x" * 63 + ".example", ("127.0.0.1", 7000), bytes(32)):
            assert [(one["event"], one["log_level"]) for one in said] == [("not_announced", "warning")]
    assert said[0]["reason"].startswith("multicast DNS: ")


async def test_a_network_without_multicast_is_no_reason_not_to_serve_and_nothing_stays_open(monkeypatch):
    seen = []

    def unreachable(net, info, **_more):
        seen.append(net)
        raise OSError(errno.ENETUNREACH, "Network is unreachable")

    monkeypatch.setattr(Zeroconf, "register_service", unreachable)
    with structlog.testing.capture_logs() as said, trio.fail_after(30):
        async with announced("a.example", ("127.0.0.1", 7000), bytes(32)):
            assert "Network is unreachable" in said[0]["reason"]
            assert [net.done for net in seen] == [True]


def test_who_listens_everywhere_is_announced_at_the_networks_addresses(monkeypatch):
    adapters = [
        ifaddr.Adapter("lo", "lo", [ifaddr.IP("127.0.0.1", 8, "lo")]),
        ifaddr.Adapter("eth0", "eth0", [ifaddr.IP("192.0.2.7", 24, "eth0"), ifaddr.IP(("fe80::1", 0, 2), 64, "eth0")]),
    ]
    monkeypatch.setattr(Zeroconf, "register_service", lambda net, info, **_more: None)
    monkeypatch.setattr(zeroconf, "InterfaceChoice", SimpleNamespace(All=["127.0.0.1"]))  # it binds to these alone
    monkeypatch.setattr(ifaddr, "get_adapters", lambda: adapters)
    net, info = served._announce("a.example", ("0.0.0.0", 7000), bytes(32))  # noqa: S104 - announced, not bound
    net.close()
    assert (info.parsed_addresses(), info.port) == (["192.0.2.7"], 7000)
