-- Words of messages, as an index over the messages themselves: it forgets with them, by the triggers below.
CREATE VIRTUAL TABLE search USING fts5 (text, content = 'messages', content_rowid = 'number', tokenize = 'unicode61 remove_diacritics 2');
INSERT INTO search (search, rank) VALUES ('secure-delete', 1);
INSERT INTO search (search) VALUES ('rebuild');
CREATE TRIGGER messages_come AFTER INSERT ON messages BEGIN
    INSERT INTO search (rowid, text) VALUES (new.number, new.text);
END;
-- What goes leaves copies in the pages it was moved from: `erase` asks for them to be written anew (store.py).
CREATE TRIGGER messages_go AFTER DELETE ON messages BEGIN
    INSERT INTO search (search, rowid, text) VALUES ('delete', old.number, old.text);
    DELETE FROM reactions WHERE channel = old.channel AND id = old.id;
    INSERT OR REPLACE INTO meta VALUES ('erase', x'01');
END;
CREATE TRIGGER messages_change AFTER UPDATE OF text ON messages WHEN old.text <> new.text BEGIN
    INSERT INTO search (search, rowid, text) VALUES ('delete', old.number, old.text);
    INSERT INTO search (rowid, text) VALUES (new.number, new.text);
    INSERT OR REPLACE INTO meta VALUES ('erase', x'01');
END;
