"""How far a file has come: a bar, the rate, the time left."""

from __future__ import annotations

from qpq.output import Progress, megabytes


def test_a_file_on_its_way():
    bar = Progress()
    assert bar.line("photo.jpg", 0, 10_000_000, 0.0) == "photo.jpg [--------------------] 0.0 kB of 10.0 MB, 0.0 kB/s"
    assert bar.line("photo.jpg", 100_000, 10_000_000, 0.05) is None
    line = bar.line("photo.jpg", 5_000_000, 10_000_000, 2.0)
    assert line == "photo.jpg [##########----------] 5.0 MB of 10.0 MB, 2.5 MB/s, 2 s left"
    assert bar.line("photo.jpg", 10_000_000, 10_000_000, 2.01).startswith(
        "photo.jpg [####################] 10.0 MB of 10.0 MB"
    )


def test_a_file_that_goes_on_shows_its_own_rate_and_an_empty_one_is_complete():
    bar = Progress()
    bar.line("a", 8_000_000, 10_000_000, 0.0)
    assert "1.0 MB/s, 1 s left" in bar.line("a", 9_000_000, 10_000_000, 1.0)
    assert bar.line("b\x1b[2J", 0, 0, 2.0).startswith('"b\ufffd[2J" [####')


def test_bytes_as_people_read_them():
    assert (megabytes(0), megabytes(99_999), megabytes(100_000), megabytes(1_234_567_890)) == (
        "0.0 kB",
        "100.0 kB",
        "0.1 MB",
        "1234.6 MB",
    )
