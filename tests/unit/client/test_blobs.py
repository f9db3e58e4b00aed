"""Files: chunks asked for ahead and put together in order, whatever their lengths; and sent several at a time."""

from __future__ import annotations

import random
from types import SimpleNamespace

import pytest
import trio

from qpqclient import blobs, downloads
from qpqclient.errors import FileDamaged, Refused, Unreachable
from qpqcore.api.blob import DownloadBlobParams, DownloadBlobResult, UploadBlobResult
from qpqcore.model.errors import ErrorCode, Refusal


class Core:
    """Answers like a server whose chunks are as long as `length` says, later ones sooner."""

    def __init__(self, data, length):
        self._data, self._length = data, length
        self.asked, self.most, self._now = [], 0, 0

    async def call(self, params, result):
        del result
        self._now += 1
        self.asked.append(params.offset)
        self.most = max(self.most, self._now)
        for _ in range(10 - self._now):
            await trio.lowlevel.checkpoint()
        self._now -= 1
        return DownloadBlobResult(chunk=self._data[params.offset : params.offset + self._length(params.offset)])


async def downloaded(core, total):
    """Fetch in windows, as `downloads` does."""
    pieces, offset, stride = [], 0, downloads.STRIDE_BYTES

    async def fetch(offset, count):
        params = DownloadBlobParams(blob=b"blob", secret=b"secret", offset=offset, max_bytes=count)
        return (await core.call(params, DownloadBlobResult)).chunk

    while offset < total:
        offset, stride = await downloads.Window(fetch, offset, stride, total).run(pieces.append)
    return b"".join(pieces)


async def test_chunks_are_asked_for_ahead_and_each_once():
    data = random.Random(1).randbytes(1_050)
    core = Core(data, lambda _: 100)
    assert await downloaded(core, len(data)) == data
    assert sorted(core.asked) == list(range(0, 1_050, 100))
    assert core.most == downloads.AHEAD


@pytest.mark.parametrize("seed", range(20))
async def test_chunks_of_any_length_make_the_same_file(seed):
    dice = random.Random(seed)
    data = dice.randbytes(dice.randint(1, 5_000))
    assert await downloaded(Core(data, lambda _: dice.choice((1, 90, 90, 90, 91, 400))), len(data)) == data


@pytest.mark.parametrize(
    ("length", "total"), [(lambda at: 0 if at else 100, 1_000), (lambda _: 100, 250), (lambda _: 100, 1_001)]
)
async def test_a_file_of_another_length_is_damaged(length, total):
    with pytest.raises(FileDamaged):
        await downloaded(Core(bytes(1_000), length), total)


async def test_an_error_is_raised_as_itself():
    core = Core(bytes(1_000), lambda _: 100)

    async def call(params, result):
        if params.offset >= 300:
            raise Unreachable("gone")
        return await Core.call(core, params, result)

    core.call = call
    with pytest.raises(Unreachable):
        await downloaded(core, 1_000)


class Line:
    """A server that takes chunks after as many seconds as it is told."""

    def __init__(self, seconds=0.1, there=0):
        self.seconds, self.there = seconds, there
        self.taken, self.widths, self._now, self.refuse = [], [], 0, {}

    async def put(self, offset, chunk):
        self._now += 1
        self.widths.append(self._now)
        try:
            await trio.sleep(self.seconds)
            if offset in self.refuse:
                raise self.refuse.pop(offset)
            self.taken.append((offset, chunk))
        finally:
            self._now -= 1
        return UploadBlobResult(received=self.there)


PIECES = [bytes([n]) * 10 for n in range(40)]


async def test_chunks_go_several_at_a_time_each_once(autojump_clock):
    line = Line()
    await blobs._send(iter(PIECES), 30, line.put)
    assert sorted(line.taken) == [(n * 10, PIECES[n]) for n in range(3, 40)]
    assert max(line.widths) == blobs.UNDER_WAY
    assert line.widths[0] == 1


async def test_on_a_slow_line_chunks_go_one_by_one(autojump_clock):
    line = Line(seconds=blobs.SOON_SECONDS)
    await blobs._send(iter(PIECES), 0, line.put)
    assert set(line.widths) == {1}


async def test_the_first_error_ends_an_upload(autojump_clock):
    line = Line()
    line.refuse = {100: Unreachable("the second"), 90: Unreachable("the first")}
    with pytest.raises(Unreachable, match="the first"):
        await blobs._send(iter(PIECES), 0, line.put)
    assert len(line.taken) < 10 + blobs.UNDER_WAY


class Uploader:
    """What `upload` needs of a client; its server loses the order once, and the file is another one by then."""

    def __init__(self, path):
        self.path, self.tries = path, 0
        self.store = SimpleNamespace(rows=lambda *_: [], db=SimpleNamespace(execute=lambda *_: None))

    async def link(self):
        return SimpleNamespace(hello=SimpleNamespace(domain="localhost"))

    async def call(self, params, result):
        del result
        await trio.lowlevel.checkpoint()
        if params.chunk:
            self.tries += 1
            self.path.write_bytes(b"another content")
            raise Refused(Refusal(ErrorCode.BLOB_OFFSET, "go on at byte 0"))
        return UploadBlobResult(received=0)


async def test_what_a_file_has_become_is_not_sent_under_the_key_of_what_it_was(tmp_path):
    path = tmp_path / "changing"
    path.write_bytes(b"some content ..")
    core = Uploader(path)
    with pytest.raises(FileDamaged, match="changed while it was sent"):
        await blobs.upload(core, path)
    assert core.tries == 1


class Jolted:
    """A server that loses the order after each chunk, and keeps what it had."""

    def __init__(self):
        self.store = SimpleNamespace(rows=lambda *_: [], db=SimpleNamespace(execute=lambda *_: None))
        self.received = 0
        self.losses = 0
        self.keeps = True

    async def link(self):
        return SimpleNamespace(hello=SimpleNamespace(domain="localhost"))

    async def call(self, params, result):
        del result
        await trio.lowlevel.checkpoint()
        if params.chunk:
            if self.keeps and params.offset == self.received:
                self.received += len(params.chunk)
            if self.received < params.total_bytes:
                self.losses += 1
                raise Refused(Refusal(ErrorCode.BLOB_OFFSET, f"go on at byte {self.received}"))
        return UploadBlobResult(received=self.received)


async def test_an_upload_goes_on_as_often_as_it_comes_further(tmp_path):
    path = tmp_path / "large"
    path.write_bytes(bytes((2 * blobs.TRIES + 1) * blobs.CHUNK_BYTES))
    core = Jolted()
    await blobs.upload(core, path)
    assert core.received > path.stat().st_size
    assert core.losses > blobs.TRIES


async def test_an_upload_that_comes_no_further_ends(tmp_path):
    path = tmp_path / "large"
    path.write_bytes(bytes(3 * blobs.CHUNK_BYTES))
    core = Jolted()
    core.keeps = False
    with pytest.raises(Refused, match="go on at byte 0"):
        await blobs.upload(core, path)
    assert core.losses == blobs.TRIES
