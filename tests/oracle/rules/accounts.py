"""Rules of accounts, keys and files."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from tests.oracle import history as h
from tests.oracle.rules.facts import SETTLING_S, Facts, short

if TYPE_CHECKING:
    from collections.abc import Iterator


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
