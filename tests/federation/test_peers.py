"""The domains that federation keeps in mind: bounded, whatever names come by, and nobody's worker ends for it."""

from __future__ import annotations

import pytest
import trio

from qpqcore.api.delivery import Box, FetchBoxResult, LeaseBoxResult, ListBoxesResult
from qpqcore.bus.notices import LocalNotices
from qpqcore.model.errors import ErrorCode, Refusal
from qpqfederation import links as module
from qpqfederation.config import Config
from qpqfederation.counted import Counted
from qpqfederation.discovery import Locator, SystemAddresses
from qpqfederation.links import Links
from qpqfederation.outbox import Outbox
from trio_quic import ClientTls

ROOM = 3


@pytest.fixture
def links(monkeypatch):
    monkeypatch.setattr(module, "PEERS_MAX", ROOM)
    config = Config(domain="a.example", enabled=True, discovery=True)
    return Links(config, ClientTls(first_use=True), Locator(config, SystemAddresses()), Counted(lambda: 0), "0")


def test_the_idle_domain_that_was_not_wanted_for_longest_is_forgotten(links):
    one, two, three = (links.to(f"{name}.example") for name in ("one", "two", "three"))
    assert links.to("one.example") is one
    links.to("four.example")
    assert list(links.all) == ["three.example", "one.example", "four.example"]
    assert links.to("two.example") is not two
    assert three not in links.all.values()


def test_a_domain_with_a_worker_is_never_forgotten(links):
    kept = [links.to(f"{name}.example") for name in ("one", "two", "three")]
    for peer in kept[:2]:
        peer.kept = True
    for number in range(10):
        links.to(f"n{number}.example")
    assert [links.all["one.example"], links.all["two.example"]] == kept[:2]
    assert len(links.all) == ROOM


def test_where_nobody_is_idle_another_is_told_to_come_again(links):
    for name in ("one", "two", "three"):
        links.to(f"{name}.example").kept = True
    with pytest.raises(Refusal) as no:
        links.to("four.example")
    assert no.value.code is ErrorCode.OVERLOADED
    assert no.value.retry_after_ms
    with pytest.raises(Refusal) as no:
        links.to("not a domain")
    assert no.value.code is ErrorCode.NOT_FOUND


class Delivery:
    """Has something for more domains than there is room for."""

    def __init__(self) -> None:
        self.asked = set()
        self.looked = 0

    async def list_boxes(self, call, params):
        self.looked += 1
        boxes = [Box(domain=f"n{number}.example", last=1, entries=1) for number in range(ROOM + 2)]
        return ListBoxesResult(boxes=tuple(boxes))

    async def lease_box(self, call, params):
        return LeaseBoxResult()

    async def fetch_box(self, call, params):
        self.asked.add(params.domain)
        return FetchBoxResult()


async def test_the_outbox_goes_on_where_there_is_no_room_for_a_worker(links, monkeypatch, autojump_clock):
    delivery = Delivery()
    outbox = Outbox(links, delivery, LocalNotices(), lambda: 0)
    monkeypatch.setattr(Outbox, "_greet", staticmethod(lambda peer: trio.lowlevel.checkpoint()))
    with trio.move_on_after(10 * links.config.look_again_seconds):
        await outbox.run()
    assert delivery.looked == 10
    assert len(delivery.asked) == ROOM
    assert all(peer.kept for peer in links.all.values())
