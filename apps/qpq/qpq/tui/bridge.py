"""Where the screen's loop (asyncio, on the main thread) and the client's (Trio, on a thread of its own) meet.

1. Intents cross in the order in which they were wanted, and none is lost: the end is an intent too. A draft that is typed
   over before the client has taken it is replaced where it stands.
2. A full queue refuses (`ask` is False) and the screen keeps what was typed; it never waits.
3. Of the updates a scene replaces an older one that was not shown yet; of lines the oldest go, and that is said.
4. Whichever side ends takes the other one along.
"""

from __future__ import annotations

import asyncio  # noqa: TID251 - Textual's own loop
import signal
import threading
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

import trio

from qpq.tui.scene import Ended, Kept, Leave, Notice, Passing, Picture, Result, Scene

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from qpq.tui.scene import Intent, Update

INTENTS_MAX = 256
"""A person wants a few things a second; a client that is so far behind is stuck."""
UPDATES_MAX = 256
"""Lines for a screen that shows a few dozen."""
PATIENCE_SECONDS = 0.2
"""How often the main thread lets Ctrl-C through while the client is opened."""
TAKEN_SECONDS_MAX = 1.0
"""A widget that is there takes a key within milliseconds."""


class Bridge:
    """The two queues, and the client's thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._intents: deque[Intent] = deque()
        self._updates: deque[Update] = deque()
        self._left_out = 0
        self._abandoned = False
        self._token: trio.lowlevel.TrioToken | None = None
        self._scope = trio.CancelScope()
        self._work = trio.Event()
        self._ready = threading.Event()
        self._wake_screen: Callable[[], object] = lambda: None
        self._problem: BaseException | None = None

    # --- the screen's side

    def ask(self, intent: Intent) -> bool:
        """Hand an intent over; False when too many wait: then nothing was handed over."""
        with self._lock:
            last = self._intents[-1] if self._intents else None
            if isinstance(intent, Kept) and isinstance(last, Kept) and last.channel == intent.channel:
                self._intents[-1] = intent
            elif len(self._intents) >= INTENTS_MAX and not isinstance(intent, Leave):
                return False
            else:
                self._intents.append(intent)
            token = self._token
        if token is not None:
            with suppress(trio.RunFinishedError):
                token.run_sync_soon(self._note_work, idempotent=True)
        return True

    def news(self) -> list[Update]:
        """Return what there is to show, oldest first."""
        with self._lock:
            found, self._updates = list(self._updates), deque()
            left, self._left_out = self._left_out, 0
        return [*found, Notice(f"({left} lines were left out)")] if left else found

    def listen(self, wake: Callable[[], object]) -> None:
        """Have `wake` called, on the client's thread, whenever there is news."""
        self._wake_screen = wake
        wake()

    def end_on_signals(self, end: Callable[[], object]) -> None:
        """Call `end`, on the screen's loop, when the terminal hangs up or the system asks."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, end)

    # --- the client's side

    async def next(self) -> Intent:
        """Wait for the next intent."""
        while True:
            with self._lock:
                if self._intents:
                    return self._intents.popleft()
                self._work = trio.Event()
            await self._work.wait()

    def give(self, update: Update) -> None:
        """Hand an update over; never waits."""
        with self._lock:
            told = bool(self._updates)
            if isinstance(update, Scene | Passing):
                kind = type(update)
                self._updates = deque(u for u in self._updates if not isinstance(u, kind))
            elif len(self._updates) >= UPDATES_MAX:
                self._drop_oldest()
            self._updates.append(update)
        if not told:
            self._wake_screen()

    def entered(self) -> None:
        """Say that the screen can begin."""
        self._ready.set()

    def _drop_oldest(self) -> None:
        """Make room; what is asked, and what goes back into the composer, stays: both are few by their nature."""
        for place, update in enumerate(self._updates):
            if isinstance(update, Notice | Result | Picture):
                del self._updates[place]
                self._left_out += 1
                return

    def _note_work(self) -> None:
        self._work.set()

    # --- both

    def run(self, client: Callable[[], Awaitable[None]], screen: Callable[[], object]) -> None:
        """Run `client` under Trio on a thread of its own, and `screen` here once the client has `entered`.

        Raises what the client raised; the screen is closed then.
        """
        thread = threading.Thread(target=self._run_client, args=(client,), name="qpq-client", daemon=True)
        thread.start()
        try:
            while not self._ready.wait(PATIENCE_SECONDS):
                pass
            if self._problem is None:
                screen()
            self.ask(Leave())
        except BaseException:
            self._cancel()
            raise
        finally:
            thread.join()
        if self._problem is not None:
            raise self._problem

    def _run_client(self, client: Callable[[], Awaitable[None]]) -> None:
        async def main() -> None:
            with self._lock:
                self._token = trio.lowlevel.current_trio_token()
                if self._abandoned:
                    return
            with self._scope:
                await client()

        try:
            trio.run(main)
        except BaseException as exc:  # noqa: BLE001 - raised again on the main thread
            self._problem = exc
        finally:
            self._ready.set()
            self.give(Ended())

    def _cancel(self) -> None:
        with self._lock:
            token, self._abandoned = self._token, True
        if token is not None:
            with suppress(trio.RunFinishedError):
                token.run_sync_soon(self._scope.cancel)


async def taken(call_later: Callable[[Callable[[], object]], bool]) -> None:
    """Wait, on the screen's loop, until a widget has done all that was in its queue; not for long: it may be gone."""
    done = asyncio.Event()
    if call_later(done.set):
        with suppress(TimeoutError):
            async with asyncio.timeout(TAKEN_SECONDS_MAX):
                await done.wait()
