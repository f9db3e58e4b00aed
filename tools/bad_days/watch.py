"""What is seen of a bad day: answers of calls to every service, words between two people, and what an operator is shown."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import trio

import qpqclient
from qpqclient.transport import Link, Trust, open_link
from qpqcore.api.auth import ListDevicesParams, ListDevicesResult
from qpqcore.api.blob import StatBlobParams, StatBlobResult
from qpqcore.api.delivery import PeekParams, PeekResult
from qpqcore.api.keystore import ResolveUserParams, ResolveUserResult
from qpqcore.model.ids import make_id
from tools.soak.fuse import around

if TYPE_CHECKING:
    from tools.rolling.stage import Stage

DEADLINE_MS: Final = 10_000
"""Of a bare call."""
SLACK_SECONDS: Final = 2.0
"""A busy machine's: the caller's own clock runs through the answer's way back too."""
EVERY_SECONDS: Final = 0.5
SAID_EVERY_SECONDS: Final = 1.0
"""What waits for the end of a bad day has to be caught up with, on a busy machine too."""
LOOK_SECONDS: Final = 0.2
RECOVERED_SECONDS_MAX: Final = 180
ASKED: Final[dict[str, tuple[Any, Any]]] = {
    "auth": (ListDevicesParams(), ListDevicesResult),
    "keystore": (ResolveUserParams(name="bob"), ResolveUserResult),
    "delivery": (PeekParams(max_entries=1), PeekResult),
    "blob": (StatBlobParams(blob=make_id(bytes(32), "localhost"), secret=bytes(16)), StatBlobResult),
}
GAUGES: Final = re.compile(
    r"^(qpq_(?:ready|store_up|redis_up|redis_sound|bus_replicas|store_connections_in_use|store_waiting)(?:\{[^}]*\})?) ([0-9.e+-]+)$",
    re.MULTILINE,
)
COUNTERS: Final = re.compile(
    r'^(qpq_(?:notices_foreign_total|limits_decided_total\{by="alone"\}|calls_total\{[^}]*code="(?!ok|not_found)[^"]*"[^}]*\})) ([0-9.e+-]+)$',
    re.MULTILINE,
)
SAID_CHARS_MAX: Final = 100
SHOWN_MAX: Final = 4
"""Of a kind, in the table."""


class Watch:
    """Calls and talks all the time, and notes what comes of it."""

    def __init__(self, place: Stage, alice: qpqclient.Client, bob: qpqclient.Client) -> None:
        self._place, self._alice, self._bob = place, alice, bob
        self.codes: dict[str, Counter[str]] = {}
        """What was refused since the day began, by who was asked."""
        self.slowest_s = 0.0
        self.well_since: dict[str, float] = {}
        """When each service first answered after `forget`."""
        self.said: list[str] = []
        self.talk = b""
        around(Link, "call", self._noted)

    def forget(self) -> None:
        """Begin a day."""
        self.codes, self.slowest_s = {}, 0.0
        self.well_since = {}

    def _noted(self, call: Any) -> Any:
        async def work(link: Link, params: Any, result: Any, **more: Any) -> Any:
            begun = time.monotonic()
            try:
                return await call(link, params, result, **more)
            except qpqclient.Refused as no:
                if no.name != "notFound":
                    self._refused(type(params).__name__.removesuffix("Params"), no.name)
                raise
            finally:
                if "wait_ms" not in getattr(params, "__dataclass_fields__", {}):
                    self.slowest_s = max(self.slowest_s, time.monotonic() - begun)

        return work

    def _refused(self, method: str, code: str) -> None:
        self.codes.setdefault(code, Counter())[method] += 1

    async def run(self) -> None:
        """Ask every service, and let Alice talk to Bob, for ever."""
        while not self.talk:
            with suppress(qpqclient.QpqError):  # a gateway may be ready before each of the services behind it
                self.talk = (await self._alice.dm("bob")).id
        async with trio.open_nursery() as nursery:
            for service, asked in ASKED.items():
                nursery.start_soon(self._ask, service, *asked)
            nursery.start_soon(self._say)

    async def _ask(self, service: str, params: Any, result: Any) -> None:
        """Ask one service over connections of one's own at the first gateway; what fails is not tried again."""
        where = f"{self._place.hosts[0]}:{self._place.port}"
        while True:
            try:
                async with open_link(where, Trust(), accept=lambda _: True) as link:
                    await self._alice._core.account.resume(link)  # noqa: SLF001 - one more connection in the session
                    while True:
                        if not await self._once(link, service, params, result):
                            break
                        await trio.sleep(EVERY_SECONDS)
            except qpqclient.QpqError:
                pass  # noted already where it was an answer
            await trio.sleep(EVERY_SECONDS)

    async def _once(self, link: Link, service: str, params: Any, result: Any) -> bool:
        try:
            await link.call(params, result, deadline_ms=DEADLINE_MS)
        except qpqclient.Refused as no:
            if no.name != "notFound":
                return no.name != "unauthenticated"
        except qpqclient.Unreachable:
            self._refused(service, "(no connection)")
            return False
        self.well_since.setdefault(service, time.monotonic())
        return True

    async def _say(self) -> None:
        while True:
            text = f"word {len(self.said)}"
            with suppress(qpqclient.QpqError):
                await self._alice.conversation(self.talk).send(text)
                self.said.append(text)
            await trio.sleep(SAID_EVERY_SECONDS)

    async def recovered(self, since_s: float) -> float:
        """Wait until every service answers, everybody is ready, and what was said so far is with Bob; return the seconds.

        TooSlowError: not within RECOVERED_SECONDS_MAX.
        """
        said = len(self.said)
        self.well_since.clear()
        with trio.fail_after(RECOVERED_SECONDS_MAX):
            while not (
                self.well_since.keys() >= ASKED.keys() and self._heard(said) == self.said[:said] and await self._ready()
            ):
                await trio.sleep(LOOK_SECONDS)
        return time.monotonic() - since_s

    async def _ready(self) -> bool:
        for one in self._place.everyone:
            if not (await self._place.page(one, "/readyz")).startswith("HTTP/1.1 200"):
                return False
        return True

    def _heard(self, count: int) -> list[str]:
        wanted = set(self.said[:count])
        known = {c.id for c in self._bob.conversations()}
        if self.talk not in known:
            return []
        return [m.text for m in self._bob.conversation(self.talk).history(len(self.said) * 2 + 1) if m.text in wanted]

    def wrong(self) -> int:
        """Return how many words that were said are not with Bob, or there twice, or elsewhere."""
        heard = self._heard(len(self.said))
        there = Counter(heard)
        missing = sum(1 for text in self.said[: len(heard)] if not there[text])
        return missing + sum(n - 1 for n in there.values())

    # --- what an operator is shown

    def logs(self) -> dict[str, int]:
        """Return how long each process's log is now."""
        return {str(one): (self._place.folder / f"{one}.log").stat().st_size for one in self._place.everyone}

    def events(self, since: dict[str, int]) -> list[str]:
        """Return the warnings and errors in the logs, and what a process said as it ended, most frequent first."""
        found: Counter[str] = Counter()
        for one in self._place.everyone:
            text = (self._place.folder / f"{one}.log").read_bytes()[since[str(one)] :].decode(errors="replace")
            for line in text.splitlines():
                try:
                    said = json.loads(line)
                except ValueError:
                    if line.startswith(("qpq-server:", "Error:")):
                        found[line.strip().replace(str(self._place.folder), "")[:SAID_CHARS_MAX]] += 1
                    continue
                if said.get("level") in {"warning", "error", "critical"}:
                    found[said["event"]] += 1
        return [event for event, _ in found.most_common(SHOWN_MAX)]

    async def pages(self) -> dict[str, dict[str, float]]:
        """Return what is watched on each process's page of metrics."""
        found = {}
        for one in self._place.everyone:
            text = await self._place.page(one, "/metrics")
            values = {name: float(value) for kind in (GAUGES, COUNTERS) for name, value in kind.findall(text)}
            found[str(one)] = values
        return found

    async def readiness(self) -> list[str]:
        """Return what the readiness pages say, where they say no, or say yes with something missing."""
        found = []
        for one in self._place.everyone:
            answer = await self._place.page(one, "/readyz")
            _, _, body = answer.partition("\r\n\r\n")
            if not answer:
                found.append(f"{one.service}: no answer")
            # A reason why not, or "ready" and what is wrong elsewhere.
            found += [f"{one.service}: {line}" for line in body.splitlines() if line not in {"", "ready"}]
        return sorted(set(found))


def moved(before: dict[str, dict[str, float]], after: dict[str, dict[str, float]]) -> list[str]:
    """Return the metrics that tell: gauges that fell, refusals that were counted; else who waits for a store."""
    found: Counter[str] = Counter()
    waits: Counter[str] = Counter()
    for one, values in after.items():
        old = before.get(one, {})
        for name, value in values.items():
            if name.startswith(("qpq_ready", "qpq_store_up", "qpq_redis_up", "qpq_redis_sound", "qpq_bus_replicas")):
                if value < old.get(name, value):
                    found[f"`{name}` {value:g}"] += 1
            elif name.startswith("qpq_store_"):
                if value > old.get(name, 0.0) + 1:
                    waits[f"`{name}` {value:g}"] += 1
            elif value > old.get(name, 0.0):
                code = re.search(r'code="([^"]*)"', name)
                found[f'`qpq_calls_total{{code="{code.group(1)}"}}`' if code else f"`{name}`"] += 1
    return [name for name, _ in (found or waits).most_common(SHOWN_MAX)]
