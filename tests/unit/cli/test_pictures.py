"""The program that opens a stranger's picture, run in the test's own process: its limits are noted, not laid on the test.

With its real limits, as a process: test_looking.py.
"""

from __future__ import annotations

import io
import resource
import runpy
import sys
from types import SimpleNamespace

import pytest
from PIL import Image

from qpq.tui import pictures
from tests.unit.cli.test_looking import GREEN, RED, bomb, encoded

ORIENTATION, TURNED_RIGHT = 0x0112, 6


@pytest.fixture
def open_picture(monkeypatch):
    """Return a function that runs the program: its exit code, its output, and the limits that it laid on itself."""

    def run(data, width, height, program=pictures.main):
        limits, out = {}, io.BytesIO()
        monkeypatch.setattr(resource, "setrlimit", lambda kind, both: limits.update({kind: both}))
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)  # is put back with the rest
        monkeypatch.setattr(sys, "argv", ["pictures", str(width), str(height)])
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data)))
        monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=out))
        try:
            return program(), out.getvalue(), limits
        finally:
            monkeypatch.undo()

    return run


def dots_of(written):
    """Return the width, the height and the dots."""
    width, height = int.from_bytes(written[:4], "big"), int.from_bytes(written[4:8], "big")
    dots = written[8:]
    assert len(dots) == width * height * 3
    return width, height, [tuple(dots[i : i + 3]) for i in range(0, len(dots), 3)]


def test_a_picture_is_written_as_dots_that_fit(open_picture):
    picture = Image.new("RGB", (8, 4), RED)
    picture.paste(GREEN, (4, 0, 8, 4))
    code, written, limits = open_picture(encoded(picture, "PNG"), 8, 9)
    assert (code, dots_of(written)) == (0, (8, 4, ([RED] * 4 + [GREEN] * 4) * 4))
    assert limits[resource.RLIMIT_AS] == (pictures.MEMORY_BYTES_MAX,) * 2
    assert limits[resource.RLIMIT_CPU] == (pictures.PROCESSOR_SECONDS_MAX,) * 2
    assert limits[resource.RLIMIT_FSIZE] == limits[resource.RLIMIT_CORE] == (0, 0)


def test_what_is_transparent_lies_on_black_and_half_of_it_is_half_as_light(open_picture):
    picture = Image.new("RGBA", (2, 1), (255, 255, 255, 0))
    picture.putpixel((1, 0), (255, 255, 255, 128))
    _, written, _ = open_picture(encoded(picture, "PNG"), 10, 10)
    assert dots_of(written)[2] == [(0, 0, 0), (128, 128, 128)]


def test_a_photo_stands_as_the_camera_was_held(open_picture):
    exif = Image.Exif()
    exif[ORIENTATION] = TURNED_RIGHT
    _, written, _ = open_picture(encoded(Image.new("RGB", (40, 20), RED), "JPEG", exif=exif), 100, 100)
    assert dots_of(written)[:2] == (20, 40)


def test_no_more_is_written_than_a_screen_can_have(open_picture):
    _, written, _ = open_picture(encoded(Image.new("RGB", (3_000, 30)), "PNG"), 5_000, 5_000)
    assert dots_of(written)[:2] == (pictures.SIDE_MAX, 10)


@pytest.mark.parametrize("data", [b"", b"<svg/>", bomb(30_000), encoded(Image.new("RGB", (9, 9)), "BMP")])
def test_what_is_no_picture_ends_it_with_nothing_written(open_picture, data):
    code, written, _ = open_picture(data, 40, 40)
    assert (code, written) == (1, b"")


def test_as_a_module_its_outcome_is_the_exit_code(open_picture, monkeypatch):
    def program():
        monkeypatch.delitem(sys.modules, pictures.__name__)
        with pytest.raises(SystemExit) as ended:
            runpy.run_module(pictures.__name__, run_name="__main__")
        return ended.value.code

    assert open_picture(b"", 4, 4, program)[:2] == (1, b"")
    code, written, _ = open_picture(encoded(Image.new("RGB", (2, 2), RED), "PNG"), 4, 4, program)
    assert (code, dots_of(written)) == (0, (2, 2, [RED] * 4))
