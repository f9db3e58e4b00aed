"""Judges a run: by the oracle's rules over what every device saw, and by the log in PostgreSQL."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from qpqcore.api.delivery import EntryKind
from tests.oracle import history as h
from tests.oracle.rules import check
from tools.soak.verdict import DOUBLED, LOST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tools.replicas.deaths import Death

FORKED: Final = frozenset({"forked", "second_commit", "disagreement", "rewritten"})
COMMITS_OF_AN_EPOCH = (
    "SELECT count(*), coalesce(max(n), 0) FROM (SELECT count(*) AS n FROM qpq_delivery.log "  # noqa: S608 - a number
    f"WHERE kind = {int(EntryKind.COMMIT)} GROUP BY channel, generation, epoch) AS found"
)  # fmt: skip


@dataclass(slots=True)
class Verdict:
    """What a run showed."""

    people: int
    sent: int = 0
    """Messages that people were told are on their way."""
    acknowledged: int = 0
    received: int = 0
    lost: int = 0
    doubled: int = 0
    forked: int = 0
    commits: int = 0
    deaths: Sequence[Death] = ()
    findings: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Return a line for each kind of victim, and the line of totals."""
        kinds: dict[str, list[Death]] = {}
        for death in self.deaths:
            kinds.setdefault(death.what.rpartition("-")[0] or death.what, []).append(death)
        width = max(map(len, kinds), default=0)
        told = [
            f"{kind:<{width}}  {len(of)} times, in flight {', '.join(str(d.in_flight) for d in of)}; "
            f"back after {', '.join(f'{d.back_s:.1f}' for d in of)} s"
            for kind, of in kinds.items()
        ]
        in_flight = sum(d.in_flight > 0 for d in self.deaths)
        return [
            *told,
            f"people {self.people}: sent {self.sent}, acknowledged {self.acknowledged}, received {self.received}, lost {self.lost}, "
            f"doubled {self.doubled}, forked {self.forked}; kills and stops {len(self.deaths)}, in flight {in_flight}; "
            f"commits {self.commits}; findings {len(self.findings)}",
        ]


def judge(noted: Sequence[Any], people: int, deaths: Sequence[Death], commits: tuple[int, int]) -> Verdict:
    """Judge a history; `commits`: how many the log has, and the most of one epoch."""
    verdict = Verdict(people, deaths=deaths, commits=commits[0])
    for finding in check(noted):
        verdict.lost += finding.rule in LOST
        verdict.doubled += finding.rule in DOUBLED
        verdict.forked += finding.rule in FORKED
        verdict.findings.append(f"{finding.rule}: {finding.what}")
    if commits[1] > 1:
        verdict.forked += 1
        verdict.findings.append(f"the log has {commits[1]} commits of one epoch")
    sent = {n.id for n in noted if isinstance(n, h.Queued)}
    answered = [n for n in noted if isinstance(n, h.Answered) and n.id in sent]
    verdict.sent, verdict.acknowledged = len(sent), len({a.id for a in answered})
    wrote = {(a.channel, a.log_number): a.device for a in answered}
    took = {(n.device, n.channel, n.log_number) for n in noted if isinstance(n, h.Took) and n.kind == "MESSAGE"}
    verdict.received = sum(wrote.get((c, n), device) != device for device, c, n in took)
    counts = Counter(d.what for d in deaths if not d.in_flight)
    verdict.findings += [f"{what}: no call was in flight" for what in counts]
    return verdict
