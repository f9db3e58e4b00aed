"""MLS groups over the store: loaded, changed, and written back in the transaction of the step that changed them.

After any error a loaded object is dropped; what is stored is the truth. Own commits are kept detached and
applied only when the channel's log brings them back.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from qpqclient.errors import GroupUnusable
from qpqclient.store import GROUP_ENTRIES
from qpqclient.told import KnownFrom
from qpqcore.api.content import ChannelKind
from qpqcore.crypto.parts import u32, vec
from qpqcore.crypto.signatures import generate_key, sign
from qpqcore.groups.policy import Right, group_id, may, read_policy
from qpqcore.groups.validity import Change, Leaf, check_change, read_leaf

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import qpqnative
    from qpqclient.account import Account
    from qpqclient.store import Store

WRITE_LABEL = b"qpq write"
SECRET_BYTES = 32
PAST_EPOCHS = 5
JOINING = b"joining/"
"""Where a group stands that was joined by an external commit which has no answer yet."""
PUT_BACK = "put back:"
"""How marks begin of groups that are to be compared with a server that was put back (putback.py)."""
LOG_BITS, MOVES_SHIFT, BRANCH_BITS_DROPPED = 44, 56, 4
"""A place has 63 bits: 7 say how often it moved, 12 begin the channel's id, 44 are of its log (put back 4,096 times)."""
OF_FOUNDING = ("births", "proposed", "rejoins", "strangers")
"""What a group that is founded here starts without."""
OF_JOIN = (*OF_FOUNDING, "rosters")
"""What a group that is entered starts without."""


def base_of(channel: bytes, moves: int) -> int:
    """Return what is added to the numbers of a channel's log for their places in the history of the conversation.

    How often it has moved comes first; channels that go on from one stand behind each other, the smaller id first.
    """
    return moves << MOVES_SHIFT | int.from_bytes(channel[:2], "big") >> BRANCH_BITS_DROPPED << LOG_BITS if moves else 0


def sha256(data: bytes) -> bytes:
    """Return the SHA-256 of `data`."""
    return hashlib.sha256(data).digest()


def write_key(group: qpqnative.Group, channel: bytes, generation: int) -> bytes:
    """Return the public write key of a group's epoch (docs/spec/delivery.md#sealed-sender)."""
    return _write_pair(group, channel, generation)[1]


def write_signature(group: qpqnative.Group, channel: bytes, generation: int, payload: bytes) -> bytes:
    """Sign a message with the epoch's write key, so that any carrier may bring it."""
    secret = _write_pair(group, channel, generation)[0]
    return sign(secret, "qpq write v1", channel, generation, group.epoch, sha256(payload))


def _write_pair(group: qpqnative.Group, channel: bytes, generation: int) -> tuple[bytes, bytes]:
    return generate_key(group.export(WRITE_LABEL, _write_context(channel, generation), SECRET_BYTES))


def _write_context(channel: bytes, generation: int) -> bytes:
    return vec(channel) + u32(generation)


def leaves_of(members: Sequence[qpqnative.Member]) -> list[Leaf]:
    """Return members as checked leaves."""
    return [read_leaf(m.credential, m.signature_key) for m in members]


class Groups:
    """The groups of this device."""

    def __init__(self, store: Store, account: Account) -> None:
        self._store = store
        self._account = account
        self._open: dict[bytes, qpqnative.Group] = {}

    def drop(self) -> None:
        """Forget every loaded object: the store is right, they may be ahead of it."""
        self._open.clear()

    def generation(self, channel: bytes) -> int:
        """Return the stored generation of a channel, 0 where there is none."""
        rows = self._store.rows("SELECT generation FROM channels WHERE channel = ? AND active = 1", channel)
        return rows[0][0] if rows else 0

    def load(self, channel: bytes) -> qpqnative.Group:
        """Return a channel's group; GroupUnusable when this device is not in it."""
        group = self._open.get(channel)
        if group is None:
            generation = self.generation(channel)
            if not generation:
                raise GroupUnusable("this device is not in the group")
            group = self.copy(group_id(channel, generation))
            self._open[channel] = group
        return group

    def copy(self, gid: bytes) -> qpqnative.Group:
        """Return a fresh object of a stored group, from a device of its own."""
        entries, tree = self._store.group_entries(gid)
        return self._account.native().load_group(gid, entries, tree)

    def save(self, channel: bytes, group: qpqnative.Group) -> None:
        """Write a group's changes and what is shown of it; inside a transaction."""
        self._store.write_mls(group.take_changes())
        db = self._store.db
        db.execute(
            "UPDATE channels SET epoch = ?, authenticator = ? WHERE channel = ?",
            (group.epoch, group.epoch_authenticator(), channel),
        )

    def renewed(self, channel: bytes, at_ms: int) -> None:
        """Write when this device last renewed its keys in a group; inside the transaction that applies its commit."""
        self._store.db.execute("UPDATE channels SET renewed_ms = ? WHERE channel = ?", (at_ms, channel))

    def renewed_ms(self, channel: bytes) -> int:
        """Return when this device made the keys that its last commit with a path brought into a group, 0 for never."""
        rows = self._store.rows("SELECT renewed_ms FROM channels WHERE channel = ?", channel)
        return int(rows[0][0]) if rows else 0

    def save_members(self, channel: bytes, group: qpqnative.Group) -> None:
        """Write who is in the group, as far as that has changed; inside a transaction."""
        members = group.members()
        rows = self._store.rows("SELECT leaf, account, device, identity_key FROM leaves WHERE channel = ?", channel)
        before = {row[0]: row for row in rows}
        after = {
            m.index: (m.index, leaf.account, leaf.device, leaf.identity_key)
            for m, leaf in zip(members, leaves_of(members), strict=True)
        }
        db = self._store.db
        self._let_go(channel, before.keys() - after.keys())
        fresh = [(channel, *row) for index, row in after.items() if before.get(index) != row]
        db.executemany("INSERT OR REPLACE INTO leaves VALUES (?, ?, ?, ?, ?)", fresh)
        self._save_policy(channel, group)

    def save_change(self, channel: bytes, group: qpqnative.Group, facts: qpqnative.CommitFacts) -> None:
        """Write who came and went by a commit, of whom nobody has to be looked for then; inside a transaction."""
        db = self._store.db
        self._let_go(channel, {leaf.index for leaf in (*facts.removed, *facts.self_removed_members)})
        members = [*facts.added, *facts.updated]
        fresh = [
            (channel, m.index, leaf.account, leaf.device, leaf.identity_key)
            for m, leaf in zip(members, leaves_of(members), strict=True)
        ]
        db.executemany("INSERT OR REPLACE INTO leaves VALUES (?, ?, ?, ?, ?)", fresh)
        self._save_policy(channel, group)

    def _let_go(self, channel: bytes, leaves: Collection[int]) -> None:
        """Take leaves out; a conversation of two goes on being called by who was in it."""
        if not leaves:
            return
        db = self._store.db
        db.execute(
            "UPDATE channels SET name = coalesce((SELECT p.name FROM leaves l JOIN people p ON p.account = l.account "
            "WHERE l.channel = channels.channel AND l.account <> ? LIMIT 1), name) WHERE channel = ? AND kind = ?",
            (self._account.account, channel, int(ChannelKind.DIRECT)),
        )
        db.executemany("DELETE FROM leaves WHERE channel = ? AND leaf = ?", [(channel, leaf) for leaf in leaves])

    def _save_policy(self, channel: bytes, group: qpqnative.Group) -> None:
        """Write who may what in the present epoch: its messages are judged by it, also after it has ended."""
        policy, accounts = read_policy(group.policy), set[bytes]()
        if policy.admins:
            accounts = {r[0] for r in self._store.rows("SELECT account FROM leaves WHERE channel = ?", channel)}
        present = replace(policy, admins=tuple(a for a in policy.admins if a in accounts))
        db, generation = self._store.db, policy.generation
        db.execute(
            "INSERT OR REPLACE INTO policies VALUES (?, ?, ?, ?)",
            (channel, generation, group.epoch, present.to_bytes()),
        )
        db.execute(
            "DELETE FROM policies WHERE channel = ? AND (generation < ? OR epoch < ?)",
            (channel, generation, group.epoch - PAST_EPOCHS),
        )

    def may(self, channel: bytes, account: bytes, right: Right, *, generation: int = 0, epoch: int = 0) -> bool:
        """Tell whether an account has a right in an epoch; of one that is not known any more: in the present one."""
        rows = self._store.rows(
            "SELECT policy FROM policies WHERE channel = ? ORDER BY generation = ? AND epoch = ? DESC, generation DESC, "
            "epoch DESC LIMIT 1",
            channel, generation, epoch,
        )  # fmt: skip
        if not rows and not self.generation(channel):
            return True  # out of the group before policies were written down
        policy = read_policy(rows[0][0] if rows else self.load(channel).policy)
        return may(policy, account, policy.admins, right)

    def adopt(
        self, channel: bytes, generation: int, group: qpqnative.Group, name: str, *, brought_by: bytes = b""
    ) -> None:
        """Write a group that was made, or joined by an invitation; inside a transaction. `brought_by`: an identity key."""
        self._make_room(channel, generation)
        known_from = KnownFrom.INVITED if brought_by else KnownFrom.TOLD
        self._enter(channel, generation, group, name, brought_by, known_from)

    def _make_room(self, channel: bytes, generation: int) -> None:
        """Set aside what stands here, of this generation or the one before: messages of then may still lie unread."""
        self._store.set_group_aside(group_id(channel, generation))
        for (old,) in self._store.rows("SELECT generation FROM channels WHERE channel = ?", channel):
            if old != generation:
                self._store.set_group_aside(group_id(channel, old))

    def _enter(
        self,
        channel: bytes,
        generation: int,
        group: qpqnative.Group,
        name: str,
        brought_by: bytes,
        known_from: KnownFrom,
    ) -> None:
        policy = read_policy(group.policy)
        db = self._store.db
        db.execute(
            "INSERT INTO channels (channel, generation, epoch, kind, name, timer_seconds, active, authenticator, follows, base, "  # noqa: S608 - fixed texts
            "brought_by, name_from, timer_from) VALUES (?1, ?2, 0, ?3, ?4, 0, 1, x'', ?5, ?6, ?7, ?8, ?8) ON CONFLICT (channel) DO UPDATE SET "
            "generation = excluded.generation, active = 1, follows = excluded.follows, base = excluded.base, renewed_ms = 0, "
            "brought_by = excluded.brought_by, name = CASE WHEN name = '' THEN excluded.name ELSE name END, "
            f"{_entered('name_from')}, {_entered('timer_from')}",
            (
                channel,
                generation,
                int(policy.kind),
                name,
                policy.follows,
                base_of(channel, policy.moves),
                brought_by,
                int(known_from),
            ),
        )
        self._keep_roster(channel)
        for table in OF_JOIN if brought_by else OF_FOUNDING:
            db.execute(f"DELETE FROM {table} WHERE channel = ?", (channel,))  # noqa: S608 - fixed texts
        db.execute("DELETE FROM meta WHERE name = ?", (PUT_BACK + channel.hex(),))
        db.execute("DELETE FROM gathering WHERE channel = ?1 AND earlier = ?1", (channel,))  # of what was begun before
        self.save(channel, group)
        self.save_members(channel, group)
        self._open[channel] = group

    def _keep_roster(self, channel: bytes) -> None:
        """Write who was in a group that this device does not follow any more, or begins anew, until it follows one again."""
        self._store.db.execute(
            "INSERT OR IGNORE INTO rosters SELECT DISTINCT channel, account, identity_key FROM leaves WHERE channel = ?",
            (channel,),
        )

    def keep_joining(
        self, channel: bytes, generation: int, group: qpqnative.Group, commit: bytes, params: bytes, brought_by: bytes
    ) -> None:
        """Write a group as an external commit begins it, before the commit is submitted; inside a transaction."""
        self.forget_joining(channel)
        self._store.write_mls((JOINING + key, value) for key, value in group.take_changes() if value is not None)
        self._store.db.execute(
            "INSERT INTO joins (channel, generation, hash, params, brought_by) VALUES (?, ?, ?, ?, ?)",
            (channel, generation, sha256(commit), params, brought_by),
        )

    def joining(self, channel: bytes) -> tuple[int, bytes, bytes] | None:
        """Return generation, commit's hash and stored call of an external commit that has no answer yet."""
        rows = self._store.rows("SELECT generation, hash, params FROM joins WHERE channel = ?", channel)
        return rows[0] if rows else None

    def adopt_joining(self, channel: bytes) -> None:
        """Go over to the group of an external commit, now that the server has taken it; inside a transaction."""
        stored = self.joining(channel)
        if stored is None:
            raise GroupUnusable("this group was not being joined")
        generation = stored[0]
        self._make_room(channel, generation)
        gid = group_id(channel, generation)
        self._store.move_group(gid, JOINING, b"")
        (brought_by,) = self._store.rows("SELECT brought_by FROM joins WHERE channel = ?", channel)[0]
        self._enter(channel, generation, self.copy(gid), "", brought_by, KnownFrom.ALONE)
        self.forget_joining(channel)

    def forget_joining(self, channel: bytes) -> None:
        """Drop an external commit that the server refused; inside a transaction."""
        stored = self.joining(channel)
        if stored is not None:
            self._store.forget_group(group_id(channel, stored[0]), JOINING)
            self._store.db.execute("DELETE FROM joins WHERE channel = ?", (channel,))

    def before_rejoins(self, channel: bytes, generation: int) -> list[tuple[bytes, qpqnative.Group]]:
        """Return a group as it was each time before this device joined it anew, newest first, each with its place.

        They still open what was under way then, and follow the commits of that time.
        """
        gid = group_id(channel, generation)
        found = []
        for place in reversed(self._store.asides(gid)):
            entries, tree = self._store.group_entries(gid, place)
            found.append((place, self._account.native().load_group(gid, entries, tree)))
        return found

    def keep_past(self, channel: bytes, generation: int, group: qpqnative.Group) -> None:
        """Write a group that an invitation opens only now beside what this device has joined since; inside a transaction."""
        place = self._store.place_aside(group_id(channel, generation))
        self._store.write_mls(
            (place + key if key.startswith(GROUP_ENTRIES) else key, value) for key, value in group.take_changes()
        )

    def save_before_rejoin(self, place: bytes, group: qpqnative.Group) -> None:
        """Write the changes of such a group; inside a transaction."""
        self._store.write_mls((place + key, value) for key, value in group.take_changes())

    def forget_before_rejoin(self, channel: bytes, epoch: int) -> None:
        """Drop such groups once the server takes no message of their time any more; inside a transaction.

        Of other generations all: the log has come to this one, and nothing of theirs comes after.
        """
        generation = self.generation(channel)
        for place, group in self.before_rejoins(channel, generation):
            if group.epoch + PAST_EPOCHS < epoch:
                self._store.forget_group(group.group_id, place)
        for gid in self._store.groups_aside(vec(channel)) - {group_id(channel, generation)}:
            for place in self._store.asides(gid):
                self._store.forget_group(gid, place)

    def leave(self, channel: bytes) -> None:
        """Be out of a group, keep its messages; inside a transaction.

        Its state is set aside: who is added again soon may still be sent what was under way before.
        """
        generation = self.generation(channel)
        if generation:
            self._store.set_group_aside(group_id(channel, generation))
        self.forget_joining(channel)
        self._keep_roster(channel)
        db = self._store.db
        db.execute("UPDATE channels SET active = 0 WHERE channel = ?", (channel,))
        for table in ("leaves", "leaving", "commits", *OF_FOUNDING):
            db.execute(f"DELETE FROM {table} WHERE channel = ?", (channel,))  # noqa: S608 - fixed texts
        self._open.pop(channel, None)

    def next_write_key(self, channel: bytes, generation: int, pending: qpqnative.PendingCommit) -> bytes:
        """Return the public write key of the epoch that a detached commit begins."""
        secret = self.load(channel).export_after(
            pending, WRITE_LABEL, _write_context(channel, generation), SECRET_BYTES
        )
        return generate_key(secret)[1]

    def check(
        self,
        channel: bytes,
        before: Sequence[qpqnative.Member],
        policy_before: bytes,
        group: qpqnative.Group,
        facts: qpqnative.CommitFacts,
    ) -> None:
        """Refuse a commit that the rules of groups refuse; Refusal. The caller drops the object then."""
        assert facts.committer is not None
        proposed = {
            r[0] for r in self._store.rows("SELECT device FROM proposed WHERE channel = ? AND by_server = 1", channel)
        }
        check_change(
            Change(
                members=leaves_of(before),
                committer=leaves_of([facts.committer])[0],
                external=facts.external,
                added=leaves_of(facts.added),
                removed=leaves_of(facts.removed),
                self_removed=leaves_of(facts.self_removed_members),
                updated=leaves_of(facts.updated),
                proposed=frozenset(proposed),
                psks=facts.psks,
                policy_before=read_policy(policy_before),
                policy_after=read_policy(group.policy),
            )  # fmt: skip
        )


def _entered(column: str) -> str:
    """Return what sets how a name or a timer is known (`KnownFrom`), once a group was entered.

    Who followed all the time knows it still; who joins by itself, or a group that was begun anew meanwhile, may have missed a
    change; who is invited back is told.
    """
    alone = int(KnownFrom.ALONE)
    return (
        f"{column} = CASE WHEN excluded.{column} = {alone} OR (active = 0 AND generation <> excluded.generation) THEN {alone} "
        f"WHEN active = 0 THEN excluded.{column} ELSE {column} END"
    )
