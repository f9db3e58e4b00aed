"""What federation hands to delivery is checked there once more: nothing rests on one process alone.

`test_spoofing.py` shows what a peer's server is answered; most of that federation refuses before delivery is asked.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from qpqcore.api import delivery as api
from qpqcore.bus.notices import LocalNotices
from qpqcore.model.call import CallContext
from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.model.ids import box_of
from qpqcore.store.database import open_database
from qpqcore.store.migrations import migrations_of
from qpqdelivery.config import Config
from qpqdelivery.peers import GENERATION_MAX, METHODS, NUMBER_MAX, Peers
from qpqdelivery.store_sqlite import SqliteStore
from tests.contract.test_guest_store import ALICE, BEA, BOB, CAROL, OTHER, OWN, THIRD
from tests.support.channels import BOUNDS, CHANNEL, NOW_MS, birth

KEY = b"k" * 32
CALL = CallContext(now_ms=NOW_MS)
AWAY, FOREIGN = (b"h" * 16 + domain.encode() for domain in (OTHER, THIRD))
GUEST = api.Guest(account=BOB.account, device=BOB.device)
NUMBERS = {method.name: number for number, method in METHODS.items()}
REFUSED, BAD = ErrorCode.PEER_MISMATCH, ErrorCode.MALFORMED


class Untouched:
    """A store that nobody comes to."""

    def __getattr__(self, name):
        def touched(*_):
            raise AssertionError(name)

        return touched


class Server(Peers):
    """Delivery, as far as federation comes to it."""

    def __init__(self, store=None, *, federated=True):
        self._config = Config(domain=OWN, federated=federated)
        self._store = store or Untouched()
        self._notices = LocalNotices()


def born():
    """Return the channel's birth, with Welcomes of their proper form."""
    made = birth(creator=ALICE, first=(BOB, BEA, CAROL))
    welcomes = [replace(w, item=api.WelcomeItem(device=w.device, welcome=b"w").to_bytes()) for w in made.first.welcomes]
    return replace(made, first=replace(made.first, welcomes=welcomes))


@asynccontextmanager
async def serving():
    """Run it over a store in which a channel has Alice of this domain, and guests."""
    async with open_database(None, KEY, migrations_of("qpqdelivery")) as database:
        store = SqliteStore(database, replace(BOUNDS, domain=OWN))
        await store.open_mailbox(ALICE.account, ALICE.device, NOW_MS)
        await store.create(born())
        yield Server(store), store


async def code_of(awaitable):
    with pytest.raises(Refusal) as no:
        await awaitable
    return no.value.code


def as_guest(method="enqueue", *, domain=OTHER, guest=GUEST, params=None):
    asked = params or api.EnqueueParams(channel=CHANNEL, payload=b"x")
    number = NUMBERS[method] if method in NUMBERS else next(m.number for m in api.METHODS if m.name == method)
    return "as_guest", api.AsGuestParams(domain=domain, guest=guest, method=number, params=asked.to_bytes())


def odd(account=BOB.account, device=BOB.device):
    return api.Guest(account=account, device=device)


def entries(*relayed, home=OTHER, standings=()):
    return "take_entries", api.TakeEntriesParams(home=home, entries=relayed, standings=standings)


def entry(kind=api.EntryKind.MESSAGE, *, channel=AWAY, targets=(ALICE.device,), payload=b"x", **more):
    return api.RelayedEntry(
        entry=api.Entry(number=1, kind=kind, channel=channel, payload=payload, **more), targets=targets
    )


def standing(**more):
    return entries(standings=(api.Standing(**{"channel": AWAY, "generation": 1} | more),))


def welcome(named):
    payload = api.WelcomeItem(device=named, welcome=b"w").to_bytes()
    return entries(entry(api.EntryKind.WELCOME, payload=payload))


def signal(channel=AWAY, payload=b"x", targets=(ALICE.device,)):
    said = api.SignalParams(channel=channel, payload=payload)
    return "take_signal", api.TakeSignalParams(home=OTHER, signal=said, targets=targets)


def purge(account=BOB.account, *devices):
    return "purge_guests", api.PurgeGuestsParams(domain=OTHER, account=account, devices=devices)


def lease(holder, domain=OTHER):
    return "lease_box", api.LeaseBoxParams(domain=domain, holder=holder, lease_ms=1)


TABLE = [
    # whom federation speaks for
    ("its own domain", *as_guest(domain=OWN), REFUSED),
    ("no domain", *as_guest(domain="B.example"), REFUSED),
    ("its own domain's box", "fetch_box", api.FetchBoxParams(domain=OWN), REFUSED),
    ("its own domain's lease", *lease(bytes(16), OWN), REFUSED),
    ("entries of its own domain", *entries(home=OWN), REFUSED),
    # up
    ("a method that is not for guests", *as_guest("fetch", params=api.FetchParams()), ErrorCode.UNKNOWN_METHOD),
    ("a device of a third domain", *as_guest(guest=odd(device=CAROL.device)), REFUSED),
    ("an account of a third domain", *as_guest(guest=odd(account=CAROL.account)), REFUSED),
    ("an account without a device", *as_guest(guest=odd(device=b"")), REFUSED),
    ("a domain's box as a device", *as_guest(guest=odd(device=box_of(OTHER))), REFUSED),
    ("a channel of the guest's own domain", *as_guest(params=api.EnqueueParams(channel=AWAY)), REFUSED),
    ("one of a batch for a third domain", *as_guest("batchEnqueue", params=api.BatchEnqueueParams(
        items=(api.EnqueueParams(channel=CHANNEL), api.EnqueueParams(channel=FOREIGN)))), REFUSED),
    ("nobody, unsigned", *as_guest(guest=None), REFUSED),
    ("nobody, who commits", *as_guest("submitCommit", guest=None, params=api.SubmitCommitParams(channel=CHANNEL)), REFUSED),
    ("more taken than could ever be sent", "ack_box", api.AckBoxParams(domain=OTHER, up_to=NUMBER_MAX), BAD),
    ("a holder of no size that could be", *lease(bytes(15)), BAD),
    ("a purge of a third domain's account", *purge(CAROL.account), REFUSED),
    ("a purge of a third domain's device", *purge(BOB.account, BOB.device, CAROL.device), REFUSED),
    ("a purge of more devices than there can be", *purge(BOB.account, *[BOB.device] * 65), REFUSED),
    # down
    ("an entry of a third domain's channel", *entries(entry(channel=FOREIGN)), REFUSED),
    ("a Welcome for another device than it names", *welcome(BOB.device), BAD),
    ("a Welcome that names nobody", *entries(entry(api.EntryKind.WELCOME)), BAD),
    ("an entry for nobody", *entries(entry(targets=())), BAD),
    ("an entry for somebody twice", *entries(entry(targets=(ALICE.device,) * 2)), BAD),
    ("an entry for a guest", *entries(entry(targets=(BOB.device,))), REFUSED),
    ("a hash that is none", *entries(entry(tree_hash=bytes(33))), BAD),
    ("how a third domain's channel stands", *standing(channel=FOREIGN), REFUSED),
    ("a policy past all measure", *standing(policy=bytes(256 * 1024 + 1)), BAD),
    ("a member of the home itself", *standing(members=(GUEST,)), REFUSED),
    ("a signal of a third domain's channel", *signal(FOREIGN), REFUSED),
    ("a signal without anything", *signal(payload=b""), ErrorCode.TOO_LARGE),
    ("a signal for a guest", *signal(targets=(BOB.device,)), REFUSED),
]  # fmt: skip


@pytest.mark.parametrize(("method", "params", "code"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
async def test_what_federation_should_not_have_let_by_is_refused(method, params, code):
    """Nothing has been read or written by then."""
    assert await code_of(getattr(Server(), method)(CALL, params)) is code


async def test_where_there_is_no_federation_nothing_is_done_for_it():
    assert await code_of(Server(federated=False).fetch_box(CALL, api.FetchBoxParams(domain=OTHER))) is REFUSED


async def test_of_a_channel_that_is_no_more_its_guests_are_told_that_nobody_is_in_it():
    async with serving() as (server, store):
        (before,) = (await server.fetch_box(CALL, api.FetchBoxParams(domain=OTHER))).standings
        assert {m.device for m in before.members} == {BOB.device, BEA.device}
        await store.delete_channel(CHANNEL)
        found = await server.fetch_box(CALL, api.FetchBoxParams(domain=OTHER))
        assert found.standings == (api.Standing(channel=CHANNEL, generation=GENERATION_MAX),)


async def test_a_domain_that_has_more_than_it_was_sent_is_numbered_on_from_there():
    """This database is older than what it once sent: it was put back."""
    async with serving() as (server, _):
        first = await server.fetch_box(CALL, api.FetchBoxParams(domain=OTHER))
        assert [r.entry.number for r in first.entries] == [1, 2]
        assert (await server.ack_box(CALL, api.AckBoxParams(domain=OTHER, up_to=40))).acked == 40
        again = await server.fetch_box(CALL, api.FetchBoxParams(domain=OTHER))
        assert [r.entry.payload for r in again.entries] == [r.entry.payload for r in first.entries]
        assert min(r.entry.number for r in again.entries) > 40
        assert (await server.ack_box(CALL, api.AckBoxParams(domain=OTHER, up_to=again.last))).acked == again.last
        assert (await server.fetch_box(CALL, api.FetchBoxParams(domain=OTHER))).entries == ()
