-- Which package of a device is next, and how many it has, without reading all of them: they are 45 KB.
CREATE INDEX packages_in_turn ON packages (account, device, suite, last_resort, expires_ms);
