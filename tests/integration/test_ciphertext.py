"""What a revoked and a restored device can read: tried with the raw ciphertexts out of the server's own log.

Bob's laptop is stolen with all its keys; his phone is an empty folder and his password. Each is given every payload the
server ever took, in every state its keys can reach.
"""

from __future__ import annotations

import shutil

import qpqclient
import qpqnative
from qpqclient.account import Account
from qpqclient.client import system_now_ms
from qpqclient.groups import Groups
from qpqclient.store import Store
from qpqcore.api.content import Content
from qpqcore.api.delivery import EntryKind
from qpqcore.groups.policy import group_id
from tests.support.people import settle
from tests.support.world import FIRST, STORE_KEY


class Thief:
    """Somebody with a copy of a device's folder and the server's log."""

    def __init__(self, folder, channel):
        self._store = Store(folder, STORE_KEY)
        self._groups = Groups(self._store, Account(self._store, system_now_ms))
        self._group = group_id(channel, 1)
        self.read = set()
        self.removed = False

    def go_through(self, payloads):
        """Try everything that is not read yet, again after each commit that could be followed."""
        moved = True
        while moved and not self.removed:
            moved = False
            for payload in payloads:
                moved = self._try(payload) or moved
        self._store.close()
        return self.read

    def _try(self, payload):
        """Process one payload on a fresh object; keep the state that comes of it. Tell whether the group moved on."""
        group = self._groups.copy(self._group)
        try:
            done = group.process(payload)
        except qpqnative.MlsError:
            return False
        if isinstance(done, qpqnative.Application):
            self.read.add(Content.from_bytes(done.data).text)
            return False
        self.removed = isinstance(done, qpqnative.CommitFacts) and done.self_removed
        if not self.removed:
            self._store.write_mls(group.take_changes())
        return isinstance(done, qpqnative.CommitFacts)


def raw_log(w):
    """Return every payload of the direct channel as the server keeps it, in order."""
    rows = w.rows("delivery", "SELECT kind, payload FROM log WHERE channel = ? ORDER BY number", w.direct)
    kinds = {EntryKind(kind) for kind, _ in rows}
    assert kinds == {EntryKind.MESSAGE, EntryKind.COMMIT, EntryKind.PROPOSAL}
    return [payload for _, payload in rows if payload]


async def test_a_stolen_laptop_reads_until_it_is_removed_and_a_restored_phone_from_when_it_joined(open_world, tmp_path):
    laptop, phone = tmp_path / "stolen laptop", tmp_path / "phone as it joined"
    async with open_world() as w:
        alice = await w.client("alice")
        shutil.copytree(w.folder / "bob", laptop)
        await say(alice, w.direct, "while only the laptop was there")
        async with qpqclient.open_client(tmp_path / "phone", server=w.where, store_key=STORE_KEY) as bob:
            await bob.login("bob", "secret bob")
        shutil.copytree(tmp_path / "phone", phone)
        await settle(alice)
        await say(alice, w.direct, "while both were there")
        async with qpqclient.open_client(tmp_path / "phone", server=w.where, store_key=STORE_KEY) as bob:
            lost = next(d.id for d in await bob.devices() if not d.current)
            async with bob._core.upkeep._one:  # Alice commits it: a copy of the phone cannot follow the phone's commits
                await bob.revoke_device(lost)
                await settle(alice)
            await settle(alice, bob)
            assert lost not in {d for m in bob.conversation(w.direct).members() for d in m.devices}
            await say(alice, w.direct, "after the laptop was gone")
            await settle(bob)
            shown = {m.text for m in bob.conversation(w.direct).history()}
        payloads = raw_log(w)
    assert all(text.encode() not in b"".join(payloads) for text in (FIRST, "laptop", "both"))
    thief = Thief(laptop, w.direct)
    # FIRST had been read on the laptop before it was stolen: its key is gone, and only the history has it.
    assert thief.go_through(payloads) == {"while only the laptop was there", "while both were there"}
    assert thief.removed
    assert shown == {"while both were there", "after the laptop was gone"}
    assert Thief(phone, w.direct).go_through(payloads) == shown


async def say(client, channel, text):
    """Send a text and wait until the server has it."""
    await client.conversation(channel).send(text)
    await client.flush()
