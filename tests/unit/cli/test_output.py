"""What a subcommand writes beside its results: questions, and how far a file has come (a bar, the rate, the time left)."""

from __future__ import annotations

import sys

import click
import pytest
import trio
from click.testing import CliRunner

from qpq.harmless import MARK
from qpq.output import PROGRESS_SECONDS, Emitter, Progress, megabytes
from qpq.table.model import Mistake


def test_a_file_on_its_way():
    bar = Progress()
    assert bar.line("photo.jpg", 0, 10_000_000, 0.0) == "photo.jpg [--------------------] 0.0 kB of 10.0 MB, 0.0 kB/s"
    assert bar.line("photo.jpg", 100_000, 10_000_000, 0.05) is None
    line = bar.line("photo.jpg", 5_000_000, 10_000_000, 2.0)
    assert line == "photo.jpg [##########----------] 5.0 MB of 10.0 MB, 2.5 MB/s, 2 s left"
    assert bar.line("photo.jpg", 10_000_000, 10_000_000, 2.01).startswith(
        "photo.jpg [####################] 10.0 MB of 10.0 MB"
    )


def test_a_file_that_goes_on_shows_its_own_rate_and_an_empty_one_is_complete():
    bar = Progress()
    bar.line("a", 8_000_000, 10_000_000, 0.0)
    assert "1.0 MB/s, 1 s left" in bar.line("a", 9_000_000, 10_000_000, 1.0)
    assert bar.line("b\x1b[2J", 0, 0, 2.0).startswith('"b\ufffd[2J" [####')


def test_bytes_as_people_read_them():
    assert (megabytes(0), megabytes(99_999), megabytes(100_000), megabytes(1_234_567_890)) == (
        "0.0 kB",
        "100.0 kB",
        "0.1 MB",
        "1234.6 MB",
    )


def asked(question, typed):
    """Return what a command that asks gets, and what stands at the terminal."""

    @click.command()
    def command():
        click.echo(repr(trio.run(getattr(Emitter(as_json=False), question), "which\x1bone")))

    done = CliRunner().invoke(command, input=typed, catch_exceptions=False)
    return done.stdout.strip(), done.stderr


def test_questions_are_asked_beside_the_results_and_secrets_twice():
    answer, shown = asked("ask", "that one\n")
    assert answer == "'that one'"
    assert "\x1b" not in shown
    assert shown.startswith(f"which{MARK}one: ")
    answer, shown = asked("ask_secret", "first\nsecond\nsame\nsame\n")
    assert answer == "'same'"
    assert "first" not in shown


@pytest.mark.parametrize("question", ["ask", "ask_secret"])
def test_where_nobody_answers_it_is_said_what_to_do(monkeypatch, question):
    monkeypatch.setattr("qpq.output.has_terminal", lambda: False)
    with pytest.raises(Mistake, match="as an option"):
        asked(question, "")


@pytest.mark.parametrize("looking", [True, False])
def test_how_far_a_file_has_come_is_shown_where_somebody_looks(monkeypatch, capsys, looking):
    moments_s = iter([0.0, PROGRESS_SECONDS / 2, 1.0])
    monkeypatch.setattr("qpq.output.time.monotonic", lambda: next(moments_s))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: looking)
    for as_json in (True, False):
        emitter = Emitter(as_json=as_json)
        emitter.progress("film", 0, 1_000)
        emitter.progress("film", 1, 1_000)  # at once: eyes do not follow
        emitter.progress("film", 1_000, 1_000)
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.split("]")[0] for line in err.split("\r")[1:]] == [f"film [{'-' * 20}", f"film [{'#' * 20}"] * looking
    assert err.endswith("\x1b[K\n") is looking
