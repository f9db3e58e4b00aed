"""Bad input about accounts, log-in and devices (docs/spec/identity.md, docs/spec/recovery.md)."""

from __future__ import annotations

from dataclasses import replace

import pytest

import qpqnative
from qpqcore.api import auth
from qpqcore.crypto.identity import DeviceEntry, DeviceList
from qpqcore.crypto.signatures import generate_key, sign
from qpqcore.model.errors import ErrorCode
from tests.support import recipes
from tests.support.rows import Table, check
from tests.support.world import method_named, raw

table = Table()
row = table.row


async def code(link, params):
    name = type(params).__name__.removesuffix("Params")
    return (await raw(link, method_named(name[0].lower() + name[1:]).number, params.to_bytes()))[0]


def begin(name, **more):
    return auth.RegisterStartParams(name=name, request=qpqnative.OpaqueRegistration().start(b"pw"), **more)


# --- registration


@row("a name in use", ErrorCode.NAME_TAKEN)
async def taken(w):
    link = await w.anonymous()
    finish = await recipes.registration(link, "alice")
    yield
    yield await code(link, finish)


@row("a name given up a moment ago", ErrorCode.NAME_TAKEN)
async def given_up(w):
    eve, link = await w.device("eve"), await w.anonymous()
    await eve.call(recipes.deletion(eve, eve.link), auth.DeleteAccountResult)
    finish = await recipes.registration(link, "eve")
    yield
    yield await code(link, finish)


@row("a name that PRECIS refuses", ErrorCode.NAME_INVALID)
async def no_name(w):
    link = await w.anonymous()
    yield
    yield await code(link, begin("a b"))


@row("a registration request that is none", ErrorCode.MALFORMED)
async def no_request(w):
    link = await w.anonymous()
    yield
    yield await code(link, auth.RegisterStartParams(name="frank", request=b"nonsense"))


@row("a registration record that is none", ErrorCode.MALFORMED)
async def no_record(w):
    alice = await w.device("alice")
    finish = await recipes.registration(alice.link, "alice", owner=alice, version=2)
    vault, upload = alice.account.vault(), b"nonsense"
    parts = (finish.name, finish.account, finish.identity_key, recipes.sha256(upload), recipes.sha256(finish.wraps), 2)
    signature = sign(vault.identity_secret, "qpq register v1", *parts)
    yield
    yield await alice.code(replace(finish, upload=upload, signature=signature))


@row("a registration that its identity key has not signed", ErrorCode.SIGNATURE_INVALID)
async def unsigned(w):
    link = await w.anonymous()
    finish = await recipes.registration(link, "frank")
    yield
    yield await code(link, replace(finish, wraps=finish.wraps + b"!"))


@row("an account id of another domain", ErrorCode.MALFORMED)
async def other_domain(w):
    link = await w.anonymous()
    finish = await recipes.registration(link, "frank")
    yield
    yield await code(link, replace(finish, account=b"a" * 16 + b"example.org"))


@row("wraps above 4 KiB", ErrorCode.TOO_LARGE)
async def large_wraps(w):
    link = await w.anonymous()
    finish = await recipes.registration(link, "frank")
    yield
    yield await code(link, replace(finish, wraps=bytes(4_097)))


@row("an account id in use", ErrorCode.VERSION_CONFLICT)
async def id_in_use(w):
    link = await w.anonymous()
    finish = await recipes.registration(link, "frank", owner=await w.device("alice"))
    yield
    yield await code(link, finish)


@row("a registration without the server's token", ErrorCode.REGISTRATION_TOKEN_INVALID, auth_token="t" * 20)
async def no_token(w):
    link = await w.anonymous()
    yield
    yield await code(link, begin("frank", token="another"))


@row("a registration where there is none", ErrorCode.REGISTRATION_CLOSED, registration="closed")
async def closed(w):
    link = await w.anonymous()
    yield
    yield await code(link, begin("frank"))


@row("the 31st registration from one address at once", ErrorCode.RATE_LIMITED)
async def many(w):
    link = await w.anonymous()
    for number in range(30):
        assert await code(link, begin(f"frank{number}")) is ErrorCode.OK
    yield
    yield await code(link, begin("frank"))


# --- log-in


@row("a wrong password", ErrorCode.LOGIN_FAILED, lasting="auth.login_states")
async def wrong_password(w):
    link = await w.anonymous()
    finish, _ = await recipes.login(link, "alice", "secret alice")
    yield
    yield await code(link, replace(finish, finalization=bytes(len(finish.finalization))))


@row("an unknown user", ErrorCode.LOGIN_FAILED, lasting="auth.login_states")
async def unknown_user(w):
    link = await w.anonymous()
    opaque = qpqnative.OpaqueLogin()
    start = auth.LoginStartParams(name="nobody", request=opaque.start(b"pw"))
    started = await link.call(start, auth.LoginStartResult)
    yield
    yield await code(link, auth.LoginFinishParams(state=started.state, finalization=bytes(64)))


@row("a log-in request that is none", ErrorCode.MALFORMED)
async def no_login(w):
    link = await w.anonymous()
    yield
    yield await code(link, auth.LoginStartParams(name="alice", request=b"nonsense"))


@row("a log-in finished twice", ErrorCode.LOGIN_EXPIRED)
async def twice(w):
    link = await w.anonymous()
    finish, _ = await recipes.login(link, "alice", "secret alice")
    assert await code(link, finish) is ErrorCode.OK
    yield
    yield await code(await w.anonymous(), finish)


@row("a log-in state that this server did not make", ErrorCode.LOGIN_EXPIRED)
async def no_state(w):
    link = await w.anonymous()
    yield
    yield await code(link, auth.LoginFinishParams(state=b"x" * 200, finalization=bytes(64)))


@row("a log-in that names a device without its signature", ErrorCode.SIGNATURE_INVALID, lasting="auth.login_states")
async def no_device_signature(w):
    link, alice = await w.anonymous(), await w.device("alice")
    finish, _ = await recipes.login(link, "alice", "secret alice")
    yield
    yield await code(link, replace(finish, device=alice.id, device_signature=b"x" * 64))


@row("a log-in that names somebody else's device", ErrorCode.DEVICE_UNKNOWN, lasting="auth.login_states")
async def others_device(w):
    link, alice = await w.anonymous(), await w.device("alice")
    finish, _ = await recipes.login(link, "eve", "secret eve")
    yield
    yield await code(link, replace(finish, device=alice.id, device_signature=b"x" * 64))


@row("an account that the operator has suspended", ErrorCode.ACCOUNT_SUSPENDED, lasting="auth.login_states")
async def suspended(w):
    link = await w.anonymous()
    finish, _ = await recipes.login(link, "alice", "secret alice")
    w.edit("auth", "UPDATE accounts SET state = 1 WHERE name = 'alice'")
    yield
    yield await code(link, finish)


@row("the eleventh log-in of one name at once", ErrorCode.RATE_LIMITED)
async def guesses(w):
    link = await w.anonymous()
    start = auth.LoginStartParams(name="alice", request=qpqnative.OpaqueLogin().start(b"pw"))
    for _ in range(10):
        assert await code(link, start) is ErrorCode.OK
    yield
    yield await code(link, start)


# --- password, devices, deletion


@row("a change of password that another one overtook", ErrorCode.VERSION_CONFLICT)
async def overtaken(w):
    alice = await w.device("alice")
    late = await recipes.registration(alice.link, "alice", "late", owner=alice, version=2)
    soon = await recipes.registration(alice.link, "alice", "soon", owner=alice, version=2)
    assert await alice.code(soon) is ErrorCode.OK
    yield
    yield await alice.code(late)


@row("a change of somebody else's password", ErrorCode.FORBIDDEN)
async def others_password(w):
    alice, eve = await w.device("alice"), await w.device("eve")
    change = await recipes.registration(eve.link, "alice", "mine now", owner=alice, version=2)
    yield
    yield await eve.code(change)


@row("an older device list", ErrorCode.DEVICE_LIST_STALE)
async def older_list(w):
    alice = await w.device("alice")
    device = DeviceEntry(recipes.fresh_id(), generate_key()[1])
    old = await recipes.next_list(alice, add=(device,))
    other = DeviceEntry(recipes.fresh_id(), generate_key()[1])
    newer = await recipes.next_list(alice, add=(other,))
    link = await w.anonymous()
    await link.call((await recipes.login(link, "alice", "secret alice"))[0], auth.LoginFinishResult)
    first = auth.RegisterDeviceParams(device_list=newer.to_bytes(), device=other.device)
    assert await code(link, first) is ErrorCode.OK
    yield
    yield await alice.code(auth.RegisterDeviceParams(device_list=old.to_bytes(), device=device.device))


@row("a device list that the account has not signed", ErrorCode.DEVICE_LIST_INVALID)
async def unsigned_list(w):
    alice, eve = await w.device("alice"), await w.device("eve")
    now = await recipes.stored_list(alice)
    forged = DeviceList.make(eve.account.vault().identity_secret, alice.account.account, now.devices, now)
    yield
    yield await alice.code(auth.RevokeDeviceParams(device_list=forged.to_bytes()))


@row("a device list that is none", ErrorCode.DEVICE_LIST_INVALID)
async def no_list(w):
    alice = await w.device("alice")
    yield
    yield await alice.code(auth.RevokeDeviceParams(device_list=b"nonsense"))


@row("somebody else's device list", ErrorCode.DEVICE_LIST_INVALID)
async def others_list(w):
    alice, eve = await w.device("alice"), await w.device("eve")
    fresh = await recipes.next_list(alice, drop=(alice.id,))
    yield
    yield await eve.code(auth.RevokeDeviceParams(device_list=fresh.to_bytes()))


@row("a device list that adds another device than the one named", ErrorCode.DEVICE_LIST_INVALID)
async def smuggled(w):
    alice = await w.device("alice")
    fresh = await recipes.next_list(alice, add=(DeviceEntry(recipes.fresh_id(), generate_key()[1]),))
    yield
    yield await alice.code(auth.RegisterDeviceParams(device_list=fresh.to_bytes(), device=alice.id))


@row("the 33rd device", ErrorCode.DEVICE_LIMIT)
async def too_many_devices(w):
    alice = await w.device("alice")
    more = tuple(DeviceEntry(recipes.fresh_id(), generate_key()[1]) for _ in range(32))
    fresh = await recipes.next_list(alice, add=more)
    yield
    yield await alice.code(auth.RegisterDeviceParams(device_list=fresh.to_bytes(), device=more[0].device))


@row("a device's label above 256 bytes", ErrorCode.TOO_LARGE)
async def long_label(w):
    alice = await w.device("alice")
    yield
    yield await alice.code(auth.RegisterDeviceParams(device_list=b"", device=alice.id, label=bytes(257)))


@row("a deletion signed for another connection", ErrorCode.SIGNATURE_INVALID)
async def replayed_deletion(w):
    alice, other = await w.device("alice"), await w.anonymous()
    yield
    yield await alice.code(recipes.deletion(alice, other))


@pytest.mark.parametrize("bad", table.rows, ids=lambda r: r.what)
async def test_bad_input(open_world, bad):
    await check(bad, open_world)
