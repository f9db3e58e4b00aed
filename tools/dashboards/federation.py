"""The dashboard of other domains: who is reached, what goes and comes, what waits."""

from __future__ import annotations

from typing import Final

from tools.dashboards.panels import Board, Panel, Query, quantile, rate

AWAY: Final = "another domain stays away"
THERE: Final = "another domain comes"
WRONG: Final = "another domain does what it may not"
NOTHING_YET: Final = "Nothing until there is such a call."

FEDERATION: Final = Board(
    "qpq-federation",
    "QPQ: other domains",
    (
        Panel(
            "Domains reached",
            "short",
            (Query("max by (peer) (qpq_federation_up)", "{{peer}}"),),
            "1: some process has a connection to it. 0 with nothing to say is usual.",
            moves=THERE,
        ),
        Panel(
            "Entries that wait",
            "short",
            (Query("max by (peer) (qpq_federation_box_entries)", "{{peer}}", only=AWAY),),
            "In the box for a domain; at 200,000 it is emptied behind a gap.",
            moves=AWAY,
        ),
        Panel(
            "Oldest that waits",
            "s",
            (Query("max by (peer) (qpq_federation_box_oldest_seconds)", "{{peer}}", only=AWAY),),
            "Below a second, unless the domain is away.",
            moves=AWAY,
        ),
        Panel(
            "Payload that waits",
            "bytes",
            (Query("max by (peer) (qpq_federation_box_bytes)", "{{peer}}", only=AWAY),),
            "At 1 GiB the box is emptied behind a gap.",
            moves=AWAY,
        ),
        Panel(
            "Calls to a domain",
            "ops",
            (
                Query(rate("qpq_federation_calls_total", "peer"), "{{peer}}", only=AWAY),
                Query(rate("qpq_federation_unreachable_total", "peer"), "{{peer}}, not reached", only=AWAY),
            ),
            NOTHING_YET,
            moves=AWAY,
        ),
        Panel(
            "Time a domain takes to answer",
            "s",
            (
                Query(quantile(0.5, "qpq_federation_call_seconds", "peer"), "{{peer}} p50", only=AWAY),
                Query(quantile(0.99, "qpq_federation_call_seconds", "peer"), "{{peer}} p99", only=AWAY),
            ),
            "A round trip and some milliseconds.",
            moves=AWAY,
        ),
        Panel(
            "Entries across",
            "ops",
            (
                Query(rate("qpq_federation_delivered_total", "peer"), "to {{peer}}", only=THERE),
                Query(rate("qpq_federation_taken_total", "peer"), "from {{peer}}", only=THERE),
            ),
            NOTHING_YET,
            moves=THERE,
        ),
        Panel(
            "Calls of a domain",
            "ops",
            (Query(rate("qpq_federation_answered_total", "peer"), "{{peer}}", only=WRONG),),
            "`unknown`: it has not said, or not proved, who it is.",
            moves=WRONG,
        ),
        Panel(
            "Calls of a domain that were refused",
            "ops",
            (Query(rate("qpq_federation_refused_total", "peer"), "{{peer}}", only=WRONG),),
            "Few: an epoch that was lost to another commit, a limit.",
            moves=WRONG,
        ),
    ),
)
