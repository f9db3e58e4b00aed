"""The dashboards: overview, delivery, edge, other domains."""

from __future__ import annotations

from typing import Final

from tools.dashboards.federation import FEDERATION
from tools.dashboards.panels import Board, Panel, Query, quantile, rate

WAITING: Final = "fetchWait|subscribe"

OVERVIEW: Final = Board(
    "qpq-overview",
    "QPQ: overview",
    (
        Panel(
            "Processes ready",
            "short",
            (Query("sum by (process) (qpq_ready)", "{{process}}"),),
            "How many of each kind take calls.",
            moves="a process is killed",
        ),
        Panel(
            "Calls", "ops", (Query(rate("qpq_calls_total", "process"), "{{process}}"),), "Answered, by who answered."
        ),
        Panel(
            "Refused calls",
            "ops",
            (Query(rate("qpq_calls_total", "code", '{process="gateway",code!="ok"}'), "{{code}}"),),
            "At the gateway, by code. `unauthenticated` and `rate_limited` are usual; `internal` never is.",
            moves="a process is killed",
        ),
        Panel(
            "Time of a call, 99th percentile",
            "s",
            (
                Query(
                    quantile(0.99, "qpq_call_duration_seconds", "method", f'{{process="gateway",method!~"{WAITING}"}}'),
                    "{{method}}",
                ),
            ),
            "At the gateway: some milliseconds; a log-in takes some 5.",
        ),
        Panel(
            "Processor time",
            "percentunit",
            (Query('sum by (process) (rate(process_cpu_seconds_total{job="qpq"}[5m]))', "{{process}}"),),
            "Of one core; one process uses one at most.",
        ),
        Panel(
            "Memory",
            "bytes",
            (Query('sum by (process) (process_resident_memory_bytes{job="qpq"})', "{{process}}"),),
            "Resident.",
        ),
        Panel(
            "Replicas reached",
            "short",
            (Query("min by (process, service) (qpq_bus_replicas)", "{{process}} to {{service}}"),),
            "Over the bus. 0: calls that need the service are refused.",
            moves="a process is killed",
        ),
        Panel(
            "Calls on the bus",
            "short",
            (
                Query("sum by (service) (qpq_bus_calls_in_flight)", "{{service}} answers"),
                Query("sum by (service) (qpq_bus_calls_waiting)", "waited for {{service}}"),
            ),
            "At this moment.",
        ),
        Panel(
            "Overloaded",
            "ops",
            (
                Query(rate("qpq_bus_overloaded_total", "service"), "{{service}}, on the bus"),
                Query(rate("qpq_calls_shed_total", "service"), "{{service}}, shed"),
                Query(
                    rate("qpq_calls_total", "process", '{code="overloaded"}'), "{{process}}", only="too many calls come"
                ),
            ),
            "Shed so that the rest stays quick. Usually none.",
            moves="too many calls come",
        ),
        Panel(
            "Stores and Redis reached",
            "short",
            (
                Query("min by (process, store) (qpq_store_up)", "{{process}}: store"),
                Query("min by (process) (qpq_redis_up)", "{{process}}: Redis"),
                Query("min by (check) (qpq_redis_sound)", "Redis passes: {{check}}", only="Redis is full"),
            ),
            "1: yes.",
            moves="the database is stopped",
        ),
        Panel(
            "Time of a transaction, 99th percentile",
            "s",
            (Query(quantile(0.99, "qpq_store_commit_seconds", "store"), "{{store}}"),),
            "From BEGIN until it was durable: 2 to 20 ms.",
        ),
        Panel(
            "Database connections",
            "short",
            (
                Query("sum by (process) (qpq_store_connections_in_use)", "{{process}} in use"),
                Query("sum by (process) (qpq_store_connections_open)", "{{process}} open"),
                Query(rate("qpq_store_connections_dropped_total", "process"), "{{process}} dropped a second"),
            ),
            "At most 8 a process.",
            moves="the database is stopped",
        ),
        Panel(
            "Log-ins",
            "ops",
            (Query(rate("qpq_log_ins_total", "outcome"), "{{outcome}}"),),
            "By how they ended.",
            moves="wrong passwords are tried",
        ),
        Panel("Sessions", "short", (Query("max(qpq_sessions)", "sessions"),), "In the store."),
        Panel(
            "Files",
            "Bps",
            (
                Query(rate("qpq_blob_received_bytes_total"), "received"),
                Query(rate("qpq_blob_sent_bytes_total"), "sent"),
            ),
            "Bytes of blobs a second.",
        ),
        Panel("Stored files", "bytes", (Query("max(qpq_blob_stored_bytes)", "stored"),), "Unfinished uploads too."),
        Panel(
            "Certificates end in",
            "s",
            (Query("min by (process, of) (qpq_certificate_ends_timestamp_seconds) - time()", "{{process}} {{of}}"),),
            "The bus's are renewed weeks before.",
            moves="a certificate is not renewed",
        ),
        Panel(
            "Alerts",
            "short",
            (Query('sum by (alertname) (ALERTS{alertstate="firing"})', "{{alertname}}", only="a process is killed"),),
            "Each has a page in docs/operate/runbooks.",
            moves="a process is killed",
        ),
    ),
)

DELIVERY: Final = Board(
    "qpq-delivery",
    "QPQ: delivery",
    (
        Panel(
            "Messages",
            "ops",
            (
                Query(rate("qpq_messages_accepted_total"), "accepted"),
                Query(rate("qpq_messages_repeated_total"), "there already"),
                Query(rate("qpq_mailbox_entries_total"), "mailbox entries"),
            ),
            "Repeated ones are clients that did not get the first answer.",
        ),
        Panel(
            "Wake-up latency",
            "s",
            (
                Query(quantile(0.5, "qpq_wakeup_latency_seconds"), "p50"),
                Query(quantile(0.99, "qpq_wakeup_latency_seconds"), "p99"),
            ),
            "From a message's acceptance until a waiting client is handed it, by two clocks: some milliseconds.",
            moves="Redis is stopped",
        ),
        Panel(
            "Wake-ups by path",
            "ops",
            (Query(rate("qpq_wakeups_total", "path"), "{{path}}"),),
            "local: told in the same process; redis: by another one; fallback: looked by itself and found something.",
            moves="Redis is stopped",
        ),
        Panel(
            "Queue depth",
            "short",
            (Query("max(qpq_mailbox_entries_waiting)", "entries that wait in mailboxes"),),
            "Of devices that are away, mostly. Each delivery process counts all of them.",
        ),
        Panel(
            "Oldest unacknowledged",
            "s",
            (Query("max(qpq_mailbox_oldest_seconds)", "oldest entry in a mailbox"),),
            "A device that is away makes this grow; at 30 days it is cut off.",
            moves="a device stays away",
        ),
        Panel("Mailboxes", "short", (Query("max(qpq_mailboxes)", "mailboxes"),), "One a device."),
        Panel("Payload that waits", "bytes", (Query("max(qpq_mailbox_bytes_waiting)", "in mailboxes"),), ""),
        Panel(
            "Fan-out backlog",
            "short",
            (Query("max(qpq_fan_out_waiting)", "log entries not in all mailboxes yet"),),
            "Some, for milliseconds.",
            moves="mailboxes cannot be filled",
        ),
        Panel(
            "Fan-out: oldest",
            "s",
            (Query("max(qpq_fan_out_oldest_seconds)", "oldest of them"),),
            "Past 30 s somebody is called.",
            moves="mailboxes cannot be filled",
        ),
        Panel(
            "Mailboxes cut off",
            "ops",
            (Query(rate("qpq_mailbox_cut_offs_total"), "cut off a second"),),
            "Emptied behind a gap: full, or too old. Usually none.",
            moves="a mailbox runs over",
        ),
        Panel(
            "Batch size",
            "short",
            (
                Query(quantile(0.5, "qpq_store_batch_size", where='{store="delivery"}'), "p50"),
                Query(quantile(0.99, "qpq_store_batch_size", where='{store="delivery"}'), "p99"),
            ),
            "Messages that shared a commit: 1 when little comes, up to 512.",
        ),
        Panel(
            "Commit time",
            "s",
            (
                Query(quantile(0.5, "qpq_store_commit_seconds", where='{store="delivery"}'), "p50"),
                Query(quantile(0.99, "qpq_store_commit_seconds", where='{store="delivery"}'), "p99"),
            ),
            "Of delivery's transactions.",
            moves="the database is slow",
        ),
        Panel(
            "Jobs that wait for the store",
            "short",
            (Query('sum by (process) (qpq_store_waiting{store="delivery"})', "{{process}}"),),
            "At 10,000 calls are refused.",
            moves="the database is slow",
        ),
        Panel(
            "Store operations",
            "ops",
            (
                Query(rate("qpq_store_writes_total", where='{store="delivery"}'), "writes"),
                Query(rate("qpq_store_reads_total", where='{store="delivery"}'), "reads"),
                Query(rate("qpq_store_by_coordinator_total", where='{store="delivery"}'), "by the coordinator (Citus)"),
            ),
            "Of delivery.",
        ),
        Panel(
            "Notices over Redis",
            "ops",
            (
                Query(rate("qpq_notices_dropped_total"), "told nobody"),
                Query(rate("qpq_notices_foreign_total"), "not sealed by our key"),
                Query("sum(qpq_redis_channels)", "channels listened to"),
            ),
            "Foreign ones: somebody else publishes on our channels.",
            moves="somebody else publishes",
        ),
        Panel(
            "KeyPackages",
            "ops",
            (
                Query(rate("qpq_key_packages_given_total", "kind"), "{{kind}}"),
                Query(rate("qpq_key_packages_low_total"), "stock was low"),
            ),
            "Handed out. last_resort: that device's one-time ones are used up.",
            moves="KeyPackages are drained",
        ),
    ),
)

EDGE: Final = Board(
    "qpq-edge",
    "QPQ: edge",
    (
        Panel(
            "Connections",
            "short",
            (
                Query("sum(qpq_connections)", "open"),
                Query("sum(qpq_connections_logged_in)", "logged in"),
                Query("sum(qpq_subscriptions)", "subscriptions"),
                Query("sum(qpq_connections_max)", "at most"),
            ),
            "Over all gateways.",
        ),
        Panel(
            "Handshakes",
            "ops",
            (
                Query(rate("qpq_quic_connections_accepted_total"), "begun"),
                Query(rate("qpq_quic_handshakes_failed_total"), "failed"),
                Query(rate("qpq_quic_handshakes_late_total"), "late"),
            ),
            "Late ones were not finished in time.",
            moves="handshakes are flooded",
        ),
        Panel(
            "Handshakes half open",
            "short",
            (Query("sum(qpq_quic_half_open)", "half open"),),
            "From 200 on addresses have to be proven.",
            moves="handshakes are flooded",
        ),
        Panel(
            "Retry",
            "ops",
            (Query(rate("qpq_quic_retries_sent_total"), "sent"),),
            "Peers that are asked to prove their address.",
            moves="handshakes are flooded",
        ),
        Panel(
            "Refusals at the door",
            "ops",
            (
                Query(rate("qpq_quic_connections_refused_total"), "refused: full, draining, too many of one address"),
                Query(rate("qpq_quic_connections_ignored_total"), "ignored"),
                Query(rate("qpq_quic_handshakes_limited_total"), "too many handshakes of one address"),
            ),
            "New peers.",
            moves="the gateway is crowded",
        ),
        Panel(
            "Connections ended by us",
            "ops",
            (
                Query(rate("qpq_quic_connections_broken_total"), "broke the protocol"),
                Query(rate("qpq_quic_floods_of_cancels_total"), "cancels"),
                Query(rate("qpq_quic_floods_of_paths_total"), "paths"),
                Query(rate("qpq_quic_floods_of_idle_frames_total"), "idle frames"),
                Query(rate("qpq_quic_floods_by_address_total"), "floods by address"),
                Query(rate("qpq_quic_faults_total"), "faults of ours"),
            ),
            "Usually none.",
            moves="peers break the rules",
        ),
        Panel(
            "Datagrams",
            "ops",
            (
                Query(rate("qpq_quic_datagrams_received_total"), "received"),
                Query(rate("qpq_quic_datagrams_sent_total"), "sent"),
                Query(rate("qpq_quic_datagrams_dropped_total"), "dropped"),
            ),
            "",
        ),
        Panel(
            "Frames",
            "ops",
            (
                Query(rate("qpq_quic_frames_oversized_total"), "too large"),
                Query(rate("qpq_quic_frames_truncated_total"), "cut short"),
                Query(rate("qpq_quic_frames_late_total"), "late"),
                Query(rate("qpq_quic_frames_waited_total"), "waited for memory"),
                Query(rate("qpq_quic_replies_refused_total"), "replies refused"),
            ),
            "That were not taken, or had to wait.",
            moves="peers break the rules",
        ),
        Panel(
            "Moves",
            "ops",
            (Query(rate("qpq_quic_moves_total"), "addresses changed"),),
            "Connections that went on.",
            moves="peers break the rules",
        ),
        Panel(
            "Calls in flight",
            "short",
            (Query("sum by (instance) (qpq_calls_in_flight)", "{{instance}}"),),
            "That a service works at; at most 20,000.",
        ),
        Panel(
            "Refused calls by code",
            "ops",
            (Query(rate("qpq_calls_total", "code", '{process="gateway",code!="ok"}'), "{{code}}"),),
            "",
            moves="wrong passwords are tried",
        ),
        Panel(
            "Refused by a limit",
            "ops",
            (Query(rate("qpq_rate_limited_total", "limit"), "{{limit}}"),),
            "Told to wait.",
            moves="wrong passwords are tried",
        ),
        Panel(
            "Limits decided",
            "ops",
            (Query(rate("qpq_limits_decided_total", "by"), "by {{by}}"),),
            "alone: Redis was away, each process decided by itself.",
            moves="Redis is stopped",
        ),
    ),
)

BOARDS: Final = (OVERVIEW, DELIVERY, EDGE, FEDERATION)
