-- How the timer of a conversation is known (qpqclient.content.TimerFrom): 0 it was set, or told; 1 who has invited this device will
-- tell it; 2 this device has joined by itself, and goes by others' messages.
ALTER TABLE channels ADD COLUMN timer_from INTEGER NOT NULL DEFAULT 0;
