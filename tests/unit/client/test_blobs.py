"""Downloads: chunks asked for ahead, put together in order, whatever their lengths."""

from __future__ import annotations

import random

import pytest
import trio

from qpqclient import blobs
from qpqclient.errors import FileDamaged, Unreachable
from qpqcore.api.blob import DownloadBlobResult
from qpqcore.api.content import ContentFile

FILE = ContentFile(blob=b"blob", secret=b"secret", key=b"k" * 32)


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
    return b"".join([chunk async for chunk in blobs._ciphertext(core, FILE, total)])


async def test_chunks_are_asked_for_ahead_and_each_once():
    data = random.Random(1).randbytes(1_050)
    core = Core(data, lambda _: 100)
    assert await downloaded(core, len(data)) == data
    assert sorted(core.asked) == list(range(0, 1_050, 100))
    assert core.most == blobs.AHEAD


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
