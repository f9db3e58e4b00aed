-- How far in its epoch's ratchet a message was encrypted, plus one: the server refuses a number that it has seen.
ALTER TABLE outbox ADD COLUMN ratchet INTEGER NOT NULL DEFAULT 0;
