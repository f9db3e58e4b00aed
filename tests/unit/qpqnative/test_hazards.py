"""What goes wrong must cost nothing lasting: tampering, staleness, crashes, poison, piled-up keys, threads."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable

import pytest

from qpqnative import Application, Device, Group, MlsError, NativeError, PendingCommit, argon2id
from qpqnative.testing import StoredDevice
from qpqnative.testing.world import GROUP_ID, NOW_S, World

SKIPPED_KEYS_PER_SENDER_MAX = 1_024


def flipped(message: bytes, at: int) -> bytes:
    raw = bytearray(message)
    raw[at] ^= 1
    return bytes(raw)


def refusal(call: Callable[[], object]) -> str:
    """The kind with which a call is refused."""
    with pytest.raises(MlsError) as refused:
        call()
    return refused.value.kind


def test_a_tampered_message_does_not_eat_the_genuine_one(world: World) -> None:
    world.with_members("ada", "bob")
    sealed = world.groups["ada"].encrypt(b"genuine")
    assert refusal(lambda: world.groups["bob"].process(flipped(sealed, -3))) == "invalid"
    read = world.people["bob"].load(GROUP_ID).process(sealed)
    assert isinstance(read, Application)
    assert read.data == b"genuine"


def test_a_message_is_read_once(small: World) -> None:
    small.with_members("ada", "bob")
    sealed = small.groups["ada"].encrypt(b"once")
    small.groups["bob"].process(sealed)
    small.keep("bob", small.groups["bob"])
    assert refusal(lambda: small.groups["bob"].process(sealed)) == "reused_key"


def test_a_step_that_was_not_stored_can_be_repeated(world: World) -> None:
    world.with_members("ada", "bob")
    sealed = world.groups["ada"].encrypt(b"again")
    world.keep("ada", world.groups["ada"])
    for _ in range(2):
        read = world.people["bob"].load(GROUP_ID).process(sealed)
        assert isinstance(read, Application)
    pending = world.groups["ada"].commit(now_s=NOW_S)
    for _ in range(2):
        world.people["bob"].load(GROUP_ID).process(pending.commit)
    world.deliver(pending, "ada")


def test_a_poisoned_group_refuses_everything(small: World) -> None:
    small.with_members("ada", "bob")
    bob = small.groups["bob"]
    assert refusal(lambda: bob.process(b"nonsense")) == "malformed"
    calls: list[Callable[[], object]] = [
        lambda: bob.epoch, bob.members, bob.tree, bob.group_info, bob.epoch_authenticator, bob.take_changes,
        bob.pending_proposals, bob.propose_self_remove, lambda: bob.encrypt(b"x"), lambda: bob.commit(now_s=NOW_S),
        lambda: bob.process(b""), lambda: bob.export(b"a", b"", 32),
    ]  # fmt: skip
    assert [refusal(call) for call in calls] == ["poisoned"] * len(calls)
    assert bob.group_id == GROUP_ID


def test_a_refused_device_goes_on(small: World) -> None:
    small.create()
    bob = small.person("bob")
    package = small.key_package("bob")
    assert refusal(lambda: bob.device.join(b"nonsense", b"")) == "malformed"
    assert refusal(lambda: bob.device.key_package(77, not_before_s=NOW_S, lifetime_s=1)) == "unsupported"
    assert bob.device.take_changes() == []
    pending = small.groups["ada"].commit(add=[package], now_s=NOW_S)
    assert bob.device.join(pending.welcomes[0][1], pending.tree).epoch == 1


def test_a_bad_signature_secret_is_refused() -> None:
    assert refusal(lambda: Device(credential=b"", signature_secret=bytes(31))) == "malformed"


def test_a_detached_commit_changes_nothing_until_it_is_applied(world: World) -> None:
    world.with_members("ada", "bob")
    ada = world.groups["ada"]
    before = ada.epoch_authenticator()
    pending = ada.commit(now_s=NOW_S)
    assert (ada.epoch, ada.epoch_authenticator()) == (1, before)
    assert (pending.epoch, pending.group_id) == (1, GROUP_ID)
    sealed = ada.encrypt(b"still in the old epoch")
    assert isinstance(world.groups["bob"].process(sealed), Application)
    del pending
    world.keep("ada", ada)
    world.keep("bob", world.groups["bob"])
    world.commit("bob")


def test_the_loser_of_an_epoch_drops_his_commit(world: World) -> None:
    world.with_members("ada", "bob")
    lost = PendingCommit.from_bytes(world.groups["ada"].commit(now_s=NOW_S).to_bytes())
    world.commit("bob")
    assert refusal(lambda: world.groups["ada"].apply(lost)) == "wrong_epoch"
    world.groups["ada"] = world.people["ada"].load(GROUP_ID)
    world.agree()


def test_a_commit_of_another_history_with_the_same_epoch_is_refused(small: World) -> None:
    small.with_members("ada", "bob")
    ada, bob = small.groups["ada"], small.groups["bob"]
    forked = small.people["ada"].load(GROUP_ID)
    forked.apply(forked.commit(now_s=NOW_S))
    from_fork = forked.commit(now_s=NOW_S)
    small.deliver(bob.commit(now_s=NOW_S), "bob")
    assert small.groups["ada"].epoch == from_fork.epoch
    assert refusal(lambda: small.groups["ada"].apply(from_fork)) == "wrong_epoch"
    assert ada is not small.groups["ada"]


def test_the_log_must_bring_the_very_commit(small: World) -> None:
    small.with_members("ada", "bob")
    mine = small.groups["ada"].commit(now_s=NOW_S)
    other = small.groups["ada"].commit(now_s=NOW_S)
    assert refusal(lambda: small.groups["ada"].apply(mine, other.commit)) == "rule"


def test_a_commit_for_another_group_is_refused(small: World) -> None:
    small.create()
    other = StoredDevice("eve").device.create_group(small.suite, group_id=b"other", policy=b"", now_s=NOW_S)
    assert refusal(lambda: small.groups["ada"].apply(other.commit(now_s=NOW_S))) == "wrong_group"


def test_an_own_commit_is_applied_not_processed(small: World) -> None:
    small.with_members("ada", "bob")
    pending = small.groups["ada"].commit(now_s=NOW_S)
    assert refusal(lambda: small.groups["ada"].process(pending.commit)) == "rule"


def test_an_own_message_is_not_processed(small: World) -> None:
    small.with_members("ada", "bob")
    sealed = small.groups["ada"].encrypt(b"mine")
    assert refusal(lambda: small.groups["ada"].process(sealed)) == "rule"


def test_a_replayed_commit_is_of_another_epoch(small: World) -> None:
    small.with_members("ada", "bob")
    pending = small.groups["ada"].commit(now_s=NOW_S)
    small.deliver(pending, "ada")
    assert refusal(lambda: small.groups["bob"].process(pending.commit)) == "wrong_epoch"


@pytest.mark.parametrize("place", [20, 200, -40, -1])
def test_a_tampered_commit_changes_nothing(small: World, place: int) -> None:
    small.with_members("ada", "bob")
    pending = small.groups["ada"].commit(now_s=NOW_S)
    refusal(lambda: small.groups["bob"].process(flipped(pending.commit, place)))
    small.groups["bob"] = small.people["bob"].load(GROUP_ID)
    small.deliver(pending, "ada")


def test_damaged_bytes_of_a_pending_commit_are_refused(small: World) -> None:
    small.create()
    bytes_of = small.groups["ada"].commit(now_s=NOW_S).to_bytes()
    for bad in (b"", bytes_of[:-1], bytes_of + b"\0", b"\1" + bytes_of[1:]):
        assert refusal(lambda bad=bad: PendingCommit.from_bytes(bad)) == "malformed"  # type: ignore[misc]


def test_trailing_bytes_make_a_message_malformed(small: World) -> None:
    small.with_members("ada", "bob")
    sealed = small.groups["ada"].encrypt(b"x")
    assert refusal(lambda: small.groups["bob"].process(sealed + b"\0")) == "malformed"


def test_an_expired_key_package_cannot_be_added(small: World) -> None:
    small.create()
    package = small.person("bob").key_package(small.suite, now_s=NOW_S, lifetime_s=120)
    assert refusal(lambda: small.groups["ada"].commit(add=[package], now_s=NOW_S + 121)) == "invalid"
    small.groups["ada"] = small.people["ada"].load(GROUP_ID)
    pending = small.groups["ada"].commit(add=[package], now_s=NOW_S)
    with pytest.raises(MlsError):
        small.view.check(pending.commit, NOW_S + 121)
    small.view.check(pending.commit, NOW_S)


def test_a_key_package_of_the_other_suite_cannot_be_added(small: World) -> None:
    small.create()
    package = small.person("bob").key_package(0xF04F, now_s=NOW_S)
    refusal(lambda: small.groups["ada"].commit(add=[package], now_s=NOW_S))


def jump(author: Group, generations: int) -> bytes:
    """A message after so many that nobody gets."""
    for _ in range(generations):
        author.encrypt(b"lost")
    return author.encrypt(b"arrives")


def test_skipped_keys_are_bounded_and_the_sender_is_named(small: World) -> None:
    small.with_members("ada", "bob", "cyd")
    ada = small.groups["ada"]
    small.groups["bob"].process(jump(ada, 600))
    small.keep("bob", small.groups["bob"])
    small.groups["bob"].process(jump(ada, 400))
    small.keep("bob", small.groups["bob"])
    too_far = jump(ada, 100)
    with pytest.raises(MlsError) as refused:
        small.groups["bob"].process(too_far)
    assert (refused.value.kind, refused.value.sender_index) == ("skipped_keys", 0)
    small.groups["bob"] = small.people["bob"].load(GROUP_ID)
    small.groups["bob"].process(small.groups["cyd"].encrypt(b"others go on"))
    stored = sum(len(value) for key, value in small.people["bob"].records.items() if key.startswith(b"s/"))
    assert stored < 34 * SKIPPED_KEYS_PER_SENDER_MAX + 4_096


def test_a_jump_in_a_past_epoch_counts_there(small: World) -> None:
    small.with_members("ada", "bob")
    ada = small.groups["ada"]
    first, second = jump(ada, 900), jump(ada, 900)
    small.keep("ada", ada)
    small.commit("ada")
    small.groups["bob"].process(first)
    small.keep("bob", small.groups["bob"])
    assert refusal(lambda: small.groups["bob"].process(second)) == "skipped_keys"
    small.groups["bob"] = small.people["bob"].load(GROUP_ID)
    small.groups["bob"].process(jump(small.groups["ada"], 900))


def test_a_jump_too_far_for_the_library_is_the_same_refusal(small: World) -> None:
    small.with_members("ada", "bob")
    too_far = jump(small.groups["ada"], 1_100)
    assert refusal(lambda: small.groups["bob"].process(too_far)) == "skipped_keys"


def test_errors_tell_kind_and_cause_and_no_secret(small: World) -> None:
    small.with_members("ada", "bob")
    sealed = small.groups["ada"].encrypt(b"secret text")
    with pytest.raises(NativeError) as refused:
        small.groups["bob"].process(flipped(sealed, -3))
    assert refused.value.kind == "invalid"
    assert str(refused.value) == f"invalid: {refused.value.cause}"
    assert refused.value.cause.isalnum()
    assert refused.value.sender_index is None


def test_the_gil_is_given_back_in_long_work() -> None:
    """Other threads run while a stretching of some hundred milliseconds does: the interpreter never had to force it."""
    counted = 0
    done = threading.Event()

    def work() -> None:
        argon2id(b"password", bytes(16), 64 * 1024, 4, 1, 32)
        done.set()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1_000)  # a thread that keeps the GIL would keep it to its end
    try:
        thread = threading.Thread(target=work)
        thread.start()
        while not done.wait(0.001):
            counted += 1
        thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert counted > 3


def test_threads_may_share_a_group(small: World) -> None:
    """Calls on one object take turns; each message gets a key of its own."""
    small.with_members("ada", "bob")
    sealed: list[bytes] = []
    ada = small.groups["ada"]
    threads = [threading.Thread(target=lambda: sealed.extend(ada.encrypt(b"x") for _ in range(25))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(sealed)) == 100
    for message in sealed:
        assert isinstance(small.groups["bob"].process(message), Application)
