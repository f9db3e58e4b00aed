"""The walk-through: what its script plays is what the page says, and what was shown is what lies beside it."""

from __future__ import annotations

import json
import re

import pytest

from tests.support.terminals import fits
from tools.walkthrough.page import BEGINS, FOLDER, PAGE, SEES, SHOWS, TYPES, steps
from tools.walkthrough.recording import CODE, Stable, columns_of

STEPS = steps(PAGE.read_text())
WHO = sorted({step.who for step in STEPS})
NAMED = re.compile(r"\{[a-z]+\}.*")


def found(row, step):
    """Tell whether a row of a session is what a step says."""
    text = NAMED.sub("", step.text)
    if step.verb == BEGINS:
        return row == f"$ {step.text}"
    if step.verb == SEES:
        return fits(row, text + "…" if text != step.text else text)
    return text in row


@pytest.mark.parametrize("who", WHO)
def test_what_the_page_says_is_what_was_shown(who):
    """In this order; a full screen draws its rows anew, so there it only counts that they were shown."""
    rows = (FOLDER / f"{who}.txt").read_text().splitlines()
    is_full = any(set(row) == {"-"} for row in rows)
    at = 0
    for step in (s for s in STEPS if s.who == who and s.verb in {BEGINS, TYPES, SEES, SHOWS}):
        places = [n for n, row in enumerate(rows) if (is_full or n >= at) and found(row, step)]
        assert places, step
        at = places[0]


@pytest.mark.parametrize("who", WHO)
def test_a_recording_is_an_asciicast_and_holds_no_place_of_the_machine(who):
    head, *events = map(json.loads, (FOLDER / f"{who}.cast").read_text().splitlines())
    assert (head["version"], head["width"], head["height"]) == (2, columns_of(who), 30)
    assert events
    assert [kind for _, kind, _ in events] == ["o"] * len(events)
    assert [at for at, _, _ in events] == sorted(at for at, _, _ in events)
    whole = (FOLDER / f"{who}.txt").read_text() + "".join(data for _, _, data in events)
    assert not re.search(r"\.\./|/(tmp|home|root|usr)/", whole)
    assert str(PAGE.parents[1]) not in whole


def test_the_page_lists_every_terminal():
    assert (
        {path.stem for path in FOLDER.iterdir()}
        == set(WHO)
        == set(re.findall(r"\(walkthrough/([a-z]+)\.txt\)", PAGE.read_text()))
    )


def test_what_differs_from_run_to_run_is_replaced_and_keeps_its_length():
    def text(key, code, port, at):
        return f"key {key} of 127.0.0.1:{port}: {code} at {at}, {key[:8]} stays"

    runs = []
    for key, code, port, at in (("0f" * 16, "QWER", 4001, "11-26 10:05"), ("e1" * 16, "TYUI", 50_002, "01-02 03:04")):
        stable = Stable({f":{port}": ":7000"})
        stable.name(code)
        runs.append(stable(text(key, code, port, at).replace(key[:8] + " stays", "stays")))
    assert runs[0] == runs[1]
    assert len(runs[0]) == len(text("0f" * 16, "QWER", 7000, "06-01 09:00").replace("0f0f0f0f stays", "stays"))
    assert set(runs[0].split()[4]) <= set(CODE)
