"""All windows, each with what has to go on for it to be reached, and the deck of kills that a run plays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tools.soak import at_client, at_server

if TYPE_CHECKING:
    from random import Random  # noqa: TID251 - seeded

SERVER = "server"
PERSON = "person"
GUEST = "guest"
OF_GUESTS = ("register", "delete")
"""Scenes of somebody who comes and goes: one life can die twice."""
ANY_MOMENT = ("server: at any moment", "client: at any moment")


@dataclass(frozen=True, slots=True)
class Window:
    """One window: who dies in it, and by what scene it is reached."""

    name: str
    family: str
    """Windows that a short run takes for one another."""
    victim: str
    scene: str
    skip_max: int = 0
    """How often it may be passed first, so that not always the same message meets it."""


def _windows() -> list[Window]:
    s, c = at_server, at_client
    found = [
        Window(s.before(""), "server: before commit", SERVER, "talk", 40),
        Window(s.after(""), "server: between commit and reply", SERVER, "talk", 40),
        Window(s.REPLY, "server: between commit and reply", SERVER, "talk", 40),
        Window(s.IN_PURGE, "server: in purge", SERVER, "talk", 4),
        *(Window(w, "server: in blob upload", SERVER, "file", 2 if "chunk" in w else 0) for w in s.IN_UPLOAD),
        *(Window(w, "server: before commit", SERVER, "change") for w in s.IN_CHANGE),
        *(Window(w, "server: before commit", SERVER, "found") for w in s.IN_FOUNDING),
        *(Window(w, "server: in registration", SERVER, "register") for w in s.IN_REGISTRATION),
        *(Window(w, "server: in account deletion", SERVER, "delete") for w in s.IN_DELETION),
        Window(c.ENCRYPTED, "client: between encrypt and send", PERSON, "talk", 20),
        Window(c.ACCEPTED, "client: between acceptance and note", PERSON, "talk", 20),
        Window(c.DECRYPTED, "client: between decrypt and store", PERSON, "talk", 40),
        Window(c.STORED, "client: between decrypt and store", PERSON, "talk", 10),
        Window(c.BUILT, "client: between accept and merge", PERSON, "change"),
        Window(c.UNMERGED, "client: between accept and merge", PERSON, "change"),
        *(Window(w, "client: in rejoin", PERSON, "rejoin") for w in c.IN_REJOIN),
        *(Window(w, "client: in channel creation", PERSON, "found") for w in c.IN_FOUNDING),
        *(Window(w, "client: in channel creation", PERSON, "reset") for w in c.IN_RESET),
        Window(c.UPLOADING, "client: in blob upload", PERSON, "file", 1),
        *(Window(w, "client: in registration", GUEST, "register") for w in c.IN_REGISTRATION),
    ]
    return [*found, *(Window(w, w, w.partition(":")[0].replace("client", PERSON), "any") for w in ANY_MOMENT)]


WINDOWS = _windows()


def deck(kills: int, dice: Random) -> list[Window]:
    """Return so many windows to be hit, in a seeded order: every window about equally often.

    Too few for all of them: each family once first.
    """
    families: dict[str, list[Window]] = {}
    for window in WINDOWS:
        families.setdefault(window.family, []).append(window)
    drawn = [dice.choice(windows) for windows in families.values()]
    if kills >= len(WINDOWS):
        drawn = []
    while len(drawn) < kills:
        drawn += dice.sample(WINDOWS, len(WINDOWS))
    drawn = drawn[: max(kills, len(families))]
    dice.shuffle(drawn)
    return drawn


def scenes(drawn: list[Window]) -> list[tuple[Window, ...]]:
    """Return the windows of a deck by scene: those of a guest's beginning and end in pairs."""
    of_guests = {scene: [w for w in drawn if w.scene == scene] for scene in OF_GUESTS}
    found: list[tuple[Window, ...]] = []
    for window in drawn:
        if window.scene not in OF_GUESTS:
            found.append((window,))
        elif of_guests[window.scene]:
            found.append(tuple(of_guests[scene].pop() for scene in OF_GUESTS if of_guests[scene]))
    return found
