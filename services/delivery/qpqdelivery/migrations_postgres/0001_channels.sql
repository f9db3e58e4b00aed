-- Every key begins with the column by which Citus would distribute the table: the channel, or the device.

CREATE TABLE channels (
    channel bytea NOT NULL PRIMARY KEY,
    proposals_version bigint NOT NULL,
    policy bytea NOT NULL,
    snapshot bytea NOT NULL,
    tree_hash bytea NOT NULL,
    group_info bytea NOT NULL
);

-- What a message reads and moves on of its channel, in a small row: who holds it appends to the log, one after another.
CREATE TABLE heads (
    channel bytea NOT NULL PRIMARY KEY,
    number bigint NOT NULL,
    noted bigint NOT NULL,
    generation bigint NOT NULL,
    epoch bigint NOT NULL,
    birth_hash bytea NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);

CREATE TABLE trees (
    channel bytea NOT NULL,
    tree_hash bytea NOT NULL,
    tree bytea NOT NULL,
    used_ms bigint NOT NULL,
    PRIMARY KEY (channel, tree_hash)
);
CREATE INDEX trees_by_age ON trees (used_ms);
ALTER TABLE trees ALTER COLUMN tree SET STORAGE EXTERNAL; -- keys do not get smaller by compression

CREATE TABLE epochs (
    channel bytea NOT NULL,
    generation bigint NOT NULL,
    epoch bigint NOT NULL,
    write_key bytea NOT NULL,
    begun_by bytea NOT NULL,
    log_number bigint NOT NULL,
    PRIMARY KEY (channel, generation, epoch)
);

CREATE TABLE leaves (
    channel bytea NOT NULL,
    generation bigint NOT NULL,
    device bytea NOT NULL,
    added_epoch bigint NOT NULL,
    account bytea NOT NULL,
    removed_epoch bigint,
    PRIMARY KEY (channel, generation, device, added_epoch)
);
CREATE INDEX leaves_by_account ON leaves (account, channel) WHERE removed_epoch IS NULL;
CREATE INDEX leaves_by_device ON leaves (device, channel) WHERE removed_epoch IS NULL;

CREATE TABLE log (
    channel bytea NOT NULL,
    number bigint NOT NULL,
    kind smallint NOT NULL,
    generation bigint NOT NULL,
    epoch bigint NOT NULL,
    hash bytea NOT NULL,
    payload bytea,
    accepted_ms bigint NOT NULL,
    expires_ms bigint NOT NULL,
    PRIMARY KEY (channel, number)
);
CREATE UNIQUE INDEX log_by_hash ON log (channel, hash);
CREATE INDEX log_by_expiry ON log (expires_ms) WHERE payload IS NOT NULL AND kind = 0;
CREATE INDEX log_of_hashes ON log (accepted_ms, channel, number) WHERE payload IS NULL;
ALTER TABLE log ALTER COLUMN payload SET STORAGE EXTERNAL; -- ciphertext does not get smaller by compression

-- How far each device has come in the ratchet of an epoch, by what was taken from it.
CREATE TABLE ratchets (
    channel bytea NOT NULL,
    generation bigint NOT NULL,
    epoch bigint NOT NULL,
    device bytea NOT NULL,
    number bigint NOT NULL,
    PRIMARY KEY (channel, generation, epoch, device)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX ratchets_by_device ON ratchets (device);

CREATE TABLE proposals (
    channel bytea NOT NULL,
    reference bytea NOT NULL,
    target bytea NOT NULL,
    by_server boolean NOT NULL,
    log_number bigint NOT NULL,
    payload bytea NOT NULL,
    PRIMARY KEY (channel, reference)
);

-- What has yet to be put into mailboxes, in the order in which it was noted; it goes when all of them have it.
CREATE TABLE outbox (
    channel bytea NOT NULL,
    note bigint NOT NULL,
    kind smallint NOT NULL,
    generation bigint NOT NULL,
    epoch bigint NOT NULL,
    log_number bigint NOT NULL,
    accepted_ms bigint NOT NULL,
    expires_ms bigint NOT NULL,
    bytes bigint NOT NULL,
    payload bytea,
    tree_hash bytea,
    devices bytea NOT NULL,
    PRIMARY KEY (channel, note)
) WITH (autovacuum_vacuum_scale_factor = 0.02);

CREATE TABLE mailboxes (
    device bytea NOT NULL PRIMARY KEY,
    account bytea NOT NULL,
    last bigint NOT NULL,
    acked bigint NOT NULL,
    entries bigint NOT NULL,
    bytes bigint NOT NULL,
    seen_ms bigint NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX mailboxes_by_account ON mailboxes (account);
CREATE INDEX mailboxes_by_age ON mailboxes (seen_ms);

CREATE TABLE entries (
    device bytea NOT NULL,
    number bigint NOT NULL,
    kind smallint NOT NULL,
    channel bytea NOT NULL,
    generation bigint NOT NULL,
    epoch bigint NOT NULL,
    log_number bigint NOT NULL,
    accepted_ms bigint NOT NULL,
    expires_ms bigint NOT NULL,
    bytes bigint NOT NULL,
    payload bytea,
    tree_hash bytea,
    PRIMARY KEY (device, number)
);
CREATE INDEX entries_by_log ON entries (channel, log_number);
CREATE INDEX entries_of_handshakes ON entries (accepted_ms) WHERE kind IN (1, 2, 3);

-- Up to which note of a channel a mailbox has all: what is told twice is put into it once.
CREATE TABLE marks (
    device bytea NOT NULL,
    channel bytea NOT NULL,
    note bigint NOT NULL,
    before bigint NOT NULL,
    PRIMARY KEY (device, channel)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);
