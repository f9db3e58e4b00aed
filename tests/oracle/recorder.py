"""Notes what one device sees: around the SDK's own calls, without a change to it.

Attach it to a client that has just been opened. What is noted goes to a function, so that it can be kept in a list or
written to a file before anything else happens.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import trio

from qpqclient.contacts import NOTICE
from qpqclient.errors import Refused
from qpqclient.model import MessageReceived
from qpqcore.api import delivery, keystore
from qpqcore.api.content import Content
from qpqcore.crypto.identity import DeviceList
from qpqcore.groups.validity import read_leaf
from tests.oracle import history as h

if TYPE_CHECKING:
    from collections.abc import Callable

    import qpqclient
    import qpqnative
    from qpqclient.model import Event

ANONYMOUS = frozenset({"registerStart", "registerFinish", "loginStart", "loginFinish", "health", "hello"})


def sha256(data: bytes) -> bytes:
    """Return the SHA-256 of `data`."""
    return hashlib.sha256(data).digest()


def name_of(device: bytes) -> str:
    """Return a device's id as it stands in a history."""
    return device[:16].hex()


class Recorder:
    """Notes what `client` sees; `now_s` is a clock that all devices of a history share."""

    def __init__(
        self, client: qpqclient.Client, note: Callable[[Any], None], now_s: Callable[[], float] = trio.current_time
    ) -> None:
        self._client = client
        self._core = client._core
        self._store = client._core.store
        self._keep = note
        self._now_s = now_s
        for line in (self._core.wire, self._core.veiled):
            line.call = self._calls(line.call)  # type: ignore[method-assign]
        self._core.inbox.take = self._takes(self._core.inbox.take)  # type: ignore[method-assign]
        self._core.groups.save = self._saves(self._core.groups.save)  # type: ignore[method-assign]
        self._core.groups.adopt = self._adopts(self._core.groups.adopt)  # type: ignore[method-assign]
        self._core.listeners.tell = self._tells(self._core.listeners.tell)  # type: ignore[method-assign]

    @property
    def device(self) -> str:
        """The device's id as it stands in the history; empty before there is one."""
        return name_of(self._client.device) if self._client.known else ""

    def _note(self, value: Any) -> None:
        if value.device:  # else the account is deleted, and what still runs is nobody's
            self._keep(value)

    # --- calls

    def _calls(self, call: Callable[..., Any]) -> Callable[..., Any]:
        async def noted(params: Any, result: Any, *, key: bytes = b"") -> Any:
            begun_s, ident = self._now_s(), self._ident(params)
            try:
                answer = await call(params, result, key=key)
            except Refused:
                self._served(params, begun_s, ok=False)
                raise
            self._served(params, begun_s, ok=True)
            self._answered(params, answer, ident, key)
            return answer

        return noted

    def _ident(self, params: Any) -> bytes:
        """Return the id of the content that a call brings."""
        if not isinstance(params, delivery.EnqueueParams):
            return b""
        rows = self._store.rows("SELECT id FROM outbox WHERE payload = ?", params.payload)
        return bytes(rows[0][0]) if rows else b""

    def _served(self, params: Any, begun_s: float, *, ok: bool) -> None:
        method = type(params).__name__.removesuffix("Params")
        if self.device and method[0].lower() + method[1:] not in ANONYMOUS:
            self._note(h.Served(self.device, method, begun_s, ok))

    def _answered(self, params: Any, answer: Any, ident: bytes, key: bytes) -> None:
        me = self.device
        match params:
            case delivery.EnqueueParams():
                self._note(
                    h.Answered(
                        me, params.channel, params.generation, params.epoch, ident, sha256(params.payload),
                        answer.log_number, answer.accepted_ms, bool(params.write_signature),
                    )
                )  # fmt: skip
            case delivery.SubmitCommitParams():
                assert params.handshake is not None
                commit = sha256(params.handshake.commit)
                number = answer.log_number
                self._note(h.Committed(me, params.channel, params.generation, params.epoch, commit, number))
            case keystore.FetchKeyPackageParams():
                for account in answer.accounts:
                    for package in account.packages:
                        if package.key_package:
                            self._note(h.Drawn(me, sha256(package.key_package), package.last_resort, key))
                    self._listed(account.device_list)
            case keystore.ResolveUserParams() | keystore.ResolveIdentityParams():
                self._listed(answer.device_list)
            case keystore.ResolveIdentitiesParams():
                for identity in answer.identities:
                    self._listed(identity.device_list)
            case _:
                pass

    def _listed(self, device_list: bytes) -> None:
        if device_list:
            parsed = DeviceList.from_bytes(device_list)
            self._note(h.Listed(self.device, parsed.account, parsed.version, sha256(device_list)))

    # --- the mailbox

    def _takes(self, take: Callable[..., Any]) -> Callable[..., Any]:
        async def noted(entry: delivery.Entry) -> None:
            before = self._core.inbox.position
            await take(entry)
            if self._core.inbox.position != before or entry.number > before:
                self._note(
                    h.Took(
                        self.device, entry.number, entry.kind.name, entry.channel, entry.generation, entry.epoch,
                        entry.log_number, sha256(entry.payload),
                    )
                )  # fmt: skip

        return noted

    # --- groups

    def _saves(self, save: Callable[..., None]) -> Callable[..., None]:
        def noted(channel: bytes, group: qpqnative.Group) -> None:
            save(channel, group)
            self._entered(channel, self._core.groups.generation(channel), group)

        return noted

    def _adopts(self, adopt: Callable[..., None]) -> Callable[..., None]:
        def noted(
            channel: bytes, generation: int, group: qpqnative.Group, name: str, *, brought_by: bytes = b""
        ) -> None:
            adopt(channel, generation, group, name, brought_by=brought_by)
            self._entered(channel, generation, group)

        return noted

    def _entered(self, channel: bytes, generation: int, group: qpqnative.Group) -> None:
        members = tuple(sorted(name_of(read_leaf(m.credential, m.signature_key).device) for m in group.members()))
        self._note(h.Entered(self.device, channel, generation, group.epoch, group.epoch_authenticator(), members))

    # --- what people see

    def _tells(self, tell: Callable[..., None]) -> Callable[..., None]:
        def noted(event: Event) -> None:
            if isinstance(event, MessageReceived):
                self._note(h.Told(self.device, event.channel, event.message.id))
            tell(event)

        return noted

    async def send(self, conversation: qpqclient.Conversation, text: str) -> bytes:
        """Send a text; return its id."""
        message = await conversation.send(text)
        self.queued(message)
        return message.id

    def queued(self, message: qpqclient.Message) -> None:
        """Note a message that has just been stored for sending."""
        content = self._store.rows("SELECT content FROM outbox WHERE id = ?", message.id)[0][0]
        after_s = Content.from_bytes(content).expires_after_seconds
        account = self._client.account.hex()
        self._note(h.Queued(self.device, message.channel, message.id, account, message.text, after_s))

    async def delete(self, conversation: qpqclient.Conversation, ident: bytes) -> None:
        """Delete a message everywhere."""
        await conversation.delete(ident)
        by = self._store.rows("SELECT id FROM outbox ORDER BY number DESC LIMIT 1")[0][0]
        self._note(h.Deleted(self.device, conversation.id, ident, by))

    async def edit(self, conversation: qpqclient.Conversation, ident: bytes, text: str) -> None:
        """Give a message another text, everywhere."""
        await conversation.edit(ident, text)
        self._note(h.Edited(self.device, conversation.id, ident, text))

    def snapshot(self) -> None:
        """Note what this device shows, and where its groups are."""
        me, now_ms = self.device, self._core.server_now_ms()
        rows = self._store.rows(
            "SELECT channel, id, sender, text, state, log_number FROM messages "
            "WHERE kind <> ? AND (expires_ms = 0 OR expires_ms > ?) "
            "ORDER BY channel, log_number IS NULL, log_number, number",
            NOTICE, now_ms,
        )  # fmt: skip
        for channel, ident, sender, text, state, number in rows:
            self._note(h.Shown(me, channel, ident, sender.hex(), text, state, number))
            if state == "failed":
                self._note(h.Given(me, channel, ident))
        groups = self._store.rows(
            "SELECT channel, generation, epoch, authenticator FROM channels WHERE active = 1 ORDER BY channel"
        )
        for channel, generation, epoch, authenticator in groups:
            leaves = self._store.rows("SELECT device FROM leaves WHERE channel = ?", channel)
            members = tuple(sorted(name_of(r[0]) for r in leaves))
            self._note(h.Ended(me, channel, generation, epoch, authenticator, members))

    def _leaves_alone(self, channel: bytes, present: frozenset[str]) -> bool:
        leaving = self._store.rows("SELECT 1 FROM leaving WHERE channel = ?", channel)
        members = {name_of(r[0]) for r in self._store.rows("SELECT device FROM leaves WHERE channel = ?", channel)}
        return bool(leaving) and not (members - {self.device}) & present

    def unfinished(self, present: frozenset[str] | None = None) -> list[str]:
        """Return what this device still has to do; empty when it has come to rest. `present`: devices that are there; None: all.

        Leaving is done by another member's commit, so it waits where none of the others is there.
        """
        waits = []
        for table in ("outbox", "births", "rejoins", "proposed", "leaving"):
            rows = self._store.rows(f"SELECT channel FROM {table}")  # noqa: S608 - fixed texts
            if table in {"proposed", "leaving"} and present is not None:
                rows = [row for row in rows if not self._leaves_alone(row[0], present)]
            if rows:
                waits.append(f"{len(rows)} in {table}")
        if self._store.number("survey") or self._store.get("enrol"):
            waits.append("groups to be asked for")
        return waits
