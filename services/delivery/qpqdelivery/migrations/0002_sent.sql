-- How many messages a device has sent in its own name: a client that finds more than it knows of was copied back.
ALTER TABLE mailboxes ADD COLUMN sent INTEGER NOT NULL DEFAULT 0;
