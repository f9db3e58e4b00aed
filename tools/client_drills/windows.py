"""The windows in which a device of the outbox drill dies, one for each step of a line from the keyboard to the other's screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qpqclient.conversation import Conversation
from qpqclient.outbox import Outbox
from qpqclient.receipts import Receipts
from tools.soak import at_client
from tools.soak.fuse import around

if TYPE_CHECKING:
    from collections.abc import Callable

    from tools.soak.fuse import Fuse

TYPED = "sender: between Enter and storing"
QUEUED = "sender: between storing and encrypting"
ENCRYPTED, ACCEPTED = at_client.ENCRYPTED, at_client.ACCEPTED
NOTED = "sender: after the note that the server has it"
DECRYPTED, STORED = at_client.DECRYPTED, at_client.STORED
SHOWN = "receiver: between telling and the receipt"
OF_SENDER = (TYPED, QUEUED, ENCRYPTED, ACCEPTED, NOTED)
OF_RECEIVER = (DECRYPTED, STORED, SHOWN)
ANY_OF_SENDER, ANY_OF_RECEIVER = "sender: at any moment", "receiver: at any moment"
OWN = (TYPED, QUEUED, NOTED, SHOWN, ANY_OF_RECEIVER)
"""Those that the suite's soak does not play (tests/cli/test_soak.py)."""
ALL = (*OF_SENDER, *OF_RECEIVER, ANY_OF_SENDER, ANY_OF_RECEIVER)


def install(fuse: Fuse) -> None:
    """Put the windows into this process; `tools.soak.at_client` has the others."""
    at_client.install(fuse)

    def before(window: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        def make(work: Callable[..., Any]) -> Callable[..., Any]:
            def reached(self: Any, *values: Any, **more: Any) -> Any:
                fuse.reach(window)
                return work(self, *values, **more)

            return reached

        return make

    def noting(done: Callable[..., None]) -> Callable[..., None]:
        def work(self: Outbox, *values: Any) -> None:
            done(self, *values)
            fuse.reach(NOTED)

        return work

    around(Conversation, "send", before(TYPED))
    around(Outbox, "_encrypted", before(QUEUED))
    around(Outbox, "_done", noting)
    around(Receipts, "_tell", before(SHOWN))
