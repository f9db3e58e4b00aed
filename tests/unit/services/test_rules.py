"""What services decide without a store: addresses that limits count, blobs that are out of bounds, views that are kept."""

from __future__ import annotations

import hashlib

import pytest

import qpqnative
from qpqblob import rules as blob_rules
from qpqblob.config import Config as BlobConfig
from qpqcore.api.blob import UploadBlobParams
from qpqcore.api.delivery import Entry, FetchWaitParams
from qpqcore.api.rpc import Call
from qpqcore.bus.admission import FETCH_WAIT
from qpqcore.model.errors import RETRYABLE, ErrorCode, Refusal
from qpqcore.model.ids import make_id
from qpqdelivery.store import Channel
from qpqdelivery.views import Views
from qpqgateway.config import Config as GatewayConfig
from qpqgateway.rules import VIOLATIONS, deadline_ms, following, limit_address
from qpqnative.testing import StoredDevice
from qpqnative.testing.world import NOW_S


@pytest.mark.parametrize(
    ("host", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("::1", "::"),
    ],
)
def test_limits_count_an_ipv4_address_or_an_ipv6_network_of_64_bits(host, counted):
    assert limit_address(host) == counted


@pytest.mark.parametrize(
    ("params", "asked_ms", "given_ms"),
    [
        (None, 0, 30_000),
        (None, 1, 1),
        (None, 2**32 - 1, 65_000),
        (FetchWaitParams(wait_ms=0), 0, 30_000),
        (FetchWaitParams(wait_ms=40_000), 0, 45_000),
        (FetchWaitParams(wait_ms=40_000), 10, 10),
        (FetchWaitParams(wait_ms=2**32 - 1), 0, 65_000),
        (b"bent", 0, 30_000),
    ],
)
def test_a_call_has_its_own_deadline_or_what_its_method_needs_and_65_s_at_most(params, asked_ms, given_ms):
    body = params if isinstance(params, bytes) else params.to_bytes() if params else b""
    call = Call(method=FETCH_WAIT if params else 0, params=body, deadline_ms=asked_ms)
    assert deadline_ms(GatewayConfig(), call) == given_ms


def test_a_frame_that_was_late_may_be_sent_again_and_one_that_is_wrong_may_not():
    """The network is slow, not the caller wrong: a client that was told otherwise gave its message up."""
    assert {name: no.code in RETRYABLE for name, no in VIOLATIONS.items()} == {
        "oversized": False, "truncated": False, "late": True,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("told", "sent", "complete"),
    [
        ((), (), True),
        ((4,), (4,), True),
        ((5, 4, 6), (4, 5, 6), True),
        ((2, 3, 4), (4,), True),
        ((4, 4, 5), (4, 5), True),
        ((5,), (), False),
        ((4, 6), (4,), False),
        ((4, None), (4,), False),
        ((None,), (), False),
    ],
)
def test_what_follows_the_last_entry_without_a_hole_is_passed_on(told, sent, complete):
    notices = [b"" if number is None else Entry(number=number, payload=b"m").to_bytes() for number in told]
    entries, all_of_it = following(3, notices)
    assert ([e.number for e in entries], all_of_it) == (list(sent), complete)


CONFIG = BlobConfig(domain="example.org", blob_bytes_max=1_000, chunk_bytes_max=100)
BLOB = make_id(b"b" * 32, "example.org")
UPLOAD = {"blob": BLOB, "secret_hash": b"h" * 32, "total_bytes": 1_000, "offset": 900, "chunk": b"c" * 100}


def test_an_upload_at_its_bounds_is_taken():
    blob_rules.check_upload(CONFIG, UploadBlobParams(**UPLOAD))


@pytest.mark.parametrize(
    ("what", "code"),
    [
        ({"blob": b"none"}, ErrorCode.MALFORMED),
        ({"blob": make_id(b"b" * 32, "example.net")}, ErrorCode.NOT_FOUND),
        ({"secret_hash": b"h" * 31}, ErrorCode.MALFORMED),
        ({"total_bytes": 0}, ErrorCode.BLOB_TOO_LARGE),
        ({"total_bytes": 1_001}, ErrorCode.BLOB_TOO_LARGE),
        ({"chunk": b"c" * 101, "offset": 0}, ErrorCode.TOO_LARGE),
        ({"offset": 901}, ErrorCode.BLOB_OFFSET),
    ],
)
def test_an_upload_past_a_bound_is_refused(what, code):
    with pytest.raises(Refusal) as refused:
        blob_rules.check_upload(CONFIG, UploadBlobParams(**(UPLOAD | what)))
    assert refused.value.code is code


def test_a_read_secret_fits_its_hash_alone():
    secret = b"s" * blob_rules.SECRET_BYTES
    assert blob_rules.secret_fits(secret, hashlib.sha256(secret).digest())
    assert not blob_rules.secret_fits(secret, hashlib.sha256(b"other").digest())
    assert not blob_rules.secret_fits(secret[:-1], hashlib.sha256(secret[:-1]).digest())
    assert blob_rules.ttl_ms(CONFIG, 5) == 5_000
    assert blob_rules.ttl_ms(CONFIG, 0) == blob_rules.ttl_ms(CONFIG, 10**9) == CONFIG.default_ttl_seconds * 1000


class Trees:
    """Of a store, the trees; counts how often one is asked for."""

    def __init__(self, trees):
        self.trees = trees
        self.asked = []

    async def tree(self, channel, tree_hash):
        self.asked.append(channel)
        return self.trees.get(tree_hash)


def observed(policy):
    """The view of a new group, as a store has it: snapshot, tree, tree's hash."""
    person = StoredDevice("somebody")
    group = person.device.create_group(1, group_id=b"g", policy=policy, now_s=NOW_S)
    view = qpqnative.GroupView.observe(group.group_info(), group.tree())
    return view.snapshot(), group.tree(), view.tree_hash


def state(channel, snapshot, tree_hash, *, birth_hash=b"birth"):
    return Channel(channel, 1, 0, 0, 0, b"", snapshot, tree_hash, b"", birth_hash)


async def test_views_are_kept_until_there_are_too_many():
    snapshot, tree, tree_hash = observed(b"policy")
    store = Trees({tree_hash: tree})
    views = Views(store, cached_max=2)
    for channel in (b"1", b"2", b"1", b"3", b"1", b"2"):
        await views.of(state(channel, snapshot, tree_hash))
    assert store.asked == [b"1", b"2", b"3", b"2"]


async def test_a_channel_made_anew_under_an_old_id_has_a_view_of_its_own():
    """A channel that everybody left is dropped; its members know its id, and one of them may make another of that id."""
    old, new = observed(b"old"), observed(b"new")
    views = Views(Trees({old[2]: old[1], new[2]: new[1]}), cached_max=2)
    before = await views.of(state(b"c", old[0], old[2], birth_hash=b"old"))
    after = await views.of(state(b"c", new[0], new[2], birth_hash=b"new"))
    assert (before.policy, after.policy) == (b"old", b"new")


async def test_a_channel_whose_tree_is_gone_is_a_fault():
    snapshot, _, tree_hash = observed(b"policy")
    with pytest.raises(RuntimeError):
        await Views(Trees({}), cached_max=2).of(state(b"c", snapshot, tree_hash))
