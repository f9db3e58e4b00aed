"""A server that starts again with many mailbox entries: the time from its process's start to the first delivery."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from qpqclient.transport import Trust, open_link
from qpqcore.config.settings import Settings
from qpqserver.embedded import beside
from tools.bench.measure import Effort, Row, medians
from tools.bench.people import clients
from tools.bench.served import served

if TYPE_CHECKING:
    from pathlib import Path

MAILBOX = 1_000
"""Entries of one mailbox."""

# A message that is there is multiplied: the same log, more entries; the last mailbox is a real device's.
FILL = (
    "CREATE TEMP TABLE numbers AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) "
    "SELECT i FROM n;"
    "INSERT INTO log SELECT channel, number + i, kind, generation, epoch, CAST(i AS BLOB), payload, accepted_ms, expires_ms "
    "FROM log, numbers WHERE kind = 0 AND number = (SELECT max(number) FROM log);"
    "INSERT INTO mailboxes SELECT CAST(i AS BLOB), x'00', {mailbox}, 0, {mailbox}, 0, 0 FROM numbers WHERE i <= {count} / {mailbox};"
    "INSERT INTO entries SELECT CAST((i - 1) / {mailbox} + 1 AS BLOB), (i - 1) % {mailbox} + 1, kind, channel, generation, epoch, "
    "log_number + i, accepted_ms, expires_ms, bytes, payload, tree_hash FROM entries, numbers WHERE kind = 0;"
)


async def restart(root: Path, effort: Effort) -> list[Row]:
    """Measure starts over one and the same folder."""
    folder = root / "server"
    async with served(folder) as server:
        async with clients(root, server.where, "bob") as (bob,):
            pass
        async with clients(root, server.where, "alice") as (alice,):
            await (await alice.dm("bob")).send("the only one")
            await alice.flush()
    with beside(Settings(data_dir=str(folder)), "delivery", read_only=False) as connection:
        connection.executescript(FILL.format(count=effort.entries_kept, mailbox=MAILBOX))
        (entries,) = connection.execute("SELECT count(*) FROM entries").fetchone()
    runs = []
    for _ in range(effort.repetitions):
        begun = time.perf_counter()
        async with (
            served(folder) as server,
            open_link(server.where, Trust(), accept=lambda _: True) as link,
            clients(root, server.where, "bob") as (bob,),
        ):
            await bob._core.account.resume(link)  # noqa: SLF001 - a second connection in the same session
            async with link.subscribe(0) as events:
                assert (await anext(events)).entries
            runs.append({"seconds": time.perf_counter() - begun})
            peak_mib = (await server.usage()).peak_kib / 1024
    return [{"what": "restart", "entries": entries, **medians(runs), "peak_mib": peak_mib}]
