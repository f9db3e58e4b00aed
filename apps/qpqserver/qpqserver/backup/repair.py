"""What a server that is put back has to be told, since its clients have seen what came after the backup.

1. **Mailboxes** go on far above any number that was given out since, behind a `gap` that says why: what clients have read is
   not taken for what comes now, and they bring their groups in order (docs/spec/delivery.md#a-server-that-was-put-back).
2. **Channels' logs** go on far above, too: a number names one entry, for ever.
3. **No device counts as absent** for the time that the server was not there.
4. **One-time KeyPackages** are not in a backup (contents): clients find their stock empty and fill it up.
5. **Sessions** are not either: everybody logs in with the password.
"""

from __future__ import annotations

from qpqcore.api.delivery import EntryKind

JUMP = 1 << 32
"""More than anybody was given since; 2^31 restores fit into a number of 63 bits."""
_GAP = int(EntryKind.GAP)
MAILBOXES = f"UPDATE mailboxes SET last = last + {JUMP}, entries = entries + 1, seen_ms = {{now}}"  # noqa: S608 - fixed texts
GAPS = (
    "INSERT INTO entries (device, number, kind, channel, generation, epoch, log_number, accepted_ms, expires_ms, bytes, "  # noqa: S608 - fixed texts
    f"payload, tree_hash) SELECT device, last, {_GAP}, {{empty}}, 1, 0, 0, {{now}}, 0, 0, NULL, NULL FROM mailboxes"
)
LOGS = f"UPDATE {{heads}} SET number = number + {JUMP}"  # noqa: S608 - fixed texts


def statements(store: str, now_ms: int) -> tuple[str, ...]:
    """Return what is done to delivery's tables, for a store of either kind."""
    files = store == "sql"
    return (
        MAILBOXES.format(now=now_ms),
        GAPS.format(now=now_ms, empty="x''" if files else "'\\x'::bytea"),
        LOGS.format(heads="log_heads" if files else "heads"),
    )
