"""MLS through qpqnative: at a member, at delivery's view, at one who joins or comes back.

The targets whose names end in `_signed` and `_sealed` take the inside of a message and sign, tag and encrypt it anew, as
a member gone bad would: so the search gets past signatures, into what only they protect.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qpqnative import (
    Application,
    CommitFacts,
    GroupView,
    MlsError,
    PendingCommit,
    Proposal,
    inspect_key_package,
    inspect_message,
)
from qpqnative.testing.world import GROUP_ID, NOW_S
from tools.fuzz import mls_parts as parts
from tools.fuzz.mls_world import BOB_INDEX, Scene, scene
from tools.fuzz.target import Target, demand

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

HANDSHAKES = ("leaving", "removal", "commit", "update", "rejoin", "expulsion")
SIGNERS = {"leaving": 2, "removal": 3, "commit": 0, "update": 2, "rejoin": 1, "expulsion": 0}
TAGS = {"commit": 0, "update": 1, "rejoin": 2, "expulsion": 3}
"""Which signer and which confirmation tag make the genuine message of its content."""
LEAVES_MAX = 64


def message(data: bytes) -> None:
    """Read a message's head."""
    info = inspect_message(data)
    demand((info.content is None) == (info.wire not in {"public", "private"}), "a head that contradicts itself")


def key_package(data: bytes) -> None:
    """Check a KeyPackage, without a time: what the keystore does with an upload."""
    info = inspect_key_package(data, None)
    demand(len(info.reference) == parts.HASH_BYTES, "a reference of another length")
    demand(inspect_message(data).wire == "key_package", "two readers disagree on what a KeyPackage is")


def key_package_signed(data: bytes) -> None:
    """Sign a leaf and a KeyPackage of any content: two bytes say where the leaf ends."""
    head, _, _ = parts.key_package_parts(scene().values["package"])
    length = int.from_bytes(data[:2], "big")
    leaf, extensions = data[2 : 2 + length], data[2 + length :]
    key_package(parts.key_package(head, leaf, extensions, scene().people["dan"].secret))


def _at_view(data: bytes) -> Proposal | CommitFacts:
    view, facts = scene().view.check(data, NOW_S)
    # It has to go on from what it took: stored, loaded again, asked.
    again = GroupView.load(view.snapshot(), view.tree())
    demand((again.epoch, again.tree_hash, again.policy) == (view.epoch, view.tree_hash, view.policy), "a view changes")
    demand(len(view.members()) <= LEAVES_MAX, "more members than a commit can bring")
    return facts


def _at_member(data: bytes) -> Application | Proposal | CommitFacts:
    group = scene().people["bob"].group()
    done = group.process(data)
    group.take_changes()
    group.members()
    return done


def member(data: bytes) -> None:
    """Give any bytes to a member."""
    _at_member(data)


def view(data: bytes) -> None:
    """Give any bytes to delivery's view."""
    _at_view(data)


def both_signed(data: bytes) -> None:
    """Sign a FramedContent anew, give it to the view and to a member: what the member takes the view takes, as the same.

    The first byte says who signs and which confirmation tag is put: no commit but a genuine one has the right tag, so
    the member may refuse what the view takes.
    """
    s = scene()
    choice = data[0] if data else 0
    sent = s.seal.message(data[1:], s.secrets[choice % len(s.secrets)], s.tags[choice // 8 % len(s.tags)])
    try:
        at_member = _at_member(sent)
    except MlsError as exc:
        demand(exc.kind not in {"internal", "poisoned"}, f"a member: {exc}")
        _at_view(sent)
        return
    at_view = _at_view(sent)
    out = isinstance(at_member, CommitFacts) and at_member.self_removed  # which only the member itself can say
    demand(out or at_view == at_member, "a member takes what the view reads differently")


def group_info(data: bytes) -> None:
    """Give a GroupInfo to one who begins to observe, to a view that is asked to store it, and to one who comes back."""
    s = scene()
    refusals = 0
    for door in _info_doors(data, s):
        try:
            door()
        except MlsError as exc:
            demand(exc.kind not in {"internal", "poisoned"}, str(exc))
            refusals += 1
            refused = exc
    if refusals:
        raise refused


def _info_doors(data: bytes, s: Scene) -> Iterable[Callable[[], object]]:
    tree = s.values["tree"]
    return (
        lambda: GroupView.observe(data, tree).snapshot(),
        lambda: s.view.check_group_info(data),
        lambda: s.people["bob"].device().external_join(data, tree, remove_leaf=BOB_INDEX),
    )


def group_info_signed(data: bytes) -> None:
    """Sign a GroupInfo of any content; the first byte says who does."""
    s = scene()
    group_info(parts.group_info(data[1:], s.secrets[(data[0] if data else 0) % len(s.secrets)]))


def tree(data: bytes) -> None:
    """Give a tree to one who begins to observe, to one who joins and to one who comes back."""
    s = scene()
    GroupView.observe(s.values["info"], data)
    s.people["bob"].device().external_join(s.values["info"], data, remove_leaf=BOB_INDEX)


def next_tree(data: bytes) -> None:
    """Give a tree to one who joins by a Welcome."""
    s = scene()
    s.people["dan"].device().join(s.values["welcome"], data)


def welcome(data: bytes) -> None:
    """Join by a Welcome of any bytes."""
    s = scene()
    s.people["dan"].device().join(data, s.values["next_tree"])


def welcome_sealed(data: bytes) -> None:
    """Encrypt a Welcome's inside: with an even first byte the GroupSecrets, with an odd one the GroupInfo, signed."""
    s = scene()
    secrets, _ = s.welcome_parts()
    choice, inside = (data[0] if data else 0), data[1:]
    if choice % 2 == 0:
        made = s.welcome(inside, s.sealed_info())
    else:
        signed = parts.group_info(inside, s.secrets[choice // 2 % len(s.secrets)])
        made = s.welcome(secrets, s.seal_info(secrets, signed[4:]))
    s.people["dan"].device().join(made, s.values["next_tree"])


def snapshot(data: bytes) -> None:
    """Load a view from a damaged snapshot, and go on with it."""
    s = scene()
    loaded = GroupView.load(data, s.values["tree"])
    loaded.members()
    loaded.cached_proposals()
    loaded.check(s.values["update"], NOW_S)


def stored_tree(data: bytes) -> None:
    """Load a view and a member's group from a damaged tree."""
    s = scene()
    GroupView.load(s.values["snapshot"], data).members()
    bob = s.people["bob"]
    records = [(key, value) for key, value in bob.records if key[:2] in (b"s/", b"e/")]
    bob.device().load_group(GROUP_ID, records, data).members()


def pending(data: bytes) -> None:
    """Read a pending commit and apply it to the group it was made in."""
    s = scene()
    read = PendingCommit.from_bytes(data)
    demand(PendingCommit.from_bytes(read.to_bytes()).commit_hash == read.commit_hash, "written differently than read")
    s.people["ada"].group().apply(read)


# --- genuine ones


def _values(*names: str) -> Callable[[], Iterable[tuple[str, bytes]]]:
    return lambda: [(name, scene().values[name]) for name in names]


def _signed_seeds() -> Iterable[tuple[str, bytes]]:
    for name in HANDSHAKES:
        choice = next(
            c for c in range(256) if c % 5 == SIGNERS[name] and c // 8 % 4 == TAGS.get(name, 0)
        )  # fmt: skip
        yield name, bytes([choice]) + parts.framed_content(scene().values[name])


def _package_seeds() -> Iterable[tuple[str, bytes]]:
    _, leaf, extensions = parts.key_package_parts(scene().values["package"])
    yield "package", len(leaf).to_bytes(2, "big") + leaf + extensions
    _, _, last_resort = parts.key_package_parts(scene().values["last_resort"])
    yield "last_resort", len(leaf).to_bytes(2, "big") + leaf + last_resort


def _inside_seeds() -> Iterable[tuple[str, bytes]]:
    secrets, info = scene().welcome_parts()
    yield "secrets", b"\0" + secrets
    yield "info", b"\x01" + info


def _info_seeds() -> Iterable[tuple[str, bytes]]:
    # Signed by ada, the author of the last commit, in the name of the leaf that the GroupInfo names.
    yield "info", b"\0" + scene().values["info"][4 : -parts.SIGNATURE_FIELD_BYTES]


MLS = (MlsError,)
TARGETS = (
    Target(
        name="mls_message", what="the head of any MLS message", run=message, errors=MLS, native=True,
        seeds=_values("application", "leaving", "commit", "welcome", "info", "package"),
    ),
    Target(
        name="mls_key_package", what="KeyPackages", run=key_package, errors=MLS, native=True, seeds=_values("package", "last_resort"),
    ),
    Target(
        name="mls_key_package_signed", slow=True, what="KeyPackages with any inside, signed", run=key_package_signed, errors=MLS, native=True,
        seeds=_package_seeds,
    ),
    Target(
        name="mls_member", slow=True, what="messages and commits at a member", run=member, errors=MLS, native=True,
        seeds=_values("application", *HANDSHAKES),
    ),
    Target(name="mls_view", slow=True, what="messages and commits at delivery's view", run=view, errors=MLS, native=True, seeds=_values(*HANDSHAKES)),
    Target(
        name="mls_signed", slow=True, what="commits and proposals of any content, signed, at both", run=both_signed, errors=MLS, native=True,
        seeds=_signed_seeds,
    ),
    Target(name="mls_group_info", slow=True, what="GroupInfo at its three readers", run=group_info, errors=MLS, native=True, seeds=_values("info")),
    Target(
        name="mls_group_info_signed", slow=True, what="GroupInfo of any content, signed", run=group_info_signed, errors=MLS, native=True,
        seeds=_info_seeds,
    ),
    Target(name="mls_tree", slow=True, what="trees beside a GroupInfo", run=tree, errors=MLS, native=True, seeds=_values("tree")),
    Target(name="mls_next_tree", slow=True, what="trees beside a Welcome", run=next_tree, errors=MLS, native=True, seeds=_values("next_tree")),
    Target(name="mls_welcome", slow=True, what="Welcomes", run=welcome, errors=MLS, native=True, seeds=_values("welcome")),
    Target(
        name="mls_welcome_sealed", slow=True, what="Welcomes with any inside, sealed", run=welcome_sealed, errors=MLS, native=True,
        seeds=_inside_seeds,
    ),
    Target(name="mls_snapshot", what="a stored view", run=snapshot, errors=MLS, native=True, seeds=_values("snapshot")),
    Target(name="mls_stored_tree", what="a stored tree", run=stored_tree, errors=MLS, native=True, seeds=_values("tree")),
    Target(
        name="mls_pending", what="a stored commit of one's own", run=pending, errors=MLS, native=True, seeds=_values("pending"),
        input_bytes_max=8_192,
    ),
)  # fmt: skip
