"""What was deleted is in no page any more, also where SQLite had moved it before, and in no word of the index."""

from __future__ import annotations

import random

from qpqclient.store import DATABASE, Store
from tests.oracle import traces

KEY = b"k" * 32
ROWS = 1_500
FORGOTTEN = range(0, ROWS, 3)


def message(number, text):
    at = (0, number, number)
    return (number, b"channel", b"%016d" % number, b"s", "text", text, *at, "received", 0, 0, None, None, 1, 0, 1)


def word(number):
    return f"zq{number:05d}x"


def words_left(folder):
    """Return which of the forgotten words stand in a decrypted page."""
    content = b"".join(page for path in folder.glob(f"{DATABASE}*") for page in traces.pages(path, KEY))
    return {number for number in FORGOTTEN if word(number).encode() in content}


def test_what_is_deleted_is_in_no_page(tmp_path):
    dice = random.Random(7)
    store = Store(tmp_path, KEY)
    numbers = list(range(ROWS))
    dice.shuffle(numbers)
    with store.transaction() as db:
        for number in numbers:
            text = word(number) + " filler" * dice.randrange(60)
            db.execute(f"INSERT INTO messages VALUES ({', '.join('?' * 17)})", message(number, text))
    assert not store.erase_due
    with store.transaction() as db:
        for number in FORGOTTEN:
            db.execute("DELETE FROM messages WHERE number = ?", (number,))
    assert store.erase_due
    assert words_left(tmp_path), "else packing is not what this test shows"
    before = store.size_bytes
    assert store.erase()
    assert not words_left(tmp_path)
    assert store.size_bytes < before
    assert [store.rows("SELECT count(*) FROM search WHERE search MATCH ?", word(n))[0][0] for n in (0, 1, 2, 3)] == [
        0,
        1,
        1,
        0,
    ]
    assert store.rows("INSERT INTO search (search) VALUES ('integrity-check')") == []
    store.close()


def test_a_database_that_cannot_be_rewritten_now_is_rewritten_later(tmp_path):
    store = Store(tmp_path, KEY)
    store.db.execute(f"INSERT INTO messages VALUES ({', '.join('?' * 17)})", message(1, "text"))
    store.db.execute("DELETE FROM messages")
    with store.transaction():
        assert not store.erase(), "inside a transaction nothing can be rewritten"
    assert store.erase_due
    store.close()
    again = Store(tmp_path, KEY)
    assert again.erase_due
    assert again.erase()
    assert not again.erase_due
    again.close()
