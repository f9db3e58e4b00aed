"""A server that lies to its clients: answers that are replaced at its gateway, and keys that it has made itself."""

from __future__ import annotations

from dataclasses import replace

import qpqnative
from qpqclient.client import system_now_ms
from qpqcore.api.gateway import SubscribeEvent
from qpqcore.api.keystore import AccountKeys, DeviceKeys
from qpqcore.api.rpc import Reply
from qpqcore.crypto.identity import Credential, DeviceEntry, DeviceList
from qpqcore.crypto.signatures import generate_key
from qpqcore.model.ids import AccountId, DeviceId, make_id
from qpqgateway.service import Gateway
from tests.support.world import method_named

DOMAIN = "localhost"


class Lies:
    """What the server says in place of the truth, by method."""

    def __init__(self):
        self._by_method = {}
        self._refused = {}
        self.told = 0

    def tell(self, name, change):
        """Change a method's results."""
        kind = SubscribeEvent if name == "subscribe" else method_named(name).result
        self._by_method[name] = lambda result: change(kind.from_bytes(result)).to_bytes()

    def say(self, name, result):
        """Answer with these bytes."""
        self._by_method[name] = lambda _: result

    def refuse(self, name, code):
        """Refuse a method, as if there were no such one."""
        self._refused[name] = Reply(code=int(code))

    def withhold(self, number):
        """Leave an entry out of mailboxes."""

        def without(answer):
            return replace(answer, entries=tuple(e for e in answer.entries if e.number != number))

        self.tell("fetch", without)
        self.tell("subscribe", lambda event: without(event) if event.entries else event)

    def stop(self):
        self._by_method.clear()
        self._refused.clear()

    def reply(self, name, reply):
        if reply.code or name in self._refused:
            return self._refused.get(name, reply)
        return replace(reply, result=self.instead_of(name, reply.result))

    def instead_of(self, name, result):
        change = self._by_method.get(name)
        if change is None:
            return result
        self.told += 1
        return change(result)


def lies_told(monkeypatch):
    """Let every gateway of this process tell the lies that are returned, of which there are none yet."""
    found = Lies()
    finish = Gateway._finish

    def finishes(self, incoming, name, reply, started_s):
        finish(self, incoming, name, found.reply(name, reply), started_s)

    async def sends(incoming, event):
        changed = found.instead_of("subscribe", event.to_bytes())
        await incoming.send(Reply(result=changed).to_bytes())

    monkeypatch.setattr(Gateway, "_finish", finishes)
    monkeypatch.setattr(Gateway, "_send", staticmethod(sends))
    return found


class Mallory:
    """Keys of the server's own, for an account that is somebody else's."""

    def __init__(self, account):
        self.identity_secret, self.identity_key = generate_key()
        self.secret, self.key = generate_key()
        self.device = DeviceId(make_id(b"m" * 16, DOMAIN))
        self.account = AccountId(account)
        self.entry = DeviceEntry(self.device, self.key)

    def listed(self, version=1):
        made = DeviceList.make(self.identity_secret, self.account, (self.entry,))
        for _ in range(version - 1):
            made = DeviceList.make(self.identity_secret, self.account, (self.entry,), made)
        return made.to_bytes()

    def package(self, suite=qpqnative.SUITE_1):
        credential = Credential.make(self.identity_secret, self.account, self.device, self.key)
        native = qpqnative.Device(credential=credential.to_bytes(), signature_secret=self.secret)
        return native.key_package(suite, not_before_s=system_now_ms() // 1000 - 60, lifetime_s=3600)

    def keys(self, version=1):
        package = DeviceKeys(device=self.device, suite=qpqnative.SUITE_1, key_package=self.package())
        return AccountKeys(account=self.account, device_list=self.listed(version), packages=(package,))
