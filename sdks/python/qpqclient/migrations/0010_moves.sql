-- A group whose home has gone goes on in another channel: which one it goes on from, and into which one it went. What was
-- said in the earlier one stands under the later one; `base` is added to the numbers of a channel's log, so that the order of
-- all is one number. `founded`: by this device.
ALTER TABLE channels ADD COLUMN follows BLOB NOT NULL DEFAULT x'';
ALTER TABLE channels ADD COLUMN moved_to BLOB NOT NULL DEFAULT x'';
ALTER TABLE channels ADD COLUMN base INTEGER NOT NULL DEFAULT 0;
ALTER TABLE channels ADD COLUMN founded INTEGER NOT NULL DEFAULT 0;
-- Who is still to be added to the later channel: their servers were away, too.
CREATE TABLE gathering (
    channel BLOB NOT NULL, account BLOB NOT NULL, earlier BLOB NOT NULL, PRIMARY KEY (channel, account)
) WITHOUT ROWID;
