"""The SDK prints nothing by itself: standard output is the application's."""

from __future__ import annotations

import logging

from qpqclient.log import log


def test_the_log_is_silent_until_asked_for(capfd, caplog):
    log.warning("something", reason="because")
    assert capfd.readouterr() == ("", "")
    assert [(r.name, r.levelno, r.getMessage()) for r in caplog.records] == [
        ("qpqclient", logging.WARNING, "something reason='because'")
    ]
