"""One chat from its beginning to its end: who one is, what was typed, what it did."""

from __future__ import annotations

import signal
from functools import partial
from typing import TYPE_CHECKING, Any

import trio

from qpq.commands.chatting import Quit
from qpq.commands.naming import label
from qpq.entering import caught_up, enter
from qpq.harmless import harmless, harmless_name
from qpq.here import Here
from qpq.output import Progress
from qpq.repl.arrivals import Arrivals, mark_read
from qpq.repl.view import Style
from qpq.table.commands import CHAT
from qpq.table.model import Face, Mistake, Needs
from qpq.table.parsing import command_of, find_command, read_line, text_of
from qpqclient import QpqError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from qpq.profile import Profile
    from qpq.repl.view import View
    from qpqclient import Client

FLUSH_SECONDS_MAX = 15.0
"""How long the end waits for what is still to be sent, where the input was a pipe; the rest goes out next time."""
HINT = "Nothing was sent: no conversation is open. /dm NAME begins one, /switch @NAME or #GROUP opens one, /list shows all."


async def chat(profile: Profile, view: View, *, plain: bool) -> None:
    """Run a chat until the input ends."""
    async with profile.open() as client:
        session = Session(profile, view, client)
        view.show(f"{await enter(client, profile)}; /help lists the commands", Style.NOTICE)
        await session.run(drain=plain)


class Session:
    """A running chat; the listener of its commands (`qpq.here.Listener`)."""

    def __init__(self, profile: Profile, view: View, client: Client) -> None:
        self._view, self._profile = view, profile
        self.here = Here(profile, self, Face.CHAT)
        self.here.client = client
        self._arrivals = Arrivals(self.here, view.show, self._refresh)
        self._bar = Progress()

    async def run(self, *, drain: bool) -> None:
        """Take lines until the input ends; with `drain`, wait then for what is still to be sent."""
        client = self.here.client
        self._refresh()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._arrivals.follow, client.events())
            if drain:
                await self._catch_up()  # what comes through a pipe may rest on what has come meanwhile
            else:
                nursery.start_soon(self._catch_up)
            nursery.start_soon(_end_on_signals, nursery.cancel_scope)
            await self._take_lines()
            if drain:
                with trio.move_on_after(FLUSH_SECONDS_MAX):
                    await client.flush()
                if unsent := client.unsent:
                    self._view.show(
                        f"{unsent} {'message waits; it is' if unsent == 1 else 'messages wait; they are'} sent next time",
                        Style.NOTICE,
                    )
            nursery.cancel_scope.cancel()

    async def _catch_up(self) -> None:
        if why := await caught_up(self.here.client, self._profile):
            self._view.show(harmless(why), Style.NOTICE)
        self._refresh()

    async def _take_lines(self) -> None:
        while True:
            try:
                line = await self._view.read()
                if line is None:
                    return
                await self.take(line)
            except KeyboardInterrupt:
                self._view.show("Ctrl-D or /quit ends", Style.NOTICE)
            except Quit:
                return
            except (Mistake, QpqError) as exc:
                self._view.show(harmless(str(exc)), Style.ERROR)
            except OSError as exc:
                self._view.show(harmless(f"{exc.strerror}: {exc.filename or ''}"), Style.ERROR)
            self._refresh()

    async def take(self, line: str) -> None:
        """Do what a line says: a command, or a message to the open conversation."""
        if not line.strip():
            return
        given = command_of(line)
        if given is None:
            await self._say(text_of(line))
            return
        command = find_command(CHAT, given[0])
        values = read_line(command, given[1])
        before = self.here.conversation
        if command.needs is Needs.CONVERSATION:
            _ = self.here.open
        await self._breakable(partial(command.call, self.here, values))
        after = self.here.conversation
        if after is not None and command.settles:
            self._arrivals.note(after)
        if after is not None and (before is None or before.id != after.id):
            if after.id in self.here.unopened:
                self.here.unopened.remove(after.id)
            await mark_read(after)

    async def _breakable(self, run: Callable[[], Awaitable[None]]) -> None:
        """Run a command that Ctrl-C breaks off; at the prompt Ctrl-C is a key."""
        problem: Exception | None = None
        # Received from before the command's first step on: there it would be raised, and end the chat.
        with trio.CancelScope() as scope, trio.open_signal_receiver(signal.SIGINT) as interrupts:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_cancel_on_interrupt, interrupts, scope)
                try:
                    await run()
                except Exception as exc:  # noqa: BLE001 - raised again below, outside of the nursery's group
                    problem = exc
                nursery.cancel_scope.cancel()
        if problem is not None:
            raise problem
        if scope.cancel_called:
            self._view.show("broken off", Style.NOTICE)

    async def _say(self, text: str) -> None:
        from qpq.commands.messages import checked

        if self.here.conversation is None:
            raise Mistake(HINT)
        self._arrivals.remember(await self.here.conversation.send(checked(text)))
        if not self.here.client.connected:
            self._view.show(f"(pending: the server is away; {self.here.client.unsent} waiting)", Style.NOTICE)

    # --- the listener

    def tell(self, value: dict[str, Any], *lines: str) -> None:
        """Show a result."""
        del value
        for line in lines:
            self._view.show(harmless(line), Style.RESULT)

    async def ask(self, question: str) -> str:
        """Ask at the prompt."""
        return await self._view.read(f"{harmless(question)}: ") or ""

    async def ask_secret(self, question: str) -> str:
        """Ask twice, unseen."""
        first = await self._view.read(f"{harmless(question)}: ", secret=True)
        again = await self._view.read("once more: ", secret=True)
        if not first or first != again:
            raise Mistake("the two were not equal: nothing was changed")
        return first

    def progress(self, what: str, done_bytes: int, total_bytes: int) -> None:
        """Show how far a file has come."""
        line = self._bar.line(what, done_bytes, total_bytes, trio.current_time())
        if line is not None:
            self._view.show_passing(line)

    # --- what the prompt shows

    def _refresh(self) -> None:
        """Write the snapshot anew."""
        client, here, snapshot = self.here.client, self.here, self._view.snapshot
        if not client.known:  # the account was deleted
            return
        conversations = client.conversations()
        snapshot.groups = tuple(harmless_name(c.name) for c in conversations if c.kind == "group")
        people = {m.name for c in conversations for m in c.members()} - {client.name}
        snapshot.people = tuple(sorted(map(harmless_name, people)))
        snapshot.prompt = f"{self._badge()}{label(here.conversation)}> " if here.conversation else "qpq> "
        marks = [
            f"{label(c)} {c.unread}{'!' if c.mentions else ''}"
            for c in conversations if c.unread and not c.muted
        ]  # fmt: skip
        parts = ["logged out" if client.logged_out else "connected" if client.connected else "server away"]
        parts += [f"{unsent} waiting"] if (unsent := client.unsent) else []
        parts += ["unread: " + ", ".join(marks)] if marks else []
        snapshot.status = "  |  ".join(parts)
        self._view.refresh()

    def _badge(self) -> str:
        """Return the mark of a direct conversation whose person is verified, or of one whose key is doubtful."""
        chosen = self.here.conversation
        if chosen is None:
            return ""
        if chosen.doubtful():
            return "(KEY CHANGED) "
        return "(verified) " if chosen.kind == "direct" and chosen.verified else ""


async def _end_on_signals(scope: trio.CancelScope) -> None:
    """End in good order when the terminal hangs up or the system asks."""
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGHUP) as received:
        async for _ in received:
            scope.cancel()


async def _cancel_on_interrupt(interrupts: AsyncIterator[int], scope: trio.CancelScope) -> None:
    """Cancel on Ctrl-C."""
    async for _ in interrupts:
        scope.cancel()
