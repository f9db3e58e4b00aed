"""A group in step: people over dictionaries, the server's view beside them, every object reloaded after every step."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qpqnative._native import CommitFacts, Group, GroupView, PendingCommit
from qpqnative.testing import StoredDevice

if TYPE_CHECKING:
    from collections.abc import Sequence

NOW_S = 1_800_000_000
GROUP_ID = b"channel-1/0"
POLICY = b"policy v1"


@dataclass
class World:
    """A group, its members' objects by name, and the server's view; ``commit`` keeps them all in step."""

    suite: int
    people: dict[str, StoredDevice] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    server: StoredDevice = field(default_factory=lambda: StoredDevice("delivery"))

    def person(self, name: str) -> StoredDevice:
        return self.people.setdefault(name, StoredDevice(name))

    def create(self, name: str = "ada") -> Group:
        device = self.person(name)
        group = device.device.create_group(
            self.suite, group_id=GROUP_ID, policy=POLICY, now_s=NOW_S,
            external_senders=[(self.server.credential, self.server.public)],
        )  # fmt: skip
        self.view = GroupView.observe(group.group_info(), group.tree())
        self.keep(name, group)
        return self.groups[name]

    def keep(self, name: str, group: Group) -> None:
        """Stores a person's group, drops the object, and takes it up from the records."""
        self.groups[name] = self.people[name].reload(group)

    def key_package(self, name: str, *, last_resort: bool = False) -> bytes:
        return self.person(name).key_package(self.suite, now_s=NOW_S, last_resort=last_resort)

    def deliver(self, pending: PendingCommit, author: str, joiners: tuple[str, ...] = ()) -> CommitFacts:
        """Checks a commit at the server, gives it to all, reloads each; the author's facts."""
        self.view, at_server = self.view.check(pending.commit, NOW_S)
        assert isinstance(at_server, CommitFacts)
        self.view.check_group_info(pending.group_info)
        self.view = GroupView.load(self.view.snapshot(), self.view.tree())
        stored = PendingCommit.from_bytes(pending.to_bytes())
        facts = self.groups[author].apply(stored, pending.commit)
        assert at_server == facts
        self.keep(author, self.groups[author])
        for name in [name for name in self.groups if name != author]:
            seen = self.groups[name].process(pending.commit)
            assert isinstance(seen, CommitFacts)
            if seen.self_removed:
                del self.groups[name]
            else:
                assert seen == facts
                self.keep(name, self.groups[name])
        for name, (_, welcome) in zip(joiners, pending.welcomes, strict=True):
            group = self.people[name].load_device().join(welcome, pending.tree)
            self.keep(name, group)
        self.agree()
        return facts

    def commit(
        self,
        author: str,
        joiners: tuple[str, ...] = (),
        *,
        remove: Sequence[int] = (),
        policy: bytes | None = None,
        psks: Sequence[bytes] = (),
        new_signer: tuple[bytes, bytes] | None = None,
    ) -> CommitFacts:
        """Builds a commit, stores the detached half and the author, and delivers it."""
        packages = [self.key_package(name) for name in joiners]
        pending = self.groups[author].commit(
            add=packages, remove=remove, policy=policy, psks=psks, new_signer=new_signer, now_s=NOW_S
        )
        self.keep(author, self.groups[author])
        return self.deliver(pending, author, joiners)

    def agree(self) -> None:
        """Everybody is in the same state, the server's view included."""
        assert len({group.epoch_authenticator() for group in self.groups.values()}) == 1
        for group in self.groups.values():
            assert (group.epoch, group.tree_hash, group.policy) == (
                self.view.epoch,
                self.view.tree_hash,
                self.view.policy,
            )
            assert group.members() == self.view.members()

    def with_members(self, *names: str) -> World:
        """The group of the first, with the others added in one commit."""
        self.create(names[0])
        self.commit(names[0], tuple(names[1:]))
        return self
