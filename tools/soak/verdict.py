"""Judges a run: by the histories of all devices, by the stopped server's log, and by what it kept of those who left."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from qpqcore.api.delivery import EntryKind
from qpqcore.config.settings import Settings
from qpqserver.embedded import beside
from tests.oracle import history as h
from tests.oracle.rules import check
from tests.oracle.traces import OF_THE_GROUPS, in_files, in_pages, in_tables

if TYPE_CHECKING:
    from pathlib import Path

    from tools.soak.conductor import Soak

LOST = frozenset({"lost", "unsent", "mailbox", "stuck"})
DOUBLED = frozenset({"doubled", "taken_twice", "sent_twice", "handed_twice"})
NOT_CALLS = frozenset({"FetchWaitParams", "HelloParams"})
"""Calls that wait for something to happen, or come before everything."""


@dataclass(slots=True)
class Verdict:
    """What a run showed."""

    sent: int = 0
    """Messages that people were told are on their way."""
    acknowledged: int = 0
    received: int = 0
    lost: int = 0
    doubled: int = 0
    commits: int = 0
    files: int = 0
    gone: int = 0
    """Accounts that were deleted, and of which nothing was found."""
    purged: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    in_flight: Counter[str] = field(default_factory=Counter)
    """Kills with calls in flight, by window."""
    findings: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Return one line for each window, and the line of totals."""
        width = max(map(len, self.kills), default=0)
        windows = [
            f"{w:<{width}}  kills {n:>3}, in flight {self.in_flight[w]:>3}" for w, n in sorted(self.kills.items())
        ]
        return [
            *windows,
            f"sent {self.sent}, acknowledged {self.acknowledged}, received {self.received}, lost {self.lost}, doubled "
            f"{self.doubled}, kills {self.kills.total()}, in flight {self.in_flight.total()}; commits {self.commits}, files "
            f"whole {self.files}, purged {self.purged}, accounts deleted without a trace {self.gone}",
        ]


def notes_of(root: Path) -> list[tuple[float, Any]]:
    """Return what every device noted, each with its moment; devices one after the other, each in its own order."""
    found = []
    for path in sorted(root.glob("*.notes")):
        for line in path.read_text().splitlines(keepends=True):
            if line.endswith("\n"):
                at, _, value = line.partition(" ")
                found.append((float(at), h.from_line(value)))
    return found


def completed(root: Path, noted: list[Any]) -> list[Any]:
    """Add what was stored, and then killed before it was noted: what somebody meant to send, and what is shown so.

    Texts are different from each other, so that each is one message.
    """
    queued = {q.id for q in noted if isinstance(q, h.Queued)}
    uploaded = {u.id for u in noted if isinstance(u, h.Uploaded)}
    shown: dict[tuple[str, str, str], set[bytes]] = defaultdict(set)
    for s in noted:
        if isinstance(s, h.Shown):
            shown[s.channel.hex(), s.sender, s.text].add(s.id)
    found: list[Any] = []
    for path in sorted(root.glob("*.log")):
        for fact in facts_of(path):
            if fact["what"] != "means":
                continue
            for ident in shown[fact["conversation"], fact["account"], fact["text"]]:
                channel, device = bytes.fromhex(fact["conversation"]), fact["device"]
                if ident not in queued:
                    queued.add(ident)
                    found.append(h.Queued(device, channel, ident, fact["account"], fact["text"], fact["timer"]))
                if fact["content"] and ident not in uploaded:
                    uploaded.add(ident)
                    found.append(h.Uploaded(device, ident, bytes.fromhex(fact["content"])))
    return [*noted, *found]


def facts_of(path: Path) -> list[dict[str, Any]]:
    """Read a person's log; lines of killed processes may be cut short."""
    found = []
    for line in path.read_text().splitlines():
        with suppress(json.JSONDecodeError):
            found.append(json.loads(line))
    return found


Call = tuple[float, float]
"""When a call began and ended."""


def calls_of(path: Path) -> list[Call]:
    """Return the calls of one person's processes. What a process that was killed had not ended, its successor ends."""
    done: list[Call] = []
    begun: dict[str, float] = {}
    for line in path.read_text().splitlines():
        at, what, *more = line.split() if line.count(" ") else ("", "")
        if what == "begin" and len(more) == 2 and more[1] not in NOT_CALLS:
            begun[more[0]] = float(at)
        elif what == "end" and more and more[0] in begun:
            done.append((begun.pop(more[0]), float(at)))
        elif what == "start":
            done += [(since, float(at)) for since in begun.values()]
            begun.clear()
    return done


def judge(soak: Soak, ended: list[dict[str, Any]]) -> Verdict:
    """Judge a run that is over."""
    verdict = Verdict(findings=list(soak.findings))
    noted = [value for _, value in notes_of(soak.root)]
    devices, now_ms = tuple(e["device"] for e in ended), max(e["now_ms"] for e in ended)
    noted = [*completed(soak.root, noted), h.Finished(now_ms, devices)]
    _by_rules(verdict, noted)
    _count(verdict, noted, soak)
    _files(verdict, noted, devices)
    _server(verdict, soak, now_ms)
    return verdict


def _by_rules(verdict: Verdict, noted: list[Any]) -> None:
    for finding in check(noted):
        verdict.lost += finding.rule in LOST
        verdict.doubled += finding.rule in DOUBLED
        verdict.findings.append(f"{finding.rule}: {finding.what}")


def _count(verdict: Verdict, noted: list[Any], soak: Soak) -> None:
    sent = {q.id: q for q in noted if isinstance(q, h.Queued)}
    answered = {a.id for a in noted if isinstance(a, h.Answered)}
    verdict.sent, verdict.acknowledged = len(sent), len(sent.keys() & answered)
    took = {(t.device, t.channel, t.log_number) for t in noted if isinstance(t, h.Took) and t.kind == "MESSAGE"}
    places = {(a.channel, a.log_number): a for a in noted if isinstance(a, h.Answered) and a.id in sent}
    verdict.received = sum(
        (channel, number) in places and places[channel, number].device != device for device, channel, number in took
    )
    calls = [call for path in soak.root.glob("*.calls") for call in calls_of(path)]
    for at, window in soak.kills:
        verdict.kills[window] += 1
        verdict.in_flight[window] += any(begun < at < end for begun, end in calls)


def _files(verdict: Verdict, noted: list[Any], devices: tuple[str, ...]) -> None:
    """Every file whose message was taken is saved, whole, by everybody who stayed; who left took the files along."""
    left = {device for c in noted if isinstance(c, h.CutOff) for device in c.devices}
    answered = {a.id for a in noted if isinstance(a, h.Answered) and a.device not in left}
    saved = {(d.device, d.id) for d in noted if isinstance(d, h.Downloaded)}
    for upload in (u for u in noted if isinstance(u, h.Uploaded) and u.id in answered):
        missing = [device for device in devices if (device, upload.id) not in saved]
        verdict.files += not missing
        verdict.findings += [f"{device} has no file {upload.id.hex()}" for device in missing]


def _server(verdict: Verdict, soak: Soak, now_ms: int) -> None:
    """Read the stopped server: one commit an epoch, nothing past its time, nothing of those who left."""
    data = soak.root / "server" / "data"
    settings = Settings(data_dir=str(data))
    with beside(settings, "delivery") as connection:
        count_commits = "SELECT channel, generation, epoch, count(*) FROM log WHERE kind = ? GROUP BY 1, 2, 3"
        for channel, generation, epoch, count in connection.execute(count_commits, (int(EntryKind.COMMIT),)):
            verdict.commits += count
            if count != 1:
                verdict.findings.append(f"{channel.hex()}.{generation} has {count} commits of epoch {epoch}")
        late = "SELECT count(*) FROM log WHERE kind = 0 AND payload IS NOT NULL AND expires_ms <= ?"
        if connection.execute(late, (now_ms - 10_000,)).fetchone()[0]:
            verdict.findings.append("messages past their time were not purged")
        brief = bytes.fromhex(soak.brief)
        purged = "SELECT count(*) FROM log WHERE kind = 0 AND channel = ? AND payload IS NULL"
        verdict.purged = connection.execute(purged, (brief,)).fetchone()[0]
    _gone(verdict, soak, settings)


def _gone(verdict: Verdict, soak: Soak, settings: Settings) -> None:
    """Nothing of a deleted account is in a table, a page, a file or the log, but what the groups it was in have of it."""
    whose: dict[bytes, str] = {}
    ids: set[bytes] = set()
    for name, known in soak.guests.items():
        file = next(soak.root.glob(f"file-*-of-{name}"))
        mine = [bytes.fromhex(known["account"]), bytes.fromhex(known["device"])]
        ids.update(mine)
        # Not the name alone: guest1 is the beginning of guest10.
        for canary in (*mine, f"device of {name}".encode(), f"hello from {name}".encode(), file.read_bytes()[:64]):
            whose[canary] = name
    logged = (soak.root / "server" / "server.log").read_bytes()
    found = {t for t in in_tables(settings, whose) if t[0] not in OF_THE_GROUPS or t[1] not in ids}
    found |= {p for p in in_pages(settings, whose) if "delivery" not in p[0] or p[1] not in ids}
    found |= in_files(soak.root / "server" / "data", whose)
    found |= {("the log", c) for c in whose if c in logged or c.hex().encode() in logged}
    left = {whose[canary] for _, canary in found}
    verdict.findings += [f"of {whose[canary]}, who is gone, something stands in {where}" for where, canary in found]
    for service in ("auth", "keystore"):
        with beside(settings, service) as connection:
            names = {row[0] for row in connection.execute("SELECT name FROM names")} & set(soak.guests)
        left |= names
        verdict.findings += [f"the name of {name}, who is gone, stands in {service}" for name in names]
    verdict.gone = len(soak.guests) - len(left)
