"""A process of its own that opens one picture: a stranger's file meets a decoder, so nothing else is in reach of it.

`python -I -m qpq.tui.pictures WIDTH HEIGHT` reads a file at standard input and writes four bytes of width, four of height,
and the dots (red, green, blue), scaled to fit. Exit code 1: it is no picture. It has no password, no key, no terminal, may
write no file and gets little memory and time.
"""

from __future__ import annotations

import resource
import sys

MEMORY_BYTES_MAX = 512 * 1024 * 1024
"""A picture of `DOTS_MAX` has some 160 MB, scaled in a second buffer."""
PROCESSOR_SECONDS_MAX = 5
DOTS_MAX = 40_000_000
"""Before scaling; cameras make 12 to 50 million, and a few bytes can say a billion."""
FORMATS = ("PNG", "JPEG", "GIF", "WEBP")
SIDE_MAX = 1_000
"""Of what is written: more than a terminal has cells."""


def main() -> int:
    """Open, scale, write."""
    for kind, limit in (
        (resource.RLIMIT_AS, MEMORY_BYTES_MAX),
        (resource.RLIMIT_CPU, PROCESSOR_SECONDS_MAX),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (limit, limit))
    width, height = (min(int(word), SIDE_MAX) for word in sys.argv[1:3])
    try:
        from PIL import Image, ImageOps

        Image.MAX_IMAGE_PIXELS = DOTS_MAX // 2  # twice as many are an error, in between a warning
        with Image.open(sys.stdin.buffer, formats=FORMATS) as found:
            found.draft("RGB", (width, height))
            shown = ImageOps.exif_transpose(found).convert("RGBA")
        shown.thumbnail((width, height))
        ground = Image.new("RGBA", shown.size, (0, 0, 0, 255))
        ground.alpha_composite(shown)
        dots = ground.convert("RGB").tobytes()
    except Exception:  # noqa: BLE001 - whatever a decoder makes of a stranger's bytes
        return 1
    out = sys.stdout.buffer
    out.write(shown.width.to_bytes(4, "big") + shown.height.to_bytes(4, "big") + dots)
    out.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
