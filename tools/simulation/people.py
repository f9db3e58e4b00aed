"""What people do: each is given the play, one of their devices, and dice."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import trio

import qpqclient
from tests.oracle import history as h
from tests.oracle.recorder import name_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from random import Random  # noqa: TID251 - the simulation's dice

    from tools.simulation.play import Play
    from tools.simulation.processes import Device

BURST_MAX = 5
FILE_BYTES = (1_000, 300_000, 700_000)
TIMERS_S = (0, 5, 60, 3_600)
DEVICES_MAX = 4

KINDS: dict[str, Callable[[Play, Device, Random], Awaitable[None]]] = {}


def _kind(work: Callable[[Play, Device, Random], Awaitable[None]]) -> Callable[[Play, Device, Random], Awaitable[None]]:
    KINDS[work.__name__] = work
    return work


def client_of(device: Device) -> qpqclient.Client:
    """Return the client of a running device."""
    assert device.client is not None
    return device.client


def one_of(device: Device, dice: Random, kind: str = "") -> qpqclient.Conversation:
    """Return a conversation that the device is in; NotFound."""
    found = [c for c in client_of(device).conversations() if c.active and c.kind != "self" and kind in ("", c.kind)]
    if not found:
        raise qpqclient.NotFound("no conversation yet")
    return dice.choice(sorted(found, key=lambda c: c.id))


def others(play: Play, device: Device, dice: Random, count: int) -> list[str]:
    """Return the names of some other people."""
    names = sorted(set(play.passwords) - {device.person})
    return dice.sample(names, min(count, len(names)))


def own_message(device: Device, conversation: qpqclient.Conversation, dice: Random, *, own: bool) -> Any:
    """Return a message of the conversation; NotFound."""
    found = [m for m in conversation.history(50) if m.own == own and m.state != "failed"]
    if not found:
        raise qpqclient.NotFound("no such message yet")
    return dice.choice(found)


@_kind
async def send(play: Play, device: Device, dice: Random) -> None:
    conversation = one_of(device, dice)
    for number in range(dice.randint(1, BURST_MAX)):
        assert device.recorder is not None
        await device.recorder.send(conversation, f"text {dice.getrandbits(48):012x}.{number} of {device.name}")
        play.count("messages")


@_kind
async def reply(play: Play, device: Device, dice: Random) -> None:
    conversation = one_of(device, dice)
    to = own_message(device, conversation, dice, own=False)
    made = await conversation.reply(to.id, f"reply {dice.getrandbits(48):012x} of {device.name}")
    assert device.recorder is not None
    device.recorder.queued(made)


@_kind
async def delete(play: Play, device: Device, dice: Random) -> None:
    conversation = one_of(device, dice)
    message = own_message(device, conversation, dice, own=True)
    assert device.recorder is not None
    await device.recorder.delete(conversation, message.id)


@_kind
async def edit(play: Play, device: Device, dice: Random) -> None:
    conversation = one_of(device, dice)
    message = own_message(device, conversation, dice, own=True)
    assert device.recorder is not None
    if message.file is None:
        await device.recorder.edit(conversation, message.id, f"edited {dice.getrandbits(48):012x} of {device.name}")


@_kind
async def read(play: Play, device: Device, dice: Random) -> None:
    await one_of(device, dice).mark_read()


@_kind
async def pin(play: Play, device: Device, dice: Random) -> None:
    conversation = one_of(device, dice)
    await conversation.pin(own_message(device, conversation, dice, own=dice.random() < 0.5).id)


@_kind
async def react(play: Play, device: Device, dice: Random) -> None:
    conversation = one_of(device, dice)
    await conversation.react(own_message(device, conversation, dice, own=False).id, dice.choice("+-!"))


@_kind
async def timer(play: Play, device: Device, dice: Random) -> None:
    await one_of(device, dice).set_timer(dice.choice(TIMERS_S))


@_kind
async def rename(play: Play, device: Device, dice: Random) -> None:
    await one_of(device, dice, "group").rename(f"name {dice.getrandbits(32):08x}")


@_kind
async def typing(play: Play, device: Device, dice: Random) -> None:
    await one_of(device, dice).typing()


@_kind
async def look(play: Play, device: Device, dice: Random) -> None:
    await client_of(device).sync()


@_kind
async def file(play: Play, device: Device, dice: Random) -> None:
    conversation = one_of(device, dice)
    path = device.folder / f"out-{dice.getrandbits(32):08x}"
    content = dice.randbytes(dice.choice(FILE_BYTES))
    path.write_bytes(content)
    message = await conversation.send_file(path)
    assert device.recorder is not None
    device.recorder.queued(message)
    play.note(h.Uploaded(device.recorder.device, message.id, hashlib.sha256(content).digest()))


@_kind
async def download(play: Play, device: Device, dice: Random) -> None:
    conversation = one_of(device, dice)
    found = [m for m in conversation.history(50) if m.file is not None]
    if not found:
        raise qpqclient.NotFound("no file yet")
    message = dice.choice(found)
    path = await conversation.download(message, device.folder / f"in-{dice.getrandbits(32):08x}")
    assert device.recorder is not None
    content = hashlib.sha256(path.read_bytes()).digest()
    play.note(h.Downloaded(device.recorder.device, message.id, content))


@_kind
async def found(play: Play, device: Device, dice: Random) -> None:
    members = others(play, device, dice, dice.randint(1, 5))
    await client_of(device).create_group(f"group {dice.getrandbits(32):08x}", members, post_quantum=dice.random() < 0.1)


@_kind
async def found_all(play: Play, device: Device, dice: Random) -> None:
    await client_of(device).create_group("everybody", others(play, device, dice, len(play.passwords)))


@_kind
async def direct(play: Play, device: Device, dice: Random) -> None:
    for name in others(play, device, dice, 1):
        await client_of(device).dm(name)


@_kind
async def invite(play: Play, device: Device, dice: Random) -> None:
    for name in others(play, device, dice, 1):
        await one_of(device, dice, "group").invite(name)


@_kind
async def remove(play: Play, device: Device, dice: Random) -> None:
    conversation = one_of(device, dice, "group")
    names = sorted({m.name for m in conversation.members()} - {device.person})
    if names:
        await conversation.remove(dice.choice(names))


@_kind
async def leave(play: Play, device: Device, dice: Random) -> None:
    await one_of(device, dice, "group").leave()


@_kind
async def admins(play: Play, device: Device, dice: Random) -> None:
    conversation = one_of(device, dice, "group")
    names = sorted({m.name for m in conversation.members()})
    await conversation.set_admins(dice.sample(names, dice.randint(0, len(names))))


@_kind
async def update(play: Play, device: Device, dice: Random) -> None:
    await one_of(device, dice).update_key()


@_kind
async def rejoin(play: Play, device: Device, dice: Random) -> None:
    await one_of(device, dice).rejoin()


@_kind
async def password(play: Play, device: Device, dice: Random) -> None:
    fresh = f"another secret {dice.getrandbits(32):08x}"
    # Whether it took effect is not known until the answer is there: until then a person may have to try both.
    if device.person not in play.passwords:
        return  # the account is being deleted
    play.passwords[device.person] = [fresh, *play.passwords[device.person]]
    await client_of(device).change_password(fresh)
    play.passwords[device.person] = [fresh]


@_kind
async def new_device(play: Play, device: Device, dice: Random) -> None:
    person, secrets = device.person, play.passwords.get(device.person, [])
    count = sum(d.person == person for d in play.devices)
    if len(secrets) != 1 or count >= DEVICES_MAX:
        return
    fresh = play.device(f"{person}/{count + 1}")
    await fresh.start(play.nursery)

    async def log_in() -> None:
        try:
            await client_of(fresh).login(person, secrets[0])
        except qpqclient.QpqError as exc:
            play.count(f"new_device: {exc.name}")
            # Not everything is there: as a person would, this device is given up.
            fresh.over |= not client_of(fresh).known

    fresh.do(log_in)


@_kind
async def revoke(play: Play, device: Device, dice: Random) -> None:
    mine = [d for d in play.devices if d.person == device.person and d.ready and d is not device and not d.over]
    if not mine:
        return
    target = dice.choice(mine)
    ident = client_of(target).device
    target.over = True
    await client_of(device).revoke_device(ident)
    play.note(h.CutOff((name_of(ident),), trio.current_time()))


@_kind
async def delete_account(play: Play, device: Device, dice: Random) -> None:
    if sum(1 for name in {d.person for d in play.ready()}) <= 2:
        return
    mine = [d for d in play.devices if d.person == device.person]
    play.passwords.pop(device.person, None)
    devices = tuple(name_of(client_of(d).device) for d in mine if d.ready)
    for d in mine:
        d.over = True
    # Cut off from now, though the answer may be lost: nothing is asked of these devices any more.
    play.note(h.CutOff(devices, float("inf")))
    await client_of(device).delete_account()
    play.note(h.CutOff(devices, trio.current_time()))
