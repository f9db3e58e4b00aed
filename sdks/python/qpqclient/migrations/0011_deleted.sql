-- What its sender deleted and this device does not have: a folder that was put back may send it once more.
CREATE TABLE deleted (
    channel BLOB NOT NULL, id BLOB NOT NULL, account BLOB NOT NULL, PRIMARY KEY (channel, id, account)
) WITHOUT ROWID;
