"""Files between real clients: what is broken off goes on, what is to vanish vanishes (uploads: test_client_recovery.py)."""

from __future__ import annotations

import errno
import os
import random

import pytest
import trio

import qpqclient
from qpqclient import downloads
from qpqclient.client import system_now_ms
from qpqclient.connection import Connection
from qpqclient.downloads import part_of
from qpqclient.errors import FileBusy
from qpqcore.api import blob
from tests.oracle import traces
from tests.support.people import settle
from tests.support.world import STORE_KEY

PATIENCE_SECONDS = 20


def opened(w, name):
    return qpqclient.open_client(w.folder / name, server=w.where, store_key=STORE_KEY)


async def test_a_download_goes_on_in_another_process(open_world, monkeypatch, tmp_path):
    source, target, real, reached = tmp_path / "film.bin", tmp_path / "got.bin", Connection.call, trio.Event()
    source.write_bytes(random.Random(1).randbytes(2_500_000))
    asked, came, allowed = [], [], [6]

    async def watched(self, params, result, *, key=b""):
        if isinstance(params, blob.DownloadBlobParams):
            if len(asked) >= allowed[0]:
                reached.set()
                await trio.sleep_forever()
            asked.append(params.offset)
            answer = await real(self, params, result, key=key)
            came.append(params.offset)
            return answer
        return await real(self, params, result, key=key)

    monkeypatch.setattr(Connection, "call", watched)
    async with open_world() as w:
        alice = await w.client("alice")
        sent = await alice.conversation(w.direct).send_file(source)
        with trio.fail_after(PATIENCE_SECONDS):
            async with opened(w, "bob") as bob, trio.open_nursery() as nursery:
                await settle(alice, bob)
                theirs = bob.conversation(w.direct)
                nursery.start_soon(theirs.download, theirs.message(sent.id), target)
                await reached.wait()
                nursery.cancel_scope.cancel()
        assert not target.exists()
        first = set(came)
        assert first
        asked.clear()
        allowed[0] = 1_000
        async with opened(w, "bob") as bob:
            theirs = bob.conversation(w.direct)
            assert await theirs.download(theirs.message(sent.id), target) == target
    assert not first & set(asked), "what had come is not fetched again, in its turn or before it"
    assert target.read_bytes() == source.read_bytes()
    assert not part_of(target).exists()


def no_links(*_):
    raise OSError(errno.EPERM, "a file system without them")


@pytest.mark.parametrize("link", [os.link, no_links])
async def test_a_file_replaces_nothing_in_a_folder_for_its_name_is_the_senders_choice(
    open_world, monkeypatch, tmp_path, link
):
    monkeypatch.setattr(os, "link", link)
    theirs, folder = tmp_path / "theirs", tmp_path / "here"
    theirs.mkdir()
    folder.mkdir()
    (folder / "Makefile").write_text("mine")
    (folder / "Makefile (1)").symlink_to(folder / "nowhere")  # to follow it would be to write where it leads
    async with open_world() as w:
        alice, bob = await w.client("alice"), await w.client("bob")
        sent = []
        for text in ("evil", "more"):
            (theirs / "Makefile").write_text(text)
            sent.append((await alice.conversation(w.direct).send_file(theirs / "Makefile")).id)
        await settle(alice, bob)
        talk = bob.conversation(w.direct)
        first = await talk.download(talk.message(sent[0]), folder)
        again = await talk.download(talk.message(sent[0]), folder)
        other = await talk.download(talk.message(sent[1]), folder)
        assert (first.name, again, other.name) == ("Makefile (2)", first, "Makefile (3)")
        assert (first.read_text(), other.read_text()) == ("evil", "more")
        assert (folder / "Makefile").read_text() == "mine"
        assert not (folder / "nowhere").exists()
        assert sorted(p.name for p in folder.iterdir()) == ["Makefile", *(f"Makefile ({n})" for n in (1, 2, 3))]
        named = await talk.download(talk.message(sent[1]), folder / "Makefile")  # who names a file means it
        assert named.read_text() == "more"


async def test_a_folder_where_every_name_is_taken_is_busy(open_world, monkeypatch, tmp_path):
    monkeypatch.setattr(downloads, "NUMBER_MAX", 1)
    (tmp_path / "here").mkdir()
    for name in ("a.txt", "a (1).txt"):
        (tmp_path / "here" / name).write_text("mine")
    (tmp_path / "a.txt").write_text("theirs")
    async with open_world() as w:
        alice, bob = await w.client("alice"), await w.client("bob")
        sent = await alice.conversation(w.direct).send_file(tmp_path / "a.txt")
        await settle(alice, bob)
        talk = bob.conversation(w.direct)
        with pytest.raises(FileBusy, match="name another place"):
            await talk.download(talk.message(sent.id), tmp_path / "here")
        assert (await talk.download(talk.message(sent.id), tmp_path / "b")).read_text() == "theirs"


@pytest.mark.parametrize("read", [False, True], ids=["unread", "read by all"])
async def test_what_has_vanished_is_in_no_page_of_the_server(open_world, tmp_path, read):
    """Free pages and write-ahead logs included; the clients' databases: test_search.py."""
    now = [system_now_ms()]
    async with open_world(clock_ms=lambda: now[0]) as w:
        alice, bob = await w.client("alice", now_ms=lambda: now[0]), await w.client("bob", now_ms=lambda: now[0])
        talk = alice.conversation(w.direct)
        (tmp_path / "note").write_bytes(random.Random(2).randbytes(300_000))
        await talk.set_timer(60)
        for number in range(20):
            await talk.send(f"for a minute {number} " + "x" * 50 * number)
        await talk.send_file(tmp_path / "note")
        await settle(alice, bob)
        # Of messages: a Commit expires never (0), and what all have read of it goes after the sweep's erasure.
        raw = w.rows(
            "delivery",
            "SELECT payload FROM log WHERE channel = ? AND kind = 0 AND expires_ms < ?",
            w.direct,
            now[0] + 61_000,
        )
        canaries = {payload[40:100] for (payload,) in raw if payload}
        canaries |= {data[1_000:1_064] for (data,) in w.rows("blob", "SELECT data FROM chunks")}
        assert len(canaries) >= 22

        def left():
            return traces.in_tables(w._settings, canaries) | traces.in_pages(w._settings, canaries)

        assert {canary for _, canary in left()} == canaries
        if read:  # then the payloads go at once, and leave their traces
            now[0] += 2_000
            await w.service("delivery").sweep(now[0])
            assert left()
        now[0] += 61_000
        await w.service("delivery").sweep(now[0])
        assert await w.service("blob")._store.sweep(now[0]) == 1
        assert left() == set()


async def test_a_file_under_a_timer_goes_from_the_server_with_its_message(open_world, tmp_path):
    async with open_world() as w:
        alice = await w.client("alice")
        talk = alice.conversation(w.direct)
        (tmp_path / "note").write_bytes(b"content")
        for seconds in (0, 3600):
            await talk.set_timer(seconds)
            await talk.send_file(tmp_path / "note")
        now_ms = alice._core.server_now_ms()
        (soon,), (late,) = w.rows("blob", "SELECT expires_ms FROM blobs ORDER BY expires_ms")
        assert 0 < soon - now_ms < 3_700_000, "and what the two clocks differ by"
        assert late - now_ms > 29 * 24 * 3_600_000


async def test_a_file_as_large_as_the_setting_allows_has_room_with_its_tags(open_world):
    for file_bytes in (50 * 1024 * 1024, 1 << 30):
        async with open_world(blob_bytes_max=file_bytes) as w:
            assert w.service("blob")._config.blob_bytes_max == downloads.sealed_bytes(file_bytes)
