"""Every statement of auth's store on PostgreSQL. Each names the column by which its tables are distributed, or says why not."""

from __future__ import annotations

COLUMNS = (
    "account, name, setup, credential_id, record, identity_key, wraps, wrap_version, device_list, state, created_ms"
)

NAMED = "SELECT account FROM names WHERE name = $1 AND freed_ms IS NULL"
NAME_LOCKED = "SELECT freed_ms FROM names WHERE name = $1 FOR UPDATE"
TAKE_NAME = (
    "INSERT INTO names AS n (name, account) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE "
    "SET account = excluded.account, freed_ms = NULL WHERE n.freed_ms <= $3"
)
FREE_NAME = "UPDATE names SET freed_ms = $3 WHERE name = $1 AND account = $2"
DROP_NAME = "DELETE FROM names WHERE name = $1 AND account = $2 RETURNING freed_ms"
DISGUISE_NAME = (
    "INSERT INTO names (name, account, freed_ms) VALUES ($1, '\\x00', $2) ON CONFLICT (name) DO UPDATE "
    "SET account = excluded.account, freed_ms = excluded.freed_ms"
)

ACCOUNT = f"SELECT {COLUMNS} FROM accounts WHERE account = $1"  # noqa: S608 - fixed text
ACCOUNT_LOCKED = f"SELECT {COLUMNS} FROM accounts WHERE account = $1 FOR NO KEY UPDATE"  # noqa: S608 - fixed text
LAST_ACCOUNT = "SELECT account FROM accounts ORDER BY account DESC LIMIT 1"
ACCOUNT_FROM = f"SELECT {COLUMNS} FROM accounts WHERE account >= $1 ORDER BY account LIMIT 1"  # noqa: S608 - fixed text
ADD_ACCOUNT = f"INSERT INTO accounts ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (account) DO NOTHING"  # noqa: S608 - fixed text
CHANGE_RECORD = (
    "UPDATE accounts SET record = $2, setup = $3, wraps = $4, wrap_version = $5 "
    "WHERE account = $1 AND wrap_version = $5 - 1 AND state = 0"
)
CHANGE_LIST = "UPDATE accounts SET device_list = $2 WHERE account = $1"
CHANGE_STATE = "UPDATE accounts SET state = $2 WHERE account = $1 AND state <> 2"
CLOSE_ACCOUNT = "UPDATE accounts SET state = 2 WHERE account = $1 AND state <> 2 RETURNING name"
DROP_ACCOUNT = "DELETE FROM accounts WHERE account = $1 RETURNING name"

DEVICES = (
    "SELECT device, label, registered_ms, last_seen_ms FROM devices WHERE account = $1 ORDER BY registered_ms, device"
)
DEVICE_IDS = "SELECT device FROM devices WHERE account = $1"
ADD_DEVICE = "INSERT INTO devices (account, device, label, registered_ms, last_seen_ms) VALUES ($1, $2, $3, $4, $4)"
DROP_DEVICE = "DELETE FROM devices WHERE account = $1 AND device = $2"
DROP_DEVICES = "DELETE FROM devices WHERE account = $1"
SEEN = "UPDATE devices SET last_seen_ms = $3 WHERE account = $1 AND device = $2"

USE_STATE = "INSERT INTO login_states (state_hash, expires_ms) VALUES ($1, $2) ON CONFLICT (state_hash) DO NOTHING"

TOKEN = "SELECT account FROM tokens WHERE token_hash = $1"  # noqa: S105 - a statement
ADD_TOKEN = "INSERT INTO tokens (token_hash, account) VALUES ($1, $2)"  # noqa: S105 - a statement
DROP_TOKENS = "DELETE FROM tokens WHERE token_hash = ANY($1::bytea[])"
SESSION = "SELECT device, used_ms FROM sessions WHERE account = $1 AND token_hash = $2"
HAS_DEVICE = "SELECT 1 FROM devices WHERE account = $1 AND device = $2"
ADD_SESSION = "INSERT INTO sessions (account, token_hash, device, used_ms) VALUES ($1, $2, $3, $4)"
SLIDE = "UPDATE sessions SET used_ms = $3 WHERE account = $1 AND token_hash = $2"
BIND = "UPDATE sessions SET device = $3 WHERE account = $1 AND token_hash = $2"
END_ONE = "DELETE FROM sessions WHERE account = $1 AND token_hash = $2 RETURNING token_hash"
END_ALL = "DELETE FROM sessions WHERE account = $1 RETURNING token_hash"
END_OTHERS = "DELETE FROM sessions WHERE account = $1 AND token_hash <> $2 RETURNING token_hash"
END_DEVICE = "DELETE FROM sessions WHERE account = $1 AND device = $2 RETURNING token_hash"
END_OLDEST = (
    "DELETE FROM sessions WHERE account = $1 AND token_hash IN (SELECT token_hash FROM sessions "
    "WHERE account = $1 AND token_hash <> $2 ORDER BY used_ms DESC OFFSET $3) RETURNING token_hash"
)

LAST_JOB = "SELECT coalesce(max(number), 0) FROM jobs WHERE account = $1"
ADD_JOB = "INSERT INTO jobs (account, number, kind, payload) VALUES ($1, $2, $3, $4)"
JOBS = "SELECT account, number, kind, payload FROM jobs WHERE account = $1 ORDER BY number LIMIT $2"
ALL_JOBS = "SELECT account, number, kind, payload FROM jobs ORDER BY account, number LIMIT $1"
DROP_JOB = "DELETE FROM jobs WHERE account = $1 AND number = $2"
DROP_JOBS = "DELETE FROM jobs WHERE account = $1"
DROP_KEYED = "DELETE FROM keyed WHERE caller = ANY($1::bytea[])"

OLD_SESSIONS = "SELECT account, token_hash FROM sessions WHERE used_ms < $1 ORDER BY used_ms LIMIT $2"
DROP_OLD_SESSIONS = (
    "DELETE FROM sessions WHERE account = ANY($1::bytea[]) AND token_hash = ANY($2::bytea[]) AND used_ms < $3"
)
DROP_OLD_STATES = (
    "DELETE FROM login_states WHERE state_hash IN "
    "(SELECT state_hash FROM login_states WHERE expires_ms < $1 ORDER BY expires_ms LIMIT $2)"
)
DROP_OLD_NAMES = (
    "DELETE FROM names WHERE name IN (SELECT name FROM names WHERE freed_ms < $1 ORDER BY freed_ms LIMIT $2)"
)

SWITCH = "SELECT value FROM switches WHERE name = $1"
SET_SWITCH = (
    "INSERT INTO switches (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
)
INVITED = "SELECT 1 FROM invites WHERE token_hash = $1 AND uses_left > 0 AND expires_ms > $2"
USE_INVITE = "UPDATE invites SET uses_left = uses_left - 1 WHERE token_hash = $1 AND uses_left > 0 AND expires_ms > $2"
ADD_INVITE = "INSERT INTO invites (token_hash, uses_left, expires_ms, created_ms, note) VALUES ($1, $2, $3, $4, $5)"
DROP_INVITE = "DELETE FROM invites WHERE token_hash = $1"
DROP_OLD_INVITES = (
    "DELETE FROM invites WHERE token_hash IN "
    "(SELECT token_hash FROM invites WHERE expires_ms < $1 ORDER BY expires_ms LIMIT $2)"
)

SESSION_COUNT = "SELECT count(*) FROM sessions"

DISTRIBUTED_BY = {
    "names": "name", "accounts": "account", "devices": "account", "sessions": "account", "jobs": "account",
    "tokens": "token_hash", "login_states": "state_hash", "keyed": "caller", "invites": "token_hash", "switches": "name",
}  # fmt: skip
GROUPS = (
    ("accounts", "devices", "sessions", "jobs"), ("names",), ("tokens",), ("login_states",), ("keyed",), ("invites",),
    ("switches",),
)  # fmt: skip
"""Tables whose rows of one account lie together: a transaction, and a join, stays in one of these."""
OVER_ALL = {
    "SESSION_COUNT": "the operator's numbers, while somebody scrapes them",
    "LAST_ACCOUNT": "a log-in with an unknown name reads some account's row, so that time does not tell",
    "ACCOUNT_FROM": "the same",
    "ALL_JOBS": "what waits to be told to other services, at start and with every sweep",
    "OLD_SESSIONS": "the sweep",
    "DROP_OLD_STATES": "the sweep",
    "DROP_OLD_NAMES": "the sweep",
    "DROP_OLD_INVITES": "the sweep",
}
ON_CITUS: dict[str, str] = {}
"""No statement has to be said otherwise there."""
CROSSING = {
    "create_account": "once in an account's life: name, invitation, account and the reply that is repeated",
    "change_password": "rare: the sessions that end take their tokens along, and the reply is repeated",
    "begin_session": "a log-in, a hundredth of the calls: no crash may leave its state used without the session",
    "add_session": "rare: a device is linked, and those sessions that end to make room take their tokens along",
    "end_sessions": "a log-out: a session and its token",
    "advance_list": "rare: the sessions of a device that goes take their tokens along",
    "begin_deletion": "once in an account's life",
    "finish_deletion": "once in an account's life",
    "sweep": "the sweep",
}
"""Transactions over several groups: Citus makes them whole by two-phase commit, at some twenty times the cost."""
