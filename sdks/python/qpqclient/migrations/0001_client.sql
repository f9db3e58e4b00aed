CREATE TABLE meta (name TEXT NOT NULL PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE people (
    account BLOB NOT NULL PRIMARY KEY, name TEXT NOT NULL, identity_key BLOB NOT NULL,
    device_list BLOB NOT NULL, version INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE mls (key BLOB NOT NULL PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE channels (
    channel BLOB NOT NULL PRIMARY KEY, generation INTEGER NOT NULL, epoch INTEGER NOT NULL, kind INTEGER NOT NULL,
    name TEXT NOT NULL, timer_seconds INTEGER NOT NULL, active INTEGER NOT NULL, authenticator BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE leaves (
    channel BLOB NOT NULL, leaf INTEGER NOT NULL, account BLOB NOT NULL, device BLOB NOT NULL,
    PRIMARY KEY (channel, leaf)
) WITHOUT ROWID;
CREATE TABLE proposed (channel BLOB NOT NULL, device BLOB NOT NULL, by_server INTEGER NOT NULL, PRIMARY KEY (channel, device)) WITHOUT ROWID;
CREATE TABLE commits (channel BLOB NOT NULL PRIMARY KEY, hash BLOB NOT NULL, pending BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE messages (
    number INTEGER PRIMARY KEY, channel BLOB NOT NULL, id BLOB NOT NULL, sender BLOB NOT NULL, kind TEXT NOT NULL,
    text TEXT NOT NULL, sent_ms INTEGER NOT NULL, accepted_ms INTEGER NOT NULL, log_number INTEGER,
    state TEXT NOT NULL, own INTEGER NOT NULL, edited INTEGER NOT NULL, reply_to BLOB, file BLOB, shown INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL
);
CREATE UNIQUE INDEX messages_by_id ON messages (channel, id);
CREATE INDEX messages_in_order ON messages (channel, log_number);
CREATE TABLE seen (channel BLOB NOT NULL, id BLOB NOT NULL, PRIMARY KEY (channel, id)) WITHOUT ROWID;
CREATE TABLE reactions (
    channel BLOB NOT NULL, id BLOB NOT NULL, account BLOB NOT NULL, emoji TEXT NOT NULL,
    PRIMARY KEY (channel, id, account, emoji)
) WITHOUT ROWID;
CREATE TABLE outbox (
    number INTEGER PRIMARY KEY, channel BLOB NOT NULL, id BLOB NOT NULL, content BLOB NOT NULL,
    ttl_seconds INTEGER NOT NULL, generation INTEGER NOT NULL, epoch INTEGER NOT NULL, payload BLOB
);
