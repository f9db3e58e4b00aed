"""Valid parameters of calls, made by hand from a device's keys: what tests send, bend and bring as somebody else."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING

import qpqnative
from qpqclient.client import system_now_ms
from qpqclient.groups import sha256, write_key
from qpqclient.vault import Vault
from qpqcore.api import auth, blob, delivery, keystore
from qpqcore.crypto.hybrid import generate_hybrid_key
from qpqcore.crypto.identity import DeviceEntry, DeviceList, SignedHybridKey
from qpqcore.crypto.signatures import generate_key, sign
from qpqcore.groups.policy import ChannelKind, GroupPolicy, group_id, read_policy
from qpqcore.model.ids import make_id

if TYPE_CHECKING:
    from qpqclient.transport import Link
    from tests.support.world import Device

DOMAIN = "localhost"
DAY_S = 24 * 3600


def fresh_id() -> bytes:
    """Return an id of this domain."""
    return make_id(secrets.token_bytes(16), DOMAIN)


# --- accounts


async def registration(
    link: Link, name: str, password: str = "pw", *, owner: Device | None = None, version: int = 1, token: str = ""
) -> auth.RegisterFinishParams:
    """Go through registerStart; return what finishes it. `owner`: a change of that account's password."""
    if owner is not None:
        old = owner.account.vault()
        vault = Vault(old.account, old.root_key, old.identity_secret, version)
    else:
        vault = Vault(fresh_id(), secrets.token_bytes(32), generate_key()[0], version)
    public = generate_key(vault.identity_secret)[1]
    opaque = qpqnative.OpaqueRegistration()
    start = auth.RegisterStartParams(name=name, request=opaque.start(password.encode()), token=token)
    started = await link.call(start, auth.RegisterStartResult)
    upload, export_key, _ = opaque.finish(password.encode(), started.response)
    wraps = vault.wraps(export_key, version)
    signature = sign(
        vault.identity_secret, "qpq register v1", name, vault.account, public, sha256(upload), sha256(wraps), version
    )
    return auth.RegisterFinishParams(
        name=name, upload=upload, account=vault.account, identity_key=public, wraps=wraps, wrap_version=version,
        token=token, signature=signature,
    )  # fmt: skip


async def login(
    link: Link, name: str, password: str, *, device: Device | None = None
) -> tuple[auth.LoginFinishParams, bytes]:
    """Go through loginStart; return what finishes it, and the export key."""
    opaque = qpqnative.OpaqueLogin()
    start = auth.LoginStartParams(name=name, request=opaque.start(password.encode()))
    started = await link.call(start, auth.LoginStartResult)
    finalization, _, export_key, _ = opaque.finish(password.encode(), started.response)
    signature = b""
    if device is not None:
        parts = (link.hello.challenge, sha256(started.state), device.id)
        signature = sign(device.account.device_secret, "qpq login v1", *parts)
    params = auth.LoginFinishParams(
        state=started.state, finalization=finalization, device=device.id if device else b"", device_signature=signature
    )
    return params, export_key


def resumption(device: Device, link: Link) -> auth.ResumeParams:
    """Return the resumption of a device's session on a connection."""
    session = device.store.get("session")
    signature = sign(device.account.device_secret, "qpq resume v1", link.hello.challenge, sha256(session), device.id)
    return auth.ResumeParams(session=session, device=device.id, signature=signature)


async def stored_list(device: Device) -> DeviceList:
    """Return the account's present device list."""
    return DeviceList.from_bytes((await device.call(auth.ListDevicesParams(), auth.ListDevicesResult)).device_list)


async def next_list(device: Device, *, add: tuple[DeviceEntry, ...] = (), drop: tuple[bytes, ...] = ()) -> DeviceList:
    """Return the list that follows the present one."""
    now = await stored_list(device)
    entries = (*(d for d in now.devices if d.device not in drop), *add)
    return DeviceList.make(device.account.vault().identity_secret, device.account.account, entries, now)


def deletion(device: Device, link: Link) -> auth.DeleteAccountParams:
    """Return the deletion of a device's account, signed for a connection."""
    account = device.account.account
    signature = sign(device.account.vault().identity_secret, "qpq delete account v1", account, link.hello.challenge)
    return auth.DeleteAccountParams(account=account, signature=signature)


# --- keys


def key_package(device: Device, *, suite: int = 1, last_resort: bool = False, lifetime_s: int = 90 * DAY_S) -> bytes:
    """Return a KeyPackage of a device; its private half is forgotten."""
    now_s = system_now_ms() // 1000
    return device.account.native().key_package(
        suite, last_resort=last_resort, not_before_s=now_s - DAY_S, lifetime_s=lifetime_s
    )


def hybrid_key(device: Device) -> SignedHybridKey:
    """Return a new hybrid key of a device."""
    return SignedHybridKey.make(device.account.device_secret, device.id, system_now_ms(), generate_hybrid_key()[1])


def endpoint(device: Device, where: bytes = b"endpoint", ttl_seconds: int = 600) -> keystore.PublishEndpointParams:
    """Return a signed endpoint."""
    signature = sign(device.account.device_secret, "qpq endpoint v1", device.id, ttl_seconds, where)
    return keystore.PublishEndpointParams(endpoint=where, ttl_seconds=ttl_seconds, signature=signature)


# --- groups


def _founding(device: Device, channel: bytes, policy: GroupPolicy) -> dict[str, bytes]:
    hello = device.link.hello
    group = device.account.native().create_group(
        1, group_id=group_id(channel, policy.generation), policy=policy.to_bytes(), now_s=system_now_ms() // 1000,
        external_senders=[(hello.external_sender_credential, hello.external_sender_key)],
    )  # fmt: skip
    key = write_key(group, channel, policy.generation)
    return {"channel": channel, "group_info": group.group_info(), "tree": group.tree(), "write_key": key}


def new_channel(
    device: Device, channel: bytes | None = None, kind: ChannelKind = ChannelKind.GROUP
) -> delivery.CreateChannelParams:
    """Return the creation of a channel with one member."""
    policy = GroupPolicy(version=1, kind=kind, home=DOMAIN, generation=1)
    return delivery.CreateChannelParams(**_founding(device, channel or fresh_id(), policy))


def reset_of(device: Device, channel: bytes) -> delivery.ResetChannelParams:
    """Return the reset of a channel to this device alone."""
    policy = replace(read_policy(device.group(channel).policy), generation=2)
    return delivery.ResetChannelParams(generation=1, **_founding(device, channel, policy))


def leaving(device: Device, channel: bytes) -> delivery.SubmitProposalParams:
    """Return the proposal to leave a channel."""
    group = device.group(channel)
    return delivery.SubmitProposalParams(
        channel=channel, generation=1, epoch=group.epoch, proposal=group.propose_self_remove()
    )


# --- blobs

SECRET = b"s" * 16


def upload(content: bytes = b"content", *, secret: bytes = SECRET) -> blob.UploadBlobParams:
    """Return the upload of a small blob in one chunk."""
    return blob.UploadBlobParams(
        blob=make_id(sha256(content), DOMAIN), total_bytes=len(content), secret_hash=sha256(secret), chunk=content
    )
