"""The play: load, a backup under it, more load and changes, the server's death, a restore; then what has to hold.

1. Every account logs in with its password, on the device that it had.
2. No one-time KeyPackage is handed out twice, over both lives of the server.
3. In every group each member's message reaches each other member; who was removed after the backup gets none.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import trio

import qpqclient
from tools.drill.people import Given, Person, people
from tools.drill.stage import Stage, now_s, stage

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tools.drill.stage import Store

MEET_SECONDS_MAX = 180.0
"""From the last log-in until everybody reads everybody: groups repair themselves meanwhile."""
LOOK_SECONDS = 0.1
KILLS_MAX, KILL_FROM_SECONDS, KILL_STEP_SECONDS = 8, 0.4, 0.15
"""A command takes about half a second to start; on a quiet machine both have ended after a second and a half."""
LOG_IN_SECONDS_MAX = 90.0
"""A client whose server died without a word finds out by a ping, after up to 31 s."""


async def play(folder: Path, store: Store, count: int, seconds: float) -> dict[str, Any]:
    """Play on one store; return figures, and under `broken` what does not hold."""
    figures: dict[str, Any] = {"store": store, "people": count, "broken": []}
    with stage(folder, store) as server:
        await server.start()
        await server.ctl("backup", "keys", server.keys)
        async with people(folder / "people", server.where, count) as found:
            given = Given()
            club, pairs = await _meet(found)
            await _first_life(server, found, club, given, seconds, figures)
            await _death(server, figures)
            await _second_life(server, found, club, pairs, given, figures)
    return figures


async def _meet(found: Sequence[Person]) -> tuple[bytes, list[bytes]]:
    """Found a group of all, and a conversation of each with the next."""
    club = await found[0].client.create_group("club", [p.name for p in found[1:]])
    pairs = []
    for one, two in zip(found[::2], found[1::2], strict=False):
        pairs.append((await one.client.dm(two.name)).id)
    for person in found:
        await person.client.sync()
    return club.id, pairs


async def _first_life(
    server: Stage, found: Sequence[Person], club: bytes, given: Given, seconds: float, figures: dict[str, Any]
) -> None:
    async with trio.open_nursery() as load:
        for person in found:
            load.start_soon(person.talk, club)
        load.start_soon(given.keep_taking, found[1], found[0])
        await trio.sleep(seconds)
        figures["backups_killed"] = await _killed(server, "backup", "create", server.backup, "--keys", server.keys)
        # One ended, or was killed between that and the program's end: what has its name is whole.
        if server.backup.exists():
            await server.ctl("verify", server.backup, "--keys", server.keys)
            shutil.rmtree(server.backup)
        before, begun = sum(p.sent for p in found), now_s()
        made = await server.ctl("backup", "create", server.backup, "--keys", server.keys)
        figures["backup_s"], figures["backup_command_s"] = made["seconds"], round(now_s() - begun, 2)
        figures["sent_during_backup"] = sum(p.sent for p in found) - before
        figures["sent_per_s_before"] = round(before / seconds, 1)
        figures["backup_bytes"], figures["backup_rows"] = server.size(), sum(made["rows"].values())
        await server.ctl("verify", server.backup, "--keys", server.keys)
        await found[0].client.conversation(club).remove(found[-1].name)  # what the backup does not know
        await found[0].client.conversation(club).update_key()
        await trio.sleep(seconds)
        load.cancel_scope.cancel()
    figures["sent_after_backup"] = sum(p.sent for p in found) - before
    figures["refused_under_load"] = sum(p.refused for p in found)


async def _killed(server: Stage, *arguments: str | Path) -> int:
    """Kill a command again and again, each time later; return how often, until one ended before that."""
    count = 0
    while count < KILLS_MAX and await server.ctl_killed(KILL_FROM_SECONDS + count * KILL_STEP_SECONDS, *arguments):
        count += 1
    return count


async def _death(server: Stage, figures: dict[str, Any]) -> None:
    server.kill()
    server.wipe()
    again = ("restore", server.backup, "--keys", server.keys, "--replace")
    figures["restores_killed"] = await _killed(server, *again)
    put_back = await server.ctl(*again)
    figures["restore_s"] = put_back["seconds"]
    figures["restored_accounts"] = put_back["rows"]["auth.accounts"]
    await server.start()


async def _second_life(
    server: Stage, found: Sequence[Person], club: bytes, pairs: Sequence[bytes], given: Given, figures: dict[str, Any]
) -> None:
    broken, begun = figures["broken"], now_s()
    logged_in = 0
    for person in found:
        try:
            await _log_in(person)
            logged_in += 1
        except qpqclient.QpqError as exc:
            broken.append(f"{person.name} cannot log in: {exc}")
    figures["logged_in"], figures["log_ins_s"] = logged_in, round(now_s() - begun, 2)
    begun = now_s()
    with trio.move_on_after(MEET_SECONDS_MAX) as meeting:
        await _all_read_all(found[:-1], club)
        for (one, two), pair in zip(zip(found[::2], found[1::2], strict=False), pairs, strict=True):
            await _all_read_all([one, two], pair)
    figures["groups_talk_s"] = round(now_s() - begun, 2)
    if meeting.cancelled_caught:
        broken.append("not everybody reads everybody")
    outsider = found[-1]
    try:
        await outsider.client.sync()
    except qpqclient.QpqError as exc:
        broken.append(f"who was removed cannot even read their mailbox: {exc}")
    if any(m.text.startswith("after ") for m in _texts(outsider, club)):
        broken.append("who was removed after the backup reads on")
    for one in found[:-1]:
        if outsider.name in {m.name for m in one.client.conversation(club).members()}:
            broken.append(f"who was removed after the backup is a member again, says {one.name}")
            break
    for _ in range(5):
        await given.take(found[1], found[0])
    figures["key_packages_once"], figures["key_packages_twice"] = len(given.once), given.twice
    figures["last_resort_taken"] = given.last_resort
    if given.twice:
        broken.append(f"{given.twice} one-time KeyPackages were handed out twice")
    figures["status"] = (await server.ctl("status", "--server", server.where))["status"]


async def _log_in(person: Person) -> None:
    """Log in; a connection of the server's former life has to be noticed first."""
    until_s = now_s() + LOG_IN_SECONDS_MAX
    while True:
        try:
            await person.client.login(person.name, person.password)
        except qpqclient.Unreachable:
            if now_s() > until_s:
                raise
            await trio.sleep(LOOK_SECONDS)
        else:
            return


def _texts(person: Person, conversation: bytes) -> list[qpqclient.Message]:
    try:
        return person.client.conversation(conversation).history(1_000)
    except qpqclient.QpqError:
        return []


async def _all_read_all(members: Sequence[Person], conversation: bytes) -> None:
    """Let each say something new, and wait until each other one has it."""

    async def say(person: Person) -> None:
        while True:
            try:
                await person.client.conversation(conversation).send(f"after {person.name}")
            except qpqclient.QpqError:
                await trio.sleep(LOOK_SECONDS)
            else:
                return

    async with trio.open_nursery() as nursery:
        for person in members:
            nursery.start_soon(say, person)
    wanted = {f"after {p.name}" for p in members}
    while not all(wanted <= {m.text for m in _texts(p, conversation)} for p in members):
        await trio.sleep(LOOK_SECONDS)
