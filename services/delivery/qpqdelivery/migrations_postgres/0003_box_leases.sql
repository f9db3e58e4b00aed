-- Which federation process brings what waits for a domain, and until when it is the only one.
CREATE TABLE box_leases (
    box bytea NOT NULL PRIMARY KEY,
    holder bytea NOT NULL,
    until_ms bigint NOT NULL
);
