"""A server that is away for a day: what is said waits, and comes once, in one order."""

from __future__ import annotations

import json
from functools import partial

import trio
from click.testing import CliRunner

from qpqserver.ctl import main
from tests.support.domains import texts, until

PATIENCE_SECONDS = 90
DAY_MS = 24 * 3600 * 1000


async def look(settings):
    """Return what `qpqctl federation list` says of each domain."""
    environment = {
        "QPQ_FEDERATION_PEERS": settings.federation_peers, "QPQ_STORE_BACKEND": settings.store_backend,
        "QPQ_DATABASE_URL": settings.database_url,
    }  # fmt: skip
    arguments = ["--json", "--data-dir", settings.data_dir, "federation", "list"]
    done = await trio.to_thread.run_sync(partial(CliRunner().invoke, main, arguments, env=environment))
    assert done.exit_code == 0, done.output
    return {row["domain"]: row for row in map(json.loads, done.output.splitlines())}


async def test_either_server_goes_away_and_comes_back(open_domains):
    with trio.fail_after(PATIENCE_SECONDS):
        async with (
            open_domains() as domains,
            domains.person("alice@a.example") as alice,
            domains.person("bob@b.example") as bob,
        ):
            there = await alice.dm("bob@b.example")
            await there.send("one")
            await until(bob, lambda: bool(bob.conversations()) and texts(bob.conversations()[0]) == ["one"])
            here = bob.conversations()[0]
            home = there.id[16:].decode()
            own = {"a.example": there, "b.example": here}
            people = {"a.example": alice, "b.example": bob}
            guest = {"a.example": "b.example", "b.example": "a.example"}[home]
            # The guests' server is away: the home takes what its own people say and keeps it.
            await people[guest].flush()  # that it has "one"
            await domains.stop(guest)
            await own[home].send("two")
            await people[home].flush()
            await own[guest].send("three")
            assert people[guest].pending == 1
            domains.clock.ahead_ms += DAY_MS
            waiting = await look(domains.settings(home))
            assert waiting[guest]["waiting"] >= 1
            await domains.start(guest)
            await until(people[home], lambda: "three" in texts(own[home]))
            await until(people[guest], lambda: "two" in texts(own[guest]))
            # The home is away: what the guests say is pending, and said so.
            await domains.stop(home)
            sent = await own[guest].send("four")
            assert own[guest].message(sent.id).state == "pending"
            domains.clock.ahead_ms += DAY_MS
            assert own[guest].message(sent.id).state == "pending"
            await domains.start(home)
            await people[guest].wait_sent(sent.id)
            await until(people[home], lambda: "four" in texts(own[home]))
            await own[home].send("five")
            await until(people[guest], lambda: "five" in texts(own[guest]))
            assert texts(there) == texts(here)
            while (await look(domains.settings(home)))[guest]["waiting"]:  # until the answer is noted, a moment later
                pass
            assert (await look(domains.settings(guest)))[home]["taken"] > 0
            assert sorted(texts(there)) == sorted(["one", "two", "three", "four", "five"])
