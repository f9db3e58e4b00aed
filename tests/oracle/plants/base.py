"""What plants are made with: a name, the rule that has to find it, and how it is switched on.

Each is a context manager over the play. `expected` is the rule that names it: the promise that it breaks.
"""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unittest import mock

from qpqcore.api.delivery import EntryKind
from qpqcore.api.methods import METHODS
from qpqcore.bus.notices import LocalNotices
from qpqserver.embedded import beside

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


MESSAGE, COMMIT, PROPOSAL, WELCOME = (
    int(k) for k in (EntryKind.MESSAGE, EntryKind.COMMIT, EntryKind.PROPOSAL, EntryKind.WELCOME)
)
ENQUEUE = next(number for number, method in METHODS.items() if method.name == "enqueue")
KINDS = {"message": MESSAGE, "commit": COMMIT, "proposal": PROPOSAL, "welcome": WELCOME}


@dataclass(frozen=True)
class Plant:
    """One fault."""

    name: str
    expected: str
    switch: Callable[[Any], Any]
    """Play -> a context manager in which the fault is there."""


PLANTS: list[Plant] = []


def plant(name: str, expected: str) -> Callable[..., Any]:
    """Enter a fault: a generator function over the play, with one yield."""

    def enter(work: Any) -> Any:
        PLANTS.append(Plant(name, expected, contextmanager(work)))
        return work

    return enter


@contextmanager
def mailboxes_are_read() -> Iterator[None]:
    """Let no message be told whole to who listens: what is wrong in a mailbox would not be seen."""
    with mock.patch.object(LocalNotices, "has_listener", return_value=False):
        yield


def patched(name: str, expected: str, owner: Any, attribute: str, *, read: bool = False) -> Callable[..., Any]:
    """Enter a fault that replaces a function: the decorated one is given the original and returns the bad one."""

    def enter(make: Any) -> Any:
        def work(play: Any) -> Any:
            with (
                mailboxes_are_read() if read else nullcontext(),
                mock.patch.object(owner, attribute, make(getattr(owner, attribute))),
            ):
                yield

        PLANTS.append(Plant(name, expected, contextmanager(work)))
        return make

    return enter


def sql(name: str, expected: str, service: str, *statements: str) -> None:
    """Enter a fault of a store: triggers in its database."""

    def work(play: Any) -> Any:
        with beside(play.server.settings, service, read_only=False) as connection:
            for statement in statements:
                connection.execute(statement)
        with mailboxes_are_read():
            yield

    PLANTS.append(Plant(name, expected, contextmanager(work)))
