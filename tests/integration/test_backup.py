"""A server is backed up while it runs, wiped and put back: everybody logs in, groups talk, no KeyPackage comes twice.

The drill (`python -m tools.drill`) plays it with real processes under load; here are the corners.
"""

from __future__ import annotations

import json
import os
import shutil
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import trio

import qpqclient
import qpqnative
from qpqclient.transport import new_key
from qpqcore.api.keystore import FetchKeyPackageParams, FetchKeyPackageResult
from qpqcore.config.settings import Settings
from qpqserver.backup import files, journal, postgres
from qpqserver.backup.create import create
from qpqserver.backup.errors import BackupError
from qpqserver.backup.restore import restore
from qpqserver.stores import beside
from tests.support.operating import Operated
from tests.support.people import settle, texts
from tests.support.postgres import rows_in

PATIENCE_SECONDS = 120
PEOPLE = ("alice", "bob", "carol")


@pytest.fixture(params=["sql", "postgres"])
def operated(request, tmp_path):
    stored = {}
    if request.param == "postgres":
        stored = {"store_backend": "postgres", "database_url": request.getfixturevalue("fresh_postgres")}
    made = Operated(tmp_path, Settings(listen="127.0.0.1:0", data_dir=str(tmp_path / "server"), **stored))
    made.typed("backup", "keys", tmp_path / "keys")
    return made


def back_up(operated):
    return operated.ctl("backup", "create", operated.folder / "backup", "--keys", operated.folder / "keys")


def put_back(operated, *more, code=0):
    return operated.ctl(
        "restore", operated.folder / "backup", "--keys", operated.folder / "keys", *more, code=code
    )  # fmt: skip


async def meet(stack, operated, *names):
    found = []
    for name in names:
        client = await stack.enter_async_context(operated.client(name))
        await client.register(name, f"secret {name}")
        found.append(client)
    return found


async def back(stack, operated, *names):
    """Log people in again, on the devices that they had."""
    found = []
    for name in names:
        client = await stack.enter_async_context(operated.client(name))
        await client.login(name, f"secret {name}")
        found.append(client)
    return found


async def talk(conversation, *clients):
    """Let everybody say something, and wait until everybody has read it."""
    ids = [client.conversation(conversation) for client in clients]
    while True:
        try:
            for number, one in enumerate(ids):
                await one.send(f"again {number}")
            break
        except qpqclient.QpqError:
            await trio.sleep(0.05)
    wanted = {f"again {number}" for number in range(len(ids))}
    with trio.fail_after(PATIENCE_SECONDS):
        while not all(wanted <= set(texts(one)) for one in ids):
            await trio.sleep(0.02)


async def take(by, of):
    params = FetchKeyPackageParams(accounts=(of.account,), suites=(qpqnative.SUITE_1,))
    found = await by._core.call(params, FetchKeyPackageResult, key=new_key())
    return [p.key_package for keys in found.accounts for p in keys.packages]


async def test_everything_is_there_again_and_groups_repair_themselves(operated):
    """The group has moved on since: a person was removed, one was added, the keys were changed, things were said."""
    async with operated.running(), AsyncExitStack() as stack:
        alice, bob, carol, dave = await meet(stack, operated, *PEOPLE, "dave")
        club = await alice.create_group("club", ["bob", "carol"])
        quiet = await alice.dm("bob")
        await club.send("before")
        await quiet.send("hello")
        await settle(alice, bob, carol)
        taken = await take(bob, alice)
        (made,) = await back_up(operated)
        (checked,) = await operated.ctl("verify", operated.folder / "backup", "--keys", operated.folder / "keys")
        assert checked["rows"] == made["rows"]
        taken += await take(bob, alice)
        await club.remove("carol")
        await club.invite("dave")
        await bob.conversation(club.id).update_key()
        await club.send("after the backup")
        await settle(alice, bob, dave)
        quiet_epoch = alice._core.groups.load(quiet.id).epoch
    await put_back(operated, "--replace")
    async with operated.running(), AsyncExitStack() as stack:
        assert await operated.ctl("session", "list") == []
        alice, bob, carol, dave = await back(stack, operated, *PEOPLE, "dave")
        await talk(club.id, alice, bob)
        await talk(quiet.id, alice, bob)
        with trio.fail_after(PATIENCE_SECONDS):  # who was added since is added again, by whoever begins the group anew
            while "again 0" not in texts(dave.conversation(club.id)):
                await alice.conversation(club.id).send("again 0")
                await trio.sleep(0.1)
        members = {m.name for m in alice.conversation(club.id).members()}
        assert members == {"alice", "bob", "dave"}, "who was removed since stays away"
        assert not carol.conversation(club.id).active
        assert not any(text.startswith(("again", "after")) for text in texts(carol.conversation(club.id)))
        assert texts(alice.conversation(club.id))[:2] == ["before", "after the backup"], "what was said stays, in order"
        group = alice._core.groups.load(quiet.id)
        assert (alice._core.groups.generation(quiet.id), group.epoch) == (1, quiet_epoch), "what did not change goes on"
        taken += await take(bob, alice)
        taken += await take(bob, alice)
        assert len(set(taken)) == len(taken) == 4
        assert all(not qpqnative.inspect_key_package(p, alice._core.now_ms() // 1000).last_resort for p in taken)


async def test_a_server_that_goes_back_and_does_not_say_so_brings_nobody_back(operated):
    """It lies: the gap is one as any other, and the group that it serves one from before a member was removed."""
    async with operated.running(), AsyncExitStack() as stack:
        alice, bob, carol = await meet(stack, operated, *PEOPLE)
        club = await alice.create_group("club", ["bob", "carol"])
        await settle(alice, bob, carol)
        await back_up(operated)
        await club.remove("carol")
        await settle(alice, bob)
    await put_back(operated, "--replace")
    if operated.settings.store_backend == "sql":
        with beside(operated.settings, "delivery", read_only=False) as c:
            c.execute("UPDATE entries SET generation = 0 WHERE kind = 4")
    else:
        await trio.to_thread.run_sync(
            rows_in, operated.settings.database_url, "delivery", "UPDATE entries SET generation = 0 WHERE kind = 4"
        )
    async with operated.running(), AsyncExitStack() as stack:
        alice, bob = await back(stack, operated, "alice", "bob")
        await talk(club.id, alice, bob)
        for one in (alice, bob):
            assert {m.name for m in one.conversation(club.id).members()} == {"alice", "bob"}
        assert alice._core.groups.generation(club.id) == 2, "begun anew, not joined as it was"


async def test_what_comes_while_the_server_is_asked_is_no_going_back(tmp_path):
    """A device that rejoins is shown a group; a commit comes before it has looked. The group goes on as it is."""
    made = Operated(tmp_path, Settings(listen="127.0.0.1:0", data_dir=str(tmp_path / "server")))
    async with made.running(), AsyncExitStack() as stack:
        alice, bob = await meet(stack, made, "alice", "bob")
        club = await alice.create_group("club", ["bob"])
        await settle(alice, bob)
        asked, as_served = [], alice._core.commits.as_served

        async def slow(channel):
            found = await as_served(channel)
            if not asked:
                asked.append(alice._core.put_back.standing(channel))
                await bob.conversation(club.id).update_key()
                while alice._core.put_back.standing(channel) == asked[0]:
                    await trio.sleep(0.01)
            return found

        alice._core.commits.as_served = slow
        await club.rejoin()
        await talk(club.id, alice, bob)
        assert asked
        assert [one._core.groups.generation(club.id) for one in (alice, bob)] == [1, 1]


async def test_a_backup_is_not_put_back_over_accounts_or_under_a_running_server(operated):
    async with operated.running(), AsyncExitStack() as stack:
        await meet(stack, operated, "alice")
        await back_up(operated)
        (no,) = await put_back(operated, "--replace", code=1)
        assert "stop" in no["detail"]
    (no,) = await put_back(operated, code=1)
    assert "--replace throws them away" in no["detail"]
    elsewhere = Operated(
        operated.folder,
        Settings(data_dir=operated.settings.data_dir, federation_domain="elsewhere.example"),
    )
    with pytest.raises(BackupError, match="of 'localhost', this server of 'elsewhere.example'"):
        restore(elsewhere.settings, operated.folder / "backup", operated.folder / "keys", None)


async def test_a_broken_backup_changes_nothing(operated):
    async with operated.running(), AsyncExitStack() as stack:
        await meet(stack, operated, "alice")
        await back_up(operated)
        await meet(stack, operated, "bob")
    part = operated.folder / "backup" / "data" / "blob.sealed"
    part.write_bytes(part.read_bytes()[:-1])
    (no,) = await put_back(operated, "--replace", code=1)
    assert no["error"] == "BackupBroken"
    assert "data/blob.sealed" in no["detail"]
    assert [u["name"] for u in await operated.ctl("user", "list")] == ["alice", "bob"]


async def test_what_operators_did_stays_written_down_through_a_restore(operated):
    async with operated.running(), AsyncExitStack() as stack:
        await meet(stack, operated, "alice")
        await operated.ctl("user", "suspend", "alice")
        await back_up(operated)
        await operated.ctl("user", "reopen", "alice")
    await put_back(operated, "--replace")
    noted = json.loads((operated.folder / "backup" / "manifest.json").read_text())["audit"]
    (held,) = await operated.ctl("audit", "verify", "--expect", noted)
    assert held["entries"] == 8
    assert [u["state"] for u in await operated.ctl("user", "list")] == ["suspended"]


async def test_a_restore_that_fails_in_the_middle_changes_nothing(operated, monkeypatch):
    """In PostgreSQL a death there is the end of its transaction; on files nothing is decided yet."""
    async with operated.running(), AsyncExitStack() as stack:
        await meet(stack, operated, "alice")
        await back_up(operated)
        await meet(stack, operated, "bob")
    for module in (files, postgres):
        monkeypatch.setattr(module, "statements", lambda _store, _now: ("UPDATE nothing SET at = all",))
    await put_back(operated, "--replace", code=1)
    monkeypatch.undo()
    assert [u["name"] for u in await operated.ctl("user", "list")] == ["alice", "bob"]
    async with operated.running(), AsyncExitStack() as stack:
        await back(stack, operated, "alice", "bob")
    await put_back(operated, "--replace")
    assert [u["name"] for u in await operated.ctl("user", "list")] == ["alice"]


# --- a death at every step


STRIDE, BUILDING = 3, 30
"""While files are built beside the old ones, one step is like another."""


class Killed(BaseException):
    """The process dies here: nothing of it goes on."""


class Deaths:
    """Counts what is done to the disk, and dies at one of it."""

    def __init__(self, monkeypatch):
        self._left = -1
        self.count = 0
        for owner, name in ((os, "fsync"), (Path, "replace"), (Path, "rename"), (Path, "unlink"), (Path, "mkdir")):
            monkeypatch.setattr(owner, name, self._counted(getattr(owner, name)))

    def after(self, steps):
        self._left, self.count = steps, 0

    def _counted(self, real):
        def step(*args, **kwargs):
            self.count += 1
            if self._left == 0:
                raise Killed
            self._left -= 1
            return real(*args, **kwargs)

        return step


@pytest.fixture
def stopped(world_on, tmp_path):
    """A stopped server on files, in every form, and keys: on PostgreSQL a restore is one transaction, and its own steps
    are in `test_a_restore_that_fails_in_the_middle_changes_nothing`.
    """
    folder = tmp_path / "server"
    shutil.copytree(world_on("sql") / "server", folder)
    made = Operated(tmp_path, Settings(listen="127.0.0.1:0", data_dir=str(folder)))
    made.typed("backup", "keys", tmp_path / "keys")
    return made


def test_a_backup_cut_off_anywhere_leaves_none_and_the_next_one_is_whole(stopped, monkeypatch):
    deaths, target = Deaths(monkeypatch), stopped.folder / "backup"
    steps = 0
    while True:
        deaths.after(steps)
        try:
            create(stopped.settings, target, stopped.folder / "keys", None)
        except Killed:
            deaths.after(-1)
            if target.exists():  # its name was given: then it is whole
                stopped.typed("verify", target, "--keys", stopped.folder / "keys")
                shutil.rmtree(target)
            steps += 1
            continue
        break
    deaths.after(-1)
    assert steps > 10
    stopped.typed("verify", target, "--keys", stopped.folder / "keys")


def state_of(operated):
    return next(u["state"] for u in operated.typed("user", "list") if u["name"] == "eve")


def test_a_restore_cut_off_anywhere_leaves_the_old_state_or_the_new_one(stopped, monkeypatch):
    """Old: as if nothing had been. New: the server, or the next restore, brings it to its end before it reads anything."""
    create(stopped.settings, stopped.folder / "backup", stopped.folder / "keys", None)
    old = stopped.folder / "old"
    stopped.typed("user", "suspend", "eve")
    shutil.copytree(stopped.settings.data_dir, old)
    deaths = Deaths(monkeypatch)
    seen, steps = [], 0
    while True:
        deaths.after(steps)
        try:
            restore(stopped.settings, stopped.folder / "backup", stopped.folder / "keys", None, replace=True)
        except Killed:
            deaths.after(-1)
            journal.finish(stopped.settings)
            seen.append(state_of(stopped))
            assert sorted(p.name for p in Path(stopped.settings.data_dir).glob("*.db")) == sorted(
                p.name for p in old.glob("*.db")
            )
            shutil.rmtree(stopped.settings.data_dir)
            shutil.copytree(old, stopped.settings.data_dir)
            steps += STRIDE if seen[-1] == "suspended" and steps < BUILDING else 1
            continue
        break
    deaths.after(-1)
    assert state_of(stopped) == "active"
    assert set(seen) == {"suspended", "active"}
    assert seen == sorted(seen, reverse=True), "old until it is decided, new from then on"


def test_a_restore_cut_off_after_its_decision_is_finished_by_the_server(stopped, monkeypatch):
    create(stopped.settings, stopped.folder / "backup", stopped.folder / "keys", None)
    stopped.typed("user", "suspend", "eve")
    monkeypatch.setattr(files, "finish_locked", lambda _: True)
    restore(stopped.settings, stopped.folder / "backup", stopped.folder / "keys", None, replace=True)
    monkeypatch.undo()
    assert state_of(stopped) == "suspended"
    assert journal.finish(stopped.settings)
    assert state_of(stopped) == "active"
    assert not journal.finish(stopped.settings)


def test_a_journal_that_is_none_is_said_to_be_and_replaced(stopped):
    create(stopped.settings, stopped.folder / "backup", stopped.folder / "keys", None)
    (Path(stopped.settings.data_dir) / journal.JOURNAL).write_text("[]")
    with pytest.raises(BackupError, match="restore.json cannot be read"):
        journal.finish(stopped.settings)
    restore(stopped.settings, stopped.folder / "backup", stopped.folder / "keys", None, replace=True)
    assert not journal.finish(stopped.settings)
    assert state_of(stopped) == "active"
