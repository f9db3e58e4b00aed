-- Devices of this domain in channels of others, as those say: who is told of a gap, whose channels are listed.
CREATE TABLE guests (
    channel BLOB NOT NULL,
    device BLOB NOT NULL,
    account BLOB NOT NULL,
    home TEXT NOT NULL,
    PRIMARY KEY (channel, device)
) WITHOUT ROWID;
CREATE INDEX guests_by_account ON guests (account);
CREATE INDEX guests_by_device ON guests (device);
CREATE INDEX guests_by_home ON guests (home);

CREATE TABLE away (
    channel BLOB NOT NULL PRIMARY KEY,
    home TEXT NOT NULL,
    generation INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    leaves INTEGER NOT NULL,
    policy BLOB NOT NULL
) WITHOUT ROWID;

-- How far the box that another domain keeps for this one has been taken.
CREATE TABLE homes (
    home TEXT NOT NULL PRIMARY KEY,
    position INTEGER NOT NULL
) WITHOUT ROWID;
