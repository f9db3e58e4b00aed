-- How a conversation's name and timer are known (qpqclient.told.KnownFrom): 0 set, or told; 1 who has invited this device will
-- tell them; 2 this device has joined by itself, and goes by others' messages.
ALTER TABLE channels ADD COLUMN name_from INTEGER NOT NULL DEFAULT 0;
ALTER TABLE channels ADD COLUMN timer_from INTEGER NOT NULL DEFAULT 0;
