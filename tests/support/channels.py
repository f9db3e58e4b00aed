"""A channel of three in delivery's store: what its tests build, put, read, and play against a model."""

from __future__ import annotations

from dataclasses import replace

from qpqcore.model.errors import ErrorCode, Refusal
from qpqdelivery.rules import sha256
from qpqdelivery.store import Birth, Bounds, Commit, Member, Message, NextState, Welcome
from tests.support.channel_model import ChannelModel

BOUNDS = Bounds(
    mailbox_entries_max=50,
    mailbox_bytes_max=100_000,
    fetch_entries_max=20,
    fetch_bytes_max=10_000,
    past_epochs=5,
    seen_step_ms=1_000,
)
CHANNEL = b"c" * 16 + b"localhost"
NOW_MS = 10**12
DAY_MS = 24 * 3600 * 1000
ALICE, BOB, CAROL = (Member(n.encode() + b" device", n.encode() + b" account") for n in ("alice", "bob", "carol"))
OUTSIDE = Member(b"dave device", b"dave account")
PEOPLE = (ALICE, BOB, CAROL, OUTSIDE)


def state(epoch):
    tag = b"%d" % epoch
    return NextState(
        epoch=epoch, policy=b"policy", snapshot=b"snapshot" + tag, tree_hash=sha256(tag), tree=b"tree" + tag,
        group_info=b"info" + tag,
    )  # fmt: skip


def commit(epoch, *, added=(), removed=(), payload=None, version=0, external=False, generation=1):
    payload = payload or b"commit of %d.%d" % (generation, epoch)
    return Commit(
        channel=CHANNEL, generation=generation, epoch=epoch, proposals_version=version, payload=payload,
        hash=sha256(payload), now_ms=NOW_MS, after=state(epoch + 1), write_key=b"w" * 32, added=list(added),
        removed=[m.device for m in removed],
        welcomes=[] if external else [Welcome(m.device, b"welcome " + m.device) for m in added],
    )  # fmt: skip


def birth(*, first=(BOB, CAROL), generation=1, creator=ALICE):
    made = commit(0, added=first, generation=generation) if first else None
    return Birth(
        channel=CHANNEL, generation=generation, birth_hash=sha256(b"birth %d" % generation), creator=creator,
        state=state(0), write_key=b"w" * 32, first=made, now_ms=NOW_MS,
    )  # fmt: skip


def message(text, *, sender=ALICE, epoch=1, generation=1, ttl_ms=DAY_MS, ratchet=0):
    return Message(
        channel=CHANNEL, generation=generation, epoch=epoch, payload=text, hash=sha256(text), device=sender.device,
        now_ms=NOW_MS, expires_ms=NOW_MS + ttl_ms, ratchet=ratchet,
    )  # fmt: skip


async def begin(store):
    """Open mailboxes; make the channel with Alice, Bob and Carol, at epoch 1."""
    for person in PEOPLE:
        await store.open_mailbox(person.account, person.device, NOW_MS)
    await store.create(birth())


async def version(store):
    return (await store.channel(CHANNEL)).proposals_version


async def accept(store, change):
    return await store.accept_commit(replace(change, proposals_version=await version(store)))


async def box(store, person, after=0, *, limit=0, now_ms=NOW_MS):
    return await store.fetch(person.device, after, limit, payloads=True, now_ms=now_ms)


async def kinds(store, person):
    return [e.kind for e in (await box(store, person))[0]]


async def put(store, *messages):
    return [a if isinstance(a, Refusal) else a[0] for a in await store.enqueue(list(messages))]


async def play(store, steps, further=None):
    """Play a history in the store and in a simple model, and return that; `further` plays what is not of every history."""
    model = ChannelModel(PEOPLE, BOUNDS.past_epochs)
    model.begin(ALICE, (BOB, CAROL))
    await begin(store)
    for number, (what, person, amount, ratchet) in enumerate(steps):
        if what == "say" and model.epoch >= amount:
            sent = message(b"%d" % number, sender=person, epoch=model.epoch - amount, ratchet=ratchet)
            (answer,) = await put(store, sent)
            code = answer.code if isinstance(answer, Refusal) else ErrorCode.OK
            assert model.say(person, model.epoch - amount, ratchet=ratchet) is code
        elif what == "add" and person not in model.members:
            await accept(store, commit(model.epoch, added=(person,)))
            model.change(add=(person,))
        elif what == "remove" and person in model.members:
            await accept(store, commit(model.epoch, removed=(person,)))
            model.change(remove=(person,))
        elif what == "ack":
            await store.ack(person.device, amount, NOW_MS)
            model.ack(person, amount)
        elif further is not None:
            await further(model, what, person, amount)
    return model


async def agree(store, model):
    """Each mailbox is what the model says."""
    for person in PEOPLE:
        after, found = 0, []
        while page := (await box(store, person, after))[0]:
            found += [(e.number, e.kind, e.log_number) for e in page]
            after = page[-1].number
        assert found == model.boxes[person]
