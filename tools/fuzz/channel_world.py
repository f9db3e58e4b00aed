"""People with real MLS groups, for the target that drives the delivery service: what they hold, make and follow.

Everybody follows the log at once; a device that was removed keeps what it last had. The channel as created is made
once in a process and copied for every input.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING

from qpqclient.groups import write_key
from qpqcore.api import delivery as api
from qpqcore.api.content import ChannelKind, GroupPolicy
from qpqcore.api.keystore import DeviceListsParams, DeviceListsResult
from qpqcore.crypto.identity import Credential, DeviceEntry, DeviceList
from qpqcore.crypto.signatures import generate_key
from qpqcore.groups.policy import group_id
from qpqcore.model.call import CallContext, Caller, CallerKind
from qpqcore.model.ids import AccountId, DeviceId, make_id
from qpqnative import SUITE_1, CommitFacts, Group, PendingCommit
from qpqnative.testing import StoredDevice
from tools.fuzz import mls_parts as parts

if TYPE_CHECKING:
    from collections.abc import Sequence

NOW_MS = 1_800_000_000_000
NAMES = ("alice", "bob", "carol", "dave")
DOMAIN = "localhost"
SEALED_BYTES = 40
"""Of a message that nobody opens."""
CHANNEL = make_id(b"c" * 16, DOMAIN)
SENDER_CREDENTIAL = b"delivery"
SENDER_SECRET, SENDER_KEY = generate_key(b"s" * 32)


@dataclass
class Person(StoredDevice):
    """An account with one device."""

    groups: dict[int, Group] = field(default_factory=dict)

    def __post_init__(self) -> None:
        letter = self.name[:1].encode()
        self.account_id, self.device_id = (
            AccountId(make_id(letter * 16, DOMAIN)),
            DeviceId(make_id(letter.upper() * 16, DOMAIN)),
        )
        identity, (self.secret, self.public) = letter * 32, generate_key(letter.upper() * 32)
        self.credential = Credential.make(identity, self.account_id, self.device_id, self.public).to_bytes()
        entries = (DeviceEntry(self.device_id, self.public),)
        self.device_list = DeviceList.make(identity, self.account_id, entries).to_bytes()
        self.device = self.load_device()

    def call(self, now_ms: int) -> CallContext:
        """Return the surroundings of a call of this device."""
        caller = Caller(CallerKind.ACCOUNT, self.account_id, self.device_id)
        return CallContext(caller=caller, now_ms=now_ms)

    def group(self, generation: int) -> Group:
        """Return the group as stored."""
        return self.load(group_id(CHANNEL, generation))

    def holds(self, generation: int) -> bool:
        """Tell whether a generation's group is stored."""
        return b"s/" + group_id(CHANNEL, generation) in self.records


class Keystore:
    """Knows everybody's device list; nothing else is asked of it."""

    def __init__(self, people: Sequence[Person]) -> None:
        self._lists = {person.account_id: person.device_list for person in people}

    def revoke(self, account: AccountId) -> None:
        """Forget an account's devices."""
        self._lists.pop(account, None)

    async def device_lists(self, call: CallContext, params: DeviceListsParams) -> DeviceListsResult:
        """Return the lists asked for, empty where there is none."""
        del call
        return DeviceListsResult(device_lists=tuple(self._lists.get(AccountId(a), b"") for a in params.accounts))


@dataclass(frozen=True, slots=True)
class Made:
    """A commit as its author would submit it, and what members need to follow it."""

    author: str
    params: api.SubmitCommitParams
    add: tuple[str, ...]
    remove: tuple[str, ...]
    pending: bytes
    """Empty: an external commit."""
    tree: bytes
    proposed: frozenset[str]
    """Whose proposals it takes up."""


class People:
    """Everybody, and the groups of the present generation."""

    def __init__(self) -> None:
        self.by_name = {name: Person(name) for name in NAMES}
        self.by_device = {person.device_id: name for name, person in self.by_name.items()}

    def copy(self) -> People:
        """Return the same people with records of their own."""
        copied = object.__new__(People)
        copied.by_name = {}
        for name, person in self.by_name.items():
            twin = object.__new__(Person)
            twin.__dict__ = {**person.__dict__, "records": dict(person.records), "groups": {}}
            copied.by_name[name] = twin
        copied.by_device = self.by_device
        return copied

    # --- beginnings

    def birth(self, creator: str, others: Sequence[str], generation: int) -> tuple[api.CreateChannelParams, Made]:
        """Return what begins a generation with these people, and its first commit."""
        person = self.by_name[creator]
        policy = GroupPolicy(version=1, kind=ChannelKind.GROUP, home=DOMAIN, generation=generation, least_client=1)
        group = person.load_device().create_group(
            SUITE_1, group_id=group_id(CHANNEL, generation), policy=policy.to_bytes(),
            external_senders=[(SENDER_CREDENTIAL, SENDER_KEY)], now_s=NOW_MS // 1000,
        )  # fmt: skip
        info, tree, key = group.group_info(), group.tree(), write_key(group, CHANNEL, generation)
        group = person.reload(group)
        made = self.commit(creator, generation, add=others)
        params = api.CreateChannelParams(
            channel=CHANNEL, group_info=info, tree=tree, write_key=key, first=made.params.handshake
        )
        return params, made

    # --- commits

    def commit(self, author: str, generation: int, *, add: Sequence[str] = (), remove: Sequence[str] = ()) -> Made:
        """Return a commit of a member, with the proposals that its group has taken; MlsError."""
        person = self.by_name[author]
        group = person.group(generation)
        epoch = group.epoch
        packages = [self._package(name) for name in add]
        leaves = {self._of(m.credential): m.index for m in group.members()}
        pending = group.commit(add=packages, remove=[leaves[name] for name in remove], now_s=NOW_MS // 1000)
        after = person.group(generation)
        after.apply(pending)
        handshake = api.Handshake(
            commit=pending.commit, group_info=pending.group_info, write_key=write_key(after, CHANNEL, generation),
            welcomes=tuple(
                api.WelcomeItem(device=self.by_name[name].device_id, welcome=welcome)
                for name, (_, welcome) in zip(add, pending.welcomes, strict=True)
            ),
        )  # fmt: skip
        params = api.SubmitCommitParams(channel=CHANNEL, generation=generation, epoch=epoch, handshake=handshake)
        return Made(author, params, tuple(add), tuple(remove), pending.to_bytes(), pending.tree, frozenset())

    def rejoin(self, author: str, generation: int, group_info: bytes, tree: bytes, leaf: int | None) -> Made:
        """Return an external commit of a person, for a GroupInfo as the server has it."""
        person = self.by_name[author]
        group, commit = person.load_device().external_join(group_info, tree, remove_leaf=leaf)
        handshake = api.Handshake(
            commit=commit, group_info=group.group_info(), write_key=write_key(group, CHANNEL, generation)
        )
        person.groups = {generation: group}
        epoch = group.epoch - 1
        params = api.SubmitCommitParams(channel=CHANNEL, generation=generation, epoch=epoch, handshake=handshake)
        return Made(author, params, (author,), (), b"", b"", frozenset())

    def _package(self, name: str) -> bytes:
        return self.by_name[name].key_package(SUITE_1, now_s=NOW_MS // 1000)

    def _of(self, credential: bytes) -> str:
        return self.by_device[Credential.from_bytes(credential).device]

    # --- following

    def follow(self, made: Made, members: Sequence[str]) -> None:
        """Let everybody who was in take a commit that the server has taken; who is added joins."""
        generation = made.params.generation
        handshake = made.params.handshake or api.Handshake()
        for name in members:
            person = self.by_name[name]
            if name == made.author and made.pending:
                group = person.group(generation)
                group.apply(PendingCommit.from_bytes(made.pending), handshake.commit)
                person.save(group)
            elif name != made.author:
                self._take(person, generation, handshake.commit)
        if not made.pending:
            self._enter(self.by_name[made.author], self.by_name[made.author].groups[generation])
        for item in handshake.welcomes:
            person = self.by_name[self.by_device[DeviceId(item.device)]]
            self._enter(person, person.load_device().join(item.welcome, made.tree))

    @staticmethod
    def _take(person: Person, generation: int, payload: bytes) -> None:
        group = person.group(generation)
        done = group.process(payload)
        if not (isinstance(done, CommitFacts) and done.self_removed):
            person.save(group)

    @staticmethod
    def _enter(person: Person, group: Group) -> None:
        """Store a group that was joined: it starts from nothing."""
        for key in [key for key in person.records if key[:2] in (b"s/", b"e/", b"t/") and group.group_id in key]:
            del person.records[key]
        person.save(group)

    def propose(self, name: str, generation: int) -> bytes:
        """Return a proposal of a member to leave."""
        return self.by_name[name].group(generation).propose_self_remove()

    def hear(self, proposal: bytes, generation: int, author: str, members: Sequence[str]) -> None:
        """Let members take a proposal."""
        for name in members:
            person = self.by_name[name]
            if name == author:
                group = person.group(generation)
                group.propose_self_remove()
                person.save(group)
            else:
                self._take(person, generation, proposal)


def lying(made: Made, **handshake: object) -> api.SubmitCommitParams:
    """Return a commit's parameters with some of the handshake changed."""
    return replace(made.params, handshake=replace(made.params.handshake or api.Handshake(), **handshake))  # type: ignore[arg-type]


def private_message(generation: int, epoch: int, number: int) -> bytes:
    """Return a PrivateMessage as a server sees one (RFC 9420 §6.3): nobody here could open it."""
    sealed = parts.vec(b"sender data") + parts.vec(b"text %d" % number + bytes(SEALED_BYTES))
    head = parts.vec(group_id(CHANNEL, generation)) + epoch.to_bytes(8, "big") + b"\x01" + parts.vec(b"")
    return parts.VERSION + b"\x00\x02" + head + sealed


def bent(commit: bytes) -> bytes:
    """Change a commit inside what is signed."""
    at = len(commit) // 2
    return commit[:at] + bytes([commit[at] ^ 1]) + commit[at + 1 :]


@cache
def born() -> tuple[People, api.CreateChannelParams, Made]:
    """Make the channel once: alice with bob and carol."""
    people = People()
    params, made = people.birth("alice", ("bob", "carol"), 1)
    people.follow(made, ["alice"])
    return people, params, made
