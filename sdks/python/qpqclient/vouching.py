"""Who brings this device into a group: a server can make up a group, but not sign for anybody who was in the conversation.

A GroupInfo is signed by a member and covers the whole tree (RFC 9420 §12.4.3), and no client enters, or signs anything in, a
group for which nobody vouches whom it knows there. So who is named in a GroupInfo signed by somebody known has been brought
in by commits that were followed, however many this device has missed. Where the signer is not known, the owner is asked.

A device that has never been in a conversation has nobody to go by: it takes the group as it is shown (docs/threat-model.md).
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import qpqnative
from qpqclient.content import ID_BYTES
from qpqclient.errors import NotVouched
from qpqclient.groups import leaves_of
from qpqclient.log import log
from qpqclient.model import MessageChanged
from qpqcore.groups.policy import read_policy
from qpqcore.groups.validity import too_many
from qpqcore.model.errors import ErrorCode, Refusal

if TYPE_CHECKING:
    from qpqclient.core import Core
    from qpqcore.groups.validity import Leaf

NOTICE = (
    "as the server shows this conversation, people are in it whom nobody has brought who was in it before: nothing is read or "
    "sent here until somebody who was changes the group, or you let them in: /strangers shows whom"
)


class Vouching:
    """Judges the groups that this device is about to enter."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._store = core.store

    def known(self, channel: bytes) -> set[bytes]:
        """Return the identity keys of those who were in a conversation when this device last followed it; empty if never."""
        rows = self._store.rows(
            "SELECT identity_key FROM leaves WHERE channel = ?1 UNION SELECT identity_key FROM rosters WHERE channel = ?1",
            channel,
        )
        return {bytes(key) for (key,) in rows if key}

    def signer(self, group: qpqnative.Group | qpqnative.GroupView, index: int | None) -> Leaf:
        """Return the leaf that signed a group's GroupInfo, once the group is seen to be of its kind; Refusal(malformed)."""
        members = group.members()
        leaves = dict(zip((m.index for m in members), leaves_of(members), strict=True))
        if wrong := too_many(read_policy(group.policy).kind, {leaf.account for leaf in leaves.values()}):
            raise Refusal(ErrorCode.MALFORMED, wrong)
        if index is None or index not in leaves:
            raise Refusal(ErrorCode.MALFORMED, "a group that no member has signed")
        return leaves[index]

    def check(self, channel: bytes, group: qpqnative.Group | qpqnative.GroupView, index: int | None) -> bytes:
        """Return the identity key of who signed the GroupInfo, if this device may enter the group by it; NotVouched, Refusal."""
        signer, known = self.signer(group, index), self.known(channel)
        if known and signer.identity_key not in known:
            leaves = leaves_of(group.members())
            strangers = {(leaf.account, leaf.identity_key) for leaf in leaves if leaf.identity_key not in known}
            if not strangers <= self._accepted(channel):
                self._note(channel, strangers)
                raise NotVouched("people are in this conversation whom nobody has brought who was in it before")
        return signer.identity_key

    def check_served(self, channel: bytes, group_info: bytes, view: qpqnative.GroupView) -> bytes:
        """Do it for a group as the server shows it: `view` observes this GroupInfo, so that its signature holds."""
        return self.check(channel, view, qpqnative.inspect_message(group_info).sender_index)

    def _accepted(self, channel: bytes) -> set[tuple[bytes, bytes]]:
        return set(
            self._store.rows("SELECT account, identity_key FROM strangers WHERE channel = ? AND accepted = 1", channel)
        )

    def _note(self, channel: bytes, strangers: set[tuple[bytes, bytes]]) -> None:
        """Write who is to be asked about, with a notice in the timeline where they are others than before."""
        before = set(self._store.rows("SELECT account, identity_key FROM strangers WHERE channel = ?", channel))
        if before == strangers:
            return
        accepted = self._accepted(channel)
        log.warning("group_not_vouched", strangers=len(strangers))
        rows = [(channel, account, key, int((account, key) in accepted)) for account, key in strangers]
        ident = secrets.token_bytes(ID_BYTES)
        with self._store.transaction() as db:
            db.execute("DELETE FROM strangers WHERE channel = ?", (channel,))
            db.executemany("INSERT INTO strangers VALUES (?, ?, ?, ?)", rows)
            self._core.contacts.note(channel, ident, self._core.account.account, NOTICE)
        self._core.tell(MessageChanged(channel, ident))

    def strangers(self, channel: bytes) -> list[bytes]:
        """Return the accounts for which nobody vouches, as the server last showed a conversation, and nobody has accepted."""
        rows = self._store.rows(
            "SELECT DISTINCT account FROM strangers WHERE channel = ? AND accepted = 0 ORDER BY account", channel
        )
        return [row[0] for row in rows]

    def accept(self, channel: bytes) -> None:
        """Let in those who were shown; others who come to be shown instead are asked about anew."""
        self._store.db.execute("UPDATE strangers SET accepted = 1 WHERE channel = ?", (channel,))
        self._core.upkeep.wake()
