"""Of an account's devices and its end."""

from __future__ import annotations

import pytest

from qpqcore.api import auth, delivery, keystore
from qpqcore.crypto.identity import DeviceEntry, DeviceList
from qpqcore.crypto.signatures import generate_key
from qpqcore.model.errors import ErrorCode
from tests.support import recipes
from tests.support.proofs.sessions import sign_in


async def registerDevice(w):
    alice = await w.device("alice")
    device, (_, public) = recipes.fresh_id(), generate_key()
    fresh = await recipes.next_list(alice, add=(DeviceEntry(device, public),))
    params = auth.RegisterDeviceParams(device_list=fresh.to_bytes(), device=device, label=b"sealed label")
    await alice.call(params, auth.RegisterDeviceResult)
    yield
    listed = await (await w.device("bob")).call(keystore.ResolveUserParams(name="alice"), keystore.ResolveUserResult)
    assert DeviceList.from_bytes(listed.device_list).key_of(device) == public


async def listDevices(w):
    yield
    alice = await w.device("alice")
    found = await alice.call(auth.ListDevicesParams(), auth.ListDevicesResult)
    assert [(d.device, d.current) for d in found.devices] == [(alice.id, True)]
    assert alice.account.open_label(alice.id, found.devices[0].label) == "alice's laptop"


async def revokeDevice(w):
    alice = await w.device("alice")
    lost, (_, public) = recipes.fresh_id(), generate_key()
    fresh = await recipes.next_list(alice, add=(DeviceEntry(lost, public),))
    await alice.call(auth.RegisterDeviceParams(device_list=fresh.to_bytes(), device=lost), auth.RegisterDeviceResult)
    fresh = await recipes.next_list(alice, drop=(alice.id,))
    await alice.call(auth.RevokeDeviceParams(device_list=fresh.to_bytes()), auth.RevokeDeviceResult)
    yield
    bob = await w.device("bob")
    info = await bob.call(delivery.FetchGroupInfoParams(channel=w.direct), delivery.FetchGroupInfoResult)
    assert len(info.proposals) == 1
    listed = await bob.call(keystore.ResolveUserParams(name="alice"), keystore.ResolveUserResult)
    assert [d.device for d in DeviceList.from_bytes(listed.device_list).devices] == [lost]


async def deleteAccount(w):
    alice = await w.device("alice")
    await alice.call(recipes.deletion(alice, alice.link), auth.DeleteAccountResult)
    yield
    bob = await w.device("bob")
    assert await bob.code(keystore.ResolveUserParams(name="alice")) is ErrorCode.NOT_FOUND
    with pytest.raises(Exception, match="login"):
        await sign_in(w, "alice", "secret alice")


PROOFS = (
    registerDevice,
    listDevices,
    revokeDevice,
    deleteAccount,
)
