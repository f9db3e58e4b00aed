-- Who was in a conversation when this device last followed it, kept while it cannot: who brings it back in must be one of them.
CREATE TABLE rosters (
    channel BLOB NOT NULL, account BLOB NOT NULL, identity_key BLOB NOT NULL, PRIMARY KEY (channel, account, identity_key)
) WITHOUT ROWID;
-- Who is in a conversation that is to be joined anew, as the server shows it, and for whom nobody vouches who is known from
-- before. `accepted`: by this device's owner.
CREATE TABLE strangers (
    channel BLOB NOT NULL, account BLOB NOT NULL, identity_key BLOB NOT NULL, accepted INTEGER NOT NULL,
    PRIMARY KEY (channel, account, identity_key)
) WITHOUT ROWID;
-- The identity key of who brought this device into the group, or signed what it was joined by; empty: it was founded here.
ALTER TABLE channels ADD COLUMN brought_by BLOB NOT NULL DEFAULT x'';
ALTER TABLE joins ADD COLUMN brought_by BLOB NOT NULL DEFAULT x'';
