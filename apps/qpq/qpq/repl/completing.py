"""Completes what is typed at the prompt: what `qpq.table.completing` offers, as prompt_toolkit wants it."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from prompt_toolkit.completion import Completer, Completion

from qpq.harmless import harmless
from qpq.table.completing import SHOWN_MAX, choices

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prompt_toolkit.completion import CompleteEvent
    from prompt_toolkit.document import Document

    from qpq.repl.view import Snapshot


class ChatCompleter(Completer):
    """Offers what fits where the cursor stands."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
        """Yield the choices for what stands before the cursor."""
        del complete_event
        found = choices(document.text_before_cursor, self._snapshot.people, self._snapshot.groups)
        for choice in islice(found, SHOWN_MAX):
            shown = harmless(choice.shown or choice.text)
            yield Completion(choice.text, -choice.back, display=shown, display_meta=choice.meta)
