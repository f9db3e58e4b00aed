"""Results, complaints, exit codes and profiles of a subcommand: faults are not hidden."""

from __future__ import annotations

import json

import click
import pytest

import qpqclient
from qpq.harmless import MARK
from qpq.output import complain, emit
from qpq.profile import Profile, default_home, folder_name
from qpq.running import EXIT_FAULT, EXIT_INTERRUPTED, run
from qpqcore.model.errors import EXIT_CODES, ErrorCode, Refusal


def profile(home, **more):
    common = {"username": None, "password": None, "ca_cert": None, "engine": "native", "json": False}
    return Profile(server="", home=home, **(common | more))


def test_results_are_lines_or_json_without_a_raw_control_character(capsys):
    emit({"text": "\x1b[2Jü"}, "\x1b[2J", as_json=True)
    emit({"text": "unused"}, "\x1b[2Jü", as_json=False)
    as_json, line = capsys.readouterr().out.splitlines()
    assert json.loads(as_json) == {"text": "\x1b[2Jü"}
    assert "\x1b" not in as_json
    assert line == f"{MARK}[2Jü"


def test_complaints_go_to_standard_error(capsys):
    complain("notFound", "no such\x1bthing", as_json=True)
    complain("notFound", "no such\x1bthing", as_json=False)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        json.dumps({"detail": "no such\x1bthing", "error": "notFound"}),
        f"qpq: no such{MARK}thing",
    ]


def raising(exc):
    async def main():
        raise exc

    return main


@pytest.mark.parametrize(
    ("exc", "code"),
    [
        (KeyboardInterrupt(), EXIT_INTERRUPTED),
        (BrokenPipeError(), 0),
        (click.UsageError("say --username"), 2),
        (qpqclient.Refused(Refusal(ErrorCode.RATE_LIMITED, "later")), EXIT_CODES[ErrorCode.RATE_LIMITED]),
        (BaseExceptionGroup("nursery", [FileNotFoundError(2, "No such file", "film.mp4")]), EXIT_FAULT),
    ],
)
def test_what_goes_wrong_becomes_an_exit_code(tmp_path, capsys, exc, code):
    assert run(profile(tmp_path), raising(exc)) == code
    assert "Traceback" not in capsys.readouterr().err


def test_what_goes_right_is_zero_and_a_fault_of_our_own_keeps_its_traceback(tmp_path):
    async def nothing():
        pass

    assert run(profile(tmp_path), nothing) == 0
    with pytest.raises(ZeroDivisionError):
        run(profile(tmp_path), raising(ZeroDivisionError()))


def test_which_profile_is_meant(tmp_path):
    with pytest.raises(click.UsageError, match="no profile yet"):
        profile(tmp_path / "none").name()
    (tmp_path / "alice").mkdir()
    assert profile(tmp_path).name() == "alice"
    assert profile(tmp_path).folder() == tmp_path / "alice"
    (tmp_path / "bob").mkdir()
    with pytest.raises(click.UsageError, match="alice, bob"):
        profile(tmp_path).name()
    assert profile(tmp_path, username="bob").folder() == tmp_path / "bob"
    assert profile(tmp_path, password="given").secret() == "given"


@pytest.mark.parametrize("name", ["..", ".", "a/b", "../x", "ü", "a" * 65, ""])
def test_a_folder_is_one_name_whatever_the_user_name(name):
    folder = folder_name(name)
    assert folder.startswith("x")
    assert folder.isalnum()
    assert len(folder) <= 129


def test_the_home_is_what_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("QPQ_HOME", str(tmp_path))
    assert default_home() == tmp_path
    monkeypatch.delenv("QPQ_HOME")
    assert default_home().name == "qpq"
