"""Every statement of delivery's store on PostgreSQL. Each names the column by which its tables are distributed, or says why not.

Arrays carry batches: `unnest` makes rows of them, in their order, and each row is looked up by key in that order.
"""

from __future__ import annotations

from qpqcore.store.postgres.layout import listed
from qpqdelivery import guests

# --- channels

FIND = (
    "SELECT c.channel, h.generation, h.epoch, h.number, c.proposals_version, c.policy, c.snapshot, c.tree_hash, "
    "c.group_info, h.birth_hash FROM channels c JOIN heads h ON h.channel = c.channel WHERE c.channel = $1"
)
HEAD = "SELECT number, noted, generation, epoch, birth_hash FROM heads WHERE channel = $1 FOR UPDATE"
"""Held to the end: of two that change a channel the second sees what the first has done."""
ADD_HEAD = (
    "INSERT INTO heads (channel, number, noted, generation, epoch, birth_hash) VALUES ($1, 0, $2, $3, 0, $4) "
    "ON CONFLICT (channel) DO NOTHING"
)
MOVE_HEAD = "UPDATE heads SET number = $2, noted = $3, generation = $4, epoch = $5, birth_hash = $6 WHERE channel = $1"
PROPOSALS_VERSION = "SELECT proposals_version FROM channels WHERE channel = $1"
ADD_CHANNEL = (
    "INSERT INTO channels (channel, proposals_version, policy, snapshot, tree_hash, group_info) "
    "VALUES ($1, 0, '', '', '', '')"
)
CHANGE_CHANNEL = (
    "UPDATE channels SET proposals_version = proposals_version + 1, policy = $2, snapshot = $3, tree_hash = $4, "
    "group_info = $5 WHERE channel = $1"
)
CHANGE_SNAPSHOT = "UPDATE channels SET snapshot = $2, proposals_version = proposals_version + 1 WHERE channel = $1"
USE_TREES = "UPDATE trees SET used_ms = $2 WHERE channel = $1"
PUT_TREE = (
    "INSERT INTO trees (channel, tree_hash, tree, used_ms) VALUES ($1, $2, $3, $4) "
    "ON CONFLICT (channel, tree_hash) DO UPDATE SET tree = excluded.tree, used_ms = excluded.used_ms"
)
TREE = "SELECT tree FROM trees WHERE channel = $1 AND tree_hash = $2"
ADD_EPOCH = (
    "INSERT INTO epochs (channel, generation, epoch, write_key, begun_by, log_number) VALUES ($1, $2, $3, $4, $5, $6)"
)
FORGET_RATCHETS = "DELETE FROM ratchets WHERE channel = $1 AND (generation < $2 OR epoch < $3)"
WRITE_KEY = "SELECT write_key FROM epochs WHERE channel = $1 AND generation = $2 AND epoch = $3"
MEMBERS = "SELECT device, account FROM leaves WHERE channel = $1 AND generation = $2 AND removed_epoch IS NULL"
IS_MEMBER = (
    "SELECT 1 FROM leaves WHERE channel = $1 AND generation = $2 AND device = $3 AND removed_epoch IS NULL LIMIT 1"
)
HAS_ACCOUNT = (
    "SELECT 1 FROM leaves WHERE channel = $1 AND generation = $2 AND account = $3 AND removed_epoch IS NULL LIMIT 1"
)
ADD_LEAVES = (
    "INSERT INTO leaves (channel, generation, device, added_epoch, account) "
    "SELECT $1, $2, w.device, $3, w.account FROM unnest($4::bytea[], $5::bytea[]) AS w(device, account)"
)
REMOVE_LEAVES = (
    "UPDATE leaves SET removed_epoch = $3 WHERE channel = $1 AND generation = $2 AND device = ANY($4::bytea[]) "
    "AND removed_epoch IS NULL"
)
REMOVE_ALL_LEAVES = (
    "UPDATE leaves SET removed_epoch = $3 WHERE channel = $1 AND generation = $2 AND removed_epoch IS NULL"
)
PROPOSALS = "SELECT reference, target, by_server, payload FROM proposals WHERE channel = $1 ORDER BY log_number"
ADD_PROPOSAL = (
    "INSERT INTO proposals (channel, reference, target, by_server, log_number, payload) VALUES ($1, $2, $3, $4, $5, $6)"
)
DROP_PROPOSALS = "DELETE FROM proposals WHERE channel = $1"
CHANNELS_OF = (
    "SELECT DISTINCT channel FROM leaves WHERE account = $1 AND removed_epoch IS NULL ORDER BY channel LIMIT $2"
)
CHANNELS_WITH = "SELECT DISTINCT channel FROM leaves WHERE device = $1 AND removed_epoch IS NULL ORDER BY channel"

# --- the log

FOUND = "SELECT number, accepted_ms, epoch FROM log WHERE channel = $1 AND hash = $2"
APPEND = (
    "INSERT INTO log (channel, number, kind, generation, epoch, hash, payload, accepted_ms, expires_ms) "
    "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0)"
)
HOLD_HEADS = (
    "WITH wanted AS MATERIALIZED (SELECT * FROM unnest($1::bytea[], $2::bigint[]) AS w(channel, count) ORDER BY channel) "
    "UPDATE heads h SET number = h.number + w.count, noted = h.noted + w.count FROM wanted w WHERE h.channel = w.channel "
    "RETURNING h.channel, h.number - w.count, h.noted - w.count, h.generation, h.epoch, h.birth_hash"
)
"""Numbers for all messages of a batch; what is not taken gives its number back by TRIM_HEADS, before anybody sees it."""
HAVE_HEADS = "SELECT channel FROM heads WHERE channel = ANY($1::bytea[])"
TRIM_HEADS = (
    "UPDATE heads h SET number = h.number - w.count, noted = h.noted - w.count "
    "FROM unnest($1::bytea[], $2::bigint[]) AS w(channel, count) WHERE h.channel = w.channel"
)
FOUND_ALL = (
    "SELECT l.channel, l.hash, l.number, l.accepted_ms, l.epoch "
    "FROM unnest($1::bytea[], $2::bytea[]) AS w(channel, hash) JOIN log l ON l.channel = w.channel AND l.hash = w.hash"
)
RATCHETS = (
    "SELECT r.channel, r.generation, r.epoch, r.device, r.number "
    "FROM unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::bytea[]) AS w(channel, generation, epoch, device) "
    "JOIN ratchets r ON r.channel = w.channel AND r.generation = w.generation AND r.epoch = w.epoch AND r.device = w.device"
)
ADVANCE_RATCHETS = (
    "INSERT INTO ratchets (channel, generation, epoch, device, number) "
    "SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::bytea[], $5::bigint[]) "
    "ON CONFLICT (channel, generation, epoch, device) DO UPDATE SET number = excluded.number"
)
LEAVES = (
    "SELECT l.channel, l.device, l.added_epoch, l.removed_epoch FROM unnest($1::bytea[], $2::bigint[]) "
    "AS w(channel, generation) JOIN leaves l ON l.channel = w.channel AND l.generation = w.generation"
)
APPEND_ALL = (
    "INSERT INTO log (channel, number, kind, generation, epoch, hash, payload, accepted_ms, expires_ms) "
    "SELECT w.channel, w.number, 0, w.generation, w.epoch, w.hash, w.payload, w.accepted_ms, w.expires_ms "
    "FROM unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bytea[], $6::bytea[], $7::bigint[], $8::bigint[]) "
    "AS w(channel, number, generation, epoch, hash, payload, accepted_ms, expires_ms)"
)

# --- from the log into mailboxes

NOTE_ALL = (
    "INSERT INTO outbox (channel, note, kind, generation, epoch, log_number, accepted_ms, expires_ms, bytes, payload, "
    "tree_hash, devices) SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::smallint[], $4::bigint[], $5::bigint[], "
    "$6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bytea[], $11::bytea[], $12::bytea[])"
)
NOTED = (
    "SELECT channel, note, kind, generation, epoch, log_number, accepted_ms, expires_ms, bytes, payload, tree_hash, "
    "devices FROM outbox WHERE channel = ANY($1::bytea[]) ORDER BY channel, note LIMIT $2"
)
LATE = "SELECT DISTINCT channel FROM outbox WHERE accepted_ms < $1 LIMIT $2"
CLEAR = (
    "DELETE FROM outbox o USING unnest($1::bytea[], $2::bigint[]) AS w(channel, note) "
    "WHERE o.channel = w.channel AND o.note = w.note"
)
MARK = (
    "INSERT INTO marks AS m (device, channel, note, before) SELECT w.device, w.channel, w.note, 0 "
    "FROM unnest($1::bytea[], $2::bytea[], $3::bigint[]) AS w(device, channel, note) "
    "ON CONFLICT (device, channel) DO UPDATE SET note = greatest(m.note, excluded.note), before = m.note "
    "RETURNING m.device, m.channel, m.before"
)
"""Marks what a mailbox is about to get, and returns up to where it had all; held to the end, sorted."""
UNMARK = "DELETE FROM marks WHERE device = ANY($1::bytea[])"
ADVANCE = (
    "WITH due AS MATERIALIZED (SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::bigint[]) "
    "AS d(device, count, size) ORDER BY device) "
    "UPDATE mailboxes m SET last = m.last + d.count, entries = m.entries + d.count, bytes = m.bytes + d.size "
    "FROM due d WHERE m.device = d.device "
    "RETURNING m.device, m.last - d.count, m.entries - d.count, m.bytes - d.size"
)
HAVE_MAILBOX = "SELECT device FROM mailboxes WHERE device = ANY($1::bytea[])"
PUT = (
    "INSERT INTO entries (device, number, kind, channel, generation, epoch, log_number, accepted_ms, expires_ms, bytes, "
    "payload, tree_hash) SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::smallint[], $4::bytea[], $5::bigint[], "
    "$6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bytea[], $12::bytea[])"
)
PUT_ONE_TO_MANY = (
    "INSERT INTO entries (device, number, kind, channel, generation, epoch, log_number, accepted_ms, expires_ms, bytes, "
    "payload, tree_hash) SELECT w.device, w.number, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12 "
    "FROM unnest($1::bytea[], $2::bigint[]) AS w(device, number)"
)
SET_LOAD = "UPDATE mailboxes SET last = $2, entries = $3, bytes = $4 WHERE device = $1"
EMPTY = "DELETE FROM entries WHERE device = $1"
HOLD_MAILBOX = "SELECT last FROM mailboxes WHERE device = $1 FOR UPDATE"

# --- mailboxes

FETCH = (
    "SELECT m.account, m.last, m.acked, m.bytes, m.seen_ms, "
    "(SELECT f.accepted_ms FROM entries f WHERE f.device = $1 ORDER BY f.number LIMIT 1), "
    "e.number, e.kind, e.channel, e.generation, e.epoch, e.log_number, e.accepted_ms, e.expires_ms, "
    "CASE WHEN sum(e.bytes) OVER (ORDER BY e.number) <= $4::bigint OR (row_number() OVER (ORDER BY e.number) = 1 AND $4 > 0) "
    "THEN e.payload END, e.tree_hash, e.bytes FROM mailboxes m LEFT JOIN LATERAL (SELECT * FROM entries n "
    "WHERE n.device = $1 AND n.number > greatest($2, m.acked) ORDER BY n.number LIMIT $3) e ON true "
    "WHERE m.device = $1 ORDER BY e.number"
)
"""Payloads that lie in the mailbox itself (Welcomes) come along as far as one answer holds them ($4)."""
PAYLOADS = (
    "SELECT w.place, l.payload FROM unnest($1::bytea[], $2::bigint[]) WITH ORDINALITY AS w(channel, number, place) "
    "JOIN log l ON l.channel = w.channel AND l.number = w.number WHERE l.payload IS NOT NULL"
)
ARE_KEPT = (
    "SELECT w.place, ''::bytea FROM unnest($1::bytea[], $2::bigint[]) WITH ORDINALITY AS w(channel, number, place) "
    "JOIN log l ON l.channel = w.channel AND l.number = w.number WHERE l.payload IS NOT NULL"
)
ACK = (
    "WITH box AS (SELECT greatest(acked, least($2, last)) AS position FROM mailboxes WHERE device = $1), "
    "gone AS (DELETE FROM entries e USING box WHERE e.device = $1 AND e.number <= box.position RETURNING e.bytes), "
    "total AS (SELECT count(*) AS count, coalesce(sum(bytes), 0)::bigint AS size FROM gone) "
    "UPDATE mailboxes m SET acked = greatest(m.acked, box.position), entries = m.entries - total.count, "
    "bytes = m.bytes - total.size, seen_ms = CASE WHEN $3 - m.seen_ms > $4 THEN $3 ELSE m.seen_ms END "
    "FROM box, total WHERE m.device = $1 RETURNING m.acked"
)
"""One snapshot says what there is to be acknowledged; what comes in between is not, and stays."""
NOTE_SEEN = "UPDATE mailboxes SET seen_ms = $2 WHERE device = $1"
OPEN_MAILBOX = (
    "INSERT INTO mailboxes (device, account, last, acked, entries, bytes, seen_ms) VALUES ($1, $2, 0, 0, 0, 0, $3) "
    "ON CONFLICT (device) DO NOTHING"
)
DROP_MAILBOX = "DELETE FROM mailboxes WHERE device = $1"
MAILBOXES_OF = "SELECT device FROM mailboxes WHERE account = $1"
IS_WELCOMED = "SELECT 1 FROM entries WHERE device = $1 AND channel = $2 AND tree_hash = $3 LIMIT 1"

# --- what is over

WAITED_FOR = "SELECT DISTINCT log_number, tree_hash FROM entries WHERE channel = $1"
DROP_CHANNEL = "DELETE FROM channels WHERE channel = $1"
DROP_HEAD = "DELETE FROM heads WHERE channel = $1"
DROP_EPOCHS = "DELETE FROM epochs WHERE channel = $1"
DROP_LEAVES = "DELETE FROM leaves WHERE channel = $1"
DROP_PLACES = "DELETE FROM ratchets WHERE device = $1"
DROP_RATCHETS = "DELETE FROM ratchets WHERE channel = $1"
DROP_TREES = "DELETE FROM trees WHERE channel = $1 AND tree_hash <> ALL($2::bytea[])"
DROP_LOG = "DELETE FROM log WHERE channel = $1 AND number <> ALL($2::bigint[])"
EXPIRE = (
    "UPDATE log SET payload = NULL WHERE (channel, number) IN (SELECT channel, number FROM log "
    "WHERE payload IS NOT NULL AND kind = 0 AND expires_ms <= $1 ORDER BY expires_ms LIMIT $2)"
)
OLD_HASHES = (
    "SELECT accepted_ms, channel, number FROM log l WHERE payload IS NULL AND accepted_ms < $1 "
    "AND (accepted_ms, channel, number) > ($2, $3, $4) "
    "AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.channel = l.channel AND o.log_number = l.number) "
    "ORDER BY accepted_ms, channel, number LIMIT $5"
)
DROP_HASHES = (
    "DELETE FROM log l USING unnest($1::bytea[], $2::bigint[]) AS w(channel, number) "
    "WHERE l.channel = w.channel AND l.number = w.number"
)
DROP_OLD_TREES = (
    "DELETE FROM trees WHERE (channel, tree_hash) IN (SELECT t.channel, t.tree_hash FROM trees t "
    "LEFT JOIN channels c ON c.channel = t.channel WHERE t.used_ms < $1 AND t.tree_hash IS DISTINCT FROM c.tree_hash LIMIT $2)"
)
LATE_HANDSHAKES = (
    "SELECT DISTINCT device FROM (SELECT device FROM entries WHERE kind IN (1, 2, 3) AND accepted_ms < $1 "
    "ORDER BY accepted_ms LIMIT $2) late ORDER BY device"
)
STILL_LATE = "SELECT 1 FROM entries WHERE device = $1 AND kind IN (1, 2, 3) AND accepted_ms < $2 LIMIT 1"
LOG_PAGE = (
    "SELECT channel, number, payload IS NOT NULL AND accepted_ms < $3 AND NOT EXISTS "
    "(SELECT 1 FROM outbox o WHERE o.channel = l.channel AND o.log_number = l.number) "
    "FROM log l WHERE (channel, number) > ($1, $2) ORDER BY channel, number LIMIT $4"
)
ARE_WAITED_FOR = (
    "SELECT w.channel, w.number FROM unnest($1::bytea[], $2::bigint[]) AS w(channel, number) "
    "WHERE EXISTS (SELECT 1 FROM entries e WHERE e.channel = w.channel AND e.log_number = w.number)"
)
DROP_PAYLOADS = (
    "UPDATE log l SET payload = NULL FROM unnest($1::bytea[], $2::bigint[]) AS w(channel, number) "
    "WHERE l.channel = w.channel AND l.number = w.number"
)
ABSENT = "SELECT device, account FROM mailboxes WHERE seen_ms < $1 AND account <> '' ORDER BY seen_ms LIMIT $2"
LEAF_PAGE = (
    "SELECT channel, generation, device, added_epoch, account, NOT EXISTS "
    "(SELECT 1 FROM proposals p WHERE p.channel = l.channel AND p.target = l.device) FROM leaves l "
    "WHERE removed_epoch IS NULL AND (channel, generation, device, added_epoch) > ($1, $2, $3, $4) "
    "ORDER BY channel, generation, device, added_epoch LIMIT $5"
)
OLDEST = " ORDER BY number LIMIT 1)"
WEIGH = (
    "SELECT device, entries, bytes, (SELECT accepted_ms FROM entries e WHERE e.device = m.device ORDER BY number LIMIT 1) "
    "FROM mailboxes m WHERE device > $1 AND account <> '' ORDER BY device LIMIT $2"
)
BACKLOG = "SELECT count(*), coalesce(min(accepted_ms), 0) FROM outbox"

# --- across domains

BOX = (
    "SELECT number, kind, channel, generation, epoch, log_number, accepted_ms, expires_ms, payload, tree_hash, bytes "
    "FROM entries WHERE device = $1 ORDER BY number LIMIT $2"
)
BOX_LAST = "SELECT last FROM mailboxes WHERE device = $1"
BOXES = guests.BOXES.format("$1", "$2", "$3")
BOX_FIRST = "SELECT number FROM entries WHERE device = $1 ORDER BY number LIMIT 1"
LIFT_BOX = "UPDATE entries SET number = -(number + $2) WHERE device = $1"
TURN_BOX = "UPDATE entries SET number = -number WHERE device = $1 AND number < 0"
SET_BOX = "UPDATE mailboxes SET last = last + $2, acked = $3 WHERE device = $1"
LEASE_BOX = (
    "INSERT INTO box_leases AS l (box, holder, until_ms) VALUES ($1, $2, $3) ON CONFLICT (box) DO UPDATE "
    "SET holder = excluded.holder, until_ms = excluded.until_ms WHERE l.holder = excluded.holder OR l.until_ms <= $4 "
    "RETURNING until_ms"
)
LEASED_BOX = "SELECT until_ms FROM box_leases WHERE box = $1"
AWAY_HEAD = (
    "INSERT INTO heads (channel, number, noted, generation, epoch, birth_hash) VALUES ($1, 0, $2, 0, 0, '') "
    "ON CONFLICT (channel) DO NOTHING"
)
"""Of another domain's channel `number` is the last one taken from that domain's box."""
PUT_AWAY = (
    "INSERT INTO log (channel, number, kind, generation, epoch, hash, payload, accepted_ms, expires_ms) "
    "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING"
)
STANDING = "SELECT generation, epoch FROM away WHERE channel = $1 FOR UPDATE"
KEEP_AWAY = (
    "INSERT INTO away (channel, home, generation, epoch, leaves, policy) VALUES ($1, $2, $3, $4, $5, $6) "
    "ON CONFLICT (channel) DO UPDATE SET home = excluded.home, generation = excluded.generation, epoch = excluded.epoch, "
    "leaves = excluded.leaves, policy = excluded.policy"
)
DROP_AWAY = "DELETE FROM away WHERE channel = $1"
DROP_GUESTS = "DELETE FROM guests WHERE channel = $1"
ADD_GUESTS = (
    "INSERT INTO guests (channel, device, account, home) SELECT $1, w.device, w.account, $2 "
    "FROM unnest($3::bytea[], $4::bytea[]) AS w(device, account) ON CONFLICT (channel, device) DO NOTHING"
)
GUESTS_OF_HOME = "SELECT DISTINCT device FROM guests WHERE home = $1 ORDER BY device"
HOMES_OF_DEVICE = "SELECT DISTINCT home, account FROM guests WHERE device = $1"
DROP_GUEST = "DELETE FROM guests WHERE device = $1"
AWAY_OF = (
    "SELECT a.channel, a.generation, a.epoch, a.leaves, a.policy, bool_or(g.device = $2) FROM guests g "
    "JOIN away a ON a.channel = g.channel WHERE g.account = $1 GROUP BY a.channel ORDER BY a.channel LIMIT $3"
)
POSITION = "SELECT position FROM homes WHERE home = $1"
SET_POSITION = (
    "INSERT INTO homes AS h (home, position) VALUES ($1, $2) ON CONFLICT (home) DO UPDATE "
    "SET position = greatest(h.position, excluded.position)"
)
HAS_LOG = "SELECT 1 FROM log WHERE channel = $1 AND number >= $2 LIMIT 1"
HAD_LEAF = "SELECT 1 FROM leaves WHERE channel = $1 AND device = $2 LIMIT 1"

DISTRIBUTED_BY = {
    "channels": "channel", "heads": "channel", "trees": "channel", "epochs": "channel", "leaves": "channel", "log": "channel",
    "ratchets": "channel",
    "proposals": "channel", "outbox": "channel", "mailboxes": "device", "entries": "device", "marks": "device",
    "guests": "channel", "away": "channel", "homes": "home", "box_leases": "box",
}  # fmt: skip
GROUPS = (
    ("channels", "heads", "trees", "epochs", "leaves", "ratchets", "log", "proposals", "outbox", "guests", "away"),
    ("mailboxes", "entries", "marks"),
    ("homes",),
    ("box_leases",),
)
"""Tables whose rows of one channel, or device, lie together: a transaction, and a join, stays in one of these."""
OVER_ALL = {
    "CHANNELS_OF": "rare: a list of channels, an account's end; each place has an index by account",
    "CHANNELS_WITH": "rare: a device that goes",
    "MAILBOXES_OF": "an account's end",
    "DROP_PLACES": "a device's end",
    "WAITED_FOR": "a channel's end: what lies in mailboxes of it",
    "ARE_WAITED_FOR": "the sweep: what lies in any mailbox still",
    "LATE": "the sweep: what a process left behind that died",
    "EXPIRE": "the sweep",
    "OLD_HASHES": "the sweep",
    "DROP_OLD_TREES": "the sweep",
    "LATE_HANDSHAKES": "the sweep",
    "LOG_PAGE": "the sweep",
    "LEAF_PAGE": "the sweep",
    "ABSENT": "the sweep",
    "WEIGH": "the operator's numbers, a page at a time, while somebody scrapes them",
    "BOXES": "the operator's numbers, and which domains something waits for",
    "GUESTS_OF_HOME": "a hole in what another domain sent: all who are in its channels are told",
    "HOMES_OF_DEVICE": "a device that goes",
    "DROP_GUEST": "a device that goes",
    "AWAY_OF": "rare: a list of channels; each place has an index by account",
    "BACKLOG": "the operator's numbers: the outbox is empty but for what is under way",
}
ON_CITUS = {
    text: listed(text)
    for text in (
        HOLD_HEADS, TRIM_HEADS, FOUND_ALL, RATCHETS, LEAVES, CLEAR, ADVANCE, PAYLOADS, ARE_KEPT, DROP_HASHES, DROP_PAYLOADS,
    )
} | {
    ARE_WAITED_FOR: "SELECT DISTINCT w.channel, w.number FROM unnest($1::bytea[], $2::bigint[]) AS w(channel, number) "
    "JOIN entries e ON e.channel = w.channel AND e.log_number = w.number",
    **{
        text: text.replace("(SELECT accepted_ms FROM", "(SELECT min(accepted_ms) FROM").replace(OLDEST, " GROUP BY device)")
        for text in (WEIGH, BOXES)
    },
}  # fmt: skip
"""In words of Citus' own: it correlates no subquery with rows that come along, and none that has a LIMIT, where plain
PostgreSQL stops at the first find."""
CROSSING: dict[str, str] = {}
"""No transaction goes over both groups: from the log into mailboxes leads the outbox."""
