"""The rules: each reads a history and names what breaks it. `check` applies all of them.

A device is owed a message if it was a member at the message's epoch and still was one at the message's place in the
channel's log (docs/spec/delivery.md#messages), unless it was cut off, put back, or fell behind a `gap`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from math import isfinite
from typing import TYPE_CHECKING, Any, TypeVar

from tests.oracle import history as h

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

K = TypeVar("K")

Epoch = tuple[bytes, int, int]
"""Channel, generation, epoch."""
TIMER_SLACK_MS = 5_000
"""How exactly a device knows the server's clock, by which messages vanish."""
SETTLING_S = 1.0
"""A device that is cut off may be served for so long (docs/operate/guarantees.md)."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken promise."""

    rule: str
    what: str


@dataclass(slots=True)
class Facts:
    """A history, sorted for the rules."""

    noted: Sequence[Any]
    by_kind: dict[type, list[Any]] = field(default_factory=lambda: defaultdict(list))
    members: dict[Epoch, frozenset[str]] = field(default_factory=dict)
    epochs_at: dict[tuple[bytes, int], list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    """(channel, generation) -> (log number, the epoch that begins there), in order."""
    cut_off: frozenset[str] = frozenset()
    """Devices that somebody asked to cut off: nothing is owed to them."""
    surely_out: frozenset[str] = frozenset()
    """Those of them of which the server said that it is done."""
    restored: frozenset[str] = frozenset()
    taken: frozenset[tuple[str, bytes, int]] = frozenset()
    """Device, channel, log number: messages that were handed over."""
    was_in: frozenset[tuple[str, bytes, int, int]] = frozenset()
    """Device, channel, generation, epoch: what a device entered."""
    behind_gaps: dict[str, int] = field(default_factory=dict)
    """Device -> where in the history it came to its last `gap`."""
    active: frozenset[str] = frozenset()
    now_ms: int = 0

    @classmethod
    def of(cls, noted: Sequence[Any]) -> Facts:
        """Sort a history."""
        facts = cls(noted)
        for value in noted:
            facts.by_kind[type(value)].append(value)
        for e in facts.all(h.Entered):
            facts.members.setdefault((e.channel, e.generation, e.epoch), frozenset(e.members))
        places = {(t.channel, t.generation, t.epoch, t.log_number) for t in facts.all(h.Took) if t.kind == "COMMIT"}
        places |= {(c.channel, c.generation, c.epoch, c.log_number) for c in facts.all(h.Committed)}
        for channel, generation, epoch, number in sorted(places, key=lambda p: p[3]):
            facts.epochs_at[channel, generation].append((number, epoch + 1))
        facts.cut_off = frozenset(d for c in facts.all(h.CutOff) for d in c.devices)
        facts.surely_out = frozenset(d for c in facts.all(h.CutOff) if isfinite(c.answered_s) for d in c.devices)
        facts.restored = frozenset(r.device for r in facts.all(h.Restored))
        took = facts.all(h.Took)
        facts.taken = frozenset((t.device, t.channel, t.log_number) for t in took if t.kind == "MESSAGE")
        facts.was_in = frozenset((e.device, e.channel, e.generation, e.epoch) for e in facts.all(h.Entered))
        facts.behind_gaps = {t.device: i for i, t in enumerate(noted) if isinstance(t, h.Took) and t.kind == "GAP"}
        for end in facts.all(h.Finished):
            facts.now_ms, facts.active = end.now_ms, frozenset(end.active)
        return facts

    def all(self, kind: type[K]) -> list[K]:
        """Return all values of a kind."""
        return self.by_kind[kind]

    def owed(self, message: h.Answered) -> frozenset[str]:
        """Return the devices that a message is for; empty when no device told who was in its epoch."""
        then = self.members.get((message.channel, message.generation, message.epoch), frozenset())
        epoch = message.epoch
        for number, begun in self.epochs_at[message.channel, message.generation]:
            if number < message.log_number:
                epoch = max(epoch, begun)
        return then & self.members.get((message.channel, message.generation, epoch), then)

    def read(self, device: str, message: h.Answered) -> bool:
        """Tell whether a message was handed to a device that was in its epoch: not one cut off before, whose leaf was there."""
        was_in = (device, message.channel, message.generation, message.epoch) in self.was_in
        return was_in and (device, message.channel, message.log_number) in self.taken

    def behind_gap(self, device: str, message: h.Answered) -> bool:
        """Tell whether a message may have been cut off with a full mailbox: not handed over, and of before the rejoining."""
        at = self.behind_gaps.get(device)
        if at is None or self.read(device, message):
            return False
        for later in self.noted[at:]:
            if isinstance(later, h.Committed) and (later.device, later.channel) == (device, message.channel):
                return (message.generation, message.epoch) <= (later.generation, later.epoch)
        return True

    def expired(self, message: h.Answered, queued: h.Queued | None, slack_ms: int = 0) -> bool:
        """Tell whether a message has vanished `slack_ms` ago."""
        after_s = queued.expires_after_s if queued else 0
        return bool(after_s) and message.accepted_ms + after_s * 1000 + slack_ms <= self.now_ms


def check(noted: Sequence[Any]) -> list[Finding]:
    """Apply every rule; an empty list means that nothing is off."""
    facts = Facts.of(noted)
    return [Finding(name, what) for name, rule in RULES.items() for what in rule(facts)]


def short(ident: bytes) -> str:
    """Return the beginning of an id, for a finding."""
    return ident[:4].hex()


# --- messages


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


# --- logs and mailboxes


def rewritten(facts: Facts) -> Iterator[str]:
    """A place in a channel's log has one content, whoever is shown it."""
    contents: dict[tuple[bytes, int], set[tuple[int, int, bytes]]] = defaultdict(set)
    for t in facts.all(h.Took):
        if t.kind in {"MESSAGE", "COMMIT", "PROPOSAL"}:
            contents[t.channel, t.log_number].add((t.generation, t.epoch, t.payload))
    for m in facts.all(h.Answered):
        contents[m.channel, m.log_number].add((m.generation, m.epoch, m.payload))
    for c in facts.all(h.Committed):
        contents[c.channel, c.log_number].add((c.generation, c.epoch, c.commit))
    for (channel, number), found in contents.items():
        if len(found) > 1:
            yield f"number {number} of {short(channel)} has {len(found)} contents"


def mailbox(facts: Facts) -> Iterator[str]:
    """A mailbox has no holes, and a number in it one content for ever.

    A device that was killed may lack the note of the one entry that it had just stored: its next start says which.
    """
    stored = {(s.device, s.position) for s in facts.all(h.Started)}
    entries: dict[str, dict[int, tuple[Any, ...]]] = defaultdict(dict)
    for t in facts.all(h.Took):
        content = (t.channel, t.generation, t.epoch, t.log_number)
        if entries[t.device].setdefault(t.number, content) != content:
            yield f"entry {t.number} of {t.device} has changed"
    gaps = {(t.device, t.number) for t in facts.all(h.Took) if t.kind == "GAP"}
    for device, numbers in entries.items():
        for before, after in pairwise(sorted(numbers)):
            unseen = {n for n in range(before + 1, after) if (device, n) not in stored}
            if unseen and (device, after) not in gaps and device not in facts.restored:
                yield f"{device} took entry {after} after {before}"


def handed_twice(facts: Facts) -> Iterator[str]:
    """A place in a log comes into a mailbox once."""
    places: dict[tuple[str, bytes, int], set[int]] = defaultdict(set)
    for t in facts.all(h.Took):
        if t.kind in {"MESSAGE", "COMMIT", "PROPOSAL", "WELCOME"}:
            places[t.device, t.channel, t.log_number].add(t.number)
    for (device, channel, number), found in places.items():
        if len(found) > 1 and device not in facts.restored:
            yield f"{device} was handed number {number} of {short(channel)} as {sorted(found)}"


def foreign(facts: Facts) -> Iterator[str]:
    """A device is handed handshakes of groups that it is in, was until that very commit, or joined by it from outside."""
    for t in facts.all(h.Took):
        then = facts.members.get((t.channel, t.generation, t.epoch))
        after = (
            facts.members.get((t.channel, t.generation, t.epoch + 1), frozenset())
            if t.kind == "COMMIT"
            else frozenset()
        )
        if t.kind in {"COMMIT", "PROPOSAL"} and then is not None and t.device not in then | after:
            yield f"{t.device} was handed a {t.kind} of {short(t.channel)}, epoch {t.epoch}, which it was not in"


# --- groups


def forked(facts: Facts) -> Iterator[str]:
    """An epoch has one authenticator and one list of members, on every device that is in it."""
    seen: dict[Epoch, set[tuple[bytes, tuple[str, ...]]]] = defaultdict(set)
    for e in facts.all(h.Entered):
        seen[e.channel, e.generation, e.epoch].add((e.authenticator, e.members))
        if e.device not in e.members:
            yield f"{e.device} is in epoch {e.epoch} of {short(e.channel)} without being a member"
    for (channel, generation, epoch), states in seen.items():
        if len(states) > 1:
            yield f"epoch {generation}.{epoch} of {short(channel)} has {len(states)} states"


def second_commit(facts: Facts) -> Iterator[str]:
    """An epoch ends by one commit."""
    commits: dict[Epoch, set[tuple[bytes, int]]] = defaultdict(set)
    for t in facts.all(h.Took):
        if t.kind == "COMMIT":
            commits[t.channel, t.generation, t.epoch].add((t.payload, t.log_number))
    for c in facts.all(h.Committed):
        commits[c.channel, c.generation, c.epoch].add((c.commit, c.log_number))
    for (channel, generation, epoch), found in commits.items():
        if len(found) > 1:
            yield f"epoch {generation}.{epoch} of {short(channel)} was ended {len(found)} times"


def disagreement(facts: Facts) -> Iterator[str]:
    """At the end every member's device is in the same epoch, with the same authenticator."""
    states: dict[bytes, dict[str, h.Ended]] = defaultdict(dict)
    usable = facts.active - facts.cut_off
    for e in facts.all(h.Ended):
        if e.device in usable:
            states[e.channel][e.device] = e
    for channel, by_device in states.items():
        found = {(e.generation, e.epoch, e.authenticator) for e in by_device.values()}
        if len(found) > 1:
            yield f"{short(channel)} ended in {sorted((g, e) for g, e, _ in found)}"
        for e in by_device.values():
            then = facts.members.get((channel, e.generation, e.epoch))
            if then is not None and then != set(e.members):
                yield f"{e.device} shows other members of {short(channel)} than its epoch {e.epoch} has"
        newest = max(by_device.values(), key=lambda e: (e.generation, e.epoch))
        for device in sorted(set(newest.members) & usable - by_device.keys()):
            yield f"{device} is a member of {short(channel)} and does not know it"


def resurrected(facts: Facts) -> Iterator[str]:
    """A device that was cut off is in no group at the end."""
    for e in facts.all(h.Ended):
        back = sorted(facts.surely_out & set(e.members))
        if back and e.device in facts.active - facts.cut_off:
            yield f"{back[0]} was cut off and is a member of {short(e.channel)}"


# --- accounts, keys, files


def served_after(facts: Facts) -> Iterator[str]:
    """Nothing is served to a device from a second after it was cut off."""
    since: dict[str, float] = {}
    for cut in facts.all(h.CutOff):
        for device in cut.devices:
            since.setdefault(device, cut.answered_s + SETTLING_S)
    for s in facts.all(h.Served):
        if s.ok and s.begun_s > since.get(s.device, float("inf")):
            yield f"{s.device} called {s.method} after it was cut off"


def key_reused(facts: Facts) -> Iterator[str]:
    """A KeyPackage that is not marked as the last resort is handed out once."""
    drawn: dict[bytes, set[tuple[str, bytes]]] = defaultdict(set)
    for d in facts.all(h.Drawn):
        if not d.last_resort:
            drawn[d.package].add((d.device, d.request))
    for package, requests in drawn.items():
        if len(requests) > 1:
            yield f"KeyPackage {short(package)} was handed out {len(requests)} times"


def list_went_back(facts: Facts) -> Iterator[str]:
    """An account has one device list of each version, and nobody is shown an older one than before."""
    versions: dict[tuple[bytes, int], set[bytes]] = defaultdict(set)
    newest: dict[tuple[str, bytes], int] = {}
    for seen in facts.all(h.Listed):
        versions[seen.account, seen.version].add(seen.list)
        if seen.version < newest.get((seen.device, seen.account), 0):
            yield f"{seen.device} was shown version {seen.version} after {newest[seen.device, seen.account]}"
        newest[seen.device, seen.account] = max(seen.version, newest.get((seen.device, seen.account), 0))
    for (account, version), lists in versions.items():
        if len(lists) > 1:
            yield f"version {version} of {short(account)}'s device list is forked"


def damaged(facts: Facts) -> Iterator[str]:
    """A file arrives as it was sent."""
    sent = {u.id: u.content for u in facts.all(h.Uploaded)}
    for d in facts.all(h.Downloaded):
        if d.content != sent.get(d.id):
            yield f"{d.device} saved another file than was sent as {short(d.id)}"


# --- the run itself


def readable(facts: Facts) -> Iterator[str]:
    """The server has no plaintext, anywhere."""
    return (f"{s.what} in {s.where}" for s in facts.all(h.Sighted))


def stuck(facts: Facts) -> Iterator[str]:
    """With a connection and time, every device finishes what it has to do."""
    return (f"{w.device}: {w.what}" for w in facts.all(h.Waits) if w.device not in facts.cut_off)


def broke(facts: Facts) -> Iterator[str]:
    """Nothing ends by an error that nobody expected."""
    return (f"{b.process}: {b.error}" for b in facts.all(h.Broke))


RULES: dict[str, Callable[[Facts], Iterable[str]]] = {
    rule.__name__: rule
    for rule in (
        lost, unheard, unsent, doubled, taken_twice, sent_twice, order, invented, outsider, lingering, rewritten, mailbox, handed_twice, foreign, forked,
        second_commit, disagreement, resurrected, served_after, key_reused, list_went_back, damaged, readable, stuck,
        broke,
    )
}  # fmt: skip
"""Name -> rule."""
