"""The client's side: carries intents out, in their order, and hands over what there is to show.

What was typed is acted on in the conversation that was on the screen when Enter was pressed, whatever is open by then. A
message is stored at once; commands run beside each other, each with its own place, so that a long upload keeps nobody from
writing.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import trio

from qpq.commands.chatting import Quit
from qpq.commands.messages import checked
from qpq.entering import caught_up, enter
from qpq.harmless import harmless
from qpq.here import Here
from qpq.repl.arrivals import Arrivals, mark_read
from qpq.repl.session import HINT
from qpq.repl.view import Style
from qpq.table.commands import CHAT
from qpq.table.model import Command, Face, Mistake, Needs
from qpq.table.parsing import command_of, find_command, read_line, text_of
from qpq.tui.listening import Running
from qpq.tui.looking import FOLDER, picture_of
from qpq.tui.scene import (
    Act,
    Answer,
    Break,
    Kept,
    Leave,
    Line,
    Look,
    Notice,
    Older,
    Open,
    Question,
    Returned,
)
from qpq.tui.staging import stage
from qpq.tui.unsent import Unsent
from qpqclient import NotFound, QpqError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from qpq.profile import Profile
    from qpq.tui.bridge import Bridge
    from qpq.tui.scene import Intent, Scene, Update
    from qpqclient import Client, Conversation

SHOWN_MESSAGES, SHOWN_MESSAGES_MAX = 200, 5_000
"""Of the open conversation; each wish for older ones shows as many more. /history and /search have the rest."""
VANISHED_LOOK_SECONDS = 2.0
"""How long a message that has vanished may stand on the screen; a look takes some milliseconds."""
COMMANDS_MAX = 8
"""That run at a time; more are refused, and what was typed goes back into the composer."""
HELD_MAX = 64
"""Lines that wait for a command before them; more go back into the composer."""


async def serve(profile: Profile, bridge: Bridge) -> None:
    """Open the profile, say when the screen can begin, and serve it until it leaves."""
    async with profile.open() as client:
        greeting = f"{await enter(client, profile)}; /help lists the commands, F1 the keys"
        session = Session(profile, client, bridge)
        session.refresh()
        bridge.give(Notice(harmless(greeting)))
        bridge.entered()
        await session.run()


class Session:
    """One person at one screen."""

    def __init__(self, profile: Profile, client: Client, bridge: Bridge) -> None:
        self._profile, self._client, self._bridge = profile, client, bridge
        self._here = Here(profile, Running(self, ""), Face.CHAT)
        self._here.client = client
        self._arrivals = Arrivals(self._here, self._show_line, self.refresh)
        self._shown = SHOWN_MESSAGES
        self._scene: Scene | None = None
        self._running: set[trio.CancelScope] = set()
        self._leading = 0
        """Commands that run and may open another conversation."""
        self._held: list[Line] = []
        """What was typed after them: it goes where they lead."""
        self._unsent = Unsent(client, lambda why: self.say(why, Style.ERROR))
        self._picture = Command("picture", "Show a picture", self._look)
        self._questions: dict[int, trio.MemorySendChannel[str | None]] = {}
        self._asked = 0
        self._folder = profile.folder() / FOLDER

    async def run(self) -> None:
        """Serve until the screen leaves, or a command ends the chat."""
        shutil.rmtree(self._folder, ignore_errors=True)  # of a process that was killed while it showed a picture
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._arrivals.follow, self._client.events())
            nursery.start_soon(self._catch_up)
            nursery.start_soon(self._look_again)
            self._nursery = nursery
            while not isinstance(intent := await self._bridge.next(), Leave):
                try:
                    await self._carry_out(intent)
                except QpqError as exc:  # the disk is full, say
                    self.say(str(exc), Style.ERROR)
            nursery.cancel_scope.cancel()

    async def _catch_up(self) -> None:
        if why := await caught_up(self._client, self._profile):
            self.say(why)
        self.refresh()

    # --- what the screen wants

    async def _carry_out(self, intent: Intent) -> None:
        match intent:
            case Kept():
                self._unsent.typed(intent)
            case Line():
                await self._line(intent)
            case Act():
                self._act(intent.channel, CHAT[intent.name], intent.values)
            case Open():
                if chosen := self._conversation(intent.channel):
                    await self._open(chosen)
            case Older():
                if self._here.conversation is not None and self._here.conversation.id == intent.channel:
                    self._shown = min(self._shown + SHOWN_MESSAGES, SHOWN_MESSAGES_MAX)
                self.refresh()
            case Answer():
                waiting = self._questions.pop(intent.number, None)
                if waiting is not None:
                    waiting.send_nowait(intent.text)
            case Look():
                place = {"ident": intent.id, "columns": intent.columns, "rows": intent.rows}
                self._act(intent.channel, self._picture, place)
            case Break():
                if not self._running:
                    self.say("Ctrl-Q or /quit ends")
                for scope in self._running:
                    scope.cancel()
            case Leave():
                pass

    def _conversation(self, channel: bytes) -> Conversation | None:
        try:
            return self._client.conversation(channel) if channel else None
        except NotFound:
            return None

    async def _open(self, chosen: Conversation | None) -> None:
        if chosen is not None and (self._here.conversation is None or self._here.conversation.id != chosen.id):
            self._shown = SHOWN_MESSAGES
        self._here.conversation = chosen
        if chosen is not None:
            if chosen.id in self._here.unopened:
                self._here.unopened.remove(chosen.id)
            await mark_read(chosen)
        self.refresh()

    async def _line(self, line: Line) -> None:
        """Do what was typed; what cannot be done goes back into the composer, with the reason."""
        if self._leading:
            if len(self._held) < HELD_MAX:
                self._held.append(line)
                self._unsent.carry(line)
            else:
                self.give_back(line, "Too much waits for the command before it.")
            return
        draft = line.draft
        try:
            given = command_of(draft.text)
            if given is not None:
                command = find_command(CHAT, given[0])
                self._start(line.channel, command, read_line(command, given[1]), line)
            elif draft.edit_of is not None:
                await self._store_with(line, CHAT["edit"], draft.edit_of)
            elif draft.reply_to is not None:
                await self._store_with(line, CHAT["reply"], draft.reply_to)
            elif draft.text.strip():
                await self._send(line)
        except (Mistake, QpqError) as exc:
            self.give_back(line, str(exc))

    async def _send(self, line: Line) -> None:
        chosen = self._conversation(line.channel)
        if chosen is None:
            raise Mistake(HINT)
        self._arrivals.remember(await chosen.send(checked(text_of(line.draft.text))))
        self._unsent.done_with(line)
        self.refresh()
        if not self._client.connected:
            self.say(f"(pending: the server is away; {self._client.unsent} waiting)")

    async def _store_with(self, line: Line, command: Command, ident: bytes) -> None:
        """Store an answer or an edit; like a message it is done at once, and sent when that can be."""
        here = self._here_of(line.channel, command)
        await command.call(here, {"index": ident.hex(), "text": text_of(line.draft.text)})
        self._unsent.done_with(line)
        self.refresh()

    def give_back(self, line: Line, why: str) -> None:
        """Put a line back into the composer, and say why."""
        self._unsent.give_back(line)
        self._bridge.give(Returned(line.channel, line.draft))
        self.say(why, Style.ERROR)

    # --- commands

    def _act(self, channel: bytes, command: Command, values: dict[str, Any]) -> None:
        try:
            self._start(channel, command, values, None)
        except Mistake as exc:
            self.say(str(exc), Style.ERROR)

    def _start(self, channel: bytes, command: Command, values: dict[str, Any], line: Line | None) -> None:
        """Run a command beside all else; Mistake."""
        if len(self._running) >= COMMANDS_MAX:
            raise Mistake("Too many commands run already: Ctrl-C breaks them off.")
        here = self._here_of(channel, command)
        if command.needs is Needs.CONVERSATION:
            _ = here.open
        scope = trio.CancelScope()
        self._running.add(scope)
        if line is not None:
            self._unsent.carry(line)
        self._leading += command.leads
        self._nursery.start_soon(self._run, command, partial(command.call, here, values), here, line, scope)

    async def _run(
        self, command: Command, call: Callable[[], Awaitable[None]], here: Here, line: Line | None, scope: trio.CancelScope
    ) -> None:  # fmt: skip
        before, problem = here.conversation, ""
        assert isinstance(here.listener, Running)
        try:
            with scope:
                await call()
            problem = "broken off" if scope.cancelled_caught else ""
        except Quit:
            self._bridge.ask(Leave())
        except (Mistake, QpqError) as exc:
            problem = str(exc)
        except OSError as exc:
            problem = f"{exc.strerror}: {exc.filename or ''}"
        finally:
            self._running.discard(scope)
        here.listener.end()
        if problem and line is not None:
            self.give_back(line, problem)
        elif problem:
            self.say(problem, Style.ERROR)
        elif line is not None:
            self._unsent.done_with(line)
        await self._after(command, before, here.conversation, problem)

    async def _after(
        self, command: Command, before: Conversation | None, after: Conversation | None, problem: str
    ) -> None:
        """Go where a command leads, and take along what was typed after it; or give that back."""
        self._leading -= command.leads
        here = self._here.conversation
        if after is not None and command.settles:
            self._arrivals.note(after)
        if after is not None and (before is None or before.id != after.id):
            await self._open(after)
        elif after is None and before is not None and here is not None and here.id == before.id:
            await self._open(None)
        held, self._held = (self._held, []) if command.leads and not self._leading else ([], self._held)
        for line in held:
            if problem:
                self.give_back(line, "nothing was done of what was typed after it")
            else:
                there = self._here.conversation
                await self._line(replace(line, channel=there.id if there else b""))
                self._unsent.done_with(line)
        if self._client.known:
            self.refresh()

    def _here_of(self, channel: bytes, command: Command) -> Here:
        """Return where a command runs: numbers of messages and the like are those of the whole chat."""
        made = Here(
            self._profile, Running(self, command.name), Face.CHAT, self._conversation(channel), self._here.unopened,
            self._here.numbers,
        )  # fmt: skip
        made.client = self._client
        return made

    async def ask(self, question: str, *, secret: bool) -> str | None:
        """Ask at the screen; None where no answer is given."""
        self._asked += 1
        send, receive = trio.open_memory_channel[str | None](1)
        self._questions[self._asked] = send
        self._bridge.give(Question(self._asked, harmless(question), secret))
        try:
            return await receive.receive()
        finally:
            self._questions.pop(self._asked, None)

    # --- pictures

    async def _look(self, here: Here, ident: bytes, columns: int, rows: int) -> None:
        """Fetch a picture and have it opened by a process of its own."""
        message = here.open.message(ident)
        if message is None or message.file is None:
            raise Mistake("This message carries no picture.")
        self._bridge.give(await picture_of(here, message, self._folder, columns, rows))

    # --- what there is to show

    def refresh(self) -> None:
        """Hand over the scene as it is now."""
        if not self._client.known:
            return
        scene = stage(self._client, self._here.conversation, self._shown)
        if scene != self._scene:
            self._scene = scene
            self._bridge.give(scene)

    async def _look_again(self) -> None:
        """Take what has vanished off the screen: nothing else tells of it."""
        while True:
            await trio.sleep(VANISHED_LOOK_SECONDS)
            self.refresh()

    def say(self, line: str, style: Style = Style.NOTICE) -> None:
        """Show one line."""
        self._bridge.give(Notice(harmless(line), style))

    def show(self, update: Update) -> None:
        """Hand an update over."""
        self._bridge.give(update)

    def _show_line(self, line: str, style: Style) -> None:
        """Show what has come; messages stand in the timeline and are counted in the list."""
        if style not in {Style.MESSAGE, Style.MENTION}:
            self._bridge.give(Notice(line, style))
