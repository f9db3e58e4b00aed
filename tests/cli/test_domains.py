"""What the drills over domains judge by, and the relay between servers; they themselves are `make demo-federation` and `make federation-drill`."""

from __future__ import annotations

import socket
from dataclasses import replace
from types import SimpleNamespace

import pytest
import trio
import trio.testing

from tools.demo.processes import free_port
from tools.domains import succession
from tools.domains.relay import Relay
from tools.domains.scaled import Box, ScaledDomain
from tools.domains.succession import Death, off, summary
from tools.domains.world import settings_of
from tools.rolling.stage import Replica

PATIENCE_SECONDS = 30
AWAY = Death("b.example", "federation-0", True, 3, 1, "federation-1", 41.0)
BACK = Death("c.example", "federation-1", False, 2, 0, "federation-1", 4.0, 3.0)


@pytest.mark.parametrize(("spoilt", "finding"), [
    ({}, None),
    ({"by": "", "seconds": 65.0}, "nobody went on for b.example after the death of federation-0"),
    ({"seconds": 56.0}, "federation-1 went on for b.example after 56 s"),
    ({"waiting": 0}, "the death of federation-0 met nothing that waited for b.example"),
    ({"by": "federation-0"}, "a process that was away went on"),
])  # fmt: skip
def test_each_thing_that_may_be_off_is_found(spoilt, finding):
    assert off([replace(AWAY, **spoilt), BACK]) == ([finding] if finding else [])


def test_the_two_ways_to_go_on_are_told_apart():
    assert summary([AWAY, replace(AWAY, seconds=30.0), BACK]) == (
        "deaths 3, 2 with something brought and not noted; another process followed after 30.0 to 41.0 s (median 35.5); "
        "who was started again was ready after 3.0 to 3.0 s (median 3.0); and somebody went on after 4.0 to 4.0 s (median 4.0)"
    )


class Place:
    """Notes what is done to processes."""

    def __init__(self, done):
        self.done = done

    def kill(self, one):
        self.done.append("killed")

    def start(self, one):
        self.done.append("started")

    async def wait_ready(self, one):
        self.done.append("ready")


@pytest.mark.parametrize(("is_away", "order"), [
    (True, ["killed", "followed", "started", "ready"]), (False, ["killed", "started", "ready", "followed"]),
])  # fmt: skip
async def test_who_is_killed_stays_away_until_followed_or_comes_back_at_once(
    is_away, order, monkeypatch, autojump_clock
):
    done, victim = [], Replica("federation", 0)
    domain = object.__new__(ScaledDomain)
    domain.place = Place(done)
    world = SimpleNamespace(servers={"a.example": domain}, kills=[])

    async def held(world, domain, to):
        return victim, Box(3, 7, victim), 1

    async def gone_on(domain, to, before, dead):
        assert (to, before.acked, dead) == ("b.example", 7, victim if is_away else None)
        await trio.sleep(2 * succession.AWAY_SECONDS)
        done.append("followed")
        return Replica("federation", 1)

    monkeypatch.setattr(succession, "held_in_the_middle", held)
    monkeypatch.setattr(succession, "gone_on", gone_on)
    death = await succession.kill_one(world, "b.example", is_away=is_away)
    assert done == order
    assert (death.victim, death.by, death.waiting, death.unnoted) == ("federation-0", "federation-1", 3, 1)
    assert len(world.kills) == 1


def bound():
    return trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


async def test_a_relay_shares_who_comes_out_among_a_domains_processes_and_can_be_cut():
    with trio.fail_after(PATIENCE_SECONDS), bound() as one, bound() as other, bound() as first, bound() as second:
        for sock in (one, other, first, second):
            await sock.bind(("127.0.0.1", 0))
        relay = Relay(free_port(), one.getsockname()[1], other.getsockname()[1])
        at = ("127.0.0.1", relay.port)
        async with trio.open_nursery() as nursery:
            await nursery.start(relay.run)
            await first.sendto(b"first", at)
            seen, back = await one.recvfrom(100)
            await second.sendto(b"second", at)
            assert (seen, (await other.recvfrom(100))[0]) == (b"first", b"second")
            await first.sendto(b"again", at)  # who has come stays with that process
            assert (await one.recvfrom(100))[0] == b"again"
            await one.sendto(b"answer", back)
            assert await first.recvfrom(100) == (b"answer", at)
            relay.is_cut = True
            await one.sendto(b"lost", back)
            await first.sendto(b"lost", at)
            await trio.testing.wait_all_tasks_blocked(0.01)
            relay.is_cut = False
            await first.sendto(b"joined", at)
            assert (await one.recvfrom(100))[0] == b"joined"
            nursery.cancel_scope.cancel()


def test_a_domain_is_told_of_the_others_at_their_relays(tmp_path):
    relays = {
        ("a.example", "b.example"): Relay(7),
        ("a.example", "c.example"): Relay(8),
        ("b.example", "a.example"): Relay(9),
    }
    given = settings_of(tmp_path / "a.example", relays)
    assert (given["federation_domain"], given["federation_peers"]) == (
        "a.example", "b.example=127.0.0.1:7,c.example=127.0.0.1:8",
    )  # fmt: skip
