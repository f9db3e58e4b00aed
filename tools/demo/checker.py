"""Decides from transcripts alone whether anything was lost, doubled, reordered or invented.

A transcript is what one device shows at the end; a send log is what one person's process wrote
down before and after each send. Nothing here asks the server.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import combinations


@dataclass(frozen=True, slots=True)
class Sent:
    """One message that somebody sent: times are seconds on the machine's monotonic clock."""

    ident: str
    conversation: str
    sender: str
    text: str
    phase: str
    begun_s: float
    accepted_s: float | None
    """None: the sender never learnt that the server took it."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One message as a device shows it."""

    ident: str
    conversation: str
    sender: str
    text: str


@dataclass(slots=True)
class Verdict:
    """The totals, and a sentence for each thing that is off."""

    sent: int = 0
    received: int = 0
    lost: int = 0
    doubled: int = 0
    findings: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether nothing is off."""
        return not self.findings


Audience = dict[tuple[str, str], frozenset[str]]
"""(phase, conversation) -> the devices that must show what was sent then; others must not."""


def check(sent: list[Sent], transcripts: dict[str, list[Shown]], audience: Audience) -> Verdict:
    """Compare what was sent with what every device shows."""
    verdict = Verdict()
    known = {m.ident: m for m in sent}
    verdict.sent = sum(1 for m in known.values() if m.accepted_s is not None)
    for device, transcript in transcripts.items():
        counts = Counter(s.ident for s in transcript)
        _once(device, counts, known, verdict)
        _complete(device, counts, known, audience, verdict)
        _genuine(device, transcript, known, verdict)
    _same_order(transcripts, verdict)
    return verdict


def _once(device: str, counts: Counter[str], known: dict[str, Sent], verdict: Verdict) -> None:
    for ident, count in counts.items():
        if count > 1:
            verdict.doubled += count - 1
            text = known[ident].text if ident in known else ident
            verdict.findings.append(f"{device} shows {text!r} {count} times")


def _complete(device: str, counts: Counter[str], known: dict[str, Sent], audience: Audience, verdict: Verdict) -> None:
    for message in known.values():
        expected = device in audience[message.phase, message.conversation]
        if not expected and counts[message.ident]:
            verdict.findings.append(f"{device} shows {message.text!r}, which was not for it")
        if not expected:
            continue
        if counts[message.ident]:
            verdict.received += message.sender != device
        elif message.accepted_s is not None:
            verdict.lost += 1
            verdict.findings.append(f"{device} lacks {message.text!r} of {message.sender}")


def _genuine(device: str, transcript: list[Shown], known: dict[str, Sent], verdict: Verdict) -> None:
    for shown in transcript:
        origin = known.get(shown.ident)
        if origin is None:
            verdict.findings.append(f"{device} shows {shown.text!r}, which nobody sent")
        elif (origin.text, origin.conversation) != (shown.text, shown.conversation):
            verdict.findings.append(f"{device} shows {shown.text!r} where {origin.text!r} was sent")
        elif origin.sender.split("/")[0] != shown.sender:
            verdict.findings.append(f"{device} shows {shown.text!r} as {shown.sender}'s")


def _same_order(transcripts: dict[str, list[Shown]], verdict: Verdict) -> None:
    orders: dict[str, dict[str, list[str]]] = defaultdict(dict)
    for device, transcript in transcripts.items():
        for shown in transcript:
            orders[shown.conversation].setdefault(device, []).append(shown.ident)
    for conversation, by_device in orders.items():
        for first, second in combinations(sorted(by_device), 2):
            common = set(by_device[first]) & set(by_device[second])
            left = [i for i in by_device[first] if i in common]
            right = [i for i in by_device[second] if i in common]
            if left != right:
                verdict.findings.append(f"{first} and {second} show {conversation} in different orders")


def calls_in_flight(sent: list[Sent], at_s: float) -> int:
    """Return how many sends had begun and were not yet accepted at a moment."""
    return sum(1 for m in sent if m.begun_s < at_s and (m.accepted_s is None or m.accepted_s > at_s))


def plant(fault: str, transcripts: dict[str, list[Shown]]) -> None:
    """Spoil one transcript (`DEMO_FAULT`): the checker must notice."""
    device = max(transcripts, key=lambda d: len(transcripts[d]))
    transcript = transcripts[device]
    middle = len(transcript) // 2
    if fault == "drop":
        del transcript[middle]
    elif fault == "double":
        transcript.insert(middle, transcript[middle])
    elif fault == "swap":
        later = next(
            i
            for i in range(middle + 1, len(transcript))
            if transcript[i].conversation == transcript[middle].conversation
        )
        transcript[middle], transcript[later] = transcript[later], transcript[middle]
    else:
        raise ValueError(f"DEMO_FAULT is drop, double or swap, not {fault!r}")
