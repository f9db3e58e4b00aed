"""Whichever side of the screen's bridge ends takes the other one along; the threads are real ones."""

from __future__ import annotations

import threading

import pytest
import trio

from qpq.tui.bridge import Bridge
from qpq.tui.scene import Break, Ended, Leave


class Impatient(threading.Event):
    """Is looked at in vain once before `late` is set."""

    def __init__(self):
        super().__init__()
        self.late = threading.Event()

    def wait(self, timeout=None):
        found = super().wait(0 if not self.late.is_set() else timeout)
        self.late.set()
        return found


def test_the_screen_begins_when_the_client_has_entered_and_its_end_is_an_intent():
    bridge, order = Bridge(), []
    bridge._ready = Impatient()

    async def client():
        await trio.to_thread.run_sync(bridge._ready.late.wait)  # is entered when the screen was asked for in vain
        order.append("entered")
        bridge.entered()
        order.extend([await bridge.next(), await bridge.next()])

    def screen():
        order.append("shown")
        assert bridge.ask(Break())

    bridge.run(client, screen)
    assert order == ["entered", "shown", Break(), Leave()]
    assert bridge.news() == [Ended()]


def test_a_screen_that_fails_takes_the_client_along():
    bridge, ended = Bridge(), []

    async def client():
        bridge.entered()
        try:
            await trio.sleep_forever()
        finally:
            ended.append("the client")

    def screen():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bridge.run(client, screen)
    assert ended == ["the client"]
    bridge._cancel()  # once more, when the client's loop is gone: nothing to do, and no error
    assert bridge.ask(Break())


def test_a_client_that_fails_ends_the_screen_before_it_begins():
    bridge, shown = Bridge(), []

    async def client():
        raise OSError("no such folder")

    with pytest.raises(OSError, match="no such folder"):
        bridge.run(client, lambda: shown.append("the screen"))
    assert shown == []


def test_a_client_that_is_given_up_before_it_runs_does_not_begin():
    bridge, begun = Bridge(), []

    async def client():
        begun.append("the client")

    bridge._cancel()  # Ctrl-C, before the client's thread has come so far
    bridge._run_client(client)
    assert begun == []
    assert bridge.news() == [Ended()]
