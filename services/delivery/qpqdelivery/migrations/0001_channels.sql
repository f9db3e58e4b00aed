CREATE TABLE channels (
    channel BLOB NOT NULL PRIMARY KEY,
    generation INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    log_number INTEGER NOT NULL,
    proposals_version INTEGER NOT NULL,
    policy BLOB NOT NULL,
    snapshot BLOB NOT NULL,
    tree_hash BLOB NOT NULL,
    group_info BLOB NOT NULL,
    birth_hash BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE trees (
    channel BLOB NOT NULL,
    tree_hash BLOB NOT NULL,
    tree BLOB NOT NULL,
    used_ms INTEGER NOT NULL,
    PRIMARY KEY (channel, tree_hash)
);

CREATE TABLE epochs (
    channel BLOB NOT NULL,
    generation INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    write_key BLOB NOT NULL,
    begun_by BLOB NOT NULL,
    log_number INTEGER NOT NULL,
    PRIMARY KEY (channel, generation, epoch)
) WITHOUT ROWID;

CREATE TABLE leaves (
    channel BLOB NOT NULL,
    generation INTEGER NOT NULL,
    device BLOB NOT NULL,
    added_epoch INTEGER NOT NULL,
    account BLOB NOT NULL,
    removed_epoch INTEGER,
    PRIMARY KEY (channel, generation, device, added_epoch)
) WITHOUT ROWID;
CREATE INDEX leaves_by_account ON leaves (account, channel) WHERE removed_epoch IS NULL;
CREATE INDEX leaves_by_device ON leaves (device, channel) WHERE removed_epoch IS NULL;

CREATE TABLE log (
    channel BLOB NOT NULL,
    number INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    hash BLOB NOT NULL,
    payload BLOB,
    accepted_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    PRIMARY KEY (channel, number)
);
CREATE UNIQUE INDEX log_by_hash ON log (channel, hash);
CREATE INDEX log_by_expiry ON log (expires_ms) WHERE payload IS NOT NULL;
CREATE INDEX log_by_age ON log (accepted_ms);

CREATE TABLE proposals (
    channel BLOB NOT NULL,
    reference BLOB NOT NULL,
    target BLOB NOT NULL,
    by_server INTEGER NOT NULL,
    log_number INTEGER NOT NULL,
    payload BLOB NOT NULL,
    PRIMARY KEY (channel, reference)
) WITHOUT ROWID;

CREATE TABLE mailboxes (
    device BLOB NOT NULL PRIMARY KEY,
    account BLOB NOT NULL,
    last INTEGER NOT NULL,
    acked INTEGER NOT NULL,
    entries INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    seen_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX mailboxes_by_account ON mailboxes (account);
CREATE INDEX mailboxes_by_age ON mailboxes (seen_ms);

CREATE TABLE entries (
    device BLOB NOT NULL,
    number INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    channel BLOB NOT NULL,
    generation INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    log_number INTEGER NOT NULL,
    accepted_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    payload BLOB,
    tree_hash BLOB,
    PRIMARY KEY (device, number)
) WITHOUT ROWID;
CREATE INDEX entries_by_log ON entries (channel, log_number);
CREATE INDEX entries_of_handshakes ON entries (accepted_ms) WHERE kind IN (1, 2, 3);
