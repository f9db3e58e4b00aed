"""What a process remembers of limits: no longer than it says anything."""

from __future__ import annotations

from qpqcore.bus.limits import KEY_BYTES_MAX, LocalLimiter, Rate, name_of

QUICK = Rate(10, 1, 20)


def test_a_key_of_which_all_is_there_again_is_forgotten():
    limiter = LocalLimiter()
    for number in range(1_000):
        assert limiter.take(b"k%d" % number, QUICK, number) == 0
    assert limiter.keys <= 101  # a taking is paid for after 100 ms


def test_a_key_that_is_not_whole_stays():
    limiter = LocalLimiter()
    assert limiter.take(b"k", QUICK, 0, 20) == 0
    for number in range(1_000):
        assert limiter.take(b"k%d" % number, QUICK, number) == 0
    assert limiter.take(b"k", QUICK, 1_000, 11) > 0
    assert limiter.take(b"k", QUICK, 1_000, 10) == 0


def test_a_long_key_has_a_short_name_of_its_kind():
    short, long = b"k" * KEY_BYTES_MAX, b"k" * (KEY_BYTES_MAX + 1)
    assert name_of(short) == short
    assert (name_of(long)[:1], len(name_of(long)) <= KEY_BYTES_MAX) == (b"k", True)
    assert name_of(name_of(long)) == name_of(long) != name_of(long + b"k")
