"""MLS groups in qpqnative alone, in both suites: no network, no database; the changes are taken, as a database would."""

from __future__ import annotations

from functools import partial
from statistics import median
from typing import TYPE_CHECKING

from qpqnative import SUITE_1, SUITE_XWING, Application, GroupView
from qpqnative.testing import StoredDevice
from tools.bench.measure import Effort, Row, medians, timed

if TYPE_CHECKING:
    from qpqnative import Device, Group

NOW_S = 1_800_000_000
GROUP_ID = b"bench"
POLICY = b"policy"
TEXT = bytes(100)
SUITES = {"1": SUITE_1, "X-Wing": SUITE_XWING}
STEPS = ("create", "join", "add", "commit", "follow", "check", "send", "receive")
"""`add` and `commit` are the committer's, path included; `follow` is a member's, `check` the server's."""


def take(source: Group | Device) -> int:
    """Take what would be written; return its bytes, keys and values."""
    return sum(len(key) + len(value or b"") for key, value in source.take_changes())


def package(name: str, suite: int) -> bytes:
    """Return a KeyPackage of a device that will not act."""
    return StoredDevice(name).key_package(suite, now_s=NOW_S)


def one_life(suite: int, packages: list[bytes], messages: int) -> dict[str, float]:
    """Create a group of these, a joiner and oneself; join, add, commit, send and receive; each step's milliseconds."""
    times: dict[str, list[float]] = {name: [] for name in STEPS}
    maker, joiner = StoredDevice("maker"), StoredDevice("joiner")
    all_packages = [joiner.key_package(suite, now_s=NOW_S), *packages]

    def create() -> tuple[Group, bytes, bytes]:
        group = maker.device.create_group(suite, group_id=GROUP_ID, policy=POLICY, now_s=NOW_S)
        pending = group.commit(add=all_packages, now_s=NOW_S)
        group.apply(pending)
        take(group)
        return group, pending.welcomes[0][1], pending.tree

    def join() -> Group:
        found = joiner.device.join(welcome, tree)
        take(found)
        return found

    def change(add: list[bytes]) -> bytes:
        pending = group.commit(add=add, now_s=NOW_S)
        group.apply(pending)
        take(group)
        return pending.commit

    def follow(commit: bytes) -> None:
        other.process(commit)
        take(other)

    group, welcome, tree = timed(create, times["create"])
    other = timed(join, times["join"])
    view = GroupView.observe(group.group_info(), group.tree())
    newcomer = package("newcomer", suite)
    steps: tuple[tuple[str, list[bytes]], ...] = (("add", [newcomer]), ("commit", []))
    for step, add in steps:
        commit = timed(partial(change, add), times[step])
        timed(partial(follow, commit), times["follow"])
        view, _ = timed(partial(view.check, commit, NOW_S), times["check"])
    assert group.epoch_authenticator() == other.epoch_authenticator()
    written = exchange(group, other, messages, times)
    return {f"{name}_ms": median(found) for name, found in times.items()} | written


def exchange(sender: Group, receiver: Group, messages: int, times: dict[str, list[float]]) -> dict[str, float]:
    """Send messages; return the bytes of one, and what a sender and a receiver write for it."""

    def send() -> tuple[bytes, int]:
        return sender.encrypt(TEXT), take(sender)

    def receive(message: bytes) -> int:
        assert isinstance(receiver.process(message), Application)
        return take(receiver)

    receive(send()[0])
    sizes, sent, received = [], [], []
    for _ in range(messages):
        message, written = timed(send, times["send"])
        sizes.append(len(message))
        sent.append(written)
        received.append(timed(partial(receive, message), times["receive"]))
    return {
        "message_bytes": median(sizes),
        "written_by_send": median(sent),
        "written_by_receive": median(received),
    }


def groups(effort: Effort) -> list[Row]:
    """Measure groups of all sizes."""
    rows: list[Row] = []
    for name, suite in SUITES.items():
        packages = [package(f"member{number}", suite) for number in range(max(effort.groups) - 2)]
        for members in effort.groups:
            runs = [one_life(suite, packages[: members - 2], effort.messages) for _ in range(effort.repetitions)]
            facts = {"what": "group", "suite": name, "members": members, "repetitions": effort.repetitions}
            rows.append(facts | medians(runs))
    return rows
