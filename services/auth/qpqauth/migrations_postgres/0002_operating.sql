-- Who has an invitation makes an account though registration asks for a token: a hash, as of a session, never the token.
CREATE TABLE invites (
    token_hash bytea NOT NULL PRIMARY KEY,
    uses_left bigint NOT NULL,
    expires_ms bigint NOT NULL,
    created_ms bigint NOT NULL,
    note text NOT NULL
);
CREATE INDEX invites_by_age ON invites (expires_ms);

-- What the operator has switched while the server runs, past its configuration.
CREATE TABLE switches (
    name text COLLATE "C" NOT NULL PRIMARY KEY,
    value text NOT NULL
);
