"""Rules of messages: each is shown to those whom it is for, once, in one order, as it was sent, and for as long as it lives."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from tests.oracle import history as h
from tests.oracle.rules.facts import TIMER_SLACK_MS, Facts, short

if TYPE_CHECKING:
    from collections.abc import Iterator


def lost(facts: Facts) -> Iterator[str]:
    """Every message that the server took is shown by each device that it is for."""
    shown = {(s.device, s.id) for s in facts.all(h.Shown)}
    queued = {q.id: q for q in facts.all(h.Queued)}
    gone = {d.id for d in facts.all(h.Deleted)}
    for message in facts.all(h.Answered):
        if (
            message.id not in queued
            or message.id in gone
            or facts.expired(message, queued[message.id], -TIMER_SLACK_MS)
        ):
            continue
        if message.device in facts.restored and queued[message.id].expires_after_s:
            continue  # sent again by the copy, it is dropped, and vanishes by when it was taken first
        if message.sealed and message.device in facts.restored:
            continue  # an older copy that had only sent, and as nobody, cannot know of it (docs/operate/guarantees.md)
        for device in sorted((facts.owed(message) & facts.active) - facts.cut_off - facts.restored):
            if (device, message.id) not in shown and not facts.behind_gap(device, message):
                yield f"{device} does not show {short(message.id)}, number {message.log_number} of {short(message.channel)}"


def unheard(facts: Facts) -> Iterator[str]:
    """Nobody talks in a generation's first epoch, in which its founder is alone, where others were let in with the founding.

    Who founds it alone submits the first commit later: what is on its way then is for nobody else.
    """
    alone_at_first = {(c.channel, c.generation) for c in facts.all(h.Committed) if c.epoch == 0}
    for m in facts.all(h.Answered):
        alone = m.epoch == 0 and facts.members.get((m.channel, m.generation, 0)) == frozenset((m.device,))
        ended = min((n for n, begun in facts.epochs_at[m.channel, m.generation] if begun == 1), default=m.log_number)
        if alone and ended < m.log_number and (m.channel, m.generation) not in alone_at_first:
            yield f"{m.device} said number {m.log_number} of {short(m.channel)} to itself alone"


def unsent(facts: Facts) -> Iterator[str]:
    """Every message that a person was told is on its way is taken in the end, or the person is told that it is not."""
    done = {m.id for m in facts.all(h.Answered)} | {g.id for g in facts.all(h.Given)}
    pending = {s.id for s in facts.all(h.Shown) if s.state == "pending"}
    for q in facts.all(h.Queued):
        if q.device in facts.active - facts.cut_off - facts.restored and q.id not in done and q.id not in pending:
            yield f"{q.device} was told that {short(q.id)} is on its way, and nobody knows of it"


def doubled(facts: Facts) -> Iterator[str]:
    """No device shows a message twice, and no person is told of it twice."""
    shown = Counter((s.device, s.id) for s in facts.all(h.Shown))
    told = Counter((t.device, t.id) for t in facts.all(h.Told))
    for counts in (shown, told):
        for (device, ident), count in counts.items():
            if count > 1 and device not in facts.restored:
                yield f"{device} {'shows' if counts is shown else 'was told of'} {short(ident)} {count} times"


def taken_twice(facts: Facts) -> Iterator[str]:
    """One payload has one place in the log."""
    places: dict[tuple[bytes, bytes], set[int]] = defaultdict(set)
    for message in facts.all(h.Answered):
        places[message.channel, message.payload].add(message.log_number)
    for entry in facts.all(h.Took):
        if entry.kind == "MESSAGE":
            places[entry.channel, entry.payload].add(entry.log_number)
    for (channel, payload), numbers in places.items():
        if len(numbers) > 1:
            yield f"{short(payload)} stands at {sorted(numbers)} of {short(channel)}"


def sent_twice(facts: Facts) -> Iterator[str]:
    """One message is taken once, however often it was sent."""
    numbers: dict[bytes, set[int]] = defaultdict(set)
    for message in facts.all(h.Answered):
        if message.id and message.device not in facts.restored:
            numbers[message.id].add(message.log_number)
    for ident, found in numbers.items():
        if len(found) > 1:
            yield f"{short(ident)} was taken {len(found)} times, at {sorted(found)}"


def order(facts: Facts) -> Iterator[str]:
    """A channel has one order: each message one number, everywhere, and each device is told in that order."""
    number_of: dict[bytes, int] = {}
    for m in facts.all(h.Answered):
        number_of[m.id] = min(m.log_number, number_of.get(m.id, m.log_number))
    # A folder that was put back sends again what it does not know to be sent: those who had it drop it.
    # The answer to the first time may have been lost.
    twice = {m.id for m in facts.all(h.Answered) if m.device in facts.restored}
    for s in facts.all(h.Shown):
        if s.log_number is not None and s.id not in twice and number_of.setdefault(s.id, s.log_number) != s.log_number:
            yield f"{s.device} has {short(s.id)} at {s.log_number}, others at {number_of[s.id]}"
    last: dict[tuple[str, bytes], int] = {}
    for told in facts.all(h.Told):
        number = number_of.get(told.id)
        if number is not None and told.device not in facts.restored and told.id not in twice:
            if number < last.get((told.device, told.channel), 0):
                yield f"{told.device} was told of {short(told.id)} after later ones"
            last[told.device, told.channel] = number


def invented(facts: Facts) -> Iterator[str]:
    """Nothing is shown that nobody sent, and nothing is shown otherwise than it was sent."""
    queued = {q.id: q for q in facts.all(h.Queued)}
    edited = {(e.channel, e.id, e.text) for e in facts.all(h.Edited)}
    for s in facts.all(h.Shown):
        origin = queued.get(s.id)
        if origin is None:
            yield f"{s.device} shows {short(s.id)}, which nobody sent: {s.text!r}"
        elif (s.channel, s.sender) == (origin.channel, origin.sender) and (s.channel, s.id, s.text) in edited:
            continue
        elif (s.channel, s.sender, s.text) != (origin.channel, origin.sender, origin.text):
            yield f"{s.device} shows {short(s.id)} as {s.text!r}, which was sent as {origin.text!r}"


def outsider(facts: Facts) -> Iterator[str]:
    """No device shows or is handed a message of an epoch that it was not in.

    A folder that was put back may send a message again, under another number: to have been in either epoch will do.
    """
    by_number = {(m.channel, m.log_number): [m] for m in facts.all(h.Answered)}
    by_id: dict[bytes, list[h.Answered]] = {}
    for m in facts.all(h.Answered):
        by_id.setdefault(m.id, []).append(m)
    seen = [(s.device, by_id.get(s.id, [])) for s in facts.all(h.Shown) if s.id]
    taken = [(t.device, by_number.get((t.channel, t.log_number), [])) for t in facts.all(h.Took) if t.kind == "MESSAGE"]
    for device, messages in (*seen, *taken):
        audiences = [facts.members.get((m.channel, m.generation, m.epoch)) for m in messages]
        if any(a is None or device == m.device or device in a for a, m in zip(audiences, messages, strict=True)):
            continue
        for m in messages[:1]:
            yield f"{device} has number {m.log_number} of {short(m.channel)}, and was not in its epoch"


def lingering(facts: Facts) -> Iterator[str]:
    """What was deleted, or has vanished by its timer, is shown nowhere."""
    answered = {m.id: m for m in facts.all(h.Answered)}
    queued = {q.id: q for q in facts.all(h.Queued)}
    gone = {d.id: (d.device, answered[d.by]) for d in facts.all(h.Deleted) if d.by in answered}
    for s in facts.all(h.Shown):
        message = answered.get(s.id)
        if s.device not in facts.active - facts.cut_off - facts.restored:
            continue
        who, by = gone.get(s.id, ("", message))
        if who and by is not None and (s.device == who or facts.read(s.device, by)):
            yield f"{s.device} shows {short(s.id)}, which was deleted"
        elif message is not None and facts.expired(message, queued.get(s.id), TIMER_SLACK_MS):
            yield f"{s.device} shows {short(s.id)}, whose time was over"
