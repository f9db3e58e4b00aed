-- Every key begins with the column by which Citus would distribute the table: the blob's id, or the account.
CREATE TABLE blobs (
    blob bytea NOT NULL PRIMARY KEY,
    account bytea NOT NULL,
    total_bytes bigint NOT NULL,
    received bigint NOT NULL,
    complete boolean NOT NULL,
    secret_hash bytea NOT NULL,
    expires_ms bigint NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX blobs_by_account ON blobs (account);
CREATE INDEX blobs_by_age ON blobs (expires_ms);

CREATE TABLE chunks (
    blob bytea NOT NULL,
    at bigint NOT NULL,
    data bytea NOT NULL,
    PRIMARY KEY (blob, at)
);
ALTER TABLE chunks ALTER COLUMN data SET STORAGE EXTERNAL; -- ciphertext does not get smaller by compression

-- A row an account while it begins a blob, gone with the end of that: of two at once the second sees what the first has begun.
CREATE TABLE uploaders (
    account bytea NOT NULL PRIMARY KEY
);
