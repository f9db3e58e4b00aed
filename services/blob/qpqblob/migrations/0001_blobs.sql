CREATE TABLE blobs (
    blob BLOB NOT NULL PRIMARY KEY,
    account BLOB NOT NULL,
    total_bytes INTEGER NOT NULL,
    received INTEGER NOT NULL,
    complete INTEGER NOT NULL,
    secret_hash BLOB NOT NULL,
    expires_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX blobs_by_account ON blobs (account, total_bytes);
CREATE INDEX blobs_by_age ON blobs (expires_ms);

CREATE TABLE chunks (
    blob BLOB NOT NULL,
    at INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (blob, at)
);
