"""What comes while a client waits for an answer: another conversation's trouble, another member's commit, another gap."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import replace

from qpqclient import blobs, upkeep
from qpqclient.account import WANTED
from qpqclient.commits import Commits
from qpqclient.errors import ArchiveDamaged, GroupBusy, Refused
from qpqclient.groups import PUT_BACK
from qpqclient.history import ASK, OFFERED, VERSION
from qpqcore.api.content import Content, ContentFile
from qpqcore.api.delivery import (
    Entry,
    EntryKind,
    FetchGroupInfoParams,
    FetchGroupInfoResult,
    ListChannelsParams,
    ResetChannelParams,
)
from qpqcore.config.settings import Settings
from qpqcore.crypto.parts import u8, vec
from qpqcore.model.errors import ErrorCode, Refusal
from tests.support.operating import Operated
from tests.support.people import settle, texts


def proposed(client, channel):
    """Note a proposal that a device would commit, were it not for what a test lets come first."""
    client._core.store.db.execute("INSERT INTO proposed VALUES (?, ?, 1)", (channel, b"of a device"))


async def said(client, channel, text):
    """Send, and wait until the server has it."""
    await client.wait_sent((await client.conversation(channel).send(text)).id)


# --- one conversation's trouble, and the others


async def test_a_message_is_sent_though_another_conversation_ends_while_it_waits(open_world, monkeypatch):
    """Alice has to rejoin before she sends, and commits what is proposed elsewhere on the way: there she is removed meanwhile."""
    monkeypatch.setattr(upkeep, "PROPOSAL_WAIT_SECONDS_MAX", 1_000.0)
    async with open_world() as w:
        alice, bob = await w.client("alice"), await w.client("bob")
        await settle(alice, bob)
        commits, ended = alice._core.commits, []
        settle_proposals = commits.settle_proposals

        async def late(channel):
            ended.append(channel)
            await bob.conversation(w.club).remove("alice")
            await alice._core.catch_up()
            await settle_proposals(channel)

        monkeypatch.setattr(commits, "settle_proposals", late)
        proposed(alice, w.club)
        alice._core.upkeep.want_rejoin(w.direct)
        sent = await alice.conversation(w.direct).send("whatever becomes of the club")
        await alice.wait_sent(sent.id)
        await settle(bob)
        assert ended == [w.club]
        assert texts(bob.conversation(w.direct))[-1] == "whatever becomes of the club"


async def test_a_conversation_that_cannot_be_settled_holds_up_no_other(open_world, monkeypatch):
    """The club cannot be rejoined for now. What was said to it waits; what comes after, in the direct conversation, is sent."""
    async with open_world() as w:
        alice, bob = await w.client("alice"), await w.client("bob")
        await settle(alice, bob)
        commits, tried = alice._core.commits, []
        rejoin = commits.rejoin

        async def busy(channel):
            tried.append(channel)
            if channel == w.club and len(tried) < 4:
                raise GroupBusy("the group is too busy to be rejoined now")
            return await rejoin(channel)

        monkeypatch.setattr(commits, "rejoin", busy)
        alice._core.upkeep.want_rejoin(w.club)
        alice._core.upkeep.want_rejoin(w.direct)
        in_club = await alice.conversation(w.club).send("to the club")
        in_direct = await alice.conversation(w.direct).send("to Bob")
        await alice.wait_sent(in_direct.id)
        assert alice.message(w.club, in_club.id).state == "pending"
        await alice.wait_sent(in_club.id)
        await settle(bob)
        assert texts(bob.conversation(w.club))[-1] == "to the club"


# --- what is noted while something like it is being done


def after_first(client, params_type, act):
    """Let `act` happen between the server's first answer to calls of a kind and the client's taking it; return the calls."""
    real, asked = client._core.call, []

    async def call(params, result, *, key=b""):
        answer = await real(params, result, key=key)
        if isinstance(params, params_type):
            asked.append(params)
            if len(asked) == 1:
                await act()
        return answer

    client._core.call = call
    return asked


async def test_a_gap_that_comes_while_the_channels_are_listed_has_them_listed_again(open_world):
    async with open_world() as w:
        alice = await w.client("alice")
        await settle(alice)

        async def gap():
            alice._core.upkeep.want_survey()

        asked = after_first(alice, ListChannelsParams, gap)
        await alice.rejoin()
        await alice._core.upkeep.settle()
        assert len(asked) == 2


async def test_a_group_that_is_lost_while_it_is_compared_is_brought_in_order(open_world, monkeypatch):
    """The server was put back, and shows the group as it is here. Meanwhile comes a commit that cannot be followed."""
    async with open_world() as w:
        alice, bob = await w.client("alice"), await w.client("bob")
        await settle(alice, bob)

        async def lost():
            with monkeypatch.context() as patched:
                patched.setattr(alice._core.groups, "check", unlike)
                await bob.conversation(w.direct).update_key()
                await alice._core.catch_up()

        def unlike(*_):
            raise Refusal(ErrorCode.COMMIT_INVALID, "this device takes it for another")

        asked = after_first(alice, FetchGroupInfoParams, lost)
        alice._core.store.put({PUT_BACK + w.direct.hex(): b"\1"})
        await alice.conversation(w.direct).rejoin()
        await settle(alice, bob)
        assert asked
        assert alice.conversation(w.direct).authenticator == bob.conversation(w.direct).authenticator


async def test_a_group_that_is_lost_as_soon_as_it_is_begun_anew_is_rejoined(open_world, monkeypatch):
    async with open_world() as w:
        alice, bob = await w.client("alice"), await w.client("bob")
        await settle(alice, bob)
        births = alice._core.births
        reset = births.reset

        async def lost(channel, *what, **more):
            served = await reset(channel, *what, **more)
            alice._core.upkeep.want_rejoin(channel)
            return served

        monkeypatch.setattr(births, "reset", lost)
        info = await alice._core.call(FetchGroupInfoParams(channel=w.direct), FetchGroupInfoResult)
        await alice._core.put_back.begin_anew(w.direct, info)
        await settle(alice, bob)
        core = alice._core
        assert (core.groups.generation(w.direct), core.groups.load(w.direct).epoch) == (2, 2), "begun anew, and joined"
        assert alice.conversation(w.direct).authenticator == bob.conversation(w.direct).authenticator


async def test_a_server_put_back_to_before_a_group_was_begun_anew_is_brought_further(tmp_path):
    """The server has generation 1 again, and its people are in generation 2. Alice begins another second one and talks in it;
    Bob, whose own one had come as far, finds all that in his mailbox.
    """
    made = Operated(tmp_path, Settings(listen="127.0.0.1:0", data_dir=str(tmp_path / "server")))
    made.typed("backup", "keys", tmp_path / "keys")
    names, where = ("alice", "bob"), (tmp_path / "backup", "--keys", tmp_path / "keys")
    async with made.running(), AsyncExitStack() as stack:
        alice, bob = [await stack.enter_async_context(made.client(name)) for name in names]
        for client, name in zip((alice, bob), names, strict=True):
            await client.register(name, f"secret {name}")
        club = (await alice.create_group("club", ["bob"])).id
        await settle(alice, bob)
        await made.ctl("backup", "create", *where)
        await alice._core.births.reset(club, 1)
        await settle(alice, bob)
        assert [c._core.groups.generation(club) for c in (alice, bob)] == [2, 2]
    await made.ctl("restore", *where, "--replace")
    async with made.running(), AsyncExitStack() as stack:
        alice, bob = [await stack.enter_async_context(made.client(name)) for name in names]
        await alice.login("alice", "secret alice")
        await said(alice, club, "alice again")
        await alice.conversation(club).update_key()
        await said(alice, club, "and again")
        await bob.login("bob", "secret bob")
        await said(bob, club, "bob again")
        await settle(alice, bob)
        for client in (alice, bob):
            assert texts(client.conversation(club)) == ["alice again", "and again", "bob again"]
        assert alice.conversation(club).authenticator == bob.conversation(club).authenticator


async def test_who_was_added_since_a_backup_is_added_again_though_the_server_is_away_just_then(tmp_path, monkeypatch):
    """Alice has begun the group anew, without Dave, who was in none on that server; then it is away, and her program ends."""
    made = Operated(tmp_path, Settings(listen="127.0.0.1:0", data_dir=str(tmp_path / "server")))
    made.typed("backup", "keys", tmp_path / "keys")
    names, where = ("alice", "bob", "dave"), (tmp_path / "backup", "--keys", tmp_path / "keys")
    async with made.running(), AsyncExitStack() as stack:
        alice, bob, dave = [await stack.enter_async_context(made.client(name)) for name in names]
        for client, name in zip((alice, bob, dave), names, strict=True):
            await client.register(name, f"secret {name}")
        club = (await alice.create_group("club", ["bob"])).id
        await settle(alice, bob)
        await made.ctl("backup", "create", *where)
        await alice.conversation(club).invite("dave")
        await settle(alice, bob, dave)
    await made.ctl("restore", *where, "--replace")
    tried = []

    async def away(*_, **__):
        tried.append(1)
        raise Refused(Refusal(ErrorCode.UNAVAILABLE, "away"))

    async with made.running():
        async with made.client("alice") as alice:
            monkeypatch.setattr(Commits, "add", away)
            await alice.login("alice", "secret alice")
            await settle(alice)
            assert tried
            assert alice._core.groups.generation(club) == 2
        monkeypatch.undo()
        async with made.client("alice") as alice, made.client("dave") as dave:
            await dave.login("dave", "secret dave")
            await settle(alice)
            assert {m.name for m in alice.conversation(club).members()} == {"alice", "bob", "dave"}
            await said(alice, club, "welcome back")
            await settle(dave)
            assert texts(dave.conversation(club))[-1] == "welcome back"


# --- what another member does meanwhile


async def test_who_was_invited_meanwhile_does_not_keep_the_others_out(open_world, monkeypatch):
    """Alice adds Dave and Eve; Bob has added Dave by the time that she looks at the group."""
    async with open_world() as w:
        alice, bob = await w.client("alice"), await w.client("bob")
        await settle(alice, bob)
        accounts = [await alice.resolve(name) for name in ("dave", "eve")]
        commits = alice._core.commits
        packages = commits.packages

        async def slow(*what, **more):
            found = await packages(*what, **more)
            await bob.conversation(w.club).invite("dave")
            await settle(alice)
            return found

        monkeypatch.setattr(commits, "packages", slow)
        await commits.add(w.club, accounts)
        names = {m.name for m in alice.conversation(w.club).members()}
        assert names == {"alice", "bob", "carol", "dave", "eve"}


async def test_who_gave_way_stays_in_the_group_that_won(open_world):
    """Alice's new generation is refused after Bob's has come to her: nobody joins anew for that."""
    async with open_world() as w:
        alice, bob = await w.client("alice"), await w.client("bob")
        await settle(alice, bob)
        core = alice._core
        call = core.call

        async def late(params, result, *, key=b""):
            if isinstance(params, ResetChannelParams):
                await bob._core.births.reset(w.club, 1)
                await core.catch_up()
                assert core.groups.load(w.club).epoch == 1, "she is in his group"
            return await call(params, result, key=key)

        core.call = late
        await core.births.reset(w.club, 1)
        await settle(alice, bob)
        assert alice.conversation(w.club).epoch == bob.conversation(w.club).epoch == 1
        assert alice.conversation(w.club).authenticator == bob.conversation(w.club).authenticator


async def test_an_invitation_with_a_key_made_a_moment_ago_opens(open_world):
    """The device has used its keys before: what it makes after that counts too."""
    async with open_world() as w:
        alice, bob = await w.client("alice"), await w.client("bob")
        await settle(alice, bob)
        await alice.create_group("before", ["bob"])
        w.edit("keystore", "DELETE FROM packages")
        await alice._core.account.top_up(await alice._core.link())
        made = await bob.create_group("fresh", ["alice"])
        await made.send("welcome")
        await settle(bob, alice)
        assert texts(alice.conversation(made.id)) == ["welcome"]
        assert alice.conversation(made.id).epoch == 1, "nobody had to join anew"


async def test_who_has_joined_the_new_generation_by_itself_does_not_join_it_again(open_world):
    """That others began it without this device comes in its mailbox only then."""
    async with open_world() as w:
        alice = await w.client("alice")
        await settle(alice)
        core, late = alice._core, Entry(kind=EntryKind.RESET, channel=w.club, generation=1)
        async with core.lock:
            await core.inbox.take(replace(late, number=core.inbox.position + 1))
        assert alice.conversation(w.club).active
        assert not core.upkeep.has_to_rejoin(w.club)


# --- what one's own devices ask and offer meanwhile


async def test_a_device_that_asks_while_another_is_answered_is_answered_too(open_world, monkeypatch):
    """The archive for the first is deleted by it; the second needs one of its own."""
    async with open_world() as w:
        alice = await w.client("alice")
        await settle(alice)
        history, uploads = alice._core.history, []
        channel, ask = (
            await history.own_channel(),
            Content(which="selfState", self_state=u8(VERSION) + u8(ASK) + vec(b"")),
        )
        upload = blobs.upload

        async def slow(*what, **more):
            uploads.append(what)
            if len(uploads) == 1:
                history.heard(channel, ask)
            return await upload(*what, **more)

        monkeypatch.setattr(blobs, "upload", slow)
        history.heard(channel, ask)
        for _ in range(3):
            await history.settle()
        assert len(uploads) == 2


async def test_a_good_archive_that_is_offered_while_a_bad_one_is_fetched_is_taken(open_world, monkeypatch):
    async with open_world() as w:
        alice = await w.client("alice")
        await settle(alice)
        history, fetched = alice._core.history, []
        bad, good = (ContentFile(name=name).to_bytes() for name in ("bad", "good"))

        async def fetch(file, _key):
            fetched.append(file.name)
            if file.name == "bad":
                alice._core.store.put({OFFERED: good})
                raise ArchiveDamaged("not what it was")
            return 0

        monkeypatch.setattr(history, "_fetch", fetch)
        alice._core.store.put({WANTED: b"\2", OFFERED: bad})
        for _ in range(2):
            await history.settle()
        assert fetched == ["bad", "good"]
        assert not alice.wants_history
