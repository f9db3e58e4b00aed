"""Every statement of the blob store on PostgreSQL. Each names the column by which its tables are distributed, or says why not."""

from __future__ import annotations

COLUMNS = "blob, account, total_bytes, received, complete, secret_hash, expires_ms"

BLOB = f"SELECT {COLUMNS} FROM blobs WHERE blob = $1"  # noqa: S608 - fixed text
BLOB_LOCKED = f"SELECT {COLUMNS} FROM blobs WHERE blob = $1 FOR NO KEY UPDATE"  # noqa: S608 - fixed text
HOLD_UPLOADER = "INSERT INTO uploaders (account) VALUES ($1) ON CONFLICT (account) DO NOTHING"
"""Waits for another that does the same; its row goes with LET_UPLOADER_GO in the same transaction."""
LET_UPLOADER_GO = "DELETE FROM uploaders WHERE account = $1"
USED = "SELECT coalesce(sum(total_bytes), 0)::bigint FROM blobs WHERE account = $1"
BEGIN = f"INSERT INTO blobs ({COLUMNS}) VALUES ($1, $2, $3, 0, false, $4, $5) ON CONFLICT (blob) DO NOTHING"  # noqa: S608 - fixed text
ADD_CHUNK = "INSERT INTO chunks (blob, at, data) VALUES ($1, $2, $3)"
RECEIVED = f"UPDATE blobs SET received = $2, expires_ms = greatest(expires_ms, $3) WHERE blob = $1 RETURNING {COLUMNS}"  # noqa: S608 - fixed text
CHUNKS = (
    "SELECT at, data FROM chunks WHERE blob = $1 AND at < $2::bigint + $3::bigint AND at >= "
    "(SELECT coalesce(max(at), 0) FROM chunks WHERE blob = $1 AND at <= $2) ORDER BY at"
)
COMPLETE = f"UPDATE blobs SET complete = true, expires_ms = $2 WHERE blob = $1 RETURNING {COLUMNS}"  # noqa: S608 - fixed text
EXTEND = f"UPDATE blobs SET expires_ms = greatest(expires_ms, $2) WHERE blob = $1 RETURNING {COLUMNS}"  # noqa: S608 - fixed text
DROP_CHUNKS = "DELETE FROM chunks WHERE blob = ANY($1::bytea[])"
DROP_BLOBS = "DELETE FROM blobs WHERE blob = ANY($1::bytea[])"
BLOBS_OF = "SELECT blob FROM blobs WHERE account = $1 ORDER BY blob"
OLD_BLOBS = "SELECT blob FROM blobs WHERE expires_ms <= $1 ORDER BY expires_ms LIMIT $2"
DROP_OLD = "DELETE FROM blobs WHERE blob = ANY($1::bytea[]) AND expires_ms <= $2 RETURNING blob"

STORED_BYTES = "SELECT coalesce(sum(received), 0) FROM blobs"

DISTRIBUTED_BY = {"blobs": "blob", "chunks": "blob", "uploaders": "account"}
GROUPS = (("blobs", "chunks"), ("uploaders",))
"""Tables whose rows of one blob lie together: a transaction, and a join, stays in one of these."""
OVER_ALL = {
    "STORED_BYTES": "the operator's numbers, while somebody scrapes them",
    "USED": "once an upload: what its account keeps, wherever it lies",
    "BLOBS_OF": "an account's end",
    "OLD_BLOBS": "the sweep",
}
ON_CITUS: dict[str, str] = {}
"""No statement has to be said otherwise there."""
CROSSING = {
    "begin": "once an upload: its account's row is held while what it keeps is counted",
}
"""Transactions over several groups: Citus makes them whole by two-phase commit, at some twenty times the cost."""
