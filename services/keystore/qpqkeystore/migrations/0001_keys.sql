CREATE TABLE names (
    name TEXT NOT NULL PRIMARY KEY,
    account BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE identities (
    identity_key BLOB NOT NULL PRIMARY KEY,
    account BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE accounts (
    account BLOB NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    identity_key BLOB NOT NULL,
    device_list BLOB NOT NULL,
    version INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE packages (
    account BLOB NOT NULL,
    device BLOB NOT NULL,
    suite INTEGER NOT NULL,
    last_resort INTEGER NOT NULL,
    reference BLOB NOT NULL,
    data BLOB NOT NULL,
    expires_ms INTEGER NOT NULL,
    PRIMARY KEY (account, device, suite, last_resort, reference)
) WITHOUT ROWID;
CREATE INDEX packages_by_age ON packages (expires_ms);

CREATE TABLE hybrid_keys (
    device BLOB NOT NULL PRIMARY KEY,
    account BLOB NOT NULL,
    hybrid_key BLOB NOT NULL,
    created_ms INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE endpoints (
    device BLOB NOT NULL PRIMARY KEY,
    account BLOB NOT NULL,
    endpoint BLOB NOT NULL,
    ttl_seconds INTEGER NOT NULL,
    signature BLOB NOT NULL,
    expires_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX endpoints_by_age ON endpoints (expires_ms);

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
