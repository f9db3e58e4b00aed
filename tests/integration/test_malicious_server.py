"""A server that lies: what clients have pinned holds, nothing of it is signed, nothing of it ends a client.

The lies are told at the server's gateway: the answer of one method is replaced, everything else stays true.
"""

from __future__ import annotations

from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from functools import partial

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

import qpqclient
import qpqnative
from qpqclient.commits import Commits
from qpqclient.transport import new_key
from qpqcore.api.content import ChannelKind
from qpqcore.api.gateway import SubscribeEvent
from qpqcore.api.keystore import DeviceKeys, FetchKeyPackageParams, FetchKeyPackageResult
from qpqcore.crypto.identity import DeviceList
from qpqcore.model.errors import ErrorCode
from qpqcore.model.ids import DeviceId, make_id
from tests.support.domains import NAMES, open_friends, until
from tests.support.lying_server import DOMAIN, Mallory, lies_told
from tests.support.people import break_first_generation, people, settle, texts
from tests.support.world import STORE_KEY, method_named

PATIENCE_SECONDS = 60


@pytest.fixture
def lies(monkeypatch):
    return lies_told(monkeypatch)


async def test_another_key_under_a_known_name_is_not_talked_to(serving, tmp_path, lies):
    async with serving() as server, AsyncExitStack() as stack:
        alice, bob = await people(stack, server, tmp_path, "alice", "bob")
        await alice.resolve("bob")
        number = await alice.safety_number("bob")
        evil = Mallory(bob.account)
        lies.tell("resolveUser", lambda r: replace(r, identity_key=evil.identity_key, device_list=evil.listed()))
        with pytest.raises(qpqclient.IdentityChanged):
            await alice.dm("bob")
        with pytest.raises(qpqclient.IdentityChanged):
            await alice.safety_number("bob")
        assert alice.conversations() == []
        lies.stop()
        assert await alice.safety_number("bob") == number
        await alice.dm("bob")


async def test_another_account_under_a_known_name_is_not_talked_to_until_it_is_trusted(serving, tmp_path, lies):
    async with serving() as server, AsyncExitStack() as stack:
        alice, bob, carol = await people(stack, server, tmp_path, "alice", "bob", "carol")
        await alice.resolve("bob")
        seen = []
        lies.tell("resolveUser", lambda r: seen.append(r) or r)
        await alice.resolve("carol")
        lies.tell("resolveUser", lambda _: replace(seen[0], name="bob"))
        with pytest.raises(qpqclient.IdentityChanged):
            await alice.dm("bob")
        assert await alice.trust("bob") == carol.account
        assert await alice.resolve("bob") == carol.account
        assert bob.account != carol.account


@pytest.mark.parametrize("whose", ["somebody else's", "one's own"])
async def test_keys_of_another_identity_are_not_added(serving, tmp_path, lies, whose):
    """Neither as the person that one means, nor as a second device of one's own."""
    async with serving() as server, AsyncExitStack() as stack:
        alice, bob = await people(stack, server, tmp_path, "alice", "bob")
        evil = Mallory(bob.account if whose == "somebody else's" else alice.account)

        def change(result):
            kept = tuple(a for a in result.accounts if a.account != evil.account)
            return replace(result, accounts=(*kept, evil.keys()))

        lies.tell("fetchKeyPackage", change)
        if whose == "one's own":
            talk = await alice.dm("bob")
            assert {d for m in talk.members() for d in m.devices} == {alice.device, bob.device}
        else:
            with pytest.raises(qpqclient.GroupUnusable):
                await alice.dm("bob")
        assert lies.told


async def test_a_device_that_its_account_does_not_list_is_not_added(serving, tmp_path, lies):
    """The KeyPackage is of the right account and of another key: the credential does not hold."""
    async with serving() as server, AsyncExitStack() as stack:
        alice, bob = await people(stack, server, tmp_path, "alice", "bob")
        evil = Mallory(bob.account)
        extra = DeviceKeys(device=evil.device, suite=qpqnative.SUITE_1, key_package=evil.package())
        nonsense = DeviceKeys(device=DeviceId(make_id(b"n" * 16, DOMAIN)), key_package=b"x")

        def change(result):
            kept = tuple(a for a in result.accounts if a.account != bob.account)
            (his,) = (a for a in result.accounts if a.account == bob.account)
            return replace(result, accounts=(*kept, replace(his, packages=(*his.packages, extra, nonsense))))

        lies.tell("fetchKeyPackage", change)
        talk = await alice.dm("bob")
        assert {d for m in talk.members() for d in m.devices} == {alice.device, bob.device}


async def keys_of(asker, client):
    """Return genuine keys of somebody, as the server has them: all that is in them holds."""
    params = FetchKeyPackageParams(accounts=(client.account,), suites=(qpqnative.SUITE_1,))
    return (await asker._core.call(params, FetchKeyPackageResult, key=new_key())).accounts[0]


ANSWERS = {
    "somebody else, too": lambda accounts, eve: (*accounts, eve),
    "somebody else in their place": lambda accounts, eve: (eve, *accounts[1:]),
    "an account twice": lambda accounts, _: (*accounts, replace(accounts[0], packages=())),
    "a device twice": lambda accounts, _: (replace(accounts[0], packages=accounts[0].packages * 2), *accounts[1:]),
}
"""What a server may answer who wants Eve in, of which each is genuine in itself."""


@pytest.mark.parametrize("how", ["create", "invite", "dm"])
async def test_nobody_is_added_who_was_not_asked_for(serving, tmp_path, lies, how):
    """The server hands out a person's own keys, where another's were asked for: nothing of that answer is taken."""
    async with serving() as server, AsyncExitStack() as stack:
        alice, bob, carol, eve = await people(stack, server, tmp_path, "alice", "bob", "carol", "eve")
        hers = await keys_of(bob, eve)
        club = await alice.create_group("club", ["carol"])
        await alice.resolve("bob")
        ways = {
            "create": partial(alice.create_group, "new", ["bob", "carol"]), "invite": partial(club.invite, "bob"),
            "dm": partial(alice.dm, "bob"),
        }  # fmt: skip
        before = alice._core.store.rows("SELECT * FROM people ORDER BY account")
        for answer in ANSWERS.values():
            lies.tell("fetchKeyPackage", lambda r, answer=answer: replace(r, accounts=answer(r.accounts, hers)))
            with pytest.raises(qpqclient.ServerBroke, match="nobody was added") as told:
                await ways[how]()
            assert told.value.name == "serverBroke"
        assert lies.told == len(ANSWERS)
        assert [c.id for c in alice.conversations()] == [club.id]
        assert alice._core.store.rows("SELECT * FROM people ORDER BY account") == before
        lies.stop()
        made = await ways[how]() or club
        await settle(alice, bob, carol, eve)
        names = {"create": ["alice", "bob", "carol"], "invite": ["alice", "bob", "carol"], "dm": ["alice", "bob"]}
        assert sorted(m.name for m in made.members()) == names[how]
        assert sorted(m.name for m in bob.conversation(made.id).members()) == names[how]
        assert eve.conversations() == []


async def test_nobody_comes_in_by_a_reset(serving, tmp_path, lies, monkeypatch):
    """A group that cannot be joined is begun anew by its clients themselves, without a person's act."""
    async with serving() as server, AsyncExitStack() as stack:
        alice, bob, eve = await people(stack, server, tmp_path, "alice", "bob", "eve")
        hers = await keys_of(bob, eve)
        group = await alice.create_group("g", ["bob"])
        await settle(alice, bob)
        break_first_generation(monkeypatch)
        for answer in ANSWERS.values():
            lies.tell("fetchKeyPackage", lambda r, answer=answer: replace(r, accounts=answer(r.accounts, hers)))
            with pytest.raises(qpqclient.ServerBroke, match="nobody was added") as told:
                await group.rejoin()
            assert told.value.name == "serverBroke"
        assert alice._core.groups.generation(group.id) == 1
        lies.stop()
        await settle(alice, bob)
        await alice._core.upkeep.settle()
        await settle(alice, bob)
        assert alice._core.groups.generation(group.id) == bob._core.groups.generation(group.id) == 2
        await settle(eve)
        for client in (alice, bob):
            assert sorted(m.name for m in client.conversation(group.id).members()) == ["alice", "bob"]
        assert eve.conversations() == []


async def test_nobody_comes_in_when_a_group_moves(open_domains, lies):
    """Bob's own server, to which he moves the group, would have Eve in."""
    with trio.fail_after(PATIENCE_SECONDS):
        async with (
            open_domains(NAMES) as domains,
            open_friends(domains) as friends,
            domains.person(f"eve@{NAMES[1]}") as eve,
        ):
            bob, carol = friends.bob, friends.carol
            hers = await keys_of(bob, eve)
            await domains.stop(NAMES[0])
            old = friends.at_bob.id
            lies.tell("fetchKeyPackage", lambda r: replace(r, accounts=(*r.accounts, hers)))
            with pytest.raises(qpqclient.ServerBroke, match="nobody was added"):
                await friends.at_bob.rehome()
            assert lies.told
            assert (friends.at_bob.id, len(bob.conversations())) == (old, 1)
            lies.stop()
            await friends.at_bob.rehome()
            await until(carol, lambda: friends.at_carol.id == friends.at_bob.id)
            for client, one in friends.guests:
                there = sorted(client._core.people.name(m.account).partition("@")[0] for m in one.members())
                assert there == ["bob", "carol"]
            await eve.sync()
            assert eve.conversations() == []


async def test_who_is_let_through_all_the_same_is_not_added(serving, tmp_path, monkeypatch):
    """The second wall, where the commit is built: as if the first were not there."""
    async with serving() as server, AsyncExitStack() as stack:
        alice, _, eve = await people(stack, server, tmp_path, "alice", "bob", "eve")
        club = await alice.create_group("club")
        real = Commits.packages

        async def with_eve(self, accounts, suite, **named):
            return await real(self, [*accounts, eve.account], suite, **named)

        monkeypatch.setattr(Commits, "packages", with_eve)
        for way in (
            partial(alice.create_group, "new", ["bob"]), partial(club.invite, "bob"), partial(alice.dm, "bob"),
            partial(alice._core.births.reset, club.id, 1),
        ):  # fmt: skip
            with pytest.raises(qpqclient.ServerBroke, match="nobody was added"):
                await way()
        assert [c.id for c in alice.conversations()] == [club.id]
        assert [m.name for m in club.members()] == ["alice"]
        await eve.sync()
        assert eve.conversations() == []


async def test_a_conversation_of_two_takes_nobody_else(serving, tmp_path, lies):
    """Neither when it is founded, nor by an invitation, nor when it is begun anew: the client sees to that by itself."""
    async with serving() as server, AsyncExitStack() as stack:
        alice, bob, eve = await people(stack, server, tmp_path, "alice", "bob", "eve")
        seen = []
        lies.tell("fetchKeyPackage", lambda r: seen.append(r) or r)
        with pytest.raises(qpqclient.ServerBroke, match="two people"):
            await alice._core.births.create(ChannelKind.DIRECT, [bob.account, eve.account], "")
        talk = await alice.dm("bob")
        await settle(alice, bob)
        seen.clear()
        with pytest.raises(qpqclient.NotAllowed, match="two people"):
            await talk.invite("eve")
        core = alice._core
        with pytest.MonkeyPatch.context() as patch:
            shown = await core.births._present(talk.id)
            present = (replace(shown[0], kind=ChannelKind.GROUP), shown[1] | {eve.account}, shown[2])

            async def presented(_channel):
                return present

            patch.setattr(core.births, "_present", presented)
            with pytest.raises(qpqclient.ServerBroke, match="nobody was added"):
                await core.births.reset(talk.id, 1)
        assert seen == []  # nobody's keys were drawn for it
        await settle(alice, bob, eve)
        assert sorted(m.name for m in talk.members()) == ["alice", "bob"]
        assert eve.conversations() == []


async def test_an_older_device_list_is_not_taken_again(serving, tmp_path, lies):
    """The server shows the list of before a device was revoked, with that device's keys."""
    async with serving() as server, AsyncExitStack() as stack:
        alice, bob = await people(stack, server, tmp_path, "alice", "bob")
        lost = await stack.enter_async_context(
            qpqclient.open_client(tmp_path / "lost", server=server.where, store_key=STORE_KEY)
        )
        await lost.login("bob", "secret bob")
        old = []
        lies.tell("fetchKeyPackage", lambda r: old.append(r) or r)
        await alice.create_group("with the lost one", ["bob"])
        lies.stop()
        await bob.revoke_device(lost.device)
        await alice.resolve("bob")
        lies.tell("fetchKeyPackage", lambda r: replace(r, accounts=old[0].accounts))
        with pytest.raises(qpqclient.GroupUnusable):
            await alice.create_group("without the lost one", ["bob"])


async def test_a_device_slipped_into_ones_own_list_is_not_signed_at_log_in(serving, tmp_path, lies):
    async with serving() as server, AsyncExitStack() as stack:
        (alice,) = await people(stack, server, tmp_path, "alice")
        evil = Mallory(alice.account)
        fresh = await stack.enter_async_context(
            qpqclient.open_client(tmp_path / "fresh", server=server.where, store_key=STORE_KEY)
        )

        def slip_in(result):
            genuine = DeviceList.from_bytes(result.device_list)
            forged = replace(genuine, devices=tuple(sorted((*genuine.devices, evil.entry), key=lambda d: d.device)))
            return replace(result, device_list=forged.to_bytes())

        for method in ("loginFinish", "listDevices"):
            lies.tell(method, slip_in)
        with pytest.raises(qpqclient.IdentityChanged):
            await fresh.login("alice", "secret alice")
        with pytest.raises(qpqclient.IdentityChanged):
            await alice.revoke_device(evil.device)
        lies.stop()
        assert [d.id for d in await alice.devices()] == [alice.device]
        await fresh.login("alice", "secret alice")
        assert {d.id for d in await alice.devices()} == {alice.device, fresh.device}


async def test_a_member_whose_key_is_another_one_than_known_is_told(serving, tmp_path):
    async with serving() as server, AsyncExitStack() as stack:
        alice, bob = await people(stack, server, tmp_path, "alice", "bob")
        talk = await alice.dm("bob")
        assert talk.doubtful() == []
        alice._core.store.db.execute(
            "UPDATE people SET identity_key = ? WHERE account = ?", (Mallory(bob.account).identity_key, bob.account)
        )
        assert talk.doubtful() == ["bob"]


async def test_what_the_server_withholds_from_a_mailbox_is_noticed(serving, tmp_path, lies):
    async with serving() as server, AsyncExitStack() as stack:
        alice, bob = await people(stack, server, tmp_path, "alice", "bob")
        talk = await alice.dm("bob")
        await settle(alice, bob)
        epoch = talk.epoch
        events = bob.events()
        lies.withhold(bob._core.inbox.position + 1)
        await talk.send("withheld")
        await talk.send("passed on")
        with trio.fail_after(PATIENCE_SECONDS):
            async for event in events:
                if isinstance(event, qpqclient.Missed):
                    break
        lies.stop()
        await settle(alice, bob, alice)
        assert texts(bob.conversation(talk.id)) == ["passed on"]
        assert talk.epoch == bob.conversation(talk.id).epoch == epoch + 1


async def test_one_who_withholds_again_and_again_does_not_keep_clients_at_rejoining(serving, tmp_path, lies):
    async with serving() as server, AsyncExitStack() as stack:
        alice, bob = await people(stack, server, tmp_path, "alice", "bob")
        bob.set_setting("receipts.delivered", "off")  # or entries of alice's mailbox are withheld as well
        talk = await alice.dm("bob")
        await settle(alice, bob)
        there, epoch = bob.conversation(talk.id), talk.epoch
        for round_ in range(3):
            lies.withhold(bob._core.inbox.position + 1)
            await talk.send(f"withheld {round_}")
            await talk.send(f"passed on {round_}")
            await settle(alice, bob)
        lies.stop()
        await settle(alice, bob)
        assert texts(there) == [f"passed on {n}" for n in range(3)]
        assert talk.epoch == there.epoch == epoch + 1


@pytest.mark.parametrize("how", ["endless", "short", "swapped"])
async def test_another_file_than_was_sent_is_refused(serving, tmp_path, lies, how):
    async with serving() as server, AsyncExitStack() as stack:
        alice, bob = await people(stack, server, tmp_path, "alice", "bob")
        talk = await alice.dm("bob")
        path = tmp_path / "file"
        path.write_bytes(b"content" * 1000)
        await talk.send_file(path)
        await settle(alice, bob)
        there = bob.conversation(talk.id)
        (message,) = [m for m in there.history(10) if m.file]
        chunks = {"endless": lambda c: c + b"x" * 100_000, "short": lambda c: c[:-1], "swapped": lambda c: c[::-1]}
        lies.tell("downloadBlob", lambda r: replace(r, chunk=chunks[how](r.chunk), total_bytes=1 << 40))
        with pytest.raises(qpqclient.QpqError) as told:
            await there.download(message, tmp_path / "got")
        assert told.value.name == "fileDamaged"
        assert not (tmp_path / "got").exists()
        assert not (tmp_path / "got.part").exists()
        lies.stop()
        got = await there.download(message, tmp_path / "got")
        assert got.read_bytes() == path.read_bytes()


GARBAGE = (lambda _: b"", lambda _: b"\xff" * 64, lambda kind: kind().to_bytes())
"""Nothing; bytes that are no message; an empty answer."""
METHODS_USED = (
    "subscribe", "registerStart", "registerFinish", "loginStart", "loginFinish", "resume", "registerDevice",
    "listDevices", "uploadKeyPackages", "fetchKeyPackage", "uploadHybridKey", "resolveUser", "resolveIdentity",
    "resolveIdentities", "createChannel", "enqueue", "fetch", "peek", "ack", "submitCommit", "submitProposal", "fetchGroupInfo", "fetchTree",
    "listChannels", "uploadBlob", "downloadBlob",
)  # fmt: skip
TRY_SECONDS_MAX = 2


async def tried(*works):
    """Do things one after the other; each may fail by a typed error, or wait."""
    for work in works:
        with suppress(qpqclient.QpqError), trio.move_on_after(TRY_SECONDS_MAX):
            await work()


@pytest.mark.parametrize("name", METHODS_USED)
async def test_no_answer_ends_a_client(open_world, tmp_path, lies, name):
    """Every answer that a client reads, as what makes no sense: typed errors, and all goes on when it is over."""
    (tmp_path / "file").write_bytes(b"content")
    kind = SubscribeEvent if name == "subscribe" else method_named(name).result
    async with open_world() as w, AsyncExitStack() as stack:
        alice, bob = await w.client("alice"), await w.client("bob")
        talk = alice.conversation(w.direct)
        await talk.send_file(tmp_path / "file")
        await settle(alice, bob)
        (with_file,) = [m for m in bob.conversation(w.direct).history(10) if m.file]
        for number, garbage in enumerate(GARBAGE):
            lies.say(name, garbage(kind))
            if name == "resolveIdentity":  # of people of one's own domain only a server of before is asked so
                lies.refuse("resolveIdentities", ErrorCode.UNKNOWN_METHOD)
            opened = qpqclient.open_client(tmp_path / f"fresh{number}", server=w.where, store_key=STORE_KEY)
            fresh = await stack.enter_async_context(opened)
            async with qpqclient.open_client(w.folder / "carol", server=w.where, store_key=STORE_KEY) as carol:
                await tried(carol.sync, carol.conversation(w.club).leave)
            bob._core.store.db.execute("DELETE FROM people")
            await tried(
                bob._core.people.learn, alice.sync, partial(talk.send, "while it lies"), talk.update_key, talk.rejoin,
                partial(alice.create_group, "new", ["bob"]), alice.devices, partial(alice.safety_number, "bob"),
                partial(talk.send_file, tmp_path / "file"), partial(bob.conversation(w.direct).download, with_file, tmp_path / "got"),
                partial(fresh.register, f"fresh{number}", "secret"), partial(fresh.login, "alice", "secret alice"),
            )  # fmt: skip
        assert lies.told
        lies.stop()
        with trio.fail_after(PATIENCE_SECONDS):
            await settle(alice, bob)
            await bob.conversation(w.direct).send("after it")
            await settle(bob, alice)
        assert "after it" in texts(talk)


@pytest.mark.parametrize("garbage", GARBAGE)
async def test_a_server_that_greets_with_nonsense_is_not_one(open_world, lies, garbage):
    lies.say("hello", garbage(method_named("hello").result))
    async with open_world() as w:
        with pytest.raises(qpqclient.QpqError):
            await qpqclient.ping(w.where)
        alice = await w.client("alice")
        await wait_all_tasks_blocked()
        lies.stop()
        with trio.fail_after(PATIENCE_SECONDS):
            while not alice.connected:
                with suppress(qpqclient.QpqError):
                    await alice.sync()
