"""The command table: every face is made from it, and a line becomes what it says or a sentence."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from qpq.main import main
from qpq.repl.completing import ChatCompleter
from qpq.repl.view import Snapshot
from qpq.table import manual
from qpq.table.commands import CHAT, RPC, TABLE
from qpq.table.model import Face, Mistake
from qpq.table.parsing import command_of, find_command, read_line, text_of

ROOT = Path(__file__).parent.parent.parent.parent
REFERENCE = {
    "dm": "<username>", "create-group": "<name>", "invite": "<username>", "remove": "<username>", "join": "", "leave": "",
    "switch": "@user or #group", "list": "", "members": "", "group-info": "", "rename": "<name>", "history": "[count]",
    "react": "<emoji> [index]", "typing": "", "typing-notify": "on|off", "edit": "<index> <text>", "delete": "<index>",
    "send-file": "<path>", "download": "<index>", "disappear": "<duration>", "verify": "<username>", "update-key": "",
    "delete-account": "", "whoami": "", "help": "", "quit": "",
}  # fmt: skip
ALIASES = {
    "cg": "create-group",
    "ls": "list",
    "gi": "group-info",
    "hist": "history",
    "sf": "send-file",
    "dl": "download",
    "rotate-key": "update-key",
}


def test_the_26_commands_and_7_aliases_of_the_reference_take_what_they_take_there():
    assert len(REFERENCE) == 26
    for name, arguments in REFERENCE.items():
        command = CHAT[name]
        taken = [a for a in command.arguments if a.placed]
        wanted = re.findall(r"<\w+>|\[\w+\]|on\|off|@user or #group", arguments)
        assert len(taken) >= len(wanted), name
        needed = sum(not w.startswith("[") for w in wanted)
        assert sum(a.required for a in taken) <= needed, name
    assert {alias: CHAT[alias].name for alias in ALIASES} == ALIASES
    assert next(a.default for a in CHAT["history"].arguments) == 20


@pytest.mark.parametrize("command", TABLE, ids=lambda c: c.name)
def test_a_command_can_be_called_with_what_its_table_says(command):
    taken = list(inspect.signature(command.run).parameters)[1:]
    assert taken == [a.name.replace("-", "_") for a in command.arguments]
    assert command.run.__doc__
    assert not command.help.endswith(".")


def test_every_face_has_its_commands():
    shell = {name for name, c in main.commands.items() if not c.hidden} | {"create-group"}
    assert {c.name for c in TABLE if Face.SHELL in c.faces} == shell - {
        "group",
        "repl",
        "tui",
        "daemon",
        "completion",
        "man",
    }
    for command in TABLE:
        assert (command.name in CHAT, command.name in RPC) == (Face.CHAT in command.faces, Face.RPC in command.faces)
        for alias in command.aliases:
            assert main.commands[alias].hidden


def test_the_manual_is_the_tables():
    page = (ROOT / "docs" / "how-to" / "commands.md").read_text()
    assert page == manual.markdown(), "write it anew: qpq man --markdown > docs/how-to/commands.md"
    for command in TABLE:
        assert command.name.replace("-", "\\-") in manual.roff("1")
    assert CliRunner().invoke(main, ["man"]).output.startswith(".TH QPQ 1")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_are_told_how_to_complete(shell):
    script = CliRunner().invoke(main, ["completion", shell]).output
    assert f"_QPQ_COMPLETE={shell}_complete" in script
    done = subprocess.run(
        [Path(sys.executable).with_name("qpq")], capture_output=True, text=True, check=True,
        env={"_QPQ_COMPLETE": f"{shell}_complete", "COMP_WORDS": "qpq send-f", "COMP_CWORD": "1" if shell != "fish" else "send-f"},
    )  # fmt: skip
    assert "send-file" in done.stdout


@pytest.mark.parametrize(
    ("line", "command", "text"),
    [
        ("/help", ("help", ""), None), ("  /help me", ("help", "me"), None), ("\t/x", ("x", ""), None), ("/", ("", ""), None),
        ("hello", None, "hello"), ("//etc", None, "/etc"), (" //etc", None, "/etc"), ("a /b", None, "a /b"), ("///", None, "//"),
        ("\u00a0/help", ("help", ""), None), ("/edit 3  two  words ", ("edit", "3  two  words"), None),
    ],
)  # fmt: skip
def test_what_is_a_command_and_what_a_message(line, command, text):
    assert command_of(line) == command
    if command is None:
        assert text_of(line) == text


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("dm @bob", {"name": "bob", "text": ""}),
        ("dm bob hi  there", {"name": "bob", "text": "hi  there"}),
        ("edit 3 it's --fine 'so'", {"index": "3", "text": "it's --fine 'so'"}),
        ("history", {"count": 20}), ("history 5", {"count": 5}), ("history --count 5", {"count": 5}),
        ("disappear 7d", {"duration": 604_800}), ("disappear off", {"duration": 0}),
        ("create-group 'book club' @bob carol", {"name": "book club", "people": ("bob", "carol"), "post_quantum": False}),
        ("create-group --post-quantum x", {"name": "x", "people": (), "post_quantum": True}),
        ("roles --admin a --let pin --admin @b", {"admin": ("a", "b"), "everybody": False, "let": ("pin",)}),
        ("search --within #x two words", {"text": "two words", "within": "#x", "count": 20}),
        (r"send-file a\ file", {"path": Path("a file")}), ('send-file "a file"', {"path": Path("a file")}),
        ("typing-notify ON", {"switch": True}),
    ],
)  # fmt: skip
def test_a_line_becomes_arguments(line, values):
    name, _, rest = line.partition(" ")
    assert read_line(CHAT[name], rest) == values


@pytest.mark.parametrize(
    "line",
    [
        "dm", "dm @", "edit 3", "edit", "list x", "history 0", "history x", "history 1000000", "disappear", "disappear 0m", "disappear 5y",
        "typing-notify", "typing-notify x", "react", "react " + "👍" * 60, "send-file 'open", "roles --let everything", "roles --admin",
        "history --count", "requests perhaps", "create-group #",
    ],
)  # fmt: skip
def test_a_wrong_line_is_a_sentence(line):
    name, _, rest = line.partition(" ")
    with pytest.raises(Mistake) as caught:
        read_line(CHAT[name], rest)
    assert str(caught.value)


def test_a_mistyped_command_is_told_what_may_be_meant():
    with pytest.raises(Mistake, match="did you mean /members"):
        find_command(CHAT, "memebrs")
    with pytest.raises(Mistake, match="/help lists all"):
        find_command(CHAT, "")
    assert find_command(CHAT, "HIST") is CHAT["history"]


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("/cre", "create-group"), ("/dm b", "bob"), ("/dm @b", "bob"), ("/switch #cl", "#club"), ("/switch @", "@bob"), ("/react thumbs_up", "👍"),
        ("hello :tada", None), ("hello :party_pop", "🎉"), ("/typing-notify o", "on"), ("/help hi", "history"), ("/disappear 3", "30m"),
        ("/sf {}/a", "bc"), ("/list x", None), ("hello b", None), ("//cre", None),
    ],
)  # fmt: skip
def test_completion_offers_what_fits(tmp_path, typed, offered):
    (tmp_path / "abc").write_text("")
    snapshot = Snapshot(people=("bob", "carol"), groups=("club",))
    document = Document(typed.format(tmp_path))
    found = [c.text for c in ChatCompleter(snapshot).get_completions(document, CompleteEvent())]
    assert (offered in found) if offered else not found


def test_completion_offers_a_screenful_and_passes_over_links_that_go_round(tmp_path):
    for number in range(60):
        (tmp_path / f"file {number:02}".replace(" ", "")).write_text("")
    (tmp_path / "ring").symlink_to(tmp_path / "ring")
    for typed, texts in (("/sf {}/f", [f"ile{n:02}" for n in range(50)]), ("/sf {}/r", ["ing"]), ("/sf {}\0/", [])):
        document = Document(typed.format(tmp_path))
        found = ChatCompleter(Snapshot()).get_completions(document, CompleteEvent())
        assert [c.text for c in found] == texts


def test_help_imports_no_screen_and_no_client():
    words = "import sys, qpq.main; print(*sorted(m for m in sys.modules if '.' not in m))"
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)
    assert (
        set(done.stdout.split()) & {"textual", "rich", "PIL", "prompt_toolkit", "qpqclient", "trio", "asyncio"} == set()
    )


@pytest.mark.parametrize(
    ("typed", "says"),
    [("--username", "stands before the command: qpq --username ... list"), ("--nonsense", "No such option")],
)
def test_an_option_of_the_program_behind_a_command_is_told_where_it_belongs(typed, says):
    done = CliRunner().invoke(main, ["list", typed, "carol"], prog_name="qpq")
    assert done.exit_code == 2
    assert says in done.stderr
