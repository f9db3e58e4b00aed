-- Every key begins with the column by which Citus would distribute the table: account, device, or what it is looked up by.
CREATE TABLE names (
    name text COLLATE "C" NOT NULL PRIMARY KEY,
    account bytea NOT NULL
);
CREATE INDEX names_by_account ON names (account);

CREATE TABLE identities (
    identity_key bytea NOT NULL PRIMARY KEY,
    account bytea NOT NULL
);
CREATE INDEX identities_by_account ON identities (account);

CREATE TABLE accounts (
    account bytea NOT NULL PRIMARY KEY,
    name text COLLATE "C" NOT NULL,
    identity_key bytea NOT NULL,
    device_list bytea NOT NULL,
    version bigint NOT NULL
);

CREATE TABLE packages (
    account bytea NOT NULL,
    device bytea NOT NULL,
    suite integer NOT NULL,
    last_resort boolean NOT NULL,
    reference bytea NOT NULL,
    data bytea NOT NULL,
    expires_ms bigint NOT NULL,
    PRIMARY KEY (account, device, suite, last_resort, reference)
);
CREATE INDEX packages_by_age ON packages (expires_ms);
ALTER TABLE packages ALTER COLUMN data SET STORAGE EXTERNAL; -- keys do not get smaller by compression

CREATE TABLE hybrid_keys (
    device bytea NOT NULL PRIMARY KEY,
    account bytea NOT NULL,
    hybrid_key bytea NOT NULL,
    created_ms bigint NOT NULL
);
CREATE INDEX hybrid_keys_by_account ON hybrid_keys (account);

CREATE TABLE endpoints (
    device bytea NOT NULL PRIMARY KEY,
    account bytea NOT NULL,
    endpoint bytea NOT NULL,
    ttl_seconds bigint NOT NULL,
    signature bytea NOT NULL,
    expires_ms bigint NOT NULL
);
CREATE INDEX endpoints_by_account ON endpoints (account);
CREATE INDEX endpoints_by_age ON endpoints (expires_ms);

CREATE TABLE keyed (
    caller bytea NOT NULL,
    method integer NOT NULL,
    key bytea NOT NULL,
    request_hash bytea NOT NULL,
    reply bytea NOT NULL,
    at_ms bigint NOT NULL,
    PRIMARY KEY (caller, method, key)
);
CREATE INDEX keyed_by_age ON keyed (at_ms);
