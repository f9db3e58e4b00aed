"""How the parts of a scene look, a row each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content

from qpq.tui.scene import Badge

if TYPE_CHECKING:
    from qpq.tui.scene import Person, Place, Scene
    from qpqclient import Draft

SIGNS = {Badge.NONE: "", Badge.UNVERIFIED: "", Badge.VERIFIED: " ✓", Badge.CHANGED: " KEY CHANGED"}
STYLES = {Badge.NONE: "", Badge.UNVERIFIED: "dim", Badge.VERIFIED: "bold $success", Badge.CHANGED: "bold $error"}
Part = tuple[str, str]


def place_row(place: Place) -> Content:
    """Return a conversation: its name, what is unread (`!`: it names one), a draft, what is known of the key."""
    quiet = place.muted or not place.active
    loud = place.unread and not quiet
    parts: list[Part] = [(place.label, "bold" if loud else "dim" if quiet else "")]
    if place.unread:
        parts.append((f" {place.unread}{'!' if place.mentions else ''}", "bold $warning" if loud else "dim"))
    parts.append((SIGNS[place.badge], STYLES[place.badge]))
    parts += [(" (draft)", "dim italic")] if place.draft else []
    parts += [(" (muted)", "dim")] if place.muted else []
    parts += [] if place.active else [(" (left)", "dim")]
    return Content.assemble(*parts)


def person_row(person: Person) -> Content:
    """Return a member."""
    parts: list[Part] = [(person.name, ""), (SIGNS[person.badge], STYLES[person.badge])]
    parts += [(" admin", "dim")] if person.admin else []
    parts += [(f" {person.devices} devices", "dim")] if person.devices > 1 else []
    return Content.assemble(*parts)


def title_row(scene: Scene) -> Content:
    """Return what is open, and its badge."""
    if scene.open is None:
        return Content("No conversation is open: Ctrl-K or a name in the list opens one, /dm NAME begins one")
    badge = f"  ({scene.badge.value}{': /verify' if scene.badge is Badge.CHANGED else ''})" if scene.badge.value else ""
    return Content.assemble((scene.title, ""), (badge, STYLES[scene.badge]))


CHOOSING = "choosing a message: r reply  e edit  + react  d delete  c copy  v view  s save  Esc back"


def status_row(scene: Scene, passing: str, *, choosing: bool = False) -> Content:
    """Return how things stand; `choosing`: letters are commands, and what they do is named first."""
    parts: list[Part] = [(f"{CHOOSING}    ", "bold reverse")] if choosing else []
    is_well = scene.connected and not scene.logged_out
    state = "  logged out" if scene.logged_out else "  connected" if scene.connected else "  server away"
    parts += [(scene.name, "bold"), (state, "" if is_well else "bold $warning")]
    parts += [(f"  {scene.unsent} waiting", "bold $warning")] if scene.unsent else []
    parts += [(f"  {scene.requests} requests: /requests", "bold $warning")] if scene.requests else []
    parts += [(f"  {passing}", "")] if passing else []
    parts += [] if choosing else [("    F1 keys  Ctrl-K go to  Ctrl-Q end", "dim")]
    return Content.assemble(*parts)


def about_row(draft: Draft, scene: Scene) -> Content:
    """Return what the composer's text is about, where it is about a message."""
    ident = draft.edit_of or draft.reply_to
    if ident is None:
        return Content("")
    what = "Editing" if draft.edit_of else "Answering"
    entry = next((e for e in scene.entries if e.id == ident), None)
    of = f" {entry.sender}: {entry.lines[0]}" if entry else " a message of before"
    return Content(f"{what}{of}  (Esc: not)")
