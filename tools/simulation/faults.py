"""What befalls processes, disks, clocks and the network; `heal` ends it all."""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import trio

from tests.oracle import history as h
from tools.simulation.network import FAIR, Weather

if TYPE_CHECKING:
    from random import Random  # noqa: TID251 - the simulation's dice

    from tools.simulation.play import Play

DOWN_S = (0.0, 0.1, 1.0, 10.0)
AWAY_S = (1.0, 8.0, 30.0)
SLOW_FACTOR = 100.0
SKEW_MS_MAX = 600_000
JUMPS_S = (3_600, 86_400, 8 * 86_400)
SMALL_ENTRIES = 8

Fault = Callable[["Play", "Random"], Awaitable[None] | None]
KINDS: dict[str, Fault] = {}


def _kind(work: Fault) -> Fault:
    KINDS[work.__name__] = work
    return work


async def befall(play: Play, kind: str, dice: Random) -> None:
    """Let a fault happen."""
    lasting = KINDS[kind](play, dice)
    if lasting is not None:
        await lasting


def _later(play: Play, seconds: float, work: Callable[[], Awaitable[None] | None]) -> None:
    async def wait() -> None:
        await trio.sleep(seconds)
        lasting = work()
        if lasting is not None:
            await lasting

    play.nursery.start_soon(wait)


@_kind
async def crash_device(play: Play, dice: Random) -> None:
    running = [d for d in play.devices if d.running]
    if not running:
        return
    device = dice.choice(running)
    await trio.sleep(dice.random() * 0.05)
    if not device.running:
        return
    await device.kill()

    async def again() -> None:
        if not device.running and not device.over:
            await device.start(play.nursery)

    _later(play, dice.choice(DOWN_S), again)


@_kind
async def crash_server(play: Play, dice: Random) -> None:
    await trio.sleep(dice.random() * 0.05)
    if not play.server.running:
        return
    await play.server.kill()

    async def again() -> None:
        if not play.server.running:
            await play.server.start(play.nursery)

    _later(play, dice.choice(DOWN_S), again)


@_kind
def cut_off(play: Play, dice: Random) -> None:
    running = [d for d in play.devices if d.running]
    if not running:
        return
    host = dice.choice(running).host
    host.cut_off = True

    def again() -> None:
        host.cut_off = False

    _later(play, dice.choice(AWAY_S), again)


@_kind
def weather(play: Play, dice: Random) -> None:
    play.net.weather = Weather(
        delay_s=dice.choice((0.001, 0.01, 0.15)), jitter_s=dice.choice((0.0, 0.02, 0.3)),
        loss=dice.choice((0.0, 0.02, 0.15)), duplication=dice.choice((0.0, 0.05)),
    )  # fmt: skip

    def fair() -> None:
        play.net.weather = FAIR

    _later(play, dice.choice(AWAY_S), fair)


@_kind
def slow_disk(play: Play, dice: Random) -> None:
    disk = play.server.disk
    disk.slowness = SLOW_FACTOR

    def quick() -> None:
        disk.slowness = 1.0

    _later(play, dice.choice(AWAY_S), quick)


@_kind
def full_disk(play: Play, dice: Random) -> None:
    disk = play.server.disk
    disk.full = True

    def room() -> None:
        disk.full = False

    _later(play, dice.choice(AWAY_S), room)


@_kind
def full_device(play: Play, dice: Random) -> None:
    """Let a client's own disk be full for a while."""
    disks = [d.disk for d in play.devices if d.disk is not None]
    if not disks:
        return
    disk = dice.choice(disks)
    disk.full = True

    def room() -> None:
        disk.full = False

    _later(play, dice.choice(AWAY_S), room)


@_kind
def deaf(play: Play, dice: Random) -> None:
    notices = play.server.notices
    notices.deaf = True

    def hear() -> None:
        notices.deaf = False

    _later(play, dice.choice(AWAY_S), hear)


@_kind
def skew(play: Play, dice: Random) -> None:
    """The clock of the server is the one that counts; those of devices may be off."""
    who = dice.choice(play.devices)
    who.skew_ms = dice.randint(-SKEW_MS_MAX, SKEW_MS_MAX)


@_kind
async def jump(play: Play, dice: Random) -> None:
    """Let all machines be off for a while."""
    running = [p for p in (*play.devices, play.server) if p.running]
    for process in running:
        await process.kill()
    play.clock.jump(dice.choice(JUMPS_S))
    for process in reversed(running):
        if not process.running:
            await process.start(play.nursery)


@_kind
def small_mailbox(play: Play, dice: Random) -> None:
    """Let mailboxes overflow, so that devices fall behind a gap and rejoin."""
    if play.server.embedded is None:
        return
    store = service_of(play, 3)._store
    before = store._bounds
    store._bounds = replace(before, mailbox_entries_max=SMALL_ENTRIES)

    def large() -> None:
        store._bounds = before

    _later(play, dice.choice(AWAY_S), large)


@_kind
async def copy_back(play: Play, dice: Random) -> None:
    """Kill a device, and bring it back later with the folder it had."""
    running = [d for d in play.ready() if d.folder.exists()]
    if not running:
        return
    device = dice.choice(running)
    assert device.recorder is not None
    name = device.recorder.device
    await device.kill()
    kept = device.folder.with_name(device.folder.name + ".kept")
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(device.folder, kept)
    await device.start(play.nursery)

    async def back() -> None:
        if device.over or not device.running:
            return
        await device.kill()
        shutil.rmtree(device.folder)
        shutil.copytree(kept, device.folder)
        play.note(h.Restored(name))
        await device.start(play.nursery)

    _later(play, dice.choice(AWAY_S), back)


def service_of(play: Play, number: int) -> Any:
    """Return the running object of a service."""
    assert play.server.embedded is not None
    entrance = play.server.embedded.gateway._bus._services[number]  # type: ignore[attr-defined]
    return next(iter(entrance._methods.values()))[1].__self__


async def heal(play: Play) -> None:
    """End everything that befell; what was to end later has ended."""
    await trio.sleep(max(*AWAY_S, *DOWN_S) + 1)
    play.net.weather = FAIR
    for device in play.devices:
        device.host.cut_off, device.skew_ms = False, 0
        if device.disk is not None:
            device.disk.full = False
    if not play.server.running:
        await play.server.start(play.nursery)
    play.server.disk.slowness, play.server.disk.full, play.server.notices.deaf = 1.0, False, False
    for device in play.devices:
        if not device.running and not device.over:
            await device.start(play.nursery)
