"""A deleted account: whatever step the process dies at, the next one finishes, and nothing of it is anywhere.

What is looked for is everything that the tables know of the account before: ids, name, label, records, keys, packages,
files. It is looked for in every table, read with the key; in every page of the databases and of their write-ahead logs,
decrypted; in the raw bytes and the names of all files; and in what the server logged.
"""

from __future__ import annotations

import io
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import structlog
import trio

from qpqauth.jobs import DELETION, Jobs
from qpqauth.rules import sha256
from qpqcore.api import auth, delivery, keystore
from qpqcore.model.errors import ErrorCode
from qpqcore.obs import logs
from tests.oracle import traces
from tests.oracle.traces import OF_THE_GROUPS
from tests.support import recipes
from tests.support.world import SERVICES

PATIENCE_SECONDS = 30
FILE = b"what is in alice's file, which only her friends can read" * 20
TEXT = "what alice said before she left"
LABEL = "alice's laptop"
PLACES = "delivery.ratchets"
"""Names devices beside channels, whose ids stay: that none of hers is left there is looked for all the same."""
TOO_SHORT_BYTES = 5
"""Shorter values are found by chance, or are everybody's."""


def known_of(w, account, device):
    """Return every value of every row that names an account or a device; of groups' tables, none."""
    found = set()
    for service in SERVICES:
        for (table,) in w.rows(service, "SELECT name FROM sqlite_master WHERE type = 'table'"):
            if f"{service}.{table}" in OF_THE_GROUPS | {PLACES}:
                continue
            for row in w.rows(service, f"SELECT * FROM {table}"):
                values = [v.encode() if isinstance(v, str) else v for v in row if isinstance(v, bytes | str)]
                if any(account in v or device in v for v in values):
                    found |= {v for v in values if len(v) >= TOO_SHORT_BYTES}
    return found


async def equip(w, alice, bob):
    """Let alice have something in every table there is."""
    await alice.call(recipes.upload(FILE), recipes.blob.UploadBlobResult)
    await alice.call(recipes.endpoint(alice, b"where alice can be reached"), keystore.PublishEndpointResult)
    await alice.call(replace(alice.message(w.club, TEXT.encode()), ratchet=1_000), delivery.EnqueueResult)
    params = keystore.FetchKeyPackageParams(accounts=(alice.account.account,), suites=(1,))
    await bob.call(params, keystore.FetchKeyPackageResult, key=b"k" * 16)
    account = alice.account.account
    canaries = known_of(w, account, alice.id) | {b"alice", FILE, FILE[:64], TEXT.encode(), LABEL.encode()}
    canaries.add(sha256(account))  # under this its registration's reply is remembered
    everywhere = {table for table, _ in traces.in_tables(w._settings, canaries)}
    assert {"auth.accounts", "auth.names", "auth.devices", "auth.sessions", "auth.keyed"} <= everywhere
    assert {"keystore.accounts", "keystore.packages", "keystore.hybrid_keys", "keystore.endpoints"} <= everywhere
    assert {PLACES, "blob.blobs", "blob.chunks", "delivery.mailboxes", "delivery.leaves"} <= everywhere
    assert len(canaries) > 100
    of_groups = {c for table, c in traces.in_tables(w._settings, canaries) if table in OF_THE_GROUPS}
    identity_key = w.rows("auth", "SELECT identity_key FROM accounts WHERE account = ?", account)[0][0]
    assert of_groups == {account, alice.id, identity_key}  # nothing else hides behind the exception for groups
    return canaries


def left(settings, canaries):
    """Return where a canary is found; ids, the identity key and the device's key may stand in the groups' own tables."""
    tables = traces.in_tables(settings, canaries)
    of_groups = {c for table, c in tables if table in OF_THE_GROUPS}
    pages = {(f, c) for f, c in traces.in_pages(settings, canaries) if "delivery" not in f or c not in of_groups}
    files = traces.in_files(Path(settings.data_dir), canaries)
    return {(t, c) for t, c in tables if t not in OF_THE_GROUPS} | pages | files


@pytest.fixture
def log_lines(monkeypatch):
    """Log as a server does; return what was logged."""
    written = io.StringIO()
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", written)
        logs.set_up("debug")
    yield lambda: written.getvalue().encode()
    structlog.reset_defaults()


@pytest.mark.parametrize("done", range(len(DELETION) + 1))
async def test_a_deletion_goes_on_after_a_crash_at_any_step(open_world, monkeypatch, log_lines, done):
    """The process dies after `done` of the steps; the next one finishes by itself."""
    real, steps, reached = Jobs._do, [], trio.Event()

    async def dies(self, job):
        if len(steps) == done:
            reached.set()
            await trio.sleep_forever()
        await real(self, job)
        steps.append(job.kind)

    async def delete(device):
        await device.call(recipes.deletion(device, device.link), auth.DeleteAccountResult)
        reached.set()

    async with open_world() as w:
        alice = await w.device("alice")
        canaries = await equip(w, alice, await w.device("bob"))
        with monkeypatch.context() as patched:
            patched.setattr(Jobs, "_do", dies)
            with trio.fail_after(PATIENCE_SECONDS):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(delete, alice)
                    await reached.wait()
                    nursery.cancel_scope.cancel()
            await w.stop()
        assert steps == [kind for kind, _ in DELETION[:done]]
        await w.start()
        with trio.move_on_after(PATIENCE_SECONDS):
            while left(w._settings, canaries):
                await trio.sleep(0.02)
        assert left(w._settings, canaries) == set()
        bob = await w.device("bob")
        for channel in (w.direct, w.club):
            info = await bob.call(delivery.FetchGroupInfoParams(channel=channel), delivery.FetchGroupInfoResult)
            assert len(info.proposals) == 1
        assert await bob.code(keystore.ResolveUserParams(name="alice")) is ErrorCode.NOT_FOUND
        logged = log_lines()
        assert b"account_deleted" in logged or done < len(DELETION)
        assert {c for c in canaries if c in logged or c.hex().encode() in logged} == set()
