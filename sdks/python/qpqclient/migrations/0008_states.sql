-- What became of messages: who has them and who has read them, and what their senders are still to be told.
ALTER TABLE messages ADD COLUMN read INTEGER NOT NULL DEFAULT 1;
CREATE TABLE receipts (
    channel BLOB NOT NULL, id BLOB NOT NULL, account BLOB NOT NULL, read INTEGER NOT NULL,
    PRIMARY KEY (channel, id, account)
) WITHOUT ROWID;
CREATE TABLE receipts_due (channel BLOB NOT NULL, id BLOB NOT NULL, read INTEGER NOT NULL, PRIMARY KEY (channel, id)) WITHOUT ROWID;
CREATE TABLE pins (channel BLOB NOT NULL, id BLOB NOT NULL, account BLOB NOT NULL, PRIMARY KEY (channel, id)) WITHOUT ROWID;
-- The policy of the present epoch and of those before it whose messages are still taken; of its admins those who are members.
CREATE TABLE policies (
    channel BLOB NOT NULL, generation INTEGER NOT NULL, epoch INTEGER NOT NULL, policy BLOB NOT NULL,
    PRIMARY KEY (channel, generation, epoch)
) WITHOUT ROWID;
CREATE INDEX messages_unread ON messages (channel) WHERE read = 0;
CREATE TRIGGER messages_go_with AFTER DELETE ON messages BEGIN
    DELETE FROM receipts WHERE channel = old.channel AND id = old.id;
    DELETE FROM receipts_due WHERE channel = old.channel AND id = old.id;
    DELETE FROM pins WHERE channel = old.channel AND id = old.id;
END;
