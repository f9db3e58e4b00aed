"""A tier of 1, 2 and 4 processes, each held to the same share of a core: how many durable messages go through, and who pays.

Only the tier that is measured is held: the machine is small, and the others, the load among them, must not be what stops it.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import trio

from tools.overload.offering import TAIL_BYTES, Outcome, Sender, senders
from tools.rolling.stage import Replica, Stage, replicas, stage
from tools.scale.usage import held, taken

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

SIZES: Final = (1, 2, 4)
TIERS: Final = ("delivery", "gateway")
COUNTS: Final = {"keystore": 1, "delivery": 4, "blob": 1, "auth": 1, "federation": 1, "gateway": 4}
PAIRS: Final = 13
"""Of people: one address may register 30. Each may send 200 a second, and 2,000 at once before that."""
CONNECTIONS: Final = 52
IN_FLIGHT: Final = 128
"""For each process of the tier: with fewer, group commit would have smaller batches for four than for one, and each message cost more."""
WARM_SECONDS: Final = 2.0
ROUNDS: Final = 3
"""Of all sizes after each other: the speed of a machine that others use drifts within minutes, and by more than is measured."""
SECONDS_MAX: Final = 25.0
"""Past it the tier of 4 sends more than its people may (96,200 messages by then): refusals would be counted as its work."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured."""

    share: float
    """Of a core, for each process of the tier."""
    seconds: float


async def sweep(folder: Path, effort: Effort, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Measure both tiers; a row a tier and size."""
    rows = []
    with stage(folder / "stage", COUNTS) as place:
        place.more["QPQ_SHED_DELAY_US"] = "0"  # a tier that is held back would else shed what is to be counted
        for one in place.everyone:
            place.start(one)
        for one in place.everyone:
            await place.wait_ready(one)
        for tier in TIERS:
            rounds = []
            for number in range(ROUNDS):
                places = [(size, folder / f"{tier}-{size}-{number}") for size in SIZES]
                rounds.append([await _measured(own, place, tier, size, number, effort) for size, own in places])
                shown = ", ".join(str(round(row["per_second"])) for row in rounds[-1])
                say(f"{tier} x {SIZES}: {shown} messages/s")
            rows += [_middle(of_a_size) for of_a_size in zip(*rounds, strict=True)]
    return rows


def _middle(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the median of each figure."""
    return {
        name: value if isinstance(value, str) else median(row[name] for row in rows) for name, value in rows[0].items()
    }


async def _measured(folder: Path, place: Stage, tier: str, size: int, number: int, effort: Effort) -> dict[str, Any]:
    """Let so many processes of a tier carry what is sent, each held to its share."""
    used = replicas((tier,), {tier: size})
    if tier == "delivery":
        await _know_only(place, used)
        at = place.hosts[:2]
    else:
        await _know_only(place, replicas(("delivery",), {"delivery": 2}))
        at = place.hosts[:size]
    where = [f"{host}:{place.port}" for host in at]
    place.redis.command("FLUSHALL")  # what one address may register in an hour is less than all sizes together need
    async with senders(folder, where[0], PAIRS, CONNECTIONS, where, f"{tier}{size}-{number}-") as to:
        with held([place.pid(one) for one in used], effort.share):
            await _keep_sending(to, WARM_SECONDS, IN_FLIGHT * size)
            before, begun_s = taken(place), time.perf_counter()
            outcome = await _keep_sending(to, min(effort.seconds / ROUNDS, SECONDS_MAX), IN_FLIGHT * size)
            seconds, after = time.perf_counter() - begun_s, taken(place)
    spent = {name: after[name] - before[name] for name in before}
    done = len(outcome.took_s)
    return {
        "tier": tier, "processes": size, "share": effort.share, "per_second": done / seconds, "failed": outcome.failed,
        "shed": outcome.shed, "p50_ms": outcome.percentile_ms(0.5), "p99_ms": outcome.percentile_ms(0.99),
        "idle_cores": spent.pop("idle") / seconds,
        **{f"{name}_us": value / done * 1e6 for name, value in spent.items()},
    }  # fmt: skip


async def _know_only(place: Stage, used: Sequence[Replica]) -> None:
    """Have the gateways ask these processes of delivery alone: they are started again, told of no others."""
    others = [one for one in place.everyone if one.service != "delivery"]
    for one in [one for one in place.everyone if one.service == "gateway"]:
        place.knows[one] = [*others, *used]
        await place.replace(one, None)


async def _keep_sending(to: Sequence[Sender], seconds: float, in_flight: int) -> Outcome:
    """Keep so many messages in flight for a while."""
    outcome, until_s = Outcome(seconds=seconds), time.perf_counter() + seconds

    async def worker(sender: Sender) -> None:
        while time.perf_counter() < until_s:
            await sender.send(secrets.token_bytes(TAIL_BYTES), time.perf_counter(), outcome)

    async with trio.open_nursery() as nursery:
        for number in range(in_flight):
            nursery.start_soon(worker, to[number % len(to)])
    return outcome
