"""The suite in pytest: all pairs of trio_quic's engines; a foreign peer beside them in `make conformance`."""

from __future__ import annotations

import pytest
from aioquic.quic.connection import QuicConnection

from trio_quic.aio.bounds import BoundedConnection

from .__main__ import verdict
from .cases import CASES
from .listed import ANY, LISTED, reason
from .matrix import FOREIGN_PAIRS, OWN_PAIRS, PAGE, column, holds, page, play


@pytest.mark.parametrize("name", list(CASES))
@pytest.mark.parametrize("pair", OWN_PAIRS, ids=column)
def test_case(pair: tuple[str, str], name: str) -> None:
    if (why := reason(pair, name)) is None:
        play(pair, name)
    else:
        assert not holds(pair, name), f"holds, though it is listed: {why}"


def test_every_entry_is_of_a_pair_and_a_case() -> None:
    pairs = OWN_PAIRS + FOREIGN_PAIRS
    for server, client, name in LISTED:
        assert name in CASES
        assert any(server in (ANY, one) and client in (ANY, other) for one, other in pairs)


def test_the_page_is_the_table() -> None:
    assert PAGE.read_text() == page()


def test_an_entry_that_is_not_needed_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LISTED, ("native", ANY, "handshake"), "planted")
    assert verdict(("native", "native"), "handshake") == "LISTED BUT HOLDS: planted"
    assert "planted" in page()


def test_a_broken_promise_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows that grow by themselves, as aioquic's own do."""
    monkeypatch.setattr(BoundedConnection, "_write_stream_limits", QuicConnection._write_stream_limits)
    monkeypatch.setattr(BoundedConnection, "_write_connection_limits", QuicConnection._write_connection_limits)
    assert verdict(("aioquic", "native"), "flow control: stream") == "FAILED"
