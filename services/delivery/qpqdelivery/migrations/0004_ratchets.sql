-- How far each device has come in the ratchet of an epoch, by what was taken from it: a device that comes with a number again
-- was copied back. It takes the place of the count of what it sent, which stood with its mailbox and not with the channel.
CREATE TABLE ratchets (
    channel BLOB NOT NULL,
    generation INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    device BLOB NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (channel, generation, epoch, device)
) WITHOUT ROWID;
CREATE INDEX ratchets_by_device ON ratchets (device);
ALTER TABLE mailboxes DROP COLUMN sent;
