-- Devices of this domain in channels of others, as those say: who is told of a gap, whose channels are listed.
CREATE TABLE guests (
    channel bytea NOT NULL,
    device bytea NOT NULL,
    account bytea NOT NULL,
    home text NOT NULL,
    PRIMARY KEY (channel, device)
);
CREATE INDEX guests_by_account ON guests (account);
CREATE INDEX guests_by_device ON guests (device);
CREATE INDEX guests_by_home ON guests (home);

CREATE TABLE away (
    channel bytea NOT NULL PRIMARY KEY,
    home text NOT NULL,
    generation bigint NOT NULL,
    epoch bigint NOT NULL,
    leaves bigint NOT NULL,
    policy bytea NOT NULL
);

-- How far the box that another domain keeps for this one has been taken.
CREATE TABLE homes (
    home text NOT NULL PRIMARY KEY,
    position bigint NOT NULL
);
