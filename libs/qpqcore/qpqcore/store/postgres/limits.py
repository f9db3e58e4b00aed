"""Every bound of the connections to PostgreSQL, with its reason."""

from __future__ import annotations

CONNECTIONS_MAX = 8
"""Of one service in one process: two flushers, and six for what is read and changed beside them. A server takes 100."""
CONNECTIONS_OPENING_MAX = 2
"""At once: a server that has come back is not met by all of a fleet's connections in one moment."""
WAITING_MAX = 10_000
"""Calls that may wait for a connection; one more is refused with `overloaded`."""
WAIT_SECONDS_MAX = 5.0
"""How long a call waits for a connection: as long as the shortest of the callers' deadlines."""
CONNECT_SECONDS_MAX = 5.0
"""A server that does not answer for so long is away."""
AWAY_SECONDS = 0.25
"""After a failed connection calls are refused at once for so long: a server that starts is not held up by our knocking."""
KNOCK_SECONDS = 1.0
"""How often a server that is away is tried when nobody asks for it."""
STATEMENT_MS_MAX = 10_000
"""The server ends a statement then, also for a process that has died in between."""
LOCK_MS_MAX = 5_000
"""How long a statement waits for a row; ours are held for some milliseconds."""
IDLE_IN_TRANSACTION_MS_MAX = 10_000
"""The server ends a transaction whose process has gone silent: its rows are free again."""
TRANSACTION_SECONDS_MAX = 15.0
"""Of our own clock, for a network that swallows everything: past it the connection is dropped."""
TRIES_MAX = 4
"""A transaction that met a deadlock, or another that did the same, is run again so often."""
STATEMENTS_CACHED_MAX = 512
"""Prepared statements of one connection: more than any service has."""
RETRY_AFTER_MS = 500
"""What a refused caller is told while the server is away or busy."""
FULL_RETRY_AFTER_MS = 60_000
"""What a refused caller is told while its disk is full."""
BATCH_ITEMS_MAX = 512
"""Calls in one group commit: bounds what one failure takes with it."""
BATCH_BYTES_MAX = 8 * 1024 * 1024
"""Payload in one group commit: a batch of the largest messages is still written within the deadline."""
VACUUM_MS_MAX = 12_000
"""One table's VACUUM after a deletion; autovacuum does what is left."""
NODES_MAX = 64
"""Nodes to which a service has connections of its own; the work of others goes by the coordinator."""
SHARDS_MAX = 8_192
"""Shards in the map, of the tables that speak for their groups: 64 nodes with 4 shards for each of a service's 7 groups
are 1,792."""
VALUES_KNOWN_MAX = 50_000
"""Channels, devices and accounts whose shard is kept in memory, some 250 bytes each; one more costs a look-up."""
MAP_SECONDS = 5.0
"""How old the map of shards and nodes may be: a moved shard is found by its new node then."""
MAP_AGAIN_SECONDS = 0.25
"""After a failure it is read again so soon."""
SHARDS_A_NODE = 4
"""A statement over many values costs by the shards that it touches; fewer could not be moved to a node that is added."""
