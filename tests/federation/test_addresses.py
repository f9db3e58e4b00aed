"""Where another domain may be: every form of address that hides, or is, one of our own network is refused."""

from __future__ import annotations

import pytest

from qpqcore.model.ids import is_peer_name
from qpqfederation.addresses import is_public
from qpqfederation.config import Config
from qpqfederation.discovery import Locator, Srv
from qpqfederation.links import Away
from qpqfederation.names import is_discoverable

PUBLIC = [
    "8.8.8.8", "1.1.1.1", "9.9.9.9", "172.15.255.255", "172.32.0.1", "192.167.255.255", "100.63.255.255", "100.128.0.1",
    "223.255.255.255", "2606:4700:4700::1111", "2a00:1450::1", "2001:4860:4860::8888", "::ffff:8.8.8.8", "2002:808:808::1",
    "64:ff9b::808:808",
]  # fmt: skip
REFUSED = [
    # loopback, and ways to write it
    "127.0.0.1", "127.1.2.3", "127.255.255.255", "::1", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1", "::ffff:7f00:1",
    "::127.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0177.0.0.1",
    "127.0.0.01", "0x7f.0.0.1",
    # nowhere, everywhere
    "0.0.0.0", "0.1.2.3", "0", "::", "255.255.255.255", "::ffff:0.0.0.0",
    # private
    "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.255.255", "fc00::1", "fd12:3456::1",
    "::ffff:10.0.0.1", "::ffff:192.168.1.1", "2002:c0a8:101::1", "2002:a00:1::", "64:ff9b::a00:1", "64:ff9b:1::a00:1",
    "::10.0.0.1",
    # link-local, and with a zone
    "169.254.0.1", "169.254.169.254", "fe80::1", "fe80::1%eth0", "febf::1", "::ffff:169.254.169.254", "2002:a9fe:a9fe::",
    # shared, benchmarks, documentation, protocols, multicast, reserved, site-local
    "100.64.0.1", "100.127.255.255", "198.18.0.1", "198.19.255.255", "192.0.2.1", "198.51.100.1", "203.0.113.1",
    "2001:db8::1", "3fff::1", "192.0.0.1", "192.88.99.1", "224.0.0.1", "239.255.255.255", "ff02::1", "240.0.0.1", "100::1",
    "2001::1", "2001:2::1", "2001:10::1", "fec0::1", "5f00::1",
    # no addresses
    "", " 8.8.8.8", "8.8.8.8 ", "8.8.8", "8.8.8.8.8", "8.8.8.8/32", "[::1]", "localhost", "1.1.1.1:53", "::1%lo", "256.1.1.1",
    "８.8.8.8", "8。8。8。8",
]  # fmt: skip
NAMES = ["b.example", "xn--bcher-kva.example", "a-b.example", "a.b.c.d.example", "b2.example"]
NO_NAMES = [
    "", ".", "B.example", "b.example.", "*.example", "*", "b..example", "-b.example", "b-.example", "b_c.example", "bücher.example",
    "b.example\0", "b.example\n", " b.example", "b .example", "127.0.0.1", "1.2.3", "10", "[::1]", "::1", "b.example:7001",
    "a" * 64 + ".example", ("a" * 60 + ".") * 5 + "example", "b.example/x", "user@b.example", "０.example", "b。example", "b.1",
]  # fmt: skip


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_of_the_open_internet(address):
    assert is_public(address)


@pytest.mark.parametrize("address", REFUSED)
def test_an_address_that_is_not(address):
    assert not is_public(address)


def test_the_table_is_as_long_as_it_is_said_to_be():
    assert len(set(REFUSED)) >= 60


@pytest.mark.parametrize("name", NAMES)
def test_a_name_of_a_domain(name):
    assert is_peer_name(name)
    assert is_discoverable(name)


@pytest.mark.parametrize("name", NO_NAMES)
def test_what_names_no_domain(name):
    assert not is_peer_name(name)


def test_a_name_without_a_dot_is_not_looked_for():
    assert is_peer_name("localhost")
    assert not is_discoverable("localhost")


class Told:
    """A resolver that says what it was told, once each: what comes later would be another answer."""

    def __init__(self, services=(), **hosts):
        self._services = list(services)
        self._hosts = {name.replace("_", "."): list(answers) for name, answers in hosts.items()}
        self.asked = []

    async def services(self, name):
        self.asked.append(name)
        return self._services

    async def addresses(self, host):
        self.asked.append(host)
        return self._hosts[host].pop(0)


def locator(resolver, **settings):
    return Locator(Config(domain="a.example", enabled=True, **{"discovery": True} | settings), resolver)


async def test_a_domain_is_found_by_its_record():
    told = Told(
        [Srv(10, 5, 7002, "two.example"), Srv(1, 0, 7001, "one.example")], one_example=[["8.8.8.8"]], two_example=[[]]
    )
    assert await locator(told).locate("b.example") == [("8.8.8.8", 7001)]
    assert told.asked == ["_quicproquo._udp.b.example", "one.example", "two.example"]


async def test_the_address_that_was_checked_is_the_one_that_is_given():
    told = Told([Srv(0, 0, 7001, "one.example")], one_example=[["8.8.8.8"], ["127.0.0.1"]])
    assert await locator(told).locate("b.example") == [("8.8.8.8", 7001)]


async def test_what_is_not_public_is_passed_over():
    told = Told(
        [Srv(0, 9, 7001, "one.example"), Srv(0, 1, 7003, "two.example")],
        one_example=[["127.0.0.1", "::ffff:10.0.0.1"]], two_example=[["fe80::1", "2606:4700::1"]],
    )  # fmt: skip
    assert await locator(told).locate("b.example") == [("2606:4700::1", 7003)]


async def test_all_places_are_given_in_their_order_and_not_too_many():
    told = Told(
        [Srv(1, 0, 7002, "two.example"), Srv(0, 0, 7001, "one.example"), Srv(2, 0, 7003, "three.example")],
        one_example=[["2606:4700::1", "8.8.8.8"]], two_example=[["10.0.0.1", "8.8.4.4"]],
        three_example=[["1.1.1.1", "1.0.0.1"]],
    )  # fmt: skip
    assert await locator(told).locate("b.example") == [
        ("2606:4700::1", 7001), ("8.8.8.8", 7001), ("8.8.4.4", 7002), ("1.1.1.1", 7003),
    ]  # fmt: skip


async def test_a_private_address_is_taken_where_it_is_configured():
    told = Told([Srv(0, 0, 7001, "one.example")], one_example=[["10.0.0.1"]])
    assert await locator(told, private_addresses=True).locate("b.example") == [("10.0.0.1", 7001)]


@pytest.mark.parametrize("services", [
    [], [Srv(0, 0, 7001, "")], [Srv(0, 0, 0, "one.example")], [Srv(0, 0, 70_000, "one.example")], [Srv(0, 0, 1, "10.0.0.1")],
    [Srv(0, 0, 1, "*.example")],
])  # fmt: skip
async def test_records_that_lead_nowhere(services):
    with pytest.raises(Away):
        await locator(Told(services, one_example=[["8.8.8.8"]])).locate("b.example")


async def test_without_discovery_only_what_is_configured_is_found():
    told = Told([Srv(0, 0, 7001, "one.example")], one_example=[["8.8.8.8"]], host_example=[["10.0.0.9"]])
    found = locator(told, discovery=False, peers={"c.example": ("host.example", 7009), "d.example": ("10.0.0.8", 1)})
    with pytest.raises(Away):
        await found.locate("b.example")
    assert await found.locate("c.example") == [("10.0.0.9", 7009)]
    assert await found.locate("d.example") == [("10.0.0.8", 1)]
    assert told.asked == ["host.example"]


async def test_a_resolver_that_is_away_is_no_answer():
    class Broken:
        async def services(self, name):
            raise OSError("no DNS")

        async def addresses(self, host):
            raise OSError("no DNS")

    with pytest.raises(Away):
        await locator(Broken()).locate("b.example")
    with pytest.raises(Away):
        await locator(Broken(), peers={"b.example": ("host.example", 1)}).locate("b.example")
