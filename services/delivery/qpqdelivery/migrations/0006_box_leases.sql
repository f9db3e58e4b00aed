-- Which federation process brings what waits for a domain, and until when it is the only one.
CREATE TABLE box_leases (
    box BLOB NOT NULL PRIMARY KEY,
    holder BLOB NOT NULL,
    until_ms INTEGER NOT NULL
) WITHOUT ROWID;
