-- Every key begins with the column by which Citus would distribute the table: the account, or what a table is looked up by.
CREATE TABLE names (
    name text COLLATE "C" NOT NULL PRIMARY KEY,
    account bytea NOT NULL,
    freed_ms bigint
);
CREATE INDEX names_by_age ON names (freed_ms) WHERE freed_ms IS NOT NULL;

CREATE TABLE accounts (
    account bytea NOT NULL PRIMARY KEY,
    name text COLLATE "C" NOT NULL,
    setup bigint NOT NULL,
    credential_id bytea NOT NULL,
    record bytea NOT NULL,
    identity_key bytea NOT NULL,
    wraps bytea NOT NULL,
    wrap_version bigint NOT NULL,
    device_list bytea NOT NULL,
    state smallint NOT NULL,
    created_ms bigint NOT NULL
);

CREATE TABLE devices (
    account bytea NOT NULL,
    device bytea NOT NULL,
    label bytea NOT NULL,
    registered_ms bigint NOT NULL,
    last_seen_ms bigint NOT NULL,
    PRIMARY KEY (account, device)
) WITH (fillfactor = 70);

CREATE TABLE sessions (
    account bytea NOT NULL,
    token_hash bytea NOT NULL,
    device bytea NOT NULL,
    used_ms bigint NOT NULL,
    PRIMARY KEY (account, token_hash)
);
CREATE INDEX sessions_by_age ON sessions (used_ms);

-- Whose session a token is of: who resumes brings nothing but the token.
CREATE TABLE tokens (
    token_hash bytea NOT NULL PRIMARY KEY,
    account bytea NOT NULL
);

CREATE TABLE login_states (
    state_hash bytea NOT NULL PRIMARY KEY,
    expires_ms bigint NOT NULL
);
CREATE INDEX login_states_by_age ON login_states (expires_ms);

CREATE TABLE jobs (
    account bytea NOT NULL,
    number bigint NOT NULL,
    kind text NOT NULL,
    payload bytea NOT NULL,
    PRIMARY KEY (account, number)
);

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
