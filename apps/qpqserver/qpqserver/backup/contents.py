"""Which tables a backup has, and which it leaves out for what reason. Every table of every service is in one of the two.

What is left out would do harm when it came back: a one-time KeyPackage handed out since would be handed out again, a session
that was ended since would be open again, a log-in state that was used since could be used again.
"""

from __future__ import annotations

LEFT_OUT = {
    "auth": {
        "sessions": "whoever was logged out since would be logged in again: all log in anew",
        "tokens": "of sessions",
        "login_states": "of log-ins under way, for a minute",
        "invites": "what was used or withdrawn since could be used again: make new ones",
    },
    "keystore": {
        "keyed": "replies with one-time KeyPackages in them",
        "endpoints": "they live for minutes",
    },
    "delivery": {"box_leases": "of federation processes that are no more; for seconds"},
    "blob": {},
}
"""By service: a table, and why."""
TABLES = {
    "auth": ("names", "accounts", "devices", "jobs", "keyed", "switches"),
    "keystore": ("names", "identities", "accounts", "packages", "hybrid_keys"),
    "delivery": (
        "channels", "log_heads", "heads", "trees", "epochs", "leaves", "log", "ratchets", "proposals", "outbox",
        "mailboxes", "entries", "marks", "guests", "away", "homes",
    ),
    "blob": ("blobs", "chunks", "uploaders"),
}  # fmt: skip
"""By service; `log_heads` is SQLCipher's, `heads`, `marks` and `uploaders` are PostgreSQL's; each has an `outbox` of its own."""
ONLY = {("keystore", "packages"): "last_resort = 1"}
"""Of these tables, the rows of which this is true: a last-resort KeyPackage is handed out again and again, and says so."""
ONLY_POSTGRES = {("keystore", "packages"): "last_resort"}
"""The same, where it is a boolean."""
