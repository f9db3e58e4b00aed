-- Who has an invitation makes an account though registration asks for a token: a hash, as of a session, never the token.
CREATE TABLE invites (
    token_hash BLOB NOT NULL PRIMARY KEY,
    uses_left INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    note TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX invites_by_age ON invites (expires_ms);

-- What the operator has switched while the server runs, past its configuration.
CREATE TABLE switches (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
