-- A message moves its channel's log on, and nothing else of the channel: the row with the group's state, which is large in
-- large groups, is no longer written for it.
CREATE TABLE log_heads (
    channel BLOB NOT NULL PRIMARY KEY,
    number INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO log_heads SELECT channel, log_number FROM channels;
ALTER TABLE channels DROP COLUMN log_number;
