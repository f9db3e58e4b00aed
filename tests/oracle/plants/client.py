"""Faults of the client."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import trio

from qpqclient import account as client_account
from qpqclient import content as client_content
from qpqclient import inbox as client_inbox
from qpqclient import outbox as client_outbox
from qpqclient.births import Births
from qpqclient.conversation import Conversation
from qpqclient.core import Core
from qpqclient.groups import Groups
from qpqclient.inbox import POSITION, Inbox
from qpqclient.outbox import Outbox
from qpqclient.people import People
from qpqclient.upkeep import Upkeep
from qpqcore.api import delivery as api
from qpqcore.api.delivery import EntryKind
from qpqcore.model.errors import ErrorCode, Refusal
from tests.oracle.plants.base import patched

if TYPE_CHECKING:
    from collections.abc import Callable


@patched("client: a message is passed over and acknowledged", "lost", Inbox, "_message")
def _(message):
    def bad(self, entry):
        return self._pass_over(entry) if entry.log_number % 4 == 0 else message(self, entry)

    return bad


@patched("client: acknowledged before it is stored", "lost", Core, "_take")
def _(take):
    async def bad(self, entries):
        if entries:
            await self.call(api.AckParams(up_to=entries[-1].number), api.AckResult)
        kept = [e for e in entries if e.kind is not EntryKind.MESSAGE or e.number % 5]
        await take(self, tuple(kept))
        if entries and self.inbox.position < entries[-1].number:
            with self.store.transaction():
                self.store.put_number(POSITION, entries[-1].number)

    return bad


def on_add(name: str, expected: str) -> Callable[..., Any]:
    """Enter a fault of how a message is stored for showing."""
    return patched(name, expected, client_content, "add_message")


@on_add("client: a message is shown twice", "invented")
def _(add):
    def bad(store, channel, sender, content, **more):
        again = replace(content, id=bytes(15) + content.id[:1])
        if not more["own"] and content.id[0] % 2:
            add(store, channel, sender, again, **more)
        return add(store, channel, sender, content, **more)

    return bad


@on_add("client: a message is shown as another text", "invented")
def _(add):
    def bad(store, channel, sender, content, **more):
        if content.which == "text" and not more["own"]:
            content = replace(content, text=content.text[::-1])
        return add(store, channel, sender, content, **more)

    return bad


@on_add("client: a message is shown as its reader's", "invented")
def _(add):
    def bad(store, channel, sender, content, **more):
        return add(store, channel, sender if more["own"] else store.get("account"), content, **more)

    return bad


@on_add("client: a message is shown in another conversation", "invented")
def _(add):
    def bad(store, channel, sender, content, **more):
        channels = [r[0] for r in store.rows("SELECT channel FROM channels ORDER BY channel")]
        return add(
            store, channel if more["own"] else channels[0 if channels[0] != channel else -1], sender, content, **more
        )

    return bad


@on_add("client: messages are shown in another order", "order")
def _(add):
    def bad(store, channel, sender, content, **more):
        if more["log_number"]:
            more["log_number"] ^= 1
        return add(store, channel, sender, content, **more)

    return bad


@on_add("client: a message is not stored", "lost")
def _(add):
    def bad(store, channel, sender, content, **more):
        return content.id[0] % 3 == 0 or add(store, channel, sender, content, **more)

    return bad


@patched("client: a person is told twice", "doubled", Core, "tell")
def _(tell):
    def bad(self, event):
        tell(self, event)
        if type(event).__name__ == "MessageReceived":
            tell(self, event)

    return bad


@patched("client: a reaction tells of the message again", "doubled", client_content, "MessageChanged")
def _(changed):
    from qpqclient.model import MessageStored

    return MessageStored


@patched("client: what vanishes stays", "lingering", client_content, "expiry")
def _(expiry):
    return lambda content, accepted_ms: 0


@patched("client: what vanishes does so at once", "lost", client_content, "expiry")
def _(expiry):
    def bad(content, accepted_ms):
        return accepted_ms + 1

    return bad


@patched("client: one's own message vanishes by another clock", "lingering", client_outbox, "expiry")
def _(expiry):
    return lambda content, accepted_ms: expiry(content, accepted_ms + 3_600_000)


def on_action(name: str, expected: str) -> Callable[..., Any]:
    """Enter a fault of how a content changes others."""
    return patched(name, expected, client_content, "apply_action")


@on_action("client: a deletion is passed over", "lingering")
def _(act):
    return lambda store, channel, sender, content: (
        [] if content.which == "delete" else act(store, channel, sender, content)
    )


@on_action("client: a reaction deletes", "lost")
def _(act):
    def bad(store, channel, sender, content):
        if content.which == "reaction":
            store.db.execute("DELETE FROM messages WHERE channel = ? AND id = ?", (channel, content.reaction.to))
        return act(store, channel, sender, content)

    return bad


@on_action("client: a reaction edits", "invented")
def _(act):
    def bad(store, channel, sender, content):
        if content.which == "reaction":
            store.db.execute(
                "UPDATE messages SET text = '!' WHERE channel = ? AND id = ?", (channel, content.reaction.to)
            )
        return act(store, channel, sender, content)

    return bad


@patched("client: a message is called sent and was not", "unsent", Outbox, "_deliver")
def _(deliver):
    count = iter(range(10**6))

    async def bad(self, row):
        if next(count) % 6 == 5:
            await trio.lowlevel.checkpoint()
            self._done(row, api.EnqueueResult(log_number=9_999, accepted_ms=self._core.now_ms()))
            return
        await deliver(self, row)

    return bad


@patched("client: a refused message is forgotten", "unsent", Outbox, "_deliver")
def _(deliver):
    count = iter(range(10**6))

    async def bad(self, row):
        if next(count) % 6 == 5:
            await trio.lowlevel.checkpoint()
            with self._store.transaction() as db:
                db.execute("DELETE FROM outbox WHERE number = ?", (row[0],))
                db.execute("DELETE FROM messages WHERE id = ?", (row[2],))
            return
        await deliver(self, row)

    return bad


@patched("client: a message is encrypted anew when no answer comes", "sent_twice", Outbox, "_done")
def _(done):
    seen = set()

    def bad(self, row, answer):
        number, _, ident, *_ = row
        if ident in seen or answer.log_number % 4:
            done(self, row, answer)
        else:
            seen.add(ident)
            self._store.db.execute("UPDATE outbox SET payload = NULL WHERE number = ?", (number,))

    return bad


@patched("client: the outbox is empty after a restart", "unsent", Core, "run")
def _(run):
    async def bad(self):
        self.store.db.execute("DELETE FROM messages WHERE state = 'pending'")
        self.store.db.execute("DELETE FROM outbox")
        await run(self)

    return bad


@patched("client: the outbox is stuck", "stuck", Outbox, "send_next")
def _(send):
    count = iter(range(10**6))

    async def bad(self):
        if next(count) > 25:
            await trio.sleep(1)
            return False
        return await send(self)

    return bad


@patched("client: a commit is merged before the server has it", "forked", Groups, "next_write_key")
def _(key):
    def bad(self, channel, generation, pending):
        from qpqclient.groups import write_key

        group = self.load(channel)
        group.apply(pending)
        with self._store.transaction():
            self.save(channel, group)
            self.save_members(channel, group)
        return write_key(group, channel, generation)

    return bad


@patched("client: commits are passed over", "stuck", Inbox, "_commit")
def _(commit):
    def bad(self, entry):
        return self._pass_over(entry) if entry.log_number % 2 else commit(self, entry)

    return bad


@patched("client: proposals are passed over", "resurrected", Upkeep, "_proposed")
def _(proposed):
    return lambda self: []


@patched("client: a group that cannot be followed is left alone", "disagreement", Upkeep, "_rejoin")
def _(rejoin):
    async def bad(self):
        await trio.lowlevel.checkpoint()
        self._store.db.execute("DELETE FROM rejoins")

    return bad


@patched("client: a gap is passed over", "disagreement", Inbox, "_gap")
def _(gap):
    return lambda self, entry: self._pass_over(entry)


@patched("client: a Welcome is passed over", "disagreement", Inbox, "_welcome")
def _(welcome):
    async def bad(self, entry):
        await trio.lowlevel.checkpoint()
        self._pass_over(entry)

    return bad


@patched("client: who is removed stays", "disagreement", Groups, "leave")
def _(leave):
    return lambda self, channel: None


@patched("client: members are written down wrongly", "disagreement", Groups, "save_members")
def _(save):
    def bad(self, channel, group):
        save(self, channel, group)
        self._store.db.execute("DELETE FROM leaves WHERE channel = ? AND leaf = 0", (channel,))

    return bad


@patched("client: the position runs ahead", "mailbox", Inbox, "_message")
def _(message):
    def bad(self, entry):
        message(self, entry)
        if entry.log_number % 5 == 0:
            with self._store.transaction():
                self._store.put_number(POSITION, entry.number + 1)

    return bad


@patched("client: an entry that cannot be read ends the client", "broke", client_inbox, "read_leaf")
def _(read):
    count = iter(range(10**6))

    def bad(credential, key):
        if next(count) == 8:
            raise RuntimeError("planted")
        return read(credential, key)

    return bad


@patched("client: a label is sent as it is", "readable", client_account, "seal_label")
def _(seal):
    return lambda root_key, device, label: label.encode()


@patched("client: a stranger's device list is believed", "stuck", People, "pin")
def _(pin):
    def bad(self, account, device_list):
        raise Refusal(ErrorCode.CREDENTIAL_INVALID)

    return bad


@patched("client: something is said in a group before the others are in it", "unheard", Births, "_submit")
def _(submit):
    async def bad(self, channel, generation, params):
        await submit(self, channel, generation, params)
        with self._store.transaction() as db:
            db.execute("DELETE FROM births WHERE channel = ?", (channel,))
        await Conversation(self._core, channel).send("is anybody here?")
        while await self._core.outbox.send_next():
            pass

    return bad
