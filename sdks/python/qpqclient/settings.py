"""What a person can set for this device: few things, each with a safe default, kept in the database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qpqclient.errors import SettingUnknown

if TYPE_CHECKING:
    from qpqclient.store import Store

ON, OFF = "on", "off"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: what it may be, what it is if nobody says, and what it does."""

    values: tuple[str, ...]
    default: str
    means: str


DELIVERED, READ, TYPING, TYPING_SHOWN = "receipts.delivered", "receipts.read", "typing", "typing.shown"
REQUESTS, KEYS = "requests", "keys"
FIRST, VERIFIED = "first", "verified"
SETTINGS = {
    DELIVERED: Setting((ON, OFF), ON, "tell senders that their messages have come (not in large groups)"),
    READ: Setting((ON, OFF), ON, "tell senders that their messages were read (not in large groups)"),
    TYPING: Setting((ON, OFF), ON, "tell others that one is typing"),
    TYPING_SHOWN: Setting((ON, OFF), ON, "show that others are typing (/typing-notify)"),
    REQUESTS: Setting((ON, OFF), OFF, "let conversations that unknown people begin wait until they are accepted"),
    KEYS: Setting((FIRST, VERIFIED), FIRST, "send to people whose key was seen first, or only to verified ones"),
}


class Settings:
    """The settings of one folder."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, name: str) -> str:
        """Return what a setting is; SettingUnknown."""
        known = SETTINGS.get(name)
        if known is None:
            raise SettingUnknown(f"there is no setting {name!r}: there are {', '.join(SETTINGS)}")
        stored = self._store.get(f"setting:{name}")
        return stored.decode() if stored is not None else known.default

    def on(self, name: str) -> bool:
        """Tell whether a setting is on."""
        return self.get(name) == ON

    def set(self, name: str, value: str) -> None:
        """Change a setting; SettingUnknown."""
        self.get(name)
        if value not in SETTINGS[name].values:
            raise SettingUnknown(f"{name} is one of {', '.join(SETTINGS[name].values)}")
        self._store.put({f"setting:{name}": value.encode()})

    def all(self) -> dict[str, str]:
        """Return every setting as it is."""
        return {name: self.get(name) for name in SETTINGS}
