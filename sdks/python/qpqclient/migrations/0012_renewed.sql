-- When this device made the keys of the last own commit with a path that the log has brought back, by its own clock; 0: none
-- since it came into the group. And the same of a commit that is under way (docs/adr/0013-adds-without-a-path.md).
ALTER TABLE channels ADD COLUMN renewed_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE commits ADD COLUMN renews_ms INTEGER NOT NULL DEFAULT 0;
