"""One device: a process with its own folder, driven by lines of JSON (`tools.demo.person`), with what devices do beside talking.

Whose commits it follows is written down, with the moment: so it can be told who removed a leaf, and how soon.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import trio

import qpqnative
from qpqclient.errors import QpqError
from qpqclient.groups import Groups
from qpqclient.linking import PENDING
from qpqcore.api import delivery
from qpqcore.api.content import ContentFile
from qpqcore.groups.validity import read_leaf
from tools.client_drills.windows import install
from tools.demo.person import HISTORY_MAX, Person, opened, say, told
from tools.soak.fuse import Fuse, around

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from qpqclient import Client

SECRETS = ("root_key", "identity_secret", "device_secret", "hybrid_seed", "session", "backup_key", "history:key")
"""Rows of `meta` that a server must never see; those that are there."""
NOT_PUBLIC = "SELECT value FROM mls WHERE key NOT LIKE 't/%' AND key NOT LIKE 'aside/%'"
"""All MLS state but the trees, which the server has by right."""
SECRET_BYTES_MIN = 16
HISTORY_SECONDS = 60.0
LOOK_SECONDS = 0.05
_followed: list[dict[str, Any]] = []


def note_commits() -> None:
    """Let this process remember the commits that it follows."""

    def following(check: Callable[..., None]) -> Callable[..., None]:
        def work(self: Groups, channel: bytes, before: Any, policy: Any, group: Any, facts: Any) -> None:
            check(self, channel, before, policy, group, facts)
            gone = [*facts.removed, *facts.self_removed_members]
            if gone and facts.committer is not None:
                by = read_leaf(facts.committer.credential, facts.committer.signature_key)
                leaves = [read_leaf(m.credential, m.signature_key).device.hex() for m in gone]
                _followed.append(
                    {"channel": channel.hex(), "by": by.device.hex(), "gone": leaves, "at": time.monotonic()}
                )

        return work

    around(Groups, "check", following)


class Device(Person):
    """Answers the conductor's orders."""

    @property
    def client(self) -> Client:
        """The SDK's client."""
        return self._client

    async def do_who_am_i(self, order: dict[str, Any]) -> Any:
        """Give this device's id."""
        del order
        return {"device": self.client.device.hex(), "account": self.client.account.hex()}

    async def do_texts(self, order: dict[str, Any]) -> Any:
        """Give what a conversation shows, after taking what is there; offline: as it is."""
        with suppress(QpqError):
            if not order.get("offline"):
                await self.client.sync()
        shown = [m.text for m in self.conversation(order).history(HISTORY_MAX) if m.kind != "notice"]
        return {"texts": shown, "pending": self.client.pending}

    async def do_members(self, order: dict[str, Any]) -> Any:
        """Give the devices that have a leaf in a conversation."""
        await self.client.sync()
        return {"devices": sorted(d.hex() for m in self.conversation(order).members() for d in m.devices)}

    async def do_await_gone(self, order: dict[str, Any]) -> Any:
        """Wait until a device has no leaf in a conversation; give when, and whose commit it was."""
        device = bytes.fromhex(order["device"])
        while any(device in m.devices for m in self.conversation(order).members()):
            await trio.sleep(LOOK_SECONDS)
        found = [c for c in _followed if c["channel"] == order["conversation"] and order["device"] in c["gone"]]
        return found[-1] if found else {"by": "", "at": time.monotonic()}

    async def do_link_code(self, order: dict[str, Any]) -> Any:
        """Show the code by which this new device is linked."""
        del order
        return {"code": self.client.link_code()}

    async def do_be_linked(self, order: dict[str, Any]) -> Any:
        """Wait until it was linked, and has the history."""
        await self.client.be_linked(order["name"])
        events = self.client.events()
        while self.client.wants_history:
            with trio.move_on_after(1.0):
                await anext(events)
        return {"device": self.client.device.hex()}

    async def do_link_device(self, order: dict[str, Any]) -> Any:
        """Take a device into the account by its code; stay until it has the history."""
        device = await self.client.link_device(order["code"], label=order["label"])
        return {"device": device.hex(), "history": await self.client.give_history(device, HISTORY_SECONDS)}

    async def do_revoke(self, order: dict[str, Any]) -> Any:
        """Cut a device off."""
        await self.client.revoke_device(bytes.fromhex(order["device"]))
        return {"at": time.monotonic()}

    async def do_devices(self, order: dict[str, Any]) -> Any:
        """Give the account's devices."""
        del order
        return {"devices": sorted(d.id.hex() for d in await self.client.devices())}

    async def do_change_password(self, order: dict[str, Any]) -> Any:
        """Give the account another password."""
        return {"ended": await self.client.change_password(order["password"])}

    async def do_backup(self, order: dict[str, Any]) -> Any:
        """Make a recovery code, and a backup at the server."""
        del order
        code = self.client.new_recovery_code()
        return {"code": code, "rows": await self.client.backup()}

    async def do_restore(self, order: dict[str, Any]) -> Any:
        """Bring the history back by the recovery code."""
        return {"messages": await self.client.restore_backup(order["code"])}

    async def do_feed(self, order: dict[str, Any]) -> Any:
        """Give this device ciphertexts as the server stores them; tell what it makes of them.

        `stubborn`: of the messages, with the keys that it had when it was cut off; `obedient`: of all, in their order, its
        own removal among them.
        """
        core = self.client._core  # noqa: SLF001 - nothing public takes a raw ciphertext
        entries = [entry_of(e) for e in order["entries"]]
        stubborn = [self._read(e) for e in entries if e.kind is delivery.EntryKind.MESSAGE]
        obedient = []
        for entry in entries:
            obedient.append(f"{entry.kind.name.lower()}: {self._read(entry)}")
            async with core.lock:
                await core.inbox.take(replace(entry, number=core.inbox.position + 1))
        return {"stubborn": stubborn, "obedient": obedient}

    def _read(self, entry: delivery.Entry) -> str:
        """Try to read a ciphertext; nothing of it is stored."""
        groups = self.client._core.groups  # noqa: SLF001 - as above
        try:
            groups.load(entry.channel).process(entry.payload)
        except (qpqnative.MlsError, QpqError) as exc:
            return str(getattr(exc, "kind", type(exc).__name__))
        finally:
            groups.drop()
        return "read"

    async def do_secrets(self, order: dict[str, Any]) -> Any:
        """Give what nobody but this device may have: keys of every kind, and the values of its MLS state."""
        del order
        store = self.client._core.store  # noqa: SLF001 - nothing public gives secrets away
        found = {name: store.get(name) for name in SECRETS}
        found |= {"store": store.key, PENDING: store.get(PENDING)}
        found |= {f"upload {n}": key for n, (key,) in enumerate(store.rows("SELECT key FROM uploads"))}
        found |= {f"mls {n}": value for n, (value,) in enumerate(store.rows(NOT_PUBLIC))}
        for n, (file,) in enumerate(store.rows("SELECT file FROM messages WHERE file IS NOT NULL")):
            found[f"file {n}"] = ContentFile.from_bytes(file).key
        return {n: v.hex() for n, v in found.items() if v is not None and len(v) >= SECRET_BYTES_MIN}


def entry_of(order: dict[str, Any]) -> delivery.Entry:
    """Return what a mailbox would hold of a row of the log."""
    return delivery.Entry(
        kind=delivery.EntryKind(order["kind"]), channel=bytes.fromhex(order["channel"]), generation=order["generation"],
        epoch=order["epoch"], log_number=order["number"], accepted_ms=order["accepted_ms"],
        payload=bytes.fromhex(order["payload"]),
    )  # fmt: skip


async def live(arguments: argparse.Namespace) -> None:
    """Open the client and obey."""
    async with opened(arguments) as client, trio.open_nursery() as nursery:
        device = Device(arguments.name, arguments.log, client, nursery)
        say({"ready": arguments.name})
        await device.obey()
        nursery.cancel_scope.cancel()


def main() -> None:
    """Run one device."""
    arguments = told(__doc__)
    note_commits()
    install(Fuse(arguments.log.with_suffix(".fuse")))
    trio.run(live, arguments)


if __name__ == "__main__":
    main()
