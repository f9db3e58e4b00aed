"""Who may call what: every method times every kind of caller. What is expected is read from the schema's annotations.

Each cell brings parameters that are right for Alice; as Alice they are answered with ok, so a refusal is one of the caller.
"""

from __future__ import annotations

import pytest

import qpqnative
from qpqclient.client import system_now_ms
from qpqcore.api import auth, blob, delivery, gateway, keystore
from qpqcore.api.methods import METHODS
from qpqcore.api.rpc import Call, Reply
from qpqcore.bus.dispatch import Dispatcher
from qpqcore.crypto.assertion import LIFETIME_MS, AssertionIssuer, AssertionVerifier
from qpqcore.crypto.identity import DeviceEntry
from qpqcore.crypto.signatures import generate_key
from qpqcore.model.call import Caller, CallerKind
from qpqcore.model.errors import ErrorCode
from qpqcore.model.method import CallerClass
from qpqcore.wire.envelope import Envelope
from tests.support import recipes
from tests.support.world import raw

METHODS_OF_CLIENTS = {m.name: m for m in METHODS.values() if not m.internal and m.service != "federation"}
INTERNAL = [m for m in METHODS.values() if m.internal]
OF_PEERS = [m for m in METHODS.values() if m.caller is CallerClass.PEER]
GATEWAY_OWN = {m.name for m in gateway.METHODS}

CALLERS = ("anonymous", "other user", "non-member", "revoked device", "expired session", "gateway alone", "Alice")
WITHOUT_SESSION = {"anonymous", "revoked device", "expired session"}

BOUND_TO_ALICE = {
    "resume": ErrorCode.SIGNATURE_INVALID,  # signed for Alice's own connection
    "loginFinish": ErrorCode.SIGNATURE_INVALID,
    "registerFinish": ErrorCode.VERSION_CONFLICT,  # Alice's change of password, without her session
    "registerDevice": ErrorCode.DEVICE_LIST_INVALID,
    "revokeDevice": ErrorCode.DEVICE_LIST_INVALID,
    "deleteAccount": ErrorCode.SIGNATURE_INVALID,
    "uploadKeyPackages": ErrorCode.KEY_PACKAGE_OWNER,
    "uploadHybridKey": ErrorCode.HYBRID_KEY_INVALID,
    "publishEndpoint": ErrorCode.SIGNATURE_INVALID,
    "createChannel": ErrorCode.GROUP_INFO_INVALID,
    "uploadBlob": ErrorCode.FORBIDDEN,
}
"""Methods that the schema opens to others too, brought here with what only Alice's keys could sign, or her blob."""


def expected(method, who: str) -> ErrorCode:
    """Return what the schema says of a cell."""
    kind = method.caller
    if who == "Alice":
        return ErrorCode.OK
    if kind is CallerClass.ANONYMOUS:
        if method.name == "registerFinish" and who in {"other user", "non-member"}:
            return ErrorCode.FORBIDDEN  # with a session it changes a password, and only the own one
        return BOUND_TO_ALICE.get(method.name, ErrorCode.OK)
    if who in WITHOUT_SESSION or (who == "gateway alone" and kind is CallerClass.SENDER):
        return ErrorCode.UNAUTHENTICATED
    if who == "gateway alone" or kind is CallerClass.OWNER:
        return ErrorCode.FORBIDDEN
    if kind in {CallerClass.MEMBER, CallerClass.MEMBER_ACCOUNT, CallerClass.SENDER}:
        return ErrorCode.NOT_MEMBER
    return BOUND_TO_ALICE.get(method.name, ErrorCode.OK)


# --- parameters that are right for Alice

ATTEMPTS = {
    name: lambda w, a, params=params: params
    for name, params in {
        "health": gateway.HealthParams(),
        "hello": gateway.HelloParams(protocol=1),
        "subscribe": gateway.SubscribeParams(),
        "logout": auth.LogoutParams(),
        "listDevices": auth.ListDevicesParams(),
        "resolveUser": keystore.ResolveUserParams(name="bob"),
        "fetch": delivery.FetchParams(),
        "fetchWait": delivery.FetchWaitParams(wait_ms=1),
        "peek": delivery.PeekParams(),
        "ack": delivery.AckParams(),
        "listChannels": delivery.ListChannelsParams(),
        "describeHome": delivery.DescribeHomeParams(domain="localhost"),
    }.items()
} | {
    "resume": lambda w, a: recipes.resumption(a, a.link),
    "deleteAccount": lambda w, a: recipes.deletion(a, a.link),
    "uploadKeyPackages": lambda w, a: keystore.UploadKeyPackagesParams(last_resort=(recipes.key_package(a, last_resort=True),)),
    "fetchKeyPackage": lambda w, a: keystore.FetchKeyPackageParams(accounts=(a.account.account,), suites=(1,)),
    "uploadHybridKey": lambda w, a: keystore.UploadHybridKeyParams(hybrid_key=recipes.hybrid_key(a).to_bytes()),
    "fetchHybridKey": lambda w, a: keystore.FetchHybridKeyParams(device=a.id),
    "fetchHybridKeys": lambda w, a: keystore.FetchHybridKeysParams(devices=(a.id,)),
    "resolveIdentity": lambda w, a: keystore.ResolveIdentityParams(account=a.account.account),
    "resolveIdentities": lambda w, a: keystore.ResolveIdentitiesParams(accounts=(a.account.account,)),
    "publishEndpoint": lambda w, a: recipes.endpoint(a),
    "createChannel": lambda w, a: recipes.new_channel(a),
    "enqueue": lambda w, a: a.message(w.club),
    "submitCommit": lambda w, a: a.commit(w.club),
    "submitProposal": lambda w, a: recipes.leaving(a, w.club),
    "fetchGroupInfo": lambda w, a: delivery.FetchGroupInfoParams(channel=w.club),
    "resetChannel": lambda w, a: recipes.reset_of(a, w.club),
    "signal": lambda w, a: delivery.SignalParams(channel=w.club, generation=1, epoch=a.group(w.club).epoch, payload=b"x"),
}  # fmt: skip


def attempt(function):
    ATTEMPTS[function.__name__] = function
    return function


@attempt
async def registerStart(w, a):
    request = qpqnative.OpaqueRegistration().start(b"pw")
    return auth.RegisterStartParams(name="frank", request=request)


@attempt
async def registerFinish(w, a):
    return await recipes.registration(a.link, "alice", "a new password", owner=a, version=2)


@attempt
async def loginStart(w, a):
    return auth.LoginStartParams(name="bob", request=qpqnative.OpaqueLogin().start(b"pw"))


@attempt
async def loginFinish(w, a):
    return (await recipes.login(a.link, "alice", "secret alice", device=a))[0]


@attempt
async def registerDevice(w, a):
    device, (_, public) = recipes.fresh_id(), generate_key()
    fresh = await recipes.next_list(a, add=(DeviceEntry(device, public),))
    return auth.RegisterDeviceParams(device_list=fresh.to_bytes(), device=device)


@attempt
async def revokeDevice(w, a):
    return auth.RevokeDeviceParams(device_list=(await recipes.next_list(a, drop=(a.id,))).to_bytes())


@attempt
async def resolveEndpoint(w, a):
    await a.call(recipes.endpoint(a), keystore.PublishEndpointResult)
    return keystore.ResolveEndpointParams(device=a.id)


@attempt
async def publishDeviceList(w, a):
    return keystore.PublishDeviceListParams(device_list=(await recipes.stored_list(a)).to_bytes())


@attempt
async def fetchTree(w, a):
    info = await a.call(delivery.FetchGroupInfoParams(channel=w.club), delivery.FetchGroupInfoResult)
    return delivery.FetchTreeParams(channel=w.club, tree_hash=info.tree_hash)


@attempt
async def uploadBlob(w, a):
    await a.call(recipes.upload(), blob.UploadBlobResult)
    return recipes.upload()


@attempt
async def downloadBlob(w, a):
    return blob.DownloadBlobParams(blob=(await uploadBlob(w, a)).blob, secret=recipes.SECRET)


@attempt
async def statBlob(w, a):
    return blob.StatBlobParams(blob=(await uploadBlob(w, a)).blob, secret=recipes.SECRET)


@attempt
async def deleteBlob(w, a):
    return blob.DeleteBlobParams(blob=(await uploadBlob(w, a)).blob)


@attempt
async def batchEnqueue(w, a):
    return delivery.BatchEnqueueParams(items=(a.message(w.club),))


async def made(name, w, a):
    found = ATTEMPTS[name](w, a)
    return await found if hasattr(found, "__await__") else found


# --- callers


class Clock:
    """The server's clock, which a test may set ahead."""

    def __init__(self):
        self.ahead_ms = 0

    def __call__(self):
        return system_now_ms() + self.ahead_ms


async def revoked_link(w, alice):
    """Return the connection of a device of Alice's that she has just revoked."""
    link = await w.anonymous()
    finish, _ = await recipes.login(link, "alice", "secret alice")
    await link.call(finish, auth.LoginFinishResult)
    lost, (_, public) = recipes.fresh_id(), generate_key()
    fresh = await recipes.next_list(alice, add=(DeviceEntry(lost, public),))
    await link.call(auth.RegisterDeviceParams(device_list=fresh.to_bytes(), device=lost), auth.RegisterDeviceResult)
    assert (await raw(link, METHODS_OF_CLIENTS["fetch"].number, b""))[0] is not ErrorCode.UNAUTHENTICATED
    fresh = await recipes.next_list(alice, drop=(lost,))
    await alice.call(auth.RevokeDeviceParams(device_list=fresh.to_bytes()), auth.RevokeDeviceResult)
    return link


async def expired_link(w, clock):
    """Return a connection of Alice's whose session has just ended for its age."""
    own = await w.silent_again("alice")
    finish, _ = await recipes.login(own.link, "alice", "secret alice", device=own)
    done = await own.call(finish, auth.LoginFinishResult)
    w.edit("auth", "UPDATE sessions SET used_ms = 0 WHERE token_hash = ?", recipes.sha256(done.session))
    clock.ahead_ms += LIFETIME_MS
    return own.link


async def through_the_gateway_alone(w, method, params):
    """Bring a call on the bus with the gateway's own assertion and nobody's else."""
    gate = w.server.gateway
    envelope = Envelope(method=method.number, deadline_ms=5_000, sender=gate._auth._sender(), body=params)
    return verdict(method, await gate._bus.call(envelope))


def verdict(method, reply):
    """Return the code of an answer; a batch of one answers for its item."""
    if method.name == "batchEnqueue" and not reply.code:
        return ErrorCode(delivery.BatchEnqueueResult.from_bytes(reply.result).items[0].code)
    return ErrorCode(reply.code)


async def code_of(link, method, params):
    """Call a method and return the first answer's code."""
    frame = Call(method=method.number, deadline_ms=5_000, params=params).to_bytes()
    async with link._connection.open_call(frame) as replies:
        async for frame in replies:
            return verdict(method, Reply.from_bytes(frame))
    raise AssertionError("no answer")


async def tried(w, clock, who, method):
    """Try one cell."""
    alice = await w.device("alice")
    if who == "revoked device":
        link = await revoked_link(w, alice)
        params = await made(method.name, w, alice)
        return await code_of(link, method, params.to_bytes())
    link = await expired_link(w, clock) if who == "expired session" else None
    params = (await made(method.name, w, alice)).to_bytes()
    if who == "gateway alone":
        return await through_the_gateway_alone(w, method, params)
    if link is not None:
        return await code_of(link, method, params)
    link = await w.anonymous() if who == "anonymous" else (await w.device(PEOPLE[who])).link
    return await code_of(link, method, params)


PEOPLE = {"other user": "eve", "non-member": "dave", "Alice": "alice"}


@pytest.mark.parametrize("name", sorted(METHODS_OF_CLIENTS))
async def test_a_method_as_every_kind_of_caller(open_world, name):
    clock, method = Clock(), METHODS_OF_CLIENTS[name]
    async with open_world(clock_ms=clock) as w:
        for who in CALLERS:
            if who == "gateway alone" and name in GATEWAY_OWN:
                continue  # not on the bus
            assert (who, await tried(w, clock, who, method)) == (who, expected(method, who))


def test_the_schema_is_what_is_tested():
    assert set(ATTEMPTS) == set(METHODS_OF_CLIENTS)
    cells = len(ATTEMPTS) * len(CALLERS) - len(GATEWAY_OWN) + 3 * len(OF_PEERS) + 3 * len(INTERNAL)
    assert cells == 427
    assert all(m.by for m in INTERNAL)


async def test_what_peers_and_services_call_is_shut_to_the_edge(open_world):
    async with open_world() as w:
        alice, anonymous = await w.device("alice"), await w.anonymous()
        for method in [*OF_PEERS, *INTERNAL]:
            params = method.params().to_bytes()
            shut = ErrorCode.UNKNOWN_METHOD if method.internal else ErrorCode.FORBIDDEN
            for link in (anonymous, alice.link):
                assert await code_of(link, method, params) is shut, method.name
            answer = await through_the_gateway_alone(w, method, params)
            # Federation has no key to believe a gateway by; over TCP it is not even connected to.
            if method.service == "federation":
                assert answer in {ErrorCode.UNAUTHENTICATED, ErrorCode.UNAVAILABLE}, method.name
            else:
                assert (answer is not ErrorCode.FORBIDDEN) == ("gateway" in method.by), method.name


# --- assertions


class Everything:
    """A service that answers anything."""

    def __getattr__(self, name):
        async def answer(call, params):
            raise AssertionError(f"{name} was reached")

        return answer


@pytest.mark.parametrize("service", [1, 2, 3, 4])
async def test_a_service_believes_no_carrier(service):
    """A forged assertion, another service's, an outdated one, and a service's key used for an account."""
    keys = {(CallerKind.ACCOUNT, "auth"): b"a" * 32, (CallerKind.SERVICE, "gateway"): b"s" * 32}
    now_ms = 10_000_000_000
    entrance = Dispatcher(service, Everything(), AssertionVerifier(service, keys), clock_ms=lambda: now_ms)
    account = Caller(CallerKind.ACCOUNT, b"x" * 16 + b"localhost", b"y" * 16 + b"localhost", b"s" * 32)
    good = AssertionIssuer({service: b"a" * 32}, "auth").issue(account, now_ms)
    rogue = {
        "forged": AssertionIssuer({service: b"f" * 32}, "auth").issue(account, now_ms),
        "another service's": AssertionIssuer({service + 1: b"a" * 32}, "auth").issue(account, now_ms),
        "outdated": AssertionIssuer({service: b"a" * 32}, "auth").issue(account, now_ms - 3_600_000),
        "by a service's key": AssertionIssuer({service: b"s" * 32}, "gateway").issue(account, now_ms),
        "by a service's key in another's name": AssertionIssuer({service: b"s" * 32}, "gateway").issue(
            Caller(CallerKind.SERVICE, name="auth"), now_ms
        ),
        "of a kind that its issuer does not issue": AssertionIssuer({service: b"a" * 32}, "auth").issue(
            Caller(CallerKind.PEER, name="b.example"), now_ms
        ),
        "cut short": good[:-1],
        **{f"bit {at} changed": good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :] for at in range(0, len(good), 7)},
    }
    for method in METHODS.values():
        if method.number >> 8 != service:
            continue
        for name, assertion in rogue.items():
            head = {"sender": assertion} if method.internal else {"assertion": assertion}
            body = method.params().to_bytes()
            reply = await entrance(Envelope(method=method.number, deadline_ms=1_000, body=body, **head))
            # One that auth did make is no session that is over: its carrier is late, or our clocks differ.
            wanted = ErrorCode.UNAVAILABLE if name == "outdated" else ErrorCode.UNAUTHENTICATED
            assert reply.code == wanted, (method.name, name, reply)
