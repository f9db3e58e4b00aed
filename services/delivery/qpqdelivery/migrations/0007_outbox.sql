-- What is in the log of a large group and not in all its mailboxes yet. `as_of` is the epoch that the channel was in then, and
-- `but` the device that is not told: who is told follows from the leaves. Devices up to `told` have it.
CREATE TABLE outbox (
    note INTEGER PRIMARY KEY,
    channel BLOB NOT NULL,
    kind INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    as_of INTEGER NOT NULL,
    log_number INTEGER NOT NULL,
    now_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    but BLOB NOT NULL,
    told BLOB NOT NULL
);
CREATE INDEX outbox_by_log ON outbox (channel, log_number);
