"""Every statement of the keystore's store on PostgreSQL. Each names the column by which its tables are distributed, or says why not."""

from __future__ import annotations

NAMED = "SELECT account FROM names WHERE name = $1"
IDENTIFIED = "SELECT account FROM identities WHERE identity_key = $1"
ENTRIES = "SELECT account, name, identity_key, device_list, version FROM accounts WHERE account = ANY($1::bytea[])"
ENTRY_LOCKED = (
    "SELECT account, name, identity_key, device_list, version FROM accounts WHERE account = $1 FOR NO KEY UPDATE"
)
PUT_NAME = (
    "INSERT INTO names (name, account) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET account = excluded.account"
)
PUT_IDENTITY = (
    "INSERT INTO identities (identity_key, account) VALUES ($1, $2) "
    "ON CONFLICT (identity_key) DO UPDATE SET account = excluded.account"
)
PUT_ACCOUNT = (
    "INSERT INTO accounts (account, name, identity_key, device_list, version) VALUES ($1, $2, $3, '', 0) "
    "ON CONFLICT (account) DO UPDATE SET name = excluded.name, identity_key = excluded.identity_key"
)
PUT_LIST = "UPDATE accounts SET device_list = $2, version = $3 WHERE account = $1"

DROP_LAST_RESORT = "DELETE FROM packages WHERE account = $1 AND device = $2 AND suite = $3 AND last_resort"
ADD_PACKAGE = (
    "INSERT INTO packages (account, device, suite, last_resort, reference, data, expires_ms) "
    "VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (account, device, suite, last_resort, reference) DO NOTHING"
)
TOO_MANY = (
    "SELECT 1 FROM packages WHERE account = $1 AND device = $2 AND NOT last_resort GROUP BY suite HAVING count(*) > $3"
)
STOCK = (
    "SELECT suite, count(*) FILTER (WHERE NOT last_resort), bool_or(last_resort) FROM packages "
    "WHERE account = $1 AND device = $2 AND expires_ms > $3 GROUP BY suite"
)
TAKE_ONE = (
    "DELETE FROM packages WHERE account = $1 AND device = $2 AND suite = $3 AND NOT last_resort AND reference = "
    "(SELECT reference FROM packages WHERE account = $1 AND device = $2 AND suite = $3 AND NOT last_resort "
    "AND expires_ms > $4 ORDER BY expires_ms LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING data"
)
"""What another is taking at this moment is passed over: nobody waits, and nobody gets it twice."""
LAST_RESORT = "SELECT data FROM packages WHERE account = $1 AND device = $2 AND suite = $3 AND last_resort AND expires_ms > $4 LIMIT 1"
LEFT = "SELECT count(*) FROM packages WHERE account = $1 AND device = $2 AND suite = $3 AND NOT last_resort"

PUT_HYBRID_KEY = (
    "INSERT INTO hybrid_keys AS h (device, account, hybrid_key, created_ms) VALUES ($1, $2, $3, $4) "
    "ON CONFLICT (device) DO UPDATE SET hybrid_key = excluded.hybrid_key, created_ms = excluded.created_ms "
    "WHERE excluded.created_ms >= h.created_ms"
)
HYBRID_KEYS = "SELECT device, hybrid_key FROM hybrid_keys WHERE device = ANY($1::bytea[])"
PUT_ENDPOINT = (
    "INSERT INTO endpoints (device, account, endpoint, ttl_seconds, signature, expires_ms) VALUES ($1, $2, $3, $4, $5, $6) "
    "ON CONFLICT (device) DO UPDATE SET account = excluded.account, endpoint = excluded.endpoint, "
    "ttl_seconds = excluded.ttl_seconds, signature = excluded.signature, expires_ms = excluded.expires_ms"
)
ENDPOINT = "SELECT endpoint, ttl_seconds, signature, expires_ms FROM endpoints WHERE device = $1 AND expires_ms > $2"

UNLISTED_PACKAGES = "DELETE FROM packages WHERE account = $1 AND device <> ALL($2::bytea[])"
UNLISTED_HYBRID_KEYS = "DELETE FROM hybrid_keys WHERE account = $1 AND device <> ALL($2::bytea[])"
UNLISTED_ENDPOINTS = "DELETE FROM endpoints WHERE account = $1 AND device <> ALL($2::bytea[])"
DROP_NAMES = "DELETE FROM names WHERE account = $1"
DROP_IDENTITIES = "DELETE FROM identities WHERE account = $1"
DROP_ACCOUNT = "DELETE FROM accounts WHERE account = $1"
DROP_KEYED = "DELETE FROM keyed WHERE caller = $1"
DROP_OLD_PACKAGES = (
    "DELETE FROM packages WHERE (account, device, suite, last_resort, reference) IN "
    "(SELECT account, device, suite, last_resort, reference FROM packages WHERE expires_ms <= $1 ORDER BY expires_ms LIMIT $2)"
)
DROP_OLD_ENDPOINTS = (
    "DELETE FROM endpoints WHERE device IN "
    "(SELECT device FROM endpoints WHERE expires_ms <= $1 ORDER BY expires_ms LIMIT $2)"
)

DISTRIBUTED_BY = {
    "names": "name", "identities": "identity_key", "accounts": "account", "packages": "account", "hybrid_keys": "device",
    "endpoints": "device", "keyed": "caller",
}  # fmt: skip
GROUPS = (("accounts", "packages"), ("hybrid_keys", "endpoints"), ("names",), ("identities",), ("keyed",))
"""Tables whose rows of one account or device lie together: a transaction, and a join, stays in one of these."""
OVER_ALL = {
    "UNLISTED_HYBRID_KEYS": "rare: a list without a device, an account's end",
    "UNLISTED_ENDPOINTS": "the same",
    "DROP_NAMES": "an account's end",
    "DROP_IDENTITIES": "an account's end",
    "DROP_OLD_PACKAGES": "the sweep",
    "DROP_OLD_ENDPOINTS": "the sweep",
}
ON_CITUS: dict[str, str] = {}
"""No statement has to be said otherwise there."""
CROSSING = {
    "put_account": "once in an account's life: name, identity key, account",
    "put_list": "rare: a device that goes takes its keys along",
    "take": "a new member: the packages of his devices are gone exactly if the reply that has them can be repeated",
    "purge": "an account's end",
    "sweep": "the sweep",
}
"""Transactions over several groups: Citus makes them whole by two-phase commit, at some twenty times the cost."""
