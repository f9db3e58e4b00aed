"""Themes and layout. `NO_COLOR` (any value) takes all colours away; bold, reverse and words say the same."""

from __future__ import annotations

from textual.theme import BUILTIN_THEMES, Theme

THEMES = {
    "dark": Theme(
        name="dark", primary="#5fafd7", secondary="#87afaf", accent="#87d7ff", warning="#ffd75f", error="#ff8787",
        success="#87d787", foreground="#d0d0d0", background="#121212", surface="#1c1c1c", panel="#262626",
    ),
    "light": Theme(
        name="light", primary="#005f87", secondary="#4e4e4e", accent="#0000af", warning="#875f00", error="#af0000",
        success="#005f00", foreground="#1c1c1c", background="#ffffff", surface="#eeeeee", panel="#e4e4e4", dark=False,
    ),
    "contrast": Theme(
        name="contrast", primary="#ffffff", secondary="#ffffff", accent="#ffff00", warning="#ffff00", error="#ff8080",
        success="#80ff80", foreground="#ffffff", background="#000000", surface="#000000", panel="#303030",
    ),
    "plain": BUILTIN_THEMES["ansi-dark"],
}  # fmt: skip
"""The names are those of the REPL. `plain` has no colours, as with NO_COLOR: the terminal's own."""
NARROW_COLUMNS, WIDE_COLUMNS = 72, 110
"""Below the first the list of conversations is hidden (Ctrl-K finds them), below the second the members."""

LAYOUT = """
Screen { layout: vertical; }
#middle { width: 1fr; height: 1fr; }
#places { text-wrap: nowrap; text-overflow: ellipsis; width: 28; height: 1fr; border: none; border-right: solid $primary 40%; padding: 0; background: $background; }
#people { text-wrap: nowrap; text-overflow: ellipsis; width: 24; height: 1fr; border: none; border-left: solid $primary 40%; padding: 0; background: $background; }
Screen.-narrow #places { display: none; }
Screen.-narrow #people, Screen.-medium #people { display: none; }
Screen.-people #people { display: block; }
#title { text-wrap: nowrap; text-overflow: ellipsis; height: 1; padding: 0 1; background: $panel; text-style: bold; }
Timeline { height: 1fr; border: none; padding: 0; background: $background; }
Timeline > .option-list--option { padding: 0 1; }
#result { height: auto; max-height: 70%; display: none; border: round $primary; padding: 0 1; background: $surface; }
#result.-open { display: block; }
#result Static { height: auto; }
#result .foot { color: $secondary; }
#lines { height: auto; max-height: 100%; }
#notice { height: auto; max-height: 3; padding: 0 1; color: $secondary; }
#notice.-error { color: $error; text-style: bold; }
#about { height: auto; max-height: 1; padding: 0 1; color: $accent; text-style: italic; }
Composer { height: auto; min-height: 3; max-height: 10; border: solid $primary 40%; padding: 0 1; background: $background; }
Composer:focus { border: solid $primary; }
#status { text-wrap: nowrap; text-overflow: ellipsis; height: 1; padding: 0 1; background: $panel; }
OptionList:focus > .option-list--option-highlighted { text-style: reverse; }
OptionList > .option-list--option-highlighted { text-style: bold; }
Timeline > .option-list--option-highlighted { background: $panel; }
ModalScreen { align: center middle; background: $background 60%; }
ModalScreen > Vertical { width: 72; max-width: 96%; height: auto; max-height: 90%; border: round $primary; padding: 0 1; background: $surface; }
ModalScreen .head { height: auto; text-style: bold; padding: 0 0 1 0; }
ModalScreen .foot { height: 1; color: $secondary; }
ModalScreen OptionList { height: auto; max-height: 16; border: none; background: $surface; padding: 0; }
ModalScreen Input { border: solid $primary; }
Viewing > Vertical { width: auto; max-width: 100%; max-height: 100%; }
#picture { width: auto; height: auto; }
"""
