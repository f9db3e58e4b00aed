"""What every store of accounts keeps: a name once, sessions that end, lists that follow each other, jobs until done."""

from __future__ import annotations

from dataclasses import replace

import asyncpg
import pytest
import sqlcipher3
import trio

from qpqauth.jobs import DELETION
from qpqauth.rules import Entry
from qpqauth.store import Account, AccountState, Held, Invite, Session, UsedState
from qpqcore.crypto.identity import DeviceEntry, DeviceList
from qpqcore.crypto.signatures import generate_key
from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.model.ids import AccountId, DeviceId, make_id
from qpqcore.store.keyed import Keyed

NOW_MS = 10**12
DAY_MS = 24 * 3600 * 1000
SECRET, PUBLIC = generate_key(b"i" * 32)
ACCOUNT = AccountId(make_id(b"a" * 16, "localhost"))
DEVICE, OTHER = (DeviceId(make_id(n * 16, "localhost")) for n in (b"d", b"o"))
ALICE = Account(ACCOUNT, "alice", 1, b"cred", b"record", PUBLIC, b"wraps", 1, b"", AccountState.ACTIVE, NOW_MS)
NOT_HELD = Held((), NOW_MS - 90 * DAY_MS)
LOGIN_EXPIRED = ErrorCode.LOGIN_EXPIRED
NO_KEY = Keyed(b"caller", 1, b"", b"", NOW_MS)


def disguise(name):
    return "@" + name[::-1]


async def begin(store, account=ALICE):
    held = replace(NOT_HELD, disguises=("@another key's", disguise(account.name)))
    return await store.create_account(account, [("put_account", b"")], held, NO_KEY, b"reply")


def listed(*devices, previous=None):
    entries = tuple(DeviceEntry(d, generate_key(d[:16] * 2)[1]) for d in devices)
    return DeviceList.make(SECRET, ACCOUNT, entries, previous)


async def advance(store, fresh, *, register=b"", session=b"token"):
    return await store.advance_list(
        ACCOUNT,
        fresh.to_bytes(),
        lambda _stored: fresh,
        register=register,
        label=b"label",
        session=session,
        now_ms=NOW_MS,
    )


async def begin_session(store, session, *, state=b"", sessions_max=64, decide=lambda stored: stored):
    used = UsedState(state or session.token_hash, NOW_MS + 1)
    return (await store.begin_session(session, used, sessions_max, decide))[1]


async def code(awaitable):
    with pytest.raises(Refusal) as no:
        await awaitable
    return no.value.code


async def test_a_log_in_finds_its_account_or_any_other(open_store):
    async with open_store("qpqauth") as store:
        assert await store.account_for_login("alice", b"") == (None, False)
        await begin(store)
        bob = replace(ALICE, account=AccountId(make_id(b"b" * 16, "localhost")), name="bob")
        await begin(store, bob)
        for place in (b"", b"b", b"z"):
            assert await store.account_for_login("alice", place) == (ALICE, True)
        assert await store.account_for_login("nobody", b"") == (ALICE, False)
        assert (
            await store.account_for_login("nobody", b"b") == await store.account_for_login("no", b"z") == (bob, False)
        )
        await store.begin_deletion(ACCOUNT, NOW_MS, DELETION)
        assert (await store.account_for_login("alice", b""))[1] is False


async def test_a_name_is_given_once_however_many_ask(open_store):
    async with open_store("qpqauth") as store:
        outcomes = []

        async def ask(n):
            try:
                outcomes.append(await begin(store, replace(ALICE, account=make_id(bytes([n]) * 16, "localhost"))))
            except Refusal as no:
                outcomes.append(no.code)

        async with trio.open_nursery() as nursery:
            for n in range(8):
                nursery.start_soon(ask, n)
        assert outcomes.count(b"reply") == 1
        assert outcomes.count(ErrorCode.NAME_TAKEN) == 7
        assert (
            await code(begin(store, replace(await store.account_by_name("alice"), name="other")))
            is ErrorCode.VERSION_CONFLICT
        )


async def test_a_repeated_key_repeats_the_answer(open_store):
    async with open_store("qpqauth") as store:
        keyed = Keyed(b"caller", 1, b"k" * 16, b"request", NOW_MS)
        for _ in range(2):
            assert await store.create_account(ALICE, [], NOT_HELD, keyed, b"reply") == b"reply"
        another = replace(keyed, request=b"another")
        assert (
            await code(store.create_account(ALICE, [], NOT_HELD, another, b"reply")) is ErrorCode.IDEMPOTENCY_MISMATCH
        )


async def test_one_of_two_changes_of_password_wins_and_ends_the_other_sessions(open_store):
    async with open_store("qpqauth") as store:
        await begin(store)
        for token in (b"own", b"other"):
            await begin_session(store, Session(token, ACCOUNT, b"", NOW_MS))
        change = replace(ALICE, record=b"record 2", wraps=b"wraps 2", wrap_version=2)
        reply, ended = await store.change_password(change, b"own", NO_KEY, lambda n: b"%d" % n)
        assert (reply, ended) == (b"1", [b"other"])
        assert await code(store.change_password(change, b"own", NO_KEY, lambda n: b"")) is ErrorCode.VERSION_CONFLICT
        stored = await store.account(ACCOUNT)
        assert (stored.record, stored.wraps, stored.wrap_version) == (b"record 2", b"wraps 2", 2)


async def test_a_login_state_is_used_once(open_store):
    async with open_store("qpqauth") as store:
        await begin(store)
        used = UsedState(b"state", NOW_MS + 1)
        await store.use_login_state(used)
        assert await code(store.use_login_state(used)) is ErrorCode.LOGIN_EXPIRED
        assert await code(begin_session(store, Session(b"t", ACCOUNT, b"", NOW_MS), state=b"state")) is LOGIN_EXPIRED
        assert await store.touch_session(b"t", NOW_MS, 0) is None
        await store.sweep(NOW_MS + 2, DAY_MS, DAY_MS)
        await store.use_login_state(used)


async def test_a_login_state_has_one_session_however_many_finish_it(open_store):
    async with open_store("qpqauth") as store:
        await begin(store)
        outcomes = []

        async def finish(token):
            try:
                outcomes.append(await begin_session(store, Session(token, ACCOUNT, b"", NOW_MS), state=b"state"))
            except Refusal as no:
                outcomes.append(no.code)

        async with trio.open_nursery() as nursery:
            for n in range(8):
                nursery.start_soon(finish, b"token %d" % n)
        assert outcomes.count(LOGIN_EXPIRED) == 7
        assert len(await store.end_sessions(ACCOUNT, None)) == 1


async def test_a_linked_device_gets_its_session_once(open_store):
    async with open_store("qpqauth") as store:
        await begin(store)
        session = Session(b"linked", ACCOUNT, DEVICE, NOW_MS)
        assert await code(store.add_session(session, 64)) is ErrorCode.DEVICE_UNKNOWN
        await advance(store, listed(DEVICE), register=DEVICE)
        await begin_session(store, Session(b"old", ACCOUNT, DEVICE, NOW_MS - 1))
        assert await store.add_session(session, 64) == await store.add_session(session, 64) == []
        found, _ = await store.touch_session(b"linked", NOW_MS, 0)
        assert (found.account, found.device) == (ACCOUNT, DEVICE)
        await advance(store, listed(DEVICE, OTHER, previous=listed(DEVICE)), register=OTHER)
        assert await code(store.add_session(replace(session, device=OTHER), 64)) is ErrorCode.MALFORMED
        assert await store.add_session(replace(session, token_hash=b"third", device=OTHER), 2) == [b"old"]


async def test_a_refused_log_in_uses_its_state_up_and_a_failed_one_does_not(open_store):
    def no(stored):
        assert stored == ALICE
        raise Refusal(ErrorCode.ACCOUNT_SUSPENDED, "no")

    async with open_store("qpqauth") as store:
        await begin(store)
        session = Session(b"token", ACCOUNT, b"", NOW_MS)
        refused = begin_session(store, session, state=b"refused", decide=no)
        assert await code(refused) is ErrorCode.ACCOUNT_SUSPENDED
        assert await code(begin_session(store, session, state=b"refused")) is LOGIN_EXPIRED
        assert await store.touch_session(b"token", NOW_MS, 0) is None
        await begin_session(store, session)
        with pytest.raises(
            (sqlcipher3.IntegrityError, asyncpg.UniqueViolationError)
        ):  # the token is there already: nothing is done
            await begin_session(store, session, state=b"failed")
        await begin_session(store, replace(session, token_hash=b"another"), state=b"failed")
        seen = []
        nobody = Session(b"nobody's", OTHER, b"", NOW_MS)
        await begin_session(store, nobody, decide=lambda stored: seen.append(stored) or ALICE)
        assert seen == [None]


async def test_sessions_slide_end_and_make_room(open_store):
    async with open_store("qpqauth") as store:
        await begin(store)
        for n in range(4):
            ended = await begin_session(store, Session(b"token %d" % n, ACCOUNT, b"", NOW_MS + n), sessions_max=3)
        assert ended == [b"token 0"]
        late = NOW_MS + 29 * DAY_MS
        session, account = await store.touch_session(b"token 1", late, late - 30 * DAY_MS)
        assert (session.used_ms, account.name) == (late, "alice")
        later = NOW_MS + 40 * DAY_MS
        assert await store.touch_session(b"token 1", later, later - 30 * DAY_MS) is not None
        assert await store.touch_session(b"token 2", later, later - 30 * DAY_MS) is None
        await store.sweep(later, 30 * DAY_MS, DAY_MS)
        assert await store.end_sessions(ACCOUNT, None) == [b"token 1"]


async def test_a_suspended_account_has_no_sessions(open_store):
    async with open_store("qpqauth") as store:
        await begin(store)
        await begin_session(store, Session(b"token", ACCOUNT, b"", NOW_MS))
        assert await store.set_state(ACCOUNT, AccountState.SUSPENDED)
        assert await store.touch_session(b"token", NOW_MS, 0) is None
        assert await store.set_state(ACCOUNT, AccountState.ACTIVE)
        assert await store.touch_session(b"token", NOW_MS, 0) is not None
        assert not await store.set_state(b"nobody", AccountState.ACTIVE)


async def test_a_list_adds_the_device_that_is_named_and_no_other(open_store):
    async with open_store("qpqauth") as store:
        await begin(store)
        await begin_session(store, Session(b"token", ACCOUNT, b"", NOW_MS))
        first = listed(DEVICE)
        assert await code(advance(store, first)) is ErrorCode.DEVICE_LIST_INVALID
        assert await code(advance(store, first, register=OTHER)) is ErrorCode.DEVICE_LIST_INVALID
        assert await store.devices(ACCOUNT) == []
        change = await advance(store, first, register=DEVICE)
        assert (change.added, change.removed) == ((DEVICE,), ())
        assert (await store.touch_session(b"token", NOW_MS, 0))[0].device == DEVICE
        again = await advance(store, first, register=DEVICE)
        assert (again.added, again.removed) == ((), ())
        assert [j.kind for j in await store.jobs(ACCOUNT, 10)] == ["put_account", "put_list", "open_mailbox"]


async def test_a_list_without_a_device_ends_what_it_had(open_store):
    async with open_store("qpqauth") as store:
        await begin(store)
        first = listed(DEVICE)
        await begin_session(store, Session(b"token", ACCOUNT, b"", NOW_MS))
        await advance(store, first, register=DEVICE)
        change = await advance(store, listed(previous=first))
        assert (change.removed, change.sessions_ended) == ((DEVICE,), (b"token",))
        assert await store.touch_session(b"token", NOW_MS, 0) is None
        assert [j.kind for j in await store.jobs(ACCOUNT, 10)][-2:] == ["put_list", "remove_device"]


async def test_a_deleted_account_is_closed_at_once_and_its_name_held(open_store):
    async with open_store("qpqauth") as store:
        await begin(store)
        await begin_session(store, Session(b"token", ACCOUNT, b"", NOW_MS))
        assert await store.begin_deletion(ACCOUNT, NOW_MS, DELETION)
        assert not await store.begin_deletion(ACCOUNT, NOW_MS, DELETION)
        assert await store.touch_session(b"token", NOW_MS, 0) is None
        assert await store.account_by_name("alice") is None
        jobs = await store.jobs(None, 10)
        assert [j.kind for j in jobs][1:] == [kind for kind, _ in DELETION]
        for job in jobs:
            await store.finish_job(job)
        for _ in range(2):  # also when it is done again after a crash
            await store.finish_deletion(ACCOUNT, disguise)
        assert await store.account(ACCOUNT) is None
        fresh = replace(ALICE, account=make_id(b"n" * 16, "localhost"))
        assert await code(begin(store, fresh)) is ErrorCode.NAME_TAKEN
        await store.sweep(NOW_MS + 91 * DAY_MS, 30 * DAY_MS, 90 * DAY_MS)
        assert await begin(store, fresh) == b"reply"


# --- invitations, and what the operator switches


INVITE = Invite(b"h" * 32, 2, NOW_MS + DAY_MS, NOW_MS, "note")


async def invited(store, name, first, *, at_ms=NOW_MS, key=NO_KEY):
    account = replace(ALICE, account=AccountId(make_id(first * 16, "localhost")), name=name, created_ms=at_ms)
    return await store.create_account(account, [], NOT_HELD, key, b"reply", invite=INVITE.token_hash)


async def test_an_invitation_makes_as_many_accounts_as_it_says(open_store):
    refused = ErrorCode.REGISTRATION_TOKEN_INVALID
    async with open_store("qpqauth") as store:
        assert await code(invited(store, "nobody", b"n")) is refused
        await store.add_invite(INVITE)
        assert await store.entry(INVITE.token_hash, NOW_MS) == Entry("", True)
        assert await store.entry(b"another", NOW_MS) == Entry("", False)
        assert await code(invited(store, "late", b"l", at_ms=INVITE.expires_ms)) is refused
        keyed = Keyed(b"caller", 1, b"k" * 16, b"request", NOW_MS)
        assert await invited(store, "bob", b"b", key=keyed) == b"reply"
        assert await invited(store, "bob", b"b", key=keyed) == b"reply", "the same call again uses it once"
        assert await code(invited(store, "bob", b"c")) is ErrorCode.NAME_TAKEN, "and what is refused does not"
        await invited(store, "carol", b"c")
        assert await store.entry(INVITE.token_hash, NOW_MS) == Entry("", False)
        assert await code(invited(store, "dave", b"d")) is refused
        assert await code(invited(store, "bob", b"e")) is refused, "who is not invited learns no names"


async def test_of_two_who_come_with_the_last_use_of_an_invitation_one_gets_in(open_store):
    async with open_store("qpqauth") as store:
        await store.add_invite(replace(INVITE, uses_left=1))
        came = []

        async def come(name, first):
            try:
                await invited(store, name, first)
                came.append(name)
            except Refusal as no:
                assert no.code is ErrorCode.REGISTRATION_TOKEN_INVALID

        async with trio.open_nursery() as nursery:
            nursery.start_soon(come, "bob", b"b")
            nursery.start_soon(come, "carol", b"c")
        assert len(came) == 1


async def test_an_invitation_goes_when_it_is_withdrawn_or_its_time_is_over(open_store):
    async with open_store("qpqauth") as store:
        await store.add_invite(INVITE)
        assert await store.drop_invite(INVITE.token_hash)
        assert not await store.drop_invite(INVITE.token_hash)
        assert await code(invited(store, "bob", b"b")) is ErrorCode.REGISTRATION_TOKEN_INVALID
        await store.add_invite(INVITE)
        await store.sweep(INVITE.expires_ms, DAY_MS, DAY_MS)
        assert await store.drop_invite(INVITE.token_hash)
        await store.add_invite(INVITE)
        await store.sweep(INVITE.expires_ms + 1, DAY_MS, DAY_MS)
        assert not await store.drop_invite(INVITE.token_hash)


async def test_a_switch_stays_until_it_is_set_again(open_store):
    async with open_store("qpqauth") as store:
        for mode in ("closed", "token", ""):
            await store.set_switch("registration", mode)
            assert await store.entry(b"", NOW_MS) == Entry(mode, False)
        await store.set_switch("another", "x")
        assert await store.entry(b"", NOW_MS) == Entry("", False)
