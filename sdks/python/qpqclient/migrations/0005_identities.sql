-- The identity key that a member's leaf carries: it may be another one than what is known of the account.
ALTER TABLE leaves ADD COLUMN identity_key BLOB NOT NULL DEFAULT x'';
