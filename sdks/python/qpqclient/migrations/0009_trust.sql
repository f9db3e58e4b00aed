-- Whom one knows, has blocked, or has compared keys with; and whose other key was announced.
CREATE TABLE contacts (
    account BLOB NOT NULL PRIMARY KEY, state TEXT NOT NULL, verified_key BLOB NOT NULL, announced BLOB NOT NULL
) WITHOUT ROWID;
-- 1: somebody unknown has added one, and it waits until it is accepted; 2: it was declined.
ALTER TABLE channels ADD COLUMN request INTEGER NOT NULL DEFAULT 0;
ALTER TABLE channels ADD COLUMN muted_until_ms INTEGER NOT NULL DEFAULT 0;
