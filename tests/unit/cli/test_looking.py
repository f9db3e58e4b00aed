"""Strangers' pictures: opened by a process of its own, within bounds; what is no picture harms nobody."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from PIL import Image

from qpq.table.model import Mistake
from qpq.tui.looking import opened

RED, GREEN = (255, 0, 0), (0, 255, 0)


def file_of(tmp_path, data):
    path = tmp_path / "picture"
    path.write_bytes(data)
    return path


def encoded(picture, kind, **options):
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def bomb(side):
    """Return a PNG of a few bytes that says it has `side` times `side` dots."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes((side // 8 + 1) * 64))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
async def test_a_picture_is_scaled_to_what_there_is_room_for(tmp_path, kind):
    picture = Image.new("RGB", (400, 200), RED)
    picture.paste(GREEN, (200, 0, 400, 200))
    width, height, dots = await opened(file_of(tmp_path, encoded(picture, kind)), 40, 50)
    assert (width, height, len(dots)) == (40, 20, 40 * 20 * 3)
    left, right = dots[:3], dots[3 * 39 : 3 * 40]
    assert left[0] > 200 > 60 > left[1]
    assert right[1] > 200 > 60 > right[0]


async def test_what_is_no_picture_or_too_much_of_one_is_refused(tmp_path):
    for data in (
        b"",
        b"\x89PNG\r\n\x1a\n",
        b"<svg/>",
        b"%!PS-Adobe\n",
        bomb(30_000),
        encoded(Image.new("RGB", (9, 9)), "BMP"),
    ):
        with pytest.raises(Mistake, match="/download writes it to a file"):
            await opened(file_of(tmp_path, data), 40, 50)
