CREATE TABLE names (
    name TEXT NOT NULL PRIMARY KEY,
    account BLOB NOT NULL,
    freed_ms INTEGER
) WITHOUT ROWID;

CREATE TABLE accounts (
    account BLOB NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    setup INTEGER NOT NULL,
    credential_id BLOB NOT NULL,
    record BLOB NOT NULL,
    identity_key BLOB NOT NULL,
    wraps BLOB NOT NULL,
    wrap_version INTEGER NOT NULL,
    device_list BLOB NOT NULL,
    state INTEGER NOT NULL,
    created_ms INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE devices (
    account BLOB NOT NULL,
    device BLOB NOT NULL,
    label BLOB NOT NULL,
    registered_ms INTEGER NOT NULL,
    last_seen_ms INTEGER NOT NULL,
    PRIMARY KEY (account, device)
) WITHOUT ROWID;

CREATE TABLE sessions (
    token_hash BLOB NOT NULL PRIMARY KEY,
    account BLOB NOT NULL,
    device BLOB NOT NULL,
    used_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX sessions_by_account ON sessions (account, used_ms);
CREATE INDEX sessions_by_age ON sessions (used_ms);

CREATE TABLE login_states (
    state_hash BLOB NOT NULL PRIMARY KEY,
    expires_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX login_states_by_age ON login_states (expires_ms);

CREATE TABLE jobs (
    account BLOB NOT NULL,
    number INTEGER NOT NULL,
    kind TEXT NOT NULL,
    payload BLOB NOT NULL,
    PRIMARY KEY (account, number)
) WITHOUT ROWID;

CREATE TABLE keyed (
    caller BLOB NOT NULL,
    method INTEGER NOT NULL,
    key BLOB NOT NULL,
    request_hash BLOB NOT NULL,
    reply BLOB NOT NULL,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (caller, method, key)
) WITHOUT ROWID;
CREATE INDEX keyed_by_age ON keyed (at_ms);
