"""A member that lies: commits that the server cannot refuse, and that other members, or some of them, cannot follow."""

from __future__ import annotations

from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from qpqclient.client import system_now_ms
from qpqcore.api import delivery
from qpqcore.groups.policy import group_id
from qpqnative.testing import lie

EXTERNAL_PUB = 4
"""Extension type of the key that external commits are made to (RFC 9420 §12.4.3.2)."""


async def submit_lie(client, channel, *, key_packages=(), change=lambda handshake: handshake, **what):
    """Commit in a client's name with a lie (as of qpqnative.testing.lie; none: an honest commit), return the new epoch.

    `change` spoils the rest of the handshake.
    """
    core = client._core
    generation = core.groups.generation(channel)
    gid = group_id(channel, generation)
    device = core.account.native()
    if what:
        lie(device, **what)
    entries, tree = core.store.group_entries(gid)
    group = device.load_group(gid, entries, tree)
    pending = group.commit(now_s=system_now_ms() // 1000, add=[a.key_package for a in key_packages])
    honest = core.commits.handshake(channel, generation, pending, key_packages)
    params = delivery.SubmitCommitParams(
        channel=channel, generation=generation, epoch=group.epoch, handshake=change(honest)
    )
    return (await core.call(params, delivery.SubmitCommitResult)).epoch


def with_external_pub(client, key):
    """Return a change of a handshake: the GroupInfo names `key` for external commits, and is signed anew."""

    def changed(handshake):
        return replace(handshake, group_info=_resigned(handshake.group_info, key, client._core.account.device_secret))

    return changed


def _resigned(message, key, seed):
    """MLSMessage(GroupInfo) with another external_pub (RFC 9420 §12.4.3)."""
    at = 2 + 2 + 2 + 2  # version and wire format; version and suite of the GroupContext
    for length in (None, 8, None, None, None):  # group id, epoch, tree hash, transcript hash, extensions
        at = at + length if length else _after(message, at)
    context, rest = message[:at], message[at:]
    extensions, at = _opaque(rest, 0)
    _, end = _opaque(rest, at)
    tag, signer = rest[at:end], rest[end : end + 4]
    kept = b"".join(kind.to_bytes(2) + _vec(data) for kind, data in _extensions(extensions) if kind != EXTERNAL_PUB)
    ours = EXTERNAL_PUB.to_bytes(2) + _vec(_vec(key))
    signed = context[4:] + _vec(kept + ours) + tag + signer
    content = _vec(b"MLS 1.0 GroupInfoTBS") + _vec(signed)
    return context[:4] + signed + _vec(Ed25519PrivateKey.from_private_bytes(seed).sign(content))


def _extensions(data):
    at = 0
    while at < len(data):
        kind = int.from_bytes(data[at : at + 2])
        value, at = _opaque(data, at + 2)
        yield kind, value


def _opaque(data, at):
    """`opaque<V>` (RFC 9420 §2.1.2): the value, and where the next part begins."""
    form, size = data[at] >> 6, 1 << (data[at] >> 6)
    length = int.from_bytes(data[at : at + size]) & ((1 << (8 * size - 2)) - 1)
    assert form < 3
    return data[at + size : at + size + length], at + size + length


def _after(data, at):
    return _opaque(data, at)[1]


def _vec(data):
    form = 0 if len(data) < 1 << 6 else 1 if len(data) < 1 << 14 else 2
    return (len(data) | form << (8 * (1 << form) - 2)).to_bytes(1 << form) + data
