"""Who is in a conversation and who may do what there: its members, its admins, coming and going."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from qpqclient.contacts import DECLINED
from qpqclient.errors import NotAllowed, NotFound, NotVerified, NotVouched
from qpqclient.model import Member
from qpqclient.settings import KEYS, VERIFIED
from qpqcore.api.content import ChannelKind
from qpqcore.groups.policy import Right, read_policy

if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Any

    from qpqclient.core import Core
    from qpqcore.groups.policy import GroupPolicy

MUTE_SECONDS_MAX = 100 * 365 * 24 * 3600
NOBODY_ELSE = Right(0)
DOES = {
    Right.INVITE: "add people", Right.REMOVE: "remove people", Right.RENAME: "rename it", Right.TIMER: "set the timer",
    Right.PIN: "pin messages",
}  # fmt: skip


class Membership:
    """The people of one conversation."""

    def __init__(self, core: Core, channel: bytes) -> None:
        self._core = core
        self._store = core.store
        self._channel = channel

    @property
    def id(self) -> bytes:
        """The channel's id; another one once the group has gone on at another home."""
        if self._store.is_open:
            self._channel = self._core.moves.shown(self._channel)
        return self._channel

    def _row(self, column: str) -> Any:
        rows = self._store.rows(f"SELECT {column} FROM channels WHERE channel = ?", self.id)  # noqa: S608 - fixed texts
        if not rows:
            raise NotFound("this conversation is gone")
        return rows[0][0]

    @property
    def active(self) -> bool:
        """Whether this device is in the group."""
        return bool(self._row("active"))

    def members(self) -> list[Member]:
        """Return the people in it, oneself included."""
        found: dict[bytes, list[bytes]] = {}
        for account, device in self._store.rows(
            "SELECT account, device FROM leaves WHERE channel = ? ORDER BY leaf", self.id
        ):
            found.setdefault(account, []).append(device)
        own = self._core.account.account
        name: dict[bytes, str] = {own: self._core.account.name}
        return [Member(name.get(a) or self._core.people.name(a), a, tuple(d)) for a, d in found.items()]

    def may(self, right: Right) -> bool:
        """Tell whether one may do something here that in groups with admins not everybody does."""
        return self._core.groups.may(self.id, self._core.account.account, right)

    def _need(self, right: Right) -> None:
        if self.active and not self.may(right):
            raise NotAllowed(f"only its admins {DOES[right]} here: {', '.join(self.admins())}")

    def _tell_settings(self) -> None:
        """Tell who has just come what the conversation is called, and how long messages stay."""

    # --- how well one knows them

    @property
    def requested(self) -> bool:
        """Whether somebody unknown began it, and it waits to be accepted."""
        return self._core.contacts.waits(self.id)

    def others(self) -> list[bytes]:
        """Return the accounts of the other members."""
        return [m.account for m in self.members() if m.account != self._core.account.account]

    def accept(self) -> None:
        """Accept a request: its messages are shown, and its people are known from now on."""
        with self._store.transaction() as db:
            db.execute("UPDATE channels SET request = 0 WHERE channel = ?", (self.id,))
            self._core.contacts.know(self.others())

    async def decline(self) -> None:
        """Decline a request: what was written is deleted here, and one leaves; nobody is told why."""
        with self._store.transaction() as db:
            db.execute("UPDATE channels SET request = ? WHERE channel = ?", (DECLINED, self.id))
            db.execute("DELETE FROM messages WHERE channel = ?", (self.id,))
        await self.leave()

    @property
    def verified(self) -> bool:
        """Whether the keys of all other members are those that were compared with them."""
        return bool(self.others()) and not self._core.contacts.unverified(self.id)

    def unverified(self) -> list[str]:
        """Return the names of the other members whose key was not compared."""
        return sorted(self._core.people.name(a) for a in self._core.contacts.unverified(self.id))

    @property
    def muted(self) -> bool:
        """Whether this person wants no signs of new messages here now."""
        return int(self._row("muted_until_ms")) > self._core.now_ms()

    def mute(self, seconds: int = MUTE_SECONDS_MAX) -> None:
        """Want none for so long; 0: want them again. Nothing is told to anybody."""
        until_ms = self._core.now_ms() + min(seconds, MUTE_SECONDS_MAX) * 1000 if seconds > 0 else 0
        self._store.db.execute("UPDATE channels SET muted_until_ms = ? WHERE channel = ?", (until_ms, self.id))

    def _check_people(self) -> None:
        """Refuse to send to whom one has blocked, or where the setting asks for verified keys; sending accepts a request."""
        contacts = self._core.contacts
        if contacts.waits(self.id):
            self.accept()
        if self._row("kind") == ChannelKind.DIRECT and any(contacts.blocked(a) for a in self.others()):
            raise NotAllowed("you have blocked this person: unblock first")
        if self._core.settings.get(KEYS) == VERIFIED and (missing := contacts.unverified(self.id)):
            names = ", ".join(sorted(self._core.people.name(a) for a in missing))
            raise NotVerified(f"not verified: {names}; compare safety numbers, or change the setting {KEYS}")

    def doubtful(self) -> list[str]:
        """Return the members whose identity key here is not the one known of them: compare safety numbers, or remove them."""
        return sorted(self._core.people.name(a) for a in self._core.people.doubtful(self.id))

    async def invite(self, name: str) -> None:
        """Add a person, with all devices; NotAllowed, NotFound."""
        self._need(Right.INVITE)
        account = await self._core.people.resolve(name)
        await self._core.commits.add(self.id, [account])
        self._tell_settings()

    async def remove(self, name: str) -> None:
        """Remove a person, with all devices; NotAllowed, NotFound."""
        self._need(Right.REMOVE)
        (account,) = await self._accounts([name])
        await self._core.commits.remove(self.id, account)

    async def _accounts(self, names: Collection[str]) -> list[bytes]:
        """Return the members of these names; a member who came a moment ago may have no name here yet."""
        known = {m.name: m.account for m in self.members()}
        if not known.keys() >= set(names):
            await self._core.people.learn()
            known = {m.name: m.account for m in self.members()}
        missing = set(names) - known.keys()
        if missing:
            raise NotFound(f"{', '.join(sorted(missing))}: not in this conversation")
        return [known[name] for name in names]

    async def set_admins(self, names: Collection[str], *, everybody_may: Right = NOBODY_ELSE) -> None:
        """Let only these members do what needs a `Right`, and change this; nobody named: everybody does all.

        `everybody_may`: what the others may do all the same.
        """
        admins = tuple(sorted(await self._accounts(names)))
        await self._core.commits.set_policy(
            self.id, lambda policy: replace(policy, admins=admins, everybody_may=int(everybody_may))
        )

    def admins(self) -> list[str]:
        """Return who may do all; empty: everybody. Where the last admin is gone, everybody is one."""
        admins, members = self._policy().admins, {m.account for m in self.members()}
        return sorted(self._core.people.name(a) for a in admins if a in members)

    def everybody_may(self) -> Right:
        """Return what members may do who are no admins."""
        return ~NOBODY_ELSE if not self.admins() else Right(self._policy().everybody_may)

    def _policy(self) -> GroupPolicy:
        return read_policy(self._core.groups.load(self.id).policy)

    async def leave(self) -> None:
        """Leave, after what has been sent; another member's commit makes it so. It is done for certain, also after a crash."""
        self._core.upkeep.want_leave(self.id)
        await self._core.upkeep.settle()

    async def rehome(self) -> None:
        """Let this group go on at one's own server, because its home has gone for good; NotAllowed while that answers.

        All whose servers can be reached are in it at once, the others as soon as they can be.
        """
        await self._core.moves.rehome(self.id)
        self._tell_settings()

    async def rejoin(self) -> None:
        """Take a new leaf in place of this device's own, as after a restored backup; NotVouched (see `strangers`)."""
        self._core.upkeep.want_rejoin(self.id)
        await self._core.upkeep.settle()
        self._need_vouched()

    def _need_vouched(self) -> None:
        if missing := self.strangers():
            raise NotVouched(
                f"{', '.join(missing)}: in this conversation as the server shows it, and brought by nobody known"
            )

    def strangers(self) -> list[str]:
        """Return those for whom nobody vouches, as the server shows this conversation: it is not entered before somebody does."""
        return sorted(self._core.people.name(a) for a in self._core.vouching.strangers(self.id))

    async def accept_strangers(self) -> None:
        """Enter this conversation with those whom `strangers` names; others in their place are asked about anew."""
        self._core.vouching.accept(self.id)
        await self._core.upkeep.settle()
        self._need_vouched()

    async def update_key(self) -> None:
        """Rotate this device's keys: a new epoch."""
        await self._core.commits.update(self.id)
