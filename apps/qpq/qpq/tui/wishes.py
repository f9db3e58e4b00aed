"""What can be done with a message that is chosen: reply, edit, react, delete, copy, view, save."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qpq.repl.view import Style
from qpq.tui.dialogs import Deleting, Reacting
from qpq.tui.scene import Look

if TYPE_CHECKING:
    from collections.abc import Callable

    from qpq.tui.app import ChatApp
    from qpq.tui.scene import Entry

FRAME_COLUMNS, FRAME_ROWS = 6, 8
"""What stands round a picture."""


def carry_out(app: ChatApp, what: str, entry: Entry) -> None:
    """Do it, or say why not; then it is the composer's turn again: a letter that is typed on does nothing more."""
    app.timeline.back()
    why = NOT[what](app, entry) if what in NOT else ""
    if why or entry.notice:
        app.say(why or "Nobody has sent this.", Style.ERROR)
    else:
        WISHES[what](app, entry)


def _reply(app: ChatApp, entry: Entry) -> None:
    app.typed.reply(entry)


def _edit(app: ChatApp, entry: Entry) -> None:
    app.typed.edit(entry)


def _react(app: ChatApp, entry: Entry) -> None:
    def chosen(emoji: str) -> None:
        app.act("react", emoji=emoji, index=entry.id.hex(), remove=False)

    app.push_screen(Reacting(chosen))


def _delete(app: ChatApp, entry: Entry) -> None:
    def sure() -> None:
        app.act("delete", index=entry.id.hex())

    app.push_screen(Deleting(entry.lines[0], sure, app.write_on))


def _copy(app: ChatApp, entry: Entry) -> None:
    """Copy what is seen, not what was sent: a text that shows less than it holds is not carried into a shell."""
    app.copy_to_clipboard("\n".join(entry.lines))
    app.say("copied, where the terminal lets programs copy (OSC 52)")


def _view(app: ChatApp, entry: Entry) -> None:
    columns, rows = app.size.width - FRAME_COLUMNS, app.size.height - FRAME_ROWS
    app.ask(Look(app.typed.channel, entry.id, max(1, columns), max(1, rows)))


def _download(app: ChatApp, entry: Entry) -> None:
    from pathlib import Path

    app.act("download", index=entry.id.hex(), to=Path())


def _not_own(_app: ChatApp, entry: Entry) -> str:
    return "" if entry.own else f"This is {entry.sender}'s: only one's own can be changed."


def _not_text(app: ChatApp, entry: Entry) -> str:
    return "A file cannot be edited." if entry.file and entry.own else _not_own(app, entry)


def _no_picture(app: ChatApp, entry: Entry) -> str:
    if not entry.picture:
        return "This message carries no picture."
    return "" if app.coloured else "No picture without colours (NO_COLOR, or the theme plain): s saves the file."


def _no_file(_app: ChatApp, entry: Entry) -> str:
    return "" if entry.file else "This message carries no file."


NOT: dict[str, Callable[[ChatApp, Entry], str]] = {
    "edit": _not_text, "delete": _not_own, "view": _no_picture, "download": _no_file,
}  # fmt: skip
WISHES: dict[str, Callable[[ChatApp, Entry], None]] = {
    "reply": _reply, "edit": _edit, "react": _react, "delete": _delete, "copy": _copy, "view": _view,
    "download": _download,
}  # fmt: skip
